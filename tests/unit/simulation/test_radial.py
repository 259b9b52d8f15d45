"""Bound states against hydrogenic and Dirac levels, shifts and first-order perturbation."""

from __future__ import annotations

import numpy as np
import pytest

from engine.simulation.free_atom import RADII
from engine.simulation.radial import bound_state, cumulative, integrate
from engine.simulation.units import SPEED_OF_LIGHT


def dirac_s_level(z: int, n: int) -> float:
    root = np.sqrt(1 - (z / SPEED_OF_LIGHT) ** 2)
    return SPEED_OF_LIGHT**2 * (1 / np.sqrt(1 + (z / SPEED_OF_LIGHT / (n - 1 + root)) ** 2) - 1)


@pytest.mark.parametrize("z", [1, 8, 29, 51, 96])
@pytest.mark.parametrize(("n", "angular"), [(1, 0), (2, 0), (2, 1), (3, 2)])
def test_hydrogenic_levels(z: int, n: int, angular: int) -> None:
    state = bound_state(-z / RADII, RADII, n, angular, light_speed=np.inf)
    assert state.energy == pytest.approx(-(z**2) / (2 * n**2), rel=1e-5)


def test_hydrogen_orbitals() -> None:
    u = bound_state(-1 / RADII, RADII, 1, 0, light_speed=np.inf).u
    np.testing.assert_allclose(u, 2 * RADII * np.exp(-RADII), atol=1e-7)
    u = bound_state(-1 / RADII, RADII, 2, 1, light_speed=np.inf).u
    np.testing.assert_allclose(u, RADII**2 * np.exp(-RADII / 2) / np.sqrt(24), atol=1e-6)


@pytest.mark.parametrize(("z", "n", "accuracy"), [(29, 1, 1e-9), (29, 2, 1e-6), (51, 1, 1e-9), (96, 1, 1e-8)])
def test_s_levels_are_those_of_dirac(z: int, n: int, accuracy: float) -> None:
    assert bound_state(-z / RADII, RADII, n, 0).energy == pytest.approx(dirac_s_level(z, n), rel=accuracy)


def test_dirac_level_of_copper_as_published() -> None:
    assert bound_state(-29 / RADII, RADII, 1, 0).energy == pytest.approx(-425.316, rel=5e-6)


def test_p_level_lies_between_its_dirac_doublet_as_its_centre_does() -> None:
    # n = 2, kappa = 1 and -2; the scalar-relativistic level is the weighted mean but for fourth order in Z / c.
    z = 8
    outer = SPEED_OF_LIGHT**2 * (1 / np.sqrt(1 + (z / SPEED_OF_LIGHT) ** 2 / (4 - (z / SPEED_OF_LIGHT) ** 2)) - 1)
    mean = (dirac_s_level(z, 2) + 2 * outer) / 3
    shift = bound_state(-z / RADII, RADII, 2, 1).energy + z**2 / 8
    assert shift == pytest.approx(mean + z**2 / 8, rel=0.02)


@pytest.mark.parametrize("z", [8, 29, 51])
def test_deep_level_moves_with_a_constant_and_by_first_order_with_a_slope(z: int) -> None:
    screened = -(1 + (z - 1) * np.exp(-RADII * z ** (1 / 3))) / RADII
    level = bound_state(screened, RADII, 1, 0)
    assert bound_state(screened + 0.3, RADII, 1, 0).energy - level.energy == pytest.approx(0.3, abs=1e-8)
    change = 1e-3 / (1 + z * RADII)
    moved = bound_state(screened + change, RADII, 1, 0, guess=level).energy - level.energy
    assert moved == pytest.approx(integrate(level.radial_density * change, RADII), rel=1e-4)


def test_a_guess_of_the_wrong_level_does_no_harm() -> None:
    wrong = bound_state(-20 / RADII, RADII, 1, 0)
    right = bound_state(-20 / RADII, RADII, 3, 0)
    assert bound_state(-20 / RADII, RADII, 3, 0, guess=wrong).energy == pytest.approx(right.energy, rel=1e-10)


def test_states_are_normalised_and_positive_at_the_origin() -> None:
    state = bound_state(-47 / RADII, RADII, 3, 1)
    assert integrate(state.u**2, RADII) == pytest.approx(1, abs=1e-12)
    assert integrate(state.radial_density, RADII) == pytest.approx(1, abs=1e-12)
    assert state.u[10] > 0


def test_cumulative_integral() -> None:
    values = np.stack([RADII**2 * np.exp(-RADII), np.exp(-2 * RADII)])
    exact = np.stack([2 - (RADII**2 + 2 * RADII + 2) * np.exp(-RADII), (1 - np.exp(-2 * RADII)) / 2])
    np.testing.assert_allclose(cumulative(values, RADII), exact, atol=3e-8)
