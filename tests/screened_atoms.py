"""Made-up clusters whose potentials are screened nuclei, in closed form: for tests of scattering."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.simulation.muffin_tin import Cluster, MuffinTin
from engine.simulation.units import HARTREE_EV
from engine.simulation.xc import lda_potential

FloatArray = npt.NDArray[np.float64]

WEIGHTS, DECAYS = np.array([0.35, 0.55, 0.1]), np.array([0.3, 1.2, 6.0])  # Moliere's fit to the Thomas-Fermi atom


def screened_nucleus(atomic_number: int, r: FloatArray) -> FloatArray:
    """Potential in hartree at r (...) in bohr."""
    decay = DECAYS * atomic_number ** (1 / 3) / 0.8853
    return np.asarray(-atomic_number / r * (np.exp(-decay * r[..., None]) @ WEIGHTS))


def screening_charge(atomic_number: int, r: FloatArray) -> FloatArray:
    """Electrons per bohr^3 that go with the potential."""
    decay = DECAYS * atomic_number ** (1 / 3) / 0.8853
    return np.asarray(atomic_number / (4 * np.pi * r) * (np.exp(-decay * r[..., None]) @ (WEIGHTS * decay**2)))


def muffin_tin(atomic_number: tuple[int, ...] = (29, 8, 29), radius: tuple[float, ...] = (2.0, 1.6, 2.0)) -> MuffinTin:
    """Kinds of screened nuclei; that of the absorber holds one more electron close to it."""
    r = np.exp(-8.8 + 0.0125 * np.arange(1001))
    coulomb = np.array([screened_nucleus(z, r) for z in atomic_number])
    coulomb[0] -= (1 - np.exp(-2 * r)) / r * np.exp(-r / 1.5)
    density = np.array([screening_charge(z, r) for z in atomic_number]) + 0.03
    charge = atomic_number[0] - 0.3
    return MuffinTin(
        atomic_number=np.array(atomic_number),
        r=r,
        coulomb=coulomb,
        potential=coulomb + lda_potential(density),
        density=density,
        radius=np.array(radius),
        norman_radius=1.05 * np.array(radius),
        interstitial_potential=-0.55,
        interstitial_density=0.03,
        fermi_energy=-0.25,
        core_orbital=2 * charge**1.5 * r * np.exp(-charge * r),
        core_energy=-8979 / HARTREE_EV,
    )


def cluster(n_atoms: int, seed: int = 0) -> Cluster:
    """An absorber and atoms of two kinds in turn, on a cubic lattice of 4 bohr with a displacement of 0.1 bohr each."""
    steps = np.arange(-4, 5)
    sites = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    order = np.argsort((sites**2).sum(-1), kind="stable")[:n_atoms]
    position = 4.0 * sites[order] + np.random.default_rng(seed).normal(scale=0.1, size=(n_atoms, 3))
    position[0] = 0
    kind = 2 - np.abs(sites[order].sum(-1)) % 2
    kind[0] = 0
    return Cluster(np.array([29, 8, 29])[kind], position, kind)
