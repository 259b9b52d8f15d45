"""Normalisation, alignment and preparation against spectra whose edge, step, shift and slope are known."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ConfigError, DataError
from engine.experiment.aligning import align, shift_sensitivity
from engine.experiment.measured import Measured
from engine.experiment.normalising import Ranges, normalise
from engine.experiment.preparing import Preparation, prepare, prepared_set, series_state
from engine.experiment.reading import read_measured
from engine.io import read_set, write_set
from tests.command import rankaae
from tests.measured_files import energies, raw, step_spectrum, write_xdi

ENERGY = energies()
SHAPE = step_spectrum(ENERGY)
GRID = np.linspace(8980.0, 9030.0, 101)


def test_normalising_finds_the_edge_and_the_step() -> None:
    found = normalise(ENERGY, raw(ENERGY, SHAPE, 1.3), "Cu")
    assert found.state == "raw"
    assert found.edge_step == pytest.approx(1.3, rel=0.02)
    assert found.e0_ev == pytest.approx(8990.0, abs=0.05)
    np.testing.assert_allclose(found.mu, SHAPE, atol=0.02)
    assert normalise(ENERGY, raw(ENERGY, SHAPE), "Cu", e0_rule="derivative").e0_ev == pytest.approx(8990, abs=0.5)
    assert normalise(ENERGY, raw(ENERGY, SHAPE), "Cu", e0_rule="tabulated").e0_ev == 8979.0


def test_a_line_added_and_a_factor_change_nothing() -> None:
    """The pre-edge line and the step take out any background line and any scale."""
    plain = normalise(ENERGY, raw(ENERGY, SHAPE), "Cu", ranges=Ranges(-150, -30, 50, 350, 1))
    other = normalise(
        ENERGY, 7.0 * raw(ENERGY, SHAPE) + 3.0 + 0.002 * ENERGY, "Cu", ranges=Ranges(-150, -30, 50, 350, 1)
    )
    np.testing.assert_allclose(other.mu, plain.mu, atol=1e-6)
    assert other.edge_step == pytest.approx(7 * plain.edge_step)


def test_what_is_normalised_or_flattened_is_recognised_and_left_alone() -> None:
    sloping = SHAPE * np.where(ENERGY > 8990, 1 - 2e-4 * (ENERGY - 8990), 1)
    for mu, state in ((SHAPE, "flattened"), (sloping, "normalised")):
        found = normalise(ENERGY, mu, "Cu")
        assert (found.state, found.ranges, found.edge_step) == (state, None, 1.0)
        np.testing.assert_array_equal(found.mu, mu)
    forced = normalise(ENERGY, SHAPE, "Cu", state="raw")
    assert forced.ranges is not None
    np.testing.assert_allclose(forced.mu, SHAPE, atol=0.02)


def test_noise_is_measured() -> None:
    noisy = SHAPE + np.random.default_rng(0).normal(0, 0.01, SHAPE.size)
    assert normalise(ENERGY, noisy, "Cu").noise == pytest.approx(0.01, rel=0.25)
    assert normalise(ENERGY, SHAPE, "Cu").noise < 1e-3


def test_an_edge_that_is_elsewhere_or_falls_is_refused() -> None:
    with pytest.raises(DataError, match="K edge is at"):
        normalise(ENERGY, step_spectrum(ENERGY, 9050.0), "Cu")
    with pytest.raises(DataError, match=r"no edge step|steepest"):
        normalise(ENERGY, 3.0 - SHAPE, "Cu", ranges=Ranges(-150, -30, 50, 350, 1))
    near = np.abs(ENERGY - 8990) < 25
    with pytest.raises(DataError, match="to normalise"):
        normalise(ENERGY[near], raw(ENERGY, SHAPE)[near], "Cu")


@pytest.mark.parametrize("shift", [-3.2, 0.0, 1.7])
def test_a_known_shift_is_found(shift: float) -> None:
    found = align(ENERGY - shift, SHAPE, GRID, step_spectrum(GRID))
    assert found.shift_ev == pytest.approx(shift, abs=0.02)
    assert found.rmse < 2e-3
    assert found.at_zero >= found.rmse - 1e-4


def test_a_reference_unlike_the_simulation_is_no_reference() -> None:
    with pytest.raises(DataError, match="best shift"):
        align(ENERGY, SHAPE, GRID, np.linspace(0.0, 0.3, GRID.size))
    with pytest.raises(DataError, match="under no shift"):
        align(GRID[:50], SHAPE[:50], GRID, step_spectrum(GRID))


def test_sensitivity_of_a_linear_prediction_is_minus_the_slope() -> None:
    """mu = (E - E0)^2 moved by s has d mu / d s = -2 (E - E0)."""
    x = GRID - GRID[50]
    found = shift_sensitivity(lambda mu: mu[:, [10, 80]], GRID, (x**2)[None])
    np.testing.assert_allclose(found, [[-2 * x[10], -2 * x[80]]], atol=1e-6)


def test_prepared_spectra_are_the_shape_on_the_grid_with_every_number_on_record(tmp_path: Path) -> None:
    how = Preparation("Cu", shift_ev=-1.5, kind="HERFD")
    one = prepare(Measured("CuO", ENERGY + 1.5, raw(ENERGY, SHAPE)), how, GRID)
    np.testing.assert_allclose(one.mu, step_spectrum(GRID), atol=0.03)
    text = "\n".join(one.steps)
    for part in (
        "HERFD, as declared",
        "E0 8991.",
        "pre-edge line",
        "shifted by -1.5 eV",
        "101 points",
    ):
        assert part in text
    assert any("HERFD" in flag for flag in one.flags)
    assert one.audit()["ranges"]["degree"] in (1, 2)
    spectra = prepared_set([one], GRID, ["note"])
    write_set(spectra, tmp_path / "p.parquet")
    again = read_set(tmp_path / "p.parquet")
    assert again.steps[0] == "note"
    assert all(line.startswith("CuO: ") for line in again.steps[1:])
    with pytest.raises(DataError, match="grid is"):
        prepare(Measured("CuO", ENERGY, raw(ENERGY, SHAPE)), how, np.linspace(9300, 9500, 50))


def test_a_series_is_treated_alike() -> None:
    shapes = [SHAPE, SHAPE, 1.2 * SHAPE]
    series = [Measured(f"s{i}", ENERGY, mu, series=0.1 * i) for i, mu in enumerate(shapes)]
    assert normalise(ENERGY, shapes[2], "Cu").state == "raw"
    assert series_state(series, Preparation("Cu")) == "flattened"
    assert series_state([Measured("x", ENERGY, SHAPE)], Preparation("Cu")) is None


def test_the_command_aligns_prepares_and_lists_what_it_refuses(tmp_path: Path) -> None:
    good = write_xdi(tmp_path / "good.xdi", ENERGY + 2.0, raw(ENERGY, SHAPE))
    iron = write_xdi(tmp_path / "iron.xdi", ENERGY, raw(ENERGY, SHAPE), element="Fe")
    simulated = prepared_set([prepare(Measured("mp-1", ENERGY, SHAPE), Preparation("Cu"), GRID)], GRID)
    write_set(simulated, tmp_path / "sim.parquet")
    out = tmp_path / "out.parquet"
    options = ("--grid", "8980,9030,101", "--element", "Cu", "--out", out)
    done = rankaae("prepare", good, iron, *options, "--align", f"{good}=mp-1", "--references", tmp_path / "sim.parquet")
    assert "shift -1.98" in done.stdout
    assert "refused: iron: the file says it was measured on Fe" in done.stdout
    prepared = read_set(out)
    assert prepared.site_id.tolist() == ["good"]
    np.testing.assert_allclose(prepared.mu[0], step_spectrum(GRID), atol=0.03)
    assert "none of 1 spectra" in rankaae("prepare", iron, *options, code=1).stderr


@pytest.mark.real
def test_measured_references_and_the_titanate_film_are_read(real_data: Path) -> None:
    spectra = [one for path in sorted((real_data / "xdi").glob("*.xdi")) for one in read_measured(path)]
    assert len(spectra) == 62
    copper = [one for one in spectra if one.element == "Cu"]
    assert all(prepare(one, Preparation("Cu"), np.linspace(8976, 9026, 101)).kind == "transmission" for one in copper)
    (tenorite,) = (one for one in copper if one.name.startswith("CuO"))
    assert prepare(tenorite, Preparation("Cu"), GRID).normalised.edge_step == pytest.approx(1.57, abs=0.02)
    film = read_measured(real_data / "zinc_titanate" / "TiZn_Multimodal_K-edge_Spectra.csv", element="Ti")
    assert len(film) == 100
    assert (film[0].series, film[-1].series) == (pytest.approx(0.78, abs=0.01), pytest.approx(0.063, abs=0.001))
    assert series_state(film, Preparation("Ti")) == "normalised"


def test_without_xraylarch_normalised_spectra_are_taken_and_raw_ones_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "larch", None)
    mu = step_spectrum(ENERGY)
    done = normalise(ENERGY, mu, "Cu")
    assert done.state != "raw"
    assert done.e0_ev == pytest.approx(8990.0, abs=0.05)
    np.testing.assert_array_equal(done.mu, mu)
    with pytest.raises(DataError, match="foil: is not normalised yet, and xraylarch"):
        normalise(ENERGY, raw(ENERGY, mu), "Cu", name="foil")


def test_an_edge_that_is_chosen_comes_before_any_rule() -> None:
    done = normalise(ENERGY, raw(ENERGY, step_spectrum(ENERGY)), "Cu", e0_ev=8993.0)
    assert (done.e0_ev, done.e0_rule) == (8993.0, "chosen")
    with pytest.raises(ConfigError, match="E0 is 9100 eV; the Cu K edge is at 8979 eV"):
        normalise(ENERGY, step_spectrum(ENERGY), "Cu", e0_ev=9100.0)
