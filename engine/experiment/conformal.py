"""Calibration on grouped data: quantiles and p-values under which a new material is as likely as those seen.

Hierarchical conformal prediction (Lee, Barber & Willett, arXiv:2306.06342): sites of one material resemble each other,
materials are exchangeable. Every material has the same weight, shared among its sites, and one more stands for the new.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.errors import ConfigError, DataError
from engine.experiment.measured import FloatArray


def _weights(group: npt.NDArray[np.str_]) -> tuple[FloatArray, int]:
    _, where, counts = np.unique(group, return_inverse=True, return_counts=True)
    return 1.0 / ((counts.size + 1) * counts[where]), counts.size


def grouped_quantile(scores: FloatArray, group: npt.NDArray[np.str_], coverage: float) -> float:
    """The score that a site of a new material stays within with probability ``coverage`` or more.

    scores (n,) of calibration sites, group (n,) their material. Infinite where there are too few materials to say.
    """
    if not 0.0 < coverage < 1.0:
        raise ConfigError(f"coverage is {coverage}; need a number between 0 and 1")
    if scores.size == 0 or scores.shape != group.shape:
        raise DataError(f"{scores.size} scores of {group.size} calibration sites; need one score per site, and a site")
    weights, _ = _weights(group)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order])
    at = int(np.searchsorted(reached, coverage - 1e-12))
    return float(scores[order[at]]) if at < scores.size else float("inf")


def grouped_p_values(scores: FloatArray, group: npt.NDArray[np.str_], new: FloatArray) -> FloatArray:
    """For new scores (q,) the probability that a site of a new material scores as high or higher, by calibration (n,).

    Never below 1 / (materials + 1). Where nothing is unusual, p is uniform or larger.
    """
    weights, materials = _weights(group)
    order = np.argsort(scores, kind="stable")
    above = np.concatenate([np.cumsum(weights[order][::-1])[::-1], [0.0]])
    return np.asarray(1.0 / (materials + 1) + above[np.searchsorted(scores[order], new, side="left")])
