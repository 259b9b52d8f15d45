"""Dipole absorption of a 1s electron: the atom alone, and how strongly it feels what its neighbours send back.

With G = -2ik [R(r<) H(r>) + R chi R] in the p channel (Rehr & Albers, Rev. Mod. Phys. 72, 621, 2000, section III), the
absorption is the real part of f0 + f1: f0 = omega k (phi r R_< H_> r phi) and f1 = omega k M^2 chi with M = (phi r R).
Both are analytic above the real axis. Their unit, 16 pi alpha / 3 bohr^2, is left out: spectra are normalised later.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from engine.simulation.muffin_tin import MuffinTin
from engine.simulation.partial_waves import STEP, ComplexArray, FloatArray, Waves
from engine.simulation.phase_shifts import kind_waves


def atomic_absorption(muffin_tin: MuffinTin, energy: ComplexArray) -> ComplexArray:
    """f0 (E,) at absolute energies (E,) in hartree, with ground-state exchange, as FEFF's background has."""
    waves = _p_waves(muffin_tin, energy, excited=False)
    dipole = _dipole(muffin_tin, waves)
    inner = cumulative_integral(dipole * waves.regular[:, 1])
    outer = cumulative_integral(dipole * waves.irregular[:, 1] * inner)[-1]
    return np.asarray(2 * _photon_energy(muffin_tin, energy) * waves.k * outer)


def scattering_strength(muffin_tin: MuffinTin, energy: ComplexArray) -> ComplexArray:
    """f1 / chi = omega k M^2 (E,) at absolute energies (E,) in hartree, with the exchange an excited electron feels."""
    waves = _p_waves(muffin_tin, energy, excited=True)
    moment = cumulative_integral(_dipole(muffin_tin, waves) * waves.regular[:, 1])[-1]
    return np.asarray(_photon_energy(muffin_tin, energy) * waves.k * moment**2)


def cumulative_integral(values: ComplexArray) -> ComplexArray:
    """Running integral of ``values`` (n, ...), n at least 4, over ln r in steps of `partial_waves.STEP`; same shape.

    It starts from zero at the first row; each step integrates the cubic through the four points around it.
    """
    area = np.empty((len(values) - 1, *values.shape[1:]), dtype=values.dtype)
    area[0] = 9 * values[0] + 19 * values[1] - 5 * values[2] + values[3]
    area[1:-1] = 13 * (values[1:-2] + values[2:-1]) - values[:-3] - values[3:]
    area[-1] = 9 * values[-1] + 19 * values[-2] - 5 * values[-3] + values[-4]
    return np.concatenate([np.zeros_like(values[:1]), np.cumsum(area, axis=0) * (STEP / 24)])


def _p_waves(muffin_tin: MuffinTin, energy: ComplexArray, *, excited: bool) -> Waves:
    reach = float(muffin_tin.norman_radius[0])
    return kind_waves(muffin_tin, 0, energy, 1, excited=excited, reach=reach)


def _dipole(muffin_tin: MuffinTin, waves: Waves) -> FloatArray:
    """phi(r) r, times r for the integration over ln r, on the grid of ``waves``: (n, 1)."""
    orbital = CubicSpline(np.log(muffin_tin.r), muffin_tin.core_orbital)(np.log(waves.r))
    return np.asarray(orbital * waves.r**2)[:, None]


def _photon_energy(muffin_tin: MuffinTin, energy: ComplexArray) -> FloatArray:
    return energy.real - muffin_tin.core_energy
