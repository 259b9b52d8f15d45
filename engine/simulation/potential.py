"""Muffin-tin potential of overlapped neutral atoms, where self-consistency starts and what it falls back on.

Sources: Mattheiss, Phys. Rev. 133, A1399 (1964); Ankudinov et al., Phys.
Rev. B 58, 7565 (1998); Z+1: Lee & Beni, Phys. Rev. B 15, 2862 (1977). Hartree atomic units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.simulation.atoms import Method, free_atom
from engine.simulation.cluster import Surroundings
from engine.simulation.interstitial import Superposition, interstitial_density, muffin_tin_potential, superposition
from engine.simulation.muffin_tin import FloatArray, IntArray, MuffinTin
from engine.simulation.overlap import NeighbourAverage, muffin_tin_radii, norman_radius, overlap
from engine.simulation.units import HARTREE_EV
from engine.simulation.xc import lda_potential, wigner_seitz_radius

LARGEST_NORMAN = 0.98
"""Share of the distance to the nearest neighbour that a Norman radius may reach."""

FERMI_SLOPE, FERMI_OFFSET_EV = 0.37, 2.08
"""Fermi energy above the interstitial potential, as a share of the free-electron value, and what is left, in eV."""


@dataclass(frozen=True)
class Overlapped:
    """Neutral atoms put together: density and coulomb (P, n) averaged about each kind, and its spheres.

    core_shift is the change, in hartree, of the electrostatic potential at the absorber's nucleus brought by its
    neighbours (negative); by that much the 1s level is lower than in the free atom.
    """

    method: Method
    atomic_number: IntArray
    r: FloatArray
    density: FloatArray
    coulomb: FloatArray
    norman_radius: FloatArray
    radius: FloatArray
    spheres: Superposition
    core_shift: float


def overlapped_atoms(surroundings: Surroundings, method: Method = "kli") -> Overlapped:
    """Density and Coulomb potential of neutral free atoms (by ``method``) at the sites of a material."""
    numbers = [int(z) for z in surroundings.atomic_number]
    atoms = [free_atom(z, method) for z in numbers]
    r = atoms[0].r
    averages = [_averages(z, method) for z in numbers]
    near = surroundings.neighbours
    density = np.stack([overlap(r, a.density, [x[0] for x in averages], q) for a, q in zip(atoms, near, strict=True)])
    coulomb = np.stack([overlap(r, a.coulomb, [x[1] for x in averages], q) for a, q in zip(atoms, near, strict=True)])
    norman = np.array([norman_radius(r, rho, z) for rho, z in zip(density, numbers, strict=True)])
    nearest = np.array([q.distance[0] if len(q.distance) else np.inf for q in near])
    norman = np.minimum(norman, LARGEST_NORMAN * nearest)
    radius = muffin_tin_radii(norman, near)
    spheres = superposition(radius, norman, surroundings.share, near)
    core_shift = float(coulomb[0, 0] - atoms[0].coulomb[0])
    return Overlapped(method, surroundings.atomic_number, r, density, coulomb, norman, radius, spheres, core_shift)


def neutral_muffin_tin(base: Overlapped, *, hole: bool = True) -> MuffinTin:
    """The potential of neutral atoms, with the Fermi energy by rule and with ``hole`` a core hole in the absorber.

    The hole comes with the electron that screens it in the free atom, where the next element has one more (Z + 1). The
    rule: E_F = V_int + 0.37 (50.14 / r_s²) eV + 2.08 eV, with r_s of the interstitial density; 50.14 / r_s² is the
    Fermi energy of free electrons. It is some 1.2 eV off (1 σ, Cu oxides).
    """
    numbers = base.atomic_number
    full = base.coulomb + lda_potential(base.density)
    potential, constant = muffin_tin_potential(base.spheres, base.r, full)
    between = interstitial_density(base.spheres, base.r, base.density, numbers.astype(np.float64))
    absorber = free_atom(int(numbers[0]), base.method)
    coulomb = potential - lda_potential(base.density)
    density = base.density.copy()
    if hole:
        excited = free_atom(int(numbers[0]), base.method, core_hole=True)
        coulomb[0] += excited.coulomb - absorber.coulomb
        density[0] += excited.density - absorber.density
        potential = coulomb + lda_potential(density)
    return MuffinTin(
        atomic_number=numbers,
        r=base.r,
        coulomb=coulomb,
        potential=potential,
        density=density,
        radius=base.radius,
        norman_radius=base.norman_radius,
        interstitial_potential=constant,
        interstitial_density=between,
        fermi_energy=constant + fermi_rule(between),
        core_orbital=absorber.orbital_1s,
        core_energy=absorber.levels[0].energy + base.core_shift,
    )


def fermi_rule(interstitial_density: float) -> float:
    """Fermi energy above the interstitial potential, hartree, of a material of neutral atoms."""
    free_electron_ev = 50.14 / float(wigner_seitz_radius(interstitial_density)) ** 2
    return (FERMI_SLOPE * free_electron_ev + FERMI_OFFSET_EV) / HARTREE_EV


@lru_cache(maxsize=256)
def _averages(z: int, method: Method) -> tuple[NeighbourAverage, NeighbourAverage]:
    """Averages of an element's density and Coulomb potential about other sites."""
    atom = free_atom(z, method)
    return NeighbourAverage(atom.r, atom.density), NeighbourAverage(atom.r, atom.coulomb)
