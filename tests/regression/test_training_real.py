"""A short training on real Cu spectra keeps what the default preset has reached; the full figures are a benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.io import import_source, write_set
from engine.model.config import make_config
from engine.model.report import score_run
from engine.model.training import train

DESCRIPTORS = ("OS", "CN", "OCN", "NNRS", "MOOD")


@pytest.mark.real
@pytest.mark.slow
def test_fifteen_epochs_on_cu_feff(real_data: Path, tmp_path: Path) -> None:
    spectra, report = import_source(real_data / "cu_feff" / "rankaae_layout.csv.gz", element="Cu")
    assert report.n_kept == 3800
    write_set(spectra, tmp_path / "cu.parquet")
    config = make_config("default", descriptors=DESCRIPTORS, seeds=(0,), epochs=15)
    run = train(spectra, tmp_path / "cu.parquet", config, tmp_path / "run")
    member = score_run(run, baselines=False)["members"][0]
    scores = {name: member["descriptors"][name]["srcc"] for name in DESCRIPTORS}
    assert member["reconstruction_rmse"] < 0.065
    assert scores["OS"] > 0.55
    assert min(scores[name] for name in DESCRIPTORS[1:]) > 0.70
    assert member["free_axis_correlation_max"] < 0.3
