"""How the valence electrons around an absorber screen its 1s hole: static linear response, without exchange (RPA).

A change δV(r) of the absorber's potential moves the electrons by δρ(r) = ∫ X(r, r') δV(r') dr', with

    X(r, r') = -2/π Im ∫ dE Σ_l (2l + 1) [r r' G_l(r, r'; E)]²

over the occupied bands (Zangwill & Soven, Phys. Rev. A 21, 1561, 1980), and δV is that of the hole and of δρ together.
G is averaged over m. Hartree and bohr; δρ is 4π r² times a density. What of the screening charge lies beyond the
absorber's Norman sphere is taken to sit on its surface, so that the absorber with its hole stays neutral.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline

from engine.simulation.local_density import FROZEN, Environment, returned_waves
from engine.simulation.muffin_tin import FloatArray, MuffinTin
from engine.simulation.partial_waves import STEP
from engine.simulation.phase_shifts import LIGHTEST, kind_waves, scattering_matrices
from engine.simulation.scf import contour


@dataclass(frozen=True)
class Screening:
    """Potential energy (n,) of an electron in the field of the screened hole at radii r (n,); zero from r[-1] on.

    screened is the charge within r[-1] that came to screen the hole, 1 for all of it; density (n,) how it lies.
    """

    r: FloatArray
    potential: FloatArray
    density: FloatArray
    screened: float


def screen_core_hole(muffin_tin: MuffinTin, cluster: Environment, bottom: float) -> Screening:
    """Screening of the absorber's 1s hole by the bands from ``bottom`` to the Fermi energy, in its ``cluster``."""
    r, response = density_response(muffin_tin, cluster, bottom)
    width = radial_widths(r)
    orbital = CubicSpline(np.log(muffin_tin.r), muffin_tin.core_orbital)(np.log(r)) ** 2
    orbital /= orbital @ width
    kernel = (1 / np.maximum(r[:, None], r[None]) - 1 / r[-1]) * width
    bare = -kernel @ orbital
    potential = np.linalg.solve(np.eye(len(r)) - kernel @ (response * width), bare)
    density = (response * width) @ potential
    return Screening(r, potential, density, float(density @ width))


def density_response(muffin_tin: MuffinTin, cluster: Environment, bottom: float) -> tuple[FloatArray, FloatArray]:
    """Radii r (n,) up to the absorber's Norman radius and its response X (n, n) to spherical potentials."""
    energy, weight = contour(bottom, muffin_tin.fermi_energy)
    lmax = 1 if muffin_tin.atomic_number[0] <= LIGHTEST else FROZEN - 1
    k, t = scattering_matrices(muffin_tin, energy, cluster[-1].geometry.lmax, excited=False)
    norman = float(muffin_tin.norman_radius[0])
    waves = kind_waves(muffin_tin, 0, energy, lmax, excited=False, reach=norman)
    chi = np.diagonal(returned_waves(cluster, k, t), axis1=1, axis2=2)
    inside = slice(0, int(np.searchsorted(waves.r, norman * (1 + 1e-9))))
    r = waves.r[inside]
    response = np.zeros((len(r), len(r)))
    for angular in range(lmax + 1):
        mean = chi[:, angular**2 : (angular + 1) ** 2].mean(axis=1)
        for e in range(len(energy)):
            regular, irregular = waves.regular[inside, angular, e], waves.irregular[inside, angular, e]
            product = np.outer(regular, irregular)
            green = np.triu(product) + np.triu(product, 1).T + mean[e] * np.outer(regular, regular)
            response -= (2 / np.pi) * (2 * angular + 1) * (weight[e] * (-2j * k[e] * green) ** 2).imag
    return r, response


def radial_widths(r: FloatArray) -> FloatArray:
    """Weights (n,) of values at r (n,) in their integral over r."""
    width = STEP * r
    width[-1] *= 0.5
    return width


def with_core_hole(muffin_tin: MuffinTin, hole: Screening) -> MuffinTin:
    """The potential of the final state: ``hole`` added to the absorber, everything else as it was."""
    change = np.interp(np.log(muffin_tin.r), np.log(hole.r), hole.potential, right=0.0)
    coulomb, potential = muffin_tin.coulomb.copy(), muffin_tin.potential.copy()
    coulomb[0] += change
    potential[0] += change
    return replace(muffin_tin, coulomb=coulomb, potential=potential)
