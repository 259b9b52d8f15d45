"""Grids and interpolation: closed forms, the coverage rule, and every way a spectrum can be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import ConfigError, DataError
from engine.spectra import GridSpec, choose_grid, element_of_energies, resample, spectrum_problem
from engine.spectra.edges import K_EDGE_EV, energy_problem

ENERGY = np.linspace(8983.0, 9043.0, 121)
MU = 1.0 / (1.0 + np.exp(-(ENERGY - 8990.0)))


def test_spline_reproduces_a_cubic_on_an_uneven_grid() -> None:
    rng = np.random.default_rng(3)
    energy = 9000.0 + np.cumsum(rng.uniform(0.1, 1.0, 60))
    x = (energy - 9010.0) / 10.0
    grid = np.linspace(energy[0], energy[-1], 300)
    y = (grid - 9010.0) / 10.0
    cubic = np.stack([1 + 2 * x - x**2 + 0.5 * x**3, x**3])
    expected = np.stack([1 + 2 * y - y**2 + 0.5 * y**3, y**3])
    assert np.allclose(resample(energy, cubic, grid), expected, atol=1e-10)


@pytest.mark.parametrize("grid", [[8982.9, 9000.0], [9000.0, 9043.1]])
def test_nothing_is_extrapolated(grid: list[float]) -> None:
    with pytest.raises(DataError, match="leaves the measured range"):
        resample(ENERGY, MU, np.array(grid))


def test_the_chosen_start_covers_99_percent_and_is_a_tenth_of_an_ev() -> None:
    first = np.concatenate([np.linspace(8983.0, 8985.41, 995), [8987.0, 8988.0, 8989.0, 8990.0, 8991.0]])
    grid = choose_grid(first, np.full(1000, 9124.0), GridSpec())
    assert (first <= grid[0]).mean() >= 0.99
    assert (first <= grid[0] - 0.1).mean() < 0.99
    assert round(grid[0] * 10) == pytest.approx(grid[0] * 10, abs=1e-9)
    assert grid.size == 256
    assert grid[-1] - grid[0] == pytest.approx(50.0)


def test_a_start_that_is_a_tenth_already_is_kept() -> None:
    assert choose_grid(np.full(10, 8984.1), np.full(10, 9124.0), GridSpec())[0] == 8984.1


def test_the_default_width_shrinks_to_what_is_there_and_a_given_one_does_not() -> None:
    first, last = np.full(5, 4964.504), np.full(5, 4999.504)
    assert choose_grid(first, last, GridSpec())[[0, -1]] == pytest.approx([4964.6, 4999.5])
    assert choose_grid(first, last, GridSpec(width_ev=50.0))[-1] == pytest.approx(5014.6)


def test_spectra_without_common_energies_have_no_grid() -> None:
    with pytest.raises(DataError, match="in common"):
        choose_grid(np.array([100.0, 200.0]), np.array([150.0, 250.0]), GridSpec())


@pytest.mark.parametrize(
    "options", [{"points": 3}, {"width_ev": 0.0}, {"width_ev": float("nan")}, {"start_ev": float("inf")}]
)
def test_impossible_grids_are_config_errors(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="grid"):
        GridSpec(**options)  # type: ignore[arg-type]


def _swapped(energy: np.ndarray) -> np.ndarray:
    energy = energy.copy()
    energy[[40, 41]] = energy[[41, 40]]
    return energy


def _with(values: np.ndarray, at: int, value: float) -> np.ndarray:
    values = values.copy()
    values[at] = value
    return values


@pytest.mark.parametrize(
    ("energy", "mu", "reason"),
    [
        (ENERGY[:10], MU[:10], "too few points"),
        (ENERGY[::-1], MU, "energies fall instead of rise"),
        (_swapped(ENERGY), MU, "energies are not sorted"),
        (_with(ENERGY, 50, ENERGY[49]), MU, "energies repeat"),
        (_with(ENERGY, 50, np.nan), MU, "energies are not finite"),
        (ENERGY / 1000.0, MU, "energies look like keV"),
        (ENERGY - 8000.0, MU, "energies do not cover the K edge"),
        (ENERGY, _with(MU, 7, np.nan), "mu is not finite"),
        (ENERGY, _with(MU, 7, np.inf), "mu is not finite"),
        (ENERGY, _with(MU, 7, -0.2), "mu is negative"),
        (ENERGY, -MU, "mu is negative"),
        (ENERGY, np.full(121, 0.7), "mu is constant"),
        (ENERGY, np.zeros(121), "mu is constant"),
        (ENERGY, MU[:-1], "energy and mu differ in length"),
    ],
)
def test_every_wrong_spectrum_has_its_reason(energy: np.ndarray, mu: np.ndarray, reason: str) -> None:
    problem = spectrum_problem(energy, mu, "Cu")
    assert problem is not None
    assert problem[0] == reason


def test_a_sound_spectrum_has_no_problem_and_slight_noise_below_zero_is_sound() -> None:
    assert spectrum_problem(ENERGY, MU, "Cu") is None
    assert spectrum_problem(ENERGY, _with(MU, 0, -0.01), "Cu") is None


def test_edges_rise_with_atomic_number_and_none_is_missing() -> None:
    energies = list(K_EDGE_EV.values())
    assert energies == sorted(energies)
    assert len(energies) == 83 - 2


def test_elements_are_told_by_their_edge() -> None:
    assert element_of_energies(8984.0, 9034.0) == "Cu"
    assert element_of_energies(4964.5, 4999.5) == "Ti"
    assert element_of_energies(8.98, 9.03) is None
    assert energy_problem(0.0, 50.0, "Xx") is None
