"""Calibrated predictions as numbers: what was predicted, with which interval, and how odd the spectra are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.experiment.measured import FloatArray

MEASURES = ("latent density", "nearest sites", "reconstruction")


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Predictions of one descriptor (n,) and the interval that covers a site of a new material as often as asked."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predictions for n spectra and d descriptors.

    names      d descriptors · coverage of the intervals
    ensemble   per descriptor, mean of the networks with its interval · spread (n, d) their standard deviation
    isotonic   per descriptor with an axis of its own, the value that the axis alone gives, with its interval
    latent     (n, k) · reconstruction (n, m) decoded from it
    measure    (n, 3) in the order of MEASURES, larger is odder · p (n, 3) share of in-domain materials as odd or odder
    flagged    (n, 3) whether the spectrum is outside the training domain by that measure
    """

    names: tuple[str, ...]
    coverage: float
    ensemble: dict[str, Calibrated]
    spread: FloatArray
    isotonic: dict[str, Calibrated]
    latent: FloatArray
    reconstruction: FloatArray
    measure: FloatArray
    p: FloatArray
    flagged: npt.NDArray[np.bool_]


def covered(interval: Calibrated, truth: FloatArray) -> tuple[float, int]:
    """Share of known truths (n,) inside an interval, and how many are known."""
    known = ~np.isnan(truth)
    inside = (interval.low <= truth) & (truth <= interval.high)
    return (float(inside[known].mean()) if known.any() else float("nan")), int(known.sum())
