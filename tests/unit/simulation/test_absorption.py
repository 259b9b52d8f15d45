"""The atomic background, the cut at the Fermi level, and the spectrum put together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.spatial.transform import Rotation

from engine.simulation import multiple_scattering
from engine.simulation.absorption import atomic_absorption, cumulative_integral, scattering_strength
from engine.simulation.edge import broaden, energy_path
from engine.simulation.muffin_tin import Cluster
from engine.simulation.partial_waves import STEP
from engine.simulation.spectrum import absorption_spectrum
from engine.simulation.units import HARTREE_EV
from tests.screened_atoms import cluster, muffin_tin

WIDTH = 0.8 / HARTREE_EV
GRID = np.arange(-8.0, 55.0, 0.5)


def test_running_integral_of_a_cubic() -> None:
    x = STEP * np.arange(9.0)
    values = (1 + 2j) * x**3 - x
    assert cumulative_integral(values) == pytest.approx((1 + 2j) * x**4 / 4 - x**2 / 2, abs=1e-15)


def test_background_at_real_energy_is_the_golden_rule() -> None:
    """Without loss, Re f0 = omega k |M|^2, and f1 / chi has the same size."""
    atoms = muffin_tin()
    energy = atoms.fermi_energy + np.linspace(0.05, 2, 6) + 0j
    background = atomic_absorption(atoms, energy)
    assert (background.real > 0).all()
    at_fermi = atoms.fermi_energy + np.array([0j])  # where exchange is that of the ground state
    strength = scattering_strength(atoms, at_fermi)
    assert np.abs(strength) == pytest.approx(atomic_absorption(atoms, at_fermi).real, rel=1e-9)


def test_background_is_analytic() -> None:
    """Its derivative along the imaginary axis is i times that along the real axis."""
    atoms, step = muffin_tin(), 1e-3
    centre = atoms.fermi_energy + np.array([0.3, 1.0]) + 0.05j
    photon = centre.real - atoms.core_energy  # a real factor, no part of the analytic function
    energy = centre + step * np.array([[1], [-1], [1j], [-1j]])
    f = np.array([atomic_absorption(atoms, e) / (e.real - atoms.core_energy) * photon for e in energy])
    assert (f[2] - f[3]) / (f[0] - f[1]) == pytest.approx(1j * np.ones(2), abs=1e-5)


def poles(z: np.ndarray) -> np.ndarray:
    """An analytic function above the real axis: resonances 3 and 10 eV above the Fermi level, and a smooth part."""
    ev = z * HARTREE_EV
    return 0.3 + 2j / (ev - 3 + 1.2j) + 4j / (ev - 10 + 3j) - 0.1j / (ev + 2 + 2j)


def test_cut_at_the_fermi_level_against_direct_convolution() -> None:
    path = energy_path(WIDTH, 80 / HARTREE_EV)
    energies = np.array([-6.0, -1.0, 0.0, 0.3, 2.0, 3.0, 7.0, 20.0]) / HARTREE_EV
    result = broaden(path, poles(path), WIDTH, energies)

    def integrand(e: float, centre: float) -> float:
        return float(poles(np.array(e)).real) * WIDTH / np.pi / ((e - centre) ** 2 + WIDTH**2)

    far = 80 / HARTREE_EV
    for energy, value in zip(energies, result, strict=True):
        edges = sorted({0.0, max(0.0, energy - 3 * WIDTH), energy + 3 * WIDTH if energy > 0 else 0.1, 0.5, far})
        direct = sum(quad(integrand, a, b, args=(energy,), limit=200)[0] for a, b in pairwise(edges))
        tail = 0.3 * (0.5 - np.arctan((far - energy) / WIDTH) / np.pi)
        assert value == pytest.approx(direct + tail, abs=5e-4)


def test_a_step_becomes_an_arctangent() -> None:
    path = energy_path(WIDTH, 2.0)
    energies = np.linspace(-0.5, 1.5, 41)
    result = broaden(path, np.array([np.ones_like(path), 2 * np.ones_like(path)]), WIDTH, energies)
    expected = 0.5 + np.arctan(energies / WIDTH) / np.pi
    assert result == pytest.approx(np.array([expected, 2 * expected]), abs=1e-12)


def test_an_atom_alone_is_its_background() -> None:
    single = cluster(1)
    mu, mu0 = absorption_spectrum(single, muffin_tin(), GRID, hole_width_ev=0.8)
    assert (mu == mu0).all()
    assert mu0[GRID == 50.0] == pytest.approx(1.0, abs=1e-12)
    assert (mu0 > 0).all()
    assert (np.diff(mu0[GRID < 1]) > 0).all()


def test_turn_and_order_of_atoms_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiple_scattering, "PRECISION", torch.complex128)
    atoms, site = muffin_tin(), cluster(9)

    def spectrum(site: Cluster) -> np.ndarray:
        return absorption_spectrum(site, atoms, GRID[:80], hole_width_ev=0.8, lmax=2)[0]

    mu = spectrum(site)
    assert mu.min() > 0
    assert np.ptp(mu[GRID[:80] > 5]) > 0.1
    turn = Rotation.from_euler("zyx", [0.3, 1.1, -2.0]).as_matrix()
    turned = Cluster(site.atomic_number, site.position @ turn.T, site.kind)
    assert spectrum(turned) == pytest.approx(mu, abs=1e-10)
    order = np.r_[0, 8:0:-1]
    reordered = Cluster(site.atomic_number[order], site.position[order], site.kind[order])
    assert spectrum(reordered) == pytest.approx(mu, abs=1e-10)


def test_distant_atoms_matter_little_and_less() -> None:
    """The fine structure of one neighbour falls with distance, by the spreading of the wave and its loss."""
    atoms = muffin_tin()
    sizes = []
    for distance in (4.0, 8.0, 16.0):
        site = Cluster(np.array([29, 8]), np.array([[0, 0, 0], [0, 0, distance]]), np.array([0, 1]))
        mu, mu0 = absorption_spectrum(site, atoms, GRID[GRID > 5], hole_width_ev=0.8, lmax=2)
        sizes.append(np.abs(mu - mu0).max())
    assert sizes[0] > 3 * sizes[1] > 12 * sizes[2] > 0
