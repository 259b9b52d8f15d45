"""Calibrated predictions as numbers: what was predicted, with which interval, and how odd the spectra are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.experiment.measured import FloatArray
from engine.spectra import SpectraSet

MEASURES = ("latent density", "nearest sites", "reconstruction")
AVERAGE = "a measured spectrum averages over the absorbing sites of the sample, and so does what is predicted from it"
MAPPED = (
    "mapped spectra are mixtures of simulated ones, so they lie inside the domain by construction: whether the "
    "measurement does is for its residual in the map, and for the unmapped spectra, to say"
)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Predictions of one descriptor (n,) and the interval that covers a site of a new material as often as asked."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class OnStandards:
    """Predictions of one descriptor (n,) put right on standards, see ``engine.experiment.standards``.

    beyond  (n,) whether the interval lies wholly outside the known values of the standards · line  in words
    """

    interval: Calibrated
    beyond: npt.NDArray[np.bool_]
    line: str


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predictions for n spectra and d descriptors.

    names      d descriptors · coverage of the intervals
    ensemble   per descriptor, mean of the networks with its interval · spread (n, d) their standard deviation
    isotonic   per descriptor with an axis of its own, the value that the axis alone gives, with its interval
    latent     (n, k) · reconstruction (n, m) decoded from it
    measure    (n, 3) in the order of MEASURES, larger is odder · p (n, 3) share of in-domain materials as odd or odder
    flagged    (n, 3) whether the spectrum is outside the training domain by that measure
    standards  per descriptor that standards were given for, the ensemble's predictions put right on them
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
    standards: dict[str, OnStandards] = field(default_factory=dict)


def covered(interval: Calibrated, truth: FloatArray) -> tuple[float, int]:
    """Share of known truths (n,) inside an interval, and how many are known."""
    known = ~np.isnan(truth)
    inside = (interval.low <= truth) & (truth <= interval.high)
    return (float(inside[known].mean()) if known.any() else float("nan")), int(known.sum())


def prediction_table(spectra: SpectraSet, found: Prediction, per_ev: FloatArray) -> pd.DataFrame:
    """One row per spectrum: predictions with intervals and change per eV of shift; three measures of the domain.

    Columns: name, SERIES where the set has it; per descriptor "X", "X low", "X high", "X spread" of the networks, "X
    per eV"; where it was put right on standards, "X by standards" with low, high and whether "beyond" their values;
    with an axis of its own, "X by axis" with low and high; per measure its value, "p", whether "outside".
    """
    columns: dict[str, Any] = {"name": spectra.site_id}
    if "SERIES" in spectra.descriptors:
        columns["SERIES"] = spectra.descriptors["SERIES"].to_numpy()
    for i, name in enumerate(found.names):
        one = found.ensemble[name]
        columns |= _interval(name, one)
        columns |= {f"{name} spread": found.spread[:, i], f"{name} per eV": per_ev[:, i]}
        if name in found.standards:
            put_right = found.standards[name]
            columns |= _interval(f"{name} by standards", put_right.interval)
            columns[f"{name} by standards beyond"] = put_right.beyond
        if name in found.isotonic:
            columns |= _interval(f"{name} by axis", found.isotonic[name])
    for i, measure in enumerate(MEASURES):
        columns |= {
            measure: found.measure[:, i],
            f"{measure} p": found.p[:, i],
            f"{measure} outside": found.flagged[:, i],
        }
    return pd.DataFrame(columns)


def _interval(name: str, one: Calibrated) -> dict[str, FloatArray]:
    return {name: one.value, f"{name} low": one.low, f"{name} high": one.high}
