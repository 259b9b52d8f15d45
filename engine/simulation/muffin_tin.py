"""The two things every step of a simulation is about: a cluster of atoms, and its muffin-tin potential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cluster:
    """N atoms around an absorber, which is atom 0 and sits at the origin; nearer atoms first.

    atomic_number (N,), position (N, 3) in bohr, kind (N,) the index of each atom's potential. Kind 0 is the absorber
    alone; the others are one per element.
    """

    atomic_number: IntArray
    position: FloatArray
    kind: IntArray


@dataclass(frozen=True)
class MuffinTin:
    """Spherical potentials of P kinds of atoms inside their muffin-tin spheres and the constant between them.

    Hartree and bohr; energies are absolute (zero where neutral atoms are infinitely far). atomic_number (P,);
    r (n,) logarithmic grid; coulomb (P, n) electrostatic potential, nucleus included, core hole included for kind 0;
    potential (P, n) coulomb plus ground-state exchange and correlation; density (P, n) electrons per bohr^3;
    radius (P,) muffin-tin radii; norman_radius (P,). Values beyond a kind's radius are those of the overlapped atoms
    and are not used in scattering. core_orbital (n,) is u(r) = r R(r) of the absorber's 1s level, of norm 1.
    """

    atomic_number: IntArray
    r: FloatArray
    coulomb: FloatArray
    potential: FloatArray
    density: FloatArray
    radius: FloatArray
    norman_radius: FloatArray
    interstitial_potential: float
    interstitial_density: float
    fermi_energy: float
    core_orbital: FloatArray
    core_energy: float
