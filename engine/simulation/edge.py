"""The core hole's lifetime and the Fermi level: from absorption at complex energies to a spectrum.

The spectrum is the absorption above the Fermi level, convolved with the Lorentzian of the core hole. As the absorption
is the real part of a function f analytic above the real axis, the integral may leave that axis, where f varies wildly,
for a path up from the Fermi level and along E + i Gamma, where it is smooth (Ankudinov & Rehr's contour in Ankudinov
et al., Phys. Rev. B 58, 7565, 1998).
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from engine.simulation.partial_waves import ComplexArray, FloatArray

_UP = np.array([0.0, 0.2, 0.45, 0.7])  # parts of Gamma at which the path up is sampled
_FINER = 8
_BELOW_LINE = 1e-30j


def energy_path(width: float, highest: float, k_step: float = 0.04) -> ComplexArray:
    """Points (q,) in hartree from the Fermi level: up to i ``width``, then along it to ``highest`` or a bit more.

    ``width`` is the half width Gamma of the core hole, more than zero. Along the path energies are even in the
    photoelectron's wave number, ``k_step`` (bohr^-1) apart, but no closer than a third of the width.
    """
    energies = [0.0]
    while energies[-1] < highest:
        here = energies[-1]
        energies.append(max(here + width / 3, (np.sqrt(2 * here) + k_step) ** 2 / 2))
    return np.concatenate([1j * width * _UP, np.array(energies) + 1j * width])


def broaden(path: ComplexArray, values: ComplexArray, width: float, energy: FloatArray) -> FloatArray:
    """Absorption (..., m) at ``energy`` (m,) from f ``values`` (..., q) on the ``path`` (q,) of `energy_path`.

    All energies in hartree from the Fermi level. On each half of the path f is a cubic spline, chopped into straight
    pieces that are convolved with the Lorentzian of half width ``width`` analytically; beyond the end of the path f
    keeps its last value, so energies should stay several widths below it.
    """
    z, f = _refined(path, values)
    slope = np.diff(f) / np.diff(z)
    total = np.zeros((*values.shape[:-1], len(energy)), dtype=np.complex128)
    for sign in (1, -1):  # the Lorentzian is the difference of two poles, of which one is on the path
        distance = z - energy[:, None] - 1j * sign * width
        if sign > 0:
            distance -= _BELOW_LINE  # the path was lifted from below: it passes under the pole
        log = np.log(distance)
        step = np.diff(log)
        # Each piece, continued straight to the pole, is f - slope * distance there.
        total += sign * (f[..., :-1] @ step.T - slope @ (distance[:, :-1] * step).T - f[..., -1:] * log[:, -1])
    return np.asarray((total / (2j * np.pi)).real)


def _refined(path: ComplexArray, values: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """The path and the values on it, each interval divided in ``_FINER``; the corner belongs to both halves."""
    corner = len(_UP)
    pieces = []
    for part in (slice(0, corner + 1), slice(corner, None)):
        length = np.abs(path[part] - path[part][0])
        place = np.interp(np.arange((len(length) - 1) * _FINER + 1) / _FINER, np.arange(len(length)), length)
        direction = np.exp(1j * np.angle(path[part][-1] - path[part][0]))
        pieces.append((path[part][0] + direction * place, CubicSpline(length, values[..., part], axis=-1)(place)))
    (up, f_up), (along, f_along) = pieces
    return np.concatenate([up[:-1], along]), np.concatenate([f_up[..., :-1], f_along], axis=-1)
