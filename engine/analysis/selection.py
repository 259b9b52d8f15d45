"""Choice of one member of an ensemble by z-scores over the seeds (Liang et al. 2023, Eq. 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.analysis.scores import FloatArray, MemberScores


def selection_table(members: Sequence[MemberScores]) -> dict[str, FloatArray]:
    """The terms of Eq. 2 as z-scores over the members, (s,) each, every one such that larger is better.

    Terms: minus the largest correlation of a free with a constrained axis (without free axes or descriptors: of any two
    axes); per descriptor F1 where it is categorical and |SRCC| where not; and, beyond Eq. 2, minus the reconstruction
    RMSE when there is no descriptor at all. A term that is equal or undefined for all members is 0.
    """
    first = members[0]
    raw: dict[str, list[float]] = {}
    if first.descriptors and first.free_axis_correlation_max > 0:
        raw["free axis correlation"] = [-m.free_axis_correlation_max for m in members]
    else:
        raw["axis correlation"] = [-m.axis_correlation_max for m in members]
    for name, score in first.descriptors.items():
        measure = "srcc" if np.isnan(score.f1) else "f1"
        raw[f"{name} {measure}"] = [getattr(m.descriptors[name], measure) for m in members]
    if not first.descriptors:
        raw["reconstruction rmse"] = [-m.reconstruction_rmse for m in members]
    return {name: _z_scores(np.asarray(values)) for name, values in raw.items()}


def selection_scores(members: Sequence[MemberScores]) -> FloatArray:
    """Eq. 2: the sum of the terms (s,); the member with the largest is the one to use."""
    total: FloatArray = np.sum(list(selection_table(members).values()), axis=0)
    return total


def _z_scores(values: FloatArray) -> FloatArray:
    spread = np.nanstd(values) if np.isfinite(values).any() else 0.0
    if not spread > 1e-12:
        return np.zeros_like(values)
    return np.nan_to_num((values - np.nanmean(values)) / spread, nan=-10.0)
