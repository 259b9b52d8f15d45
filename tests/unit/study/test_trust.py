"""Stability, validity, suggestion and report of a run without any descriptor: free axes alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.io import write_set
from engine.model.config import make_config
from engine.model.run import Run
from engine.model.training import train
from engine.study.report import report_page
from engine.study.suggest import suggest
from engine.study.trust import trends, trends_json, validity
from tests.command import rankaae
from tests.synthetic import make_set


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("trust")
    spectra = make_set(300, 40)
    write_set(spectra, folder / "set.parquet")
    config = make_config("autoencoder", free_axes=2, seeds=(0, 1), epochs=30, hidden=32)
    return train(spectra, folder / "set.parquet", config, folder / "run")


def test_members_are_compared_axis_by_axis(run: Run, tmp_path: Path) -> None:
    found = trends(run)
    assert list(found) == ["free 1", "free 2"]
    content = trends_json(run, found)
    for row in content["axes"].values():
        assert -1 <= row["cosine_least"] <= row["cosine_mean"] <= 1
    assert content["members"] == 2
    out = tmp_path / "trends.csv"
    text = rankaae("stability", run.path, "--out", out).stdout
    assert "2 seeds; errors of the model alone" in text
    table = pd.read_csv(out)
    assert len(table) == 40
    change = found["free 1"].differential
    np.testing.assert_allclose(table["free 1"], np.median(change, axis=0), atol=1e-6)
    assert {"free 2 start low", "free 2 end high"} <= set(table)


def test_decoded_spectra_are_counted_per_member(run: Run) -> None:
    shares = validity(run)
    assert len(shares) == 2
    assert all(one.negative == 0 for one in shares)  # the decoder ends in a Softplus
    assert "any fault" in rankaae("validity", run.path).stdout


def test_without_descriptors_there_is_still_something_to_suggest_and_report(run: Run) -> None:
    found = suggest(run, permutations=999)
    assert found.used == ()
    assert found.swaps == []
    assert set(found.proposed) <= {"OS", "CN", "WAVE"}
    assert found.proposed
    page = report_page(run)
    assert "Axes and descriptors" not in page
    assert "ExtraTrees (supervised ceiling)" not in page
