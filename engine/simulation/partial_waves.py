"""Scalar-relativistic radial waves of a photoelectron in muffin-tin spheres, at many complex energies at once.

Koelling & Harmon, J. Phys. C 10, 3107 (1977), without spin-orbit coupling. With u = r R(r), x = ln r and the relative
mass M = 1 + (E - V) / 2c^2,

    d/dx (u, q) = [[1, 2 M r], [l (l + 1) / (2 M r) + r (V - E), -1]] (u, q),     q = (du/dr - u / r) / 2M,

whose matrix is traceless. It is integrated by the sixth-order Magnus expansion (Blanes, Casas, Oteo & Ros, Phys. Rep.
470, 151, 2009, Eq. 257): one exponential of a traceless 2 x 2 matrix per step, so that Wronskians are kept to rounding.

Shapes: n radii, E energies, L = lmax + 1, and K nothing for one sphere or P for P spheres at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.simulation.bessel import derivative, spherical_bessel, spherical_hankel
from engine.simulation.units import SPEED_OF_LIGHT

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

STEP = 0.05
"""Steps of ln r; the waves are known at r = R exp(-j STEP)."""

NODES = np.array([0.5 - np.sqrt(0.15), 0.5, 0.5 + np.sqrt(0.15)])
"""Where in a step the potential is needed: Gauss-Legendre."""

_Pair = tuple[ComplexArray, ComplexArray]


@dataclass(frozen=True)
class Waves:
    """Waves of atoms for l = 0 ... lmax at E energies; hartree and bohr.

    r (n, K) logarithmic grid, of which r[edge] is the muffin-tin radius and what is beyond it lies in the flat
    potential. k (E,) interstitial wave number, Im k > 0; t (K, L, E) = i e^{i delta} sin(delta). With h outgoing,
    ``regular`` (n, K, L, E) is r (j_l(kr) + t_l h_l(kr)) from the muffin-tin radius on, and ``irregular`` (n, K, L, E)
    is r h_l(kr). The Green function of a sphere, (E - H) G = delta, is -2ik / (r r') regular(r<) irregular(r>) for
    each l, m.
    """

    r: FloatArray
    edge: int
    k: ComplexArray
    t: ComplexArray
    regular: ComplexArray
    irregular: ComplexArray


def wave_number(energy: ComplexArray, interstitial: ComplexArray | float) -> ComplexArray:
    """Relativistic k (E,) at energies (E,) above a constant potential, with Im k >= 0."""
    kinetic = np.asarray(energy - interstitial, dtype=np.complex128)
    k = np.sqrt(2 * kinetic * (1 + kinetic / (2 * SPEED_OF_LIGHT**2)))
    return np.where(k.imag < 0, -k, k)


def sphere_grid(first: float, radius: float | FloatArray) -> FloatArray:
    """Radii (n, K) in steps of ``STEP`` in ln r that end exactly at ``radius`` (K) and start at or below ``first``."""
    radius = np.asarray(radius)
    n = int(np.ceil(np.log(radius.max() / first) / STEP))
    return np.asarray(np.multiply.outer(np.exp(STEP * np.arange(-n, 1)), radius))


def step_nodes(r: FloatArray) -> FloatArray:
    """Radii (n - 1, 3, K) within each step of the grid (n, K) where `partial_waves` needs the potential."""
    return np.asarray(r[:-1, None] * np.exp(STEP * NODES).reshape(-1, *([1] * (r.ndim - 1))))


def t_matrix(
    r: FloatArray,
    potential: ComplexArray | FloatArray,
    interstitial: ComplexArray | float,
    energy: ComplexArray,
    lmax: int,
) -> ComplexArray:
    """t_l = i e^{i delta} sin(delta), (K, lmax + 1, E), of one sphere or several.

    r (n, K) from `sphere_grid`; potential (n - 1, 3, K) or (n - 1, 3, K, E) at `step_nodes`; interstitial a number or
    (E,).
    """
    u, q = _start(r, potential, energy, lmax)
    for m11, m12, m21, m22 in zip(*_steps(r, potential, energy, lmax), strict=True):
        u, q = m11 * u + m12 * q, m21 * u + m22 * q
    return _match(u, q, *_outside(r[-1], wave_number(energy, interstitial), energy - interstitial, lmax))


def partial_waves(
    r: FloatArray,
    potential: ComplexArray | FloatArray,
    interstitial: ComplexArray | float,
    energy: ComplexArray,
    lmax: int,
    reach: float | FloatArray = 0.0,
) -> Waves:
    """The waves of the spheres, continued in the flat potential up to radii of at least ``reach`` (K) bohr.

    Arguments as for `t_matrix`.
    """
    k = wave_number(energy, interstitial)
    edge = len(r) - 1
    farthest = float(np.max(np.asarray(reach) / r[-1]))
    beyond = max(0, int(np.ceil(np.log(max(farthest, 1.0)) / STEP - 1e-9)))
    grid = np.concatenate([r, np.multiply.outer(np.exp(STEP * np.arange(1, beyond + 1)), r[-1])])
    steps = list(zip(*_steps(r, potential, energy, lmax), strict=True))
    u, q = _start(r, potential, energy, lmax)
    regular = np.empty((len(grid), *u.shape), dtype=np.complex128)
    irregular = np.empty_like(regular)
    regular[0] = u
    for i, (m11, m12, m21, m22) in enumerate(steps):
        u, q = m11 * u + m12 * q, m21 * u + m22 * q
        regular[i + 1] = u
    j, h = _outside(r[-1], k, energy - interstitial, lmax)
    t = _match(u, q, j, h)
    regular[: edge + 1] *= (j[0] + t * h[0]) / u

    u, q = h
    irregular[edge] = u
    for i in range(edge - 1, -1, -1):
        m11, m12, m21, m22 = steps[i]
        u, q = m22 * u - m12 * q, m11 * q - m21 * u
        irregular[i] = u

    far = grid[edge + 1 :, ..., None]
    irregular[edge + 1 :] = far[..., None, :] * np.moveaxis(spherical_hankel(lmax, far * k), 0, -2)
    regular[edge + 1 :] = far[..., None, :] * np.moveaxis(spherical_bessel(lmax, far * k), 0, -2)
    regular[edge + 1 :] += t * irregular[edge + 1 :]
    return Waves(grid, edge, k, t, regular, irregular)


def _steps(
    r: FloatArray, potential: ComplexArray | FloatArray, energy: ComplexArray, lmax: int
) -> tuple[ComplexArray, ComplexArray, ComplexArray, ComplexArray]:
    """Elements 11, 12, 21, 22 (n - 1, K, L, E) of the matrices that take (u, q) from one radius to the next."""
    x = step_nodes(r)[..., None]
    kinetic = energy - (potential if potential.ndim == x.ndim else potential[..., None])  # (n - 1, 3, K, E)
    a = (x * (2 + kinetic / SPEED_OF_LIGHT**2))[..., None, :]  # (n - 1, 3, K, 1, E)
    ell = np.arange(lmax + 1)[:, None]
    b = ell * (ell + 1) / a - (x * kinetic)[..., None, :]  # (n - 1, 3, K, L, E)
    h = STEP
    # alpha_1 = [[h, v1], [w1, -h]]; alpha_2 and alpha_3 have no diagonal.
    v1, w1 = h * a[:, 1], h * b[:, 1]
    v2, w2 = (np.sqrt(15) / 3 * h * (f[:, 2] - f[:, 0]) for f in (a, b))
    v3, w3 = (10 / 3 * h * (f[:, 2] - 2 * f[:, 1] + f[:, 0]) for f in (a, b))
    c1 = (v1 * w2 - v2 * w1, 2 * h * v2, -2 * h * w2)
    c2 = _commutator((h, v1, w1), (c1[0], 2 * v3 + c1[1], 2 * w3 + c1[2]))
    last = _commutator(
        (-20 * h + c1[0], -20 * v1 - v3 + c1[1], -20 * w1 - w3 + c1[2]), (-c2[0] / 60, v2 - c2[1] / 60, w2 - c2[2] / 60)
    )
    u, v, w = h + last[0] / 240, v1 + v3 / 12 + last[1] / 240, w1 + w3 / 12 + last[2] / 240
    square = u * u + v * w
    cosh, sinh = np.ones_like(square), np.ones_like(square)  # cosh(s) and sinh(s) / s as series in s^2
    for m in range(6, 0, -1):
        cosh = 1 + square / ((2 * m - 1) * (2 * m)) * cosh
        sinh = 1 + square / ((2 * m) * (2 * m + 1)) * sinh
    return cosh + sinh * u, sinh * v, sinh * w, cosh - sinh * u


def _commutator(first: tuple[Any, Any, Any], second: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Commutator of two traceless matrices [[u, v], [w, -u]], each given as (u, v, w)."""
    (u1, v1, w1), (u2, v2, w2) = first, second
    return v1 * w2 - v2 * w1, 2 * (u1 * v2 - u2 * v1), 2 * (w1 * u2 - w2 * u1)


def _start(r: FloatArray, potential: ComplexArray | FloatArray, energy: ComplexArray, lmax: int) -> _Pair:
    """(u, q), each (K, L, E), at r[0]: u = r^g with the exponent g at a point nucleus of the charge felt there."""
    first = step_nodes(r)[0, 0][..., None]
    v = potential[0, 0] if potential.ndim == first.ndim + 2 else potential[0, 0][..., None]  # (K, E) or (K, 1)
    ell = np.arange(lmax + 1)[:, None]
    charge = (first * np.real(v) / SPEED_OF_LIGHT)[..., None, :]
    exponent = np.sqrt(ell * (ell + 1) + 1 - charge**2)
    q = (exponent - 1) / (first * (2 + (energy - v) / SPEED_OF_LIGHT**2))[..., None, :]
    return np.ones_like(q), q


def _outside(radius: FloatArray, k: ComplexArray, energy: ComplexArray, lmax: int) -> tuple[_Pair, _Pair]:
    """(u, q) at ``radius`` (K) of r j_l and of r h_l, each (K, L, E), at energies above the flat potential."""
    twice_mass = 2 + energy / SPEED_OF_LIGHT**2
    z = np.multiply.outer(radius, k)
    j, h = spherical_bessel(lmax + 1, z), spherical_hankel(lmax + 1, z)
    size, scale = np.asarray(radius)[..., None, None], (z / twice_mass)[..., None, :]
    pairs = [(size * np.moveaxis(f[:-1], 0, -2), scale * np.moveaxis(derivative(f, z), 0, -2)) for f in (j, h)]
    return pairs[0], pairs[1]


def _match(u: ComplexArray, q: ComplexArray, j: _Pair, h: _Pair) -> ComplexArray:
    """t (K, L, E) of the wave that has (u, q), up to a factor, where the free ones are ``j`` and ``h``."""
    return np.asarray(-(u * j[1] - q * j[0]) / (u * h[1] - q * h[0]))
