"""Spectra from descriptors and structures: scores with known answers, and networks that find what is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from engine.errors import ConfigError, RunError
from engine.io import structures_path, write_set
from engine.io.structures import write_structures
from engine.model.config import make_config
from engine.model.run import Run
from engine.model.training import train
from engine.structures.radial import FEATURE_DISTANCE
from engine.study.forward import forward, percentage_errors, permutation_importance, read_forward, row_of
from engine.study.report import report_page
from tests.command import rankaae
from tests.synthetic import make_set


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """On made-up spectra whose white line grows with CN, with a structure that has CN oxygen atoms around its Cu."""
    folder = tmp_path_factory.mktemp("forward")
    spectra = make_set(240, per_material=1)
    write_set(spectra, folder / "set.parquet")
    corners = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) * 1.95 + 5
    structures = {}
    for name, count in zip(spectra.material_id, spectra.descriptors["CN"], strict=True):
        places = np.vstack([[5, 5, 5], corners[: int(count)]])
        structures[str(name)] = Structure(
            Lattice.cubic(20), ["Cu"] + ["O"] * int(count), places, coords_are_cartesian=True
        )
    write_structures(structures, spectra, structures_path(folder / "set.parquet"))
    config = make_config("default", descriptors=("OS", "CN"), seeds=(0, 1), epochs=10, hidden=16)
    return train(spectra, folder / "set.parquet", config, folder / "run")


def test_percentage_errors_are_areas() -> None:
    truth = np.array([[1.0, 1.0], [2.0, 2.0]])
    np.testing.assert_allclose(percentage_errors(truth + np.array([[0.1, -0.1], [0.0, 0.2]]), truth), [10, 5])


def test_a_spread_that_is_right_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    truth = np.ones((200, 50))
    drawn = truth + 0.1 * rng.normal(size=truth.shape) + 0.1 * rng.normal(size=(400, *truth.shape))
    covered = row_of("made up", "draws", drawn, truth).coverage
    assert covered == pytest.approx(0.9973, abs=0.002)
    assert row_of("made up", "one", drawn[:1], truth).coverage is None


def test_only_what_is_looked_at_is_important() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, len(FEATURE_DISTANCE)))
    looked_at = int(np.flatnonzero(FEATURE_DISTANCE == 2.2)[0])

    def predict(x: np.ndarray) -> np.ndarray:
        return 2 + 0.1 * np.repeat(x[None, :, looked_at : looked_at + 1], 3, axis=2)

    found = dict(permutation_importance(predict, inputs, predict(inputs)[0], seed=0))
    assert found[2.0] > 1
    assert all(rise == 0 for distance, rise in found.items() if distance != 2.0)


def test_networks_beat_the_mean_and_structures_tell_what_they_hold(run: Run) -> None:
    found = forward(run, networks=3, steps=150)
    error = {(row.source, row.method): row.percent for row in found.rows}
    nothing = error["nothing", "mean training spectrum"]
    assert error["descriptors", "ensemble"] < error["structure", "ensemble"] < nothing  # structures do not hold OS
    assert error["descriptors", "bootstrap"] < 0.5 * nothing
    assert error["descriptors", "Monte-Carlo dropout"] < 0.7 * nothing
    assert all(row.low <= row.percent <= row.high for row in found.rows)
    rises = dict(found.importance)
    near, far = [[rises[d] for d in distances] for distances in ((1.5, 2.0), (4.5, 5.0, 5.5))]
    assert min(near) > 0.5  # the oxygen atoms are at 1.95 Å
    assert np.abs(far).max() < 0.05
    assert read_forward(run) == found
    assert forward(run, networks=3, steps=150) == found
    page = report_page(run)
    assert "Spectra from descriptors and structures" in page
    assert f"{error['structure', 'ensemble']:.2f}" in page


def test_what_cannot_be_done_is_said(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="networks is 1"):
        forward(run, networks=1)
    (tmp_path / "forward.json").write_text("{}")
    with pytest.raises(RunError, match="run rankaae forward again"):
        read_forward(Run(tmp_path))
    shown = rankaae("forward", tmp_path / "none", code=1).stderr
    assert "not a run folder" in shown


def test_a_set_without_structures_has_rows_from_descriptors_alone(tmp_path: Path) -> None:
    spectra = make_set(200)
    write_set(spectra, tmp_path / "set.parquet")
    config = make_config("default", descriptors=("OS", "CN"), seeds=(0,), epochs=3, hidden=16)
    train(spectra, tmp_path / "set.parquet", config, tmp_path / "run")
    found = json.loads(rankaae("forward", tmp_path / "run", "--networks", 2, "--threads", 1, "--json").stdout)
    assert {row["source"] for row in found["rows"]} == {"nothing", "descriptors", "the spectrum itself"}
    assert found["importance"] == []
    assert "set.structures.parquet is not beside the set" in found["note"]
