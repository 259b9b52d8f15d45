"""Valence density, electron count, neutral spheres and the screening of a hole against closed forms and differences."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from engine.simulation.cluster import build_surroundings
from engine.simulation.local_density import Surrounded, environments, local_responses, returned_waves
from engine.simulation.muffin_tin import FloatArray, MuffinTin
from engine.simulation.phase_shifts import scattering_matrices
from engine.simulation.potential import neutral_muffin_tin, overlapped_atoms
from engine.simulation.propagator import build_geometry
from engine.simulation.scf import contour, neutral_spheres, self_consistent
from engine.simulation.screening import density_response, radial_widths, screen_core_hole
from engine.simulation.units import HARTREE_EV

R = np.exp(-8.8 + 0.0125 * np.arange(1001))
ALONE = (Surrounded(build_geometry(np.zeros((1, 3)), 2), np.array([0]), np.inf),)


def copper_oxide() -> Structure:
    lattice = Lattice.monoclinic(4.684, 3.423, 5.129, 99.54)
    return Structure.from_spacegroup("C2/c", lattice, ["Cu", "O"], [[0.25, 0.25, 0], [0, 0.4184, 0.25]])


def one_sphere(potential: FloatArray) -> MuffinTin:
    """A single kind in vacuum: ``potential`` (n,) within 2.5 bohr, flat beyond."""
    return MuffinTin(
        atomic_number=np.array([29]),
        r=R,
        coulomb=potential[None],
        potential=potential[None],
        density=np.full((1, len(R)), 0.02),
        radius=np.array([2.5]),
        norman_radius=np.array([2.8]),
        interstitial_potential=-0.5,
        interstitial_density=0.02,
        fermi_energy=-0.1,
        core_orbital=2 * 29**1.5 * R * np.exp(-29 * R),
        core_energy=-330.0,
    )


def test_contour_counts_the_levels_it_encloses() -> None:
    energy, weight = contour(-1.5, -0.2)
    for level, inside in [(-0.8, 1.0), (-1.9, 0.0), (0.3, 0.0)]:
        assert (weight @ (-1 / np.pi / (energy - level))).imag == pytest.approx(inside, abs=1e-3)
    assert (weight @ energy**2).real == pytest.approx((-(0.2**3) + 1.5**3) / 3, abs=1e-12)


def test_flat_potential_holds_a_free_electron_gas() -> None:
    # Only l up to 2 is counted, so the gas is right near the centre.
    muffin_tin = one_sphere(np.full_like(R, -0.5))
    energy, weight = contour(-0.5 + 1e-9, muffin_tin.fermi_energy)
    (response,) = local_responses(muffin_tin, (ALONE,), energy)
    density = (weight @ response.density).imag / (4 * np.pi * response.r**2)
    near = (response.r > 0.05) & (response.r < 1.0)
    np.testing.assert_allclose(density[near], 0.8**1.5 / (3 * np.pi**2), rtol=5e-3)


def test_neutral_sphere_is_that_of_a_uniform_ball() -> None:
    density = 0.05
    edge = (6 / (4 / 3 * np.pi * density)) ** (1 / 3)
    potential = neutral_spheres(R, np.full((1, len(R)), density), np.array([6]))[0]
    inside = edge > R
    exact = -6 / R + 6 * (3 - (R / edge) ** 2) / (2 * edge)
    np.testing.assert_allclose(potential[inside], exact[inside], atol=1e-6)
    assert (potential[~inside] == 0).all()


def test_response_is_the_derivative_of_the_density() -> None:
    flat = -0.5 - 3.0 * np.exp(-((R / 1.2) ** 2))
    change = 1e-3 * np.exp(-((R / 1.5) ** 4)) * (R < 2.5)
    bottom = -0.5 + 1e-9
    muffin_tin = one_sphere(flat)

    def density(potential: FloatArray) -> FloatArray:
        energy, weight = contour(bottom, muffin_tin.fermi_energy)
        return np.asarray((weight @ local_responses(one_sphere(potential), (ALONE,), energy)[0].density).imag)

    r, response = density_response(muffin_tin, ALONE, bottom)
    expected = (density(flat + change) - density(flat - change))[: len(r)] / 2
    found = (response * radial_widths(r)) @ np.interp(np.log(r), np.log(R), change)
    inner = r < 2.3
    np.testing.assert_allclose(found[inner], expected[inner], atol=2e-2 * np.abs(expected).max())


def test_smaller_clusters_serve_damped_waves() -> None:
    surroundings = build_surroundings(copper_oxide(), 0)
    environment = environments(surroundings, 40, 2)[0]
    assert len(environment) > 2
    energy, _ = contour(-1.2, -0.2)
    k, t = scattering_matrices(neutral_muffin_tin(overlapped_atoms(surroundings)), energy, 2, excited=False)
    found, whole = (returned_waves(cluster, k, t) for cluster in (environment, environment[-1:]))
    assert found == pytest.approx(whole, abs=2e-3 * np.abs(whole).max())


@pytest.mark.slow
def test_copper_oxide_converges_and_screens_its_hole() -> None:
    surroundings = build_surroundings(copper_oxide(), 0)
    base = overlapped_atoms(surroundings)
    clusters = environments(surroundings, 20, 2)
    result = self_consistent(base, [clusters])
    assert result.converged
    assert abs(result.missing) < 0.02
    # Copper loses what oxygen wins, and the absorber is like the other copper atoms.
    assert 0.2 < result.charge[0] < 0.8
    assert result.charge[1] == pytest.approx(-result.charge[2], abs=0.03)
    assert result.charge[2] == pytest.approx(result.charge[0], abs=0.03)
    plain = neutral_muffin_tin(base, hole=False)
    assert abs(result.muffin_tin.interstitial_potential - plain.interstitial_potential) * HARTREE_EV < 2
    hole = screen_core_hole(result.muffin_tin, clusters[0], result.band_bottom)
    assert 0.6 < hole.screened < 1.1
    assert hole.potential[0] < -20
    assert abs(hole.potential[-1]) < 1e-9


@pytest.mark.slow
def test_fermi_energy_follows_the_electrons() -> None:
    # An electron more per cell raises the Fermi energy by 1 / density of states.
    surroundings = build_surroundings(copper_oxide(), 0)
    muffin_tin = neutral_muffin_tin(overlapped_atoms(surroundings), hole=False)
    clusters = environments(surroundings, 12, 2)
    step = 0.005

    def count(fermi: float) -> float:
        energy, weight = contour(-1.9, fermi)
        held = [(weight @ x.count).imag.sum() for x in local_responses(muffin_tin, clusters, energy)]
        return float(surroundings.share @ np.array(held))

    at = muffin_tin.fermi_energy
    slope = (count(at + step) - count(at - step)) / (2 * step)
    states = [x.count[0].imag.sum() for x in local_responses(muffin_tin, clusters, np.array([at + 0.002j]))]
    assert slope == pytest.approx(float(surroundings.share @ np.array(states)), rel=0.1)
    assert slope > 0
