"""Predictions for measured spectra and maps of their series, beside the page's events; torch is imported here alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from engine.experiment.measured import FloatArray
from engine.experiment.mixtures import SeriesMap
from engine.model.run import Run
from explorer.measurement import COVERAGE, Predicted
from explorer.turns import beside, weights_stamp

PREDICTORS_KEPT = 8
T = TypeVar("T")
_WORKER = ThreadPoolExecutor(1, "measured")


class Measuring:
    """Works for all sessions, one question at a time; a predictor is kept until the weights of its run change."""

    def predict(self, folder: Path, member: int, mu: FloatArray) -> Predicted:
        """Calibrated predictions of ``member`` of the run in ``folder`` for spectra (n, m) on its grid.

        RunError when the set of the run is gone; DataError when it is too small to calibrate.
        """
        from engine.experiment.aligning import shift_sensitivity

        predictor, covered, materials = _predictor(folder, weights_stamp(folder), member)
        found = predictor.predict(mu, COVERAGE)
        per_ev = shift_sensitivity(predictor.values, predictor.member.energy_ev, mu)
        return Predicted(found, per_ev, covered, materials)

    def map_series(
        self, folder: Path, mu: FloatArray, energy_ev: FloatArray, components: int, sites: Sequence[str]
    ) -> SeriesMap:
        """Spectra (N, m) on energies (m,) mapped onto the set that the run in ``folder`` was trained on."""
        import torch

        from engine.experiment.domain_map import map_series

        torch.set_num_threads(1)
        return map_series(mu, energy_ev, Run(folder).spectra(), components=components, sites=sites)

    def beside(self, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None:
        """Does ``work`` in a thread; calls ``then(result)`` when the page can be changed; ``result()`` may raise."""
        beside(_WORKER, work, then)


@functools.lru_cache(PREDICTORS_KEPT)
def _predictor(folder: Path, stamp: int, member: int) -> tuple[Any, dict[str, tuple[float, int]], int]:
    """The fitted predictor, what its intervals cover of the test part, how many materials calibrate it."""
    import torch

    from engine.experiment.calibration import coverage_on, fit_predictor
    from engine.model.latent_model import load_member

    torch.set_num_threads(1)
    run = Run(folder)
    spectra, split = run.spectra(), run.split()
    predictor = fit_predictor(load_member(run, member), spectra, split)
    materials = int(np.unique(spectra.material_id[split.validation]).size)
    return predictor, coverage_on(predictor, spectra, split.test, COVERAGE), materials
