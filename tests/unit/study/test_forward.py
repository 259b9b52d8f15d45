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
from engine.study.forward import (
    forward,
    percentage_errors,
    permutation_importance,
    read_forward,
    row_of,
    spread_factors,
)
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


def gaussian(
    rng: np.random.Generator, sites: int, error: float, spread: float, shared: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drawn spectra with a spread, true ones that are off by an error common to ``shared`` sites, and the materials."""
    truth = np.ones((sites, 50))
    off = np.repeat(rng.normal(size=(sites // shared, 1 if shared > 1 else 50)), shared, axis=0)
    drawn = truth + error * off + spread * rng.normal(size=(400, *truth.shape))
    return drawn, truth, np.array([f"m{i // shared}" for i in range(sites)])


def test_a_spread_that_is_right_needs_no_factor() -> None:
    rng = np.random.default_rng(0)
    (drawn, truth, _), held = gaussian(rng, 200, 0.1, 0.1), gaussian(rng, 200, 0.1, 0.1)
    row = row_of("made up", "draws", drawn, truth, held)
    assert row.coverage == pytest.approx(0.9973, abs=0.002)
    assert row.calibration is not None
    assert row.calibration.factor == pytest.approx(2.9677 / 3, abs=0.03)  # the Gaussian quantile of 99.7 %, over 3
    one = row_of("made up", "one", drawn[:1], truth, (held[0][:1], *held[1:]))
    assert (one.coverage, one.calibration) == (None, None)


def test_the_factor_is_what_errors_exceed_the_spread_by() -> None:
    rng = np.random.default_rng(1)
    (drawn, truth, _), held = gaussian(rng, 300, 0.2, 0.05), gaussian(rng, 300, 0.2, 0.05)
    row = row_of("made up", "draws", drawn, truth, held)
    assert row.coverage == pytest.approx(0.5467, abs=0.01)  # a Gaussian within 0.75 of its deviations
    fit = row.calibration
    assert fit is not None
    assert fit.factor == pytest.approx(4 * 2.9677 / 3, rel=0.03)
    assert fit.low < fit.factor < (fit.high or 0)
    assert fit.coverage == pytest.approx(0.997, abs=0.0015)
    assert fit.percent == pytest.approx(100 * 3 * fit.factor * 0.05, rel=0.01)


def test_errors_that_a_material_shares_leave_the_factor_less_sure() -> None:
    rng = np.random.default_rng(2)
    width = {}
    for shared in (1, 10):
        drawn, truth, material = gaussian(rng, 400, 0.1, 0.1, shared)
        found = spread_factors(np.abs(drawn.mean(axis=0) - truth), drawn.std(axis=0), material)
        width[shared] = found[2] - found[1]
    assert width[10] > 3 * width[1]


def test_a_spread_of_nothing_covers_only_what_is_without_error() -> None:
    errors, sigma, material = np.full((50, 20), 0.3), np.full((50, 20), 0.1), np.arange(50).astype(str)
    errors[:, :5], sigma[:, :5] = 0, 0
    assert spread_factors(errors, sigma, material) == (pytest.approx(1),) * 3
    errors[0, :5] = 1e-9  # half a percent of the points, all in one material
    assert spread_factors(errors, sigma, material) == (np.inf, pytest.approx(1), np.inf)
    errors[0, 2:5] = 0
    found = spread_factors(errors, sigma, material)
    assert found[:2] == (pytest.approx(1), pytest.approx(1))
    flat = np.ones((2, 50, 20))
    row = row_of("made up", "alike", flat, flat[0] + errors, (flat, flat[0] + 0.1, material))
    assert row.coverage == pytest.approx(0.25, abs=0.01)
    assert row.calibration is None


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
    for row in found.rows:
        assert (row.calibration is None) == (row.method == "mean training spectrum")
        if row.calibration is not None:
            assert row.coverage is not None
            assert row.coverage < row.calibration.coverage
            assert row.calibration.coverage > 0.97
    page = report_page(run)
    assert "Spectra from descriptors and structures" in page
    assert f"{error['structure', 'ensemble']:.2f}" in page
    fit = next(row.calibration for row in found.rows if row.source == "structure")
    assert fit is not None
    assert f"<td>{fit.factor:.2f}\u00a0({fit.low:.2f}–{fit.high:.2f})</td><td>{100 * fit.coverage:.1f}</td>" in page
    stored = found.to_json()
    for row in stored["rows"]:
        del row["calibration"]
    del stored["validation"]
    run.write_json("forward.json", stored)
    older = read_forward(run)
    assert older is not None
    assert [(row.percent, row.coverage) for row in older.rows] == [(row.percent, row.coverage) for row in found.rows]
    assert "run rankaae forward again" in older.remarks
    page = report_page(run)
    assert "kept without factors: run rankaae forward again to have them" in page
    assert "none is enough" not in page


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
    assert "the spread of 2 networks is near 0 by chance" in found["note"]
