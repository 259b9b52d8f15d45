"""A small made-up family of labelled spectra whose latent truth is known: an edge that shifts and a peak that grows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from engine.io import write_set
from engine.model.config import TrainConfig
from engine.model.training import train
from engine.spectra import SpectraSet


def make_set(n: int = 240, points: int = 48, seed: int = 0, per_material: int = 3) -> SpectraSet:
    """n spectra: OS (1, 2, 3) moves the edge, CN (4, 5, 6) grows the white line, WAVE the wiggle."""
    rng = np.random.default_rng(seed)
    energy = np.linspace(8980.0, 9030.0, points)
    oxidation, coordination = rng.integers(1, 4, n), rng.integers(4, 7, n)
    wave = rng.normal(size=n)
    edge = 8990 + 2.0 * oxidation[:, None] + 0.1 * rng.normal(size=(n, 1))
    x = energy[None, :] - edge
    step = 0.5 + np.arctan(x / 1.5) / np.pi
    line = 0.25 * (coordination[:, None] - 3) * np.exp(-(((x - 4) / 2.5) ** 2))
    wiggle = (0.06 + 0.03 * wave[:, None]) * np.sin(x / 4) * (x > 8)
    mu = np.maximum(step + line + wiggle + 0.003 * rng.normal(size=(n, points)), 0)
    material = np.arange(n) // per_material
    return SpectraSet(
        energy_ev=energy,
        mu=mu,
        descriptors=pd.DataFrame({"OS": oxidation, "CN": coordination, "WAVE": wave}),
        site_id=np.array([f"m-{m}_{i % per_material:03d}" for i, m in enumerate(material)]),
        material_id=np.array([f"m-{m}" for m in material]),
        element=np.full(n, "Cu"),
        origin="synthetic",
    )


def fill_workspace(folder: Path, spectra: SpectraSet, runs: Mapping[str, TrainConfig]) -> Path:
    """The app's workspace ``folder`` with the set ``made`` and, trained on it, the runs by id."""
    path = folder / "sets" / "made.parquet"
    path.parent.mkdir()
    write_set(spectra, path)
    for run, config in runs.items():
        train(spectra, path, config, folder / "runs" / run)
    return folder
