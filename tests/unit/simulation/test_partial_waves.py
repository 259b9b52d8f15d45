"""Waves in a sphere against the square well, and by what a real potential and a Wronskian conserve."""

from __future__ import annotations

import numpy as np
import pytest

from engine.simulation import partial_waves as partial_waves_module
from engine.simulation.bessel import ComplexArray, derivative, spherical_bessel, spherical_hankel
from engine.simulation.partial_waves import STEP, partial_waves, sphere_grid, step_nodes, t_matrix, wave_number
from engine.simulation.phase_shifts import exchange_shift, kind_waves, scattering_matrices
from engine.simulation.units import SPEED_OF_LIGHT
from tests.screened_atoms import muffin_tin, screened_nucleus

RADIUS = 2.3
ENERGY = np.array([0.1, 0.6, 1.7, 4.0], dtype=np.complex128)
GRID = sphere_grid(1.5e-4, RADIUS)


def square_well(depth: float, energy: ComplexArray, lmax: int) -> ComplexArray:
    """t (lmax + 1, E) of a sphere in which the potential is -depth, from the logarithmic derivatives at its surface."""
    inside, outside = wave_number(energy, -depth), wave_number(energy, 0.0)
    mass_inside, mass_outside = 1 + (energy + depth) / (2 * SPEED_OF_LIGHT**2), 1 + energy / (2 * SPEED_OF_LIGHT**2)
    functions = spherical_bessel(lmax + 1, inside * RADIUS)
    slope = inside / mass_inside * derivative(functions, inside * RADIUS) / functions[:-1]
    j, h = spherical_bessel(lmax + 1, outside * RADIUS), spherical_hankel(lmax + 1, outside * RADIUS)
    free_j, free_h = (outside / mass_outside * derivative(f, outside * RADIUS) for f in (j, h))
    return -(free_j - slope * j[:-1]) / (free_h - slope * h[:-1])


@pytest.mark.parametrize("depth", [1.7, -0.4])
@pytest.mark.parametrize("height", [0.0, 0.3])
def test_square_well(depth: float, height: float) -> None:
    energy = ENERGY + 1j * height
    t = t_matrix(GRID, np.full((len(GRID) - 1, 3), -depth), 0.0, energy, 3)
    assert t == pytest.approx(square_well(depth, energy, 3), rel=1e-6)


def test_no_well_no_scattering() -> None:
    t = t_matrix(GRID, np.full((len(GRID) - 1, 3), 0.2), 0.2, ENERGY + 0.1j, 3)
    assert np.abs(t).max() < 1e-7


def test_a_real_potential_conserves_electrons() -> None:
    t = t_matrix(GRID, screened_nucleus(29, step_nodes(GRID)), -0.3, ENERGY, 4)
    assert np.abs(1 + 2 * t) == pytest.approx(np.ones((5, 4)), abs=1e-12)


def test_steps_are_fine_enough() -> None:
    """Against ten times as many from the same start."""
    coarse = t_matrix(GRID, screened_nucleus(29, step_nodes(GRID)), -0.3, ENERGY + 0.03j, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial_waves_module, "STEP", STEP / 10)
        fine_grid = sphere_grid(GRID[0], RADIUS)
        fine = t_matrix(fine_grid, screened_nucleus(29, step_nodes(fine_grid)), -0.3, ENERGY + 0.03j, 3)
    assert coarse == pytest.approx(fine, rel=2e-5)


def test_waves_join_the_outside_and_keep_their_wronskian() -> None:
    energy = ENERGY + 0.05j
    waves = partial_waves(GRID, screened_nucleus(29, step_nodes(GRID)), -0.3, energy, 3, reach=2.9)
    assert waves.r[waves.edge] == RADIUS
    assert waves.r[-1] >= 2.9
    assert waves.t == pytest.approx(t_matrix(GRID, screened_nucleus(29, step_nodes(GRID)), -0.3, energy, 3))
    # u v' - v u' = i M / k M_out, derivatives in r by differences of sixth order in ln r, where the waves are slow.
    u, v = waves.regular, waves.irregular
    at = np.flatnonzero((waves.r > 0.05) & (waves.r < 1.2))
    slope_u, slope_v = (
        (45 * (f[at + 1] - f[at - 1]) - 9 * (f[at + 2] - f[at - 2]) + f[at + 3] - f[at - 3]) / (60 * STEP)
        for f in (u, v)
    )
    wronskian = (u[at] * slope_v - v[at] * slope_u) / waves.r[at, None, None]
    mass, mass_outside = (
        1 + (energy - v) / (2 * SPEED_OF_LIGHT**2) for v in (screened_nucleus(29, waves.r[at])[:, None], -0.3)
    )
    expected = np.broadcast_to((1j * mass / (waves.k * mass_outside))[:, None], wronskian.shape)
    assert wronskian == pytest.approx(expected, rel=1e-4)


def test_exchange_shift_starts_at_the_fermi_level_and_damps() -> None:
    density = np.array([0.01, 0.03, 1.0, 100.0])
    shift = exchange_shift(density, np.array([-0.2, 0.0, 0.5, 2.0]))
    assert not shift[:, :2].any()
    assert (shift.imag[:, 2:] <= 0).all()
    assert (shift.imag[:2, 3] < -0.01).all()
    assert (np.diff(shift.real[:, [1, 3]]) > 0).all()  # exchange weakens


def test_light_atoms_scatter_s_and_p_only() -> None:
    atoms = muffin_tin((5, 6), (1.5, 1.5))
    energy = np.array([0.3, 1.0]) + 0.02j
    k, t = scattering_matrices(atoms, energy, 3, excited=False)
    assert not t[0, 2:].any()
    assert t[1, 2:].all()
    both = kind_waves(atoms, np.arange(2), energy, 3, excited=False, reach=np.array([2.0, 2.2]))
    assert both.t[1] == pytest.approx(t[1])
    assert (both.r[-1] >= [2.0, 2.2]).all()
    waves = kind_waves(atoms, 1, energy, 3, excited=False)
    assert waves.t == pytest.approx(t[1])
    assert waves.k == pytest.approx(k)
