"""Bound states of a spherical potential in the scalar-relativistic approximation, on a logarithmic grid.

With M = 1 + (E - V) / 2 c^2 and W = 1 / M, the equation of Koelling & Harmon (J. Phys. C 10, 3107, 1977) for
u(r) = r R(r) is, without derivatives of the potential,

    u' = u / r + M p,        p' = -p / r + [W l (l + 1) / r^2 + 2 (V - E)] u,

and its s states are those of the Dirac equation. Hartree atomic units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh_tridiagonal, solve_banded

from engine.simulation.units import SPEED_OF_LIGHT

FloatArray = npt.NDArray[np.float64]

_DECAY = 45.0  # a state is followed until exp(-_DECAY) past its turning point
_NEWTON_STEPS = 40
_STEP_TOLERANCE = 1e-12


@dataclass(frozen=True)
class BoundState:
    """A level: n, l, energy in hartree; u (n,) = r R(r) with int u^2 dr = 1, positive at the origin.

    radial_density (n,) is the charge of one electron per bohr, small component included, of integral 1.
    """

    n: int
    l: int  # noqa: E741
    energy: float
    u: FloatArray
    radial_density: FloatArray


def integrate(values: FloatArray, r: FloatArray) -> FloatArray:
    """int_0^infinity f dr along the last axis (..., n) on a logarithmic grid, for f that is small at its end."""
    return np.asarray(cumulative(values, r)[..., -1])


def cumulative(values: FloatArray, r: FloatArray) -> FloatArray:
    """int_0^r f dr along the last axis (..., n), of fourth order; below the grid f is a power of r."""
    h = np.log(r[-1] / r[0]) / (len(r) - 1)
    f = values * r
    steps = np.empty_like(f)
    first, second = f[..., 0], f[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.clip(np.log(second / first) / h, 0.5, 20)
    steps[..., 0] = np.where(first * second > 0, first / np.where(np.isfinite(power), power, 1), 0)
    steps[..., 1] = h / 12 * (5 * f[..., 0] + 8 * f[..., 1] - f[..., 2])
    steps[..., -1] = h / 12 * (5 * f[..., -1] + 8 * f[..., -2] - f[..., -3])
    steps[..., 2:-1] = h / 24 * (13 * (f[..., 1:-2] + f[..., 2:-1]) - f[..., :-3] - f[..., 3:])
    return np.asarray(np.cumsum(steps, axis=-1))


def bound_state(
    potential: FloatArray,
    r: FloatArray,
    n: int,
    angular: int,
    guess: BoundState | None = None,
    light_speed: float = SPEED_OF_LIGHT,
) -> BoundState:
    """The level ``n``, l = ``angular`` of an electron in ``potential`` (n,), in hartree, on the logarithmic grid ``r``.

    The potential includes the nucleus. The state is zero at the end of the grid. ``guess``, the same level of a similar
    potential, saves time; the level found has n - l - 1 nodes whatever the guess. The error of the discretisation is of
    fourth order in the grid's step, below 1e-6 of the energy at 0.0125 (1s: 1e-12). An infinite ``light_speed`` is the
    Schrödinger limit.

    A ValueError says when there is no such level.
    """
    for start in (guess, None) if guess else (None,):
        energy, u = (start.energy, start.u) if start else _first_guess(potential, r, n, angular, light_speed)
        found = _newton(potential, r, angular, energy, u, light_speed)
        if found is not None and _nodes(found[1]) == n - angular - 1:
            return _normalised(potential, r, n, angular, *found, light_speed)
    raise ValueError(f"no bound state with n = {n}, l = {angular} was found in this potential")


def _coefficients(
    potential: FloatArray, r: FloatArray, angular: int, energy: float, light_speed: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mass M and the two products of d/dx (u, p) = (u + a p, b u - p), x = log r: M, a, b, each (n,)."""
    mass = 1 + (energy - potential) / (2 * light_speed**2)
    return mass, r * mass, angular * (angular + 1) / (mass * r) + 2 * r * (potential - energy)


def _newton(
    potential: FloatArray, r: FloatArray, angular: int, energy: float, u: FloatArray, light_speed: float
) -> tuple[float, FloatArray, FloatArray] | None:
    """Energy, u and p (n,) from Newton's method on the two-point boundary-value problem; None if it does not settle.

    The pair of equations is replaced on each interval by the four-point quadrature formula
    y_{i+1} - y_i = h/24 (-f_{i-1} + 13 f_i + 13 f_{i+1} - f_{i+2}), which makes a banded matrix L(E). Newton's step
    for L(E) y = 0 is y <- z = L^-1 L' y, E <- E - (y, y) / (y, z), with L' the derivative by E.
    """
    h = np.log(r[-1] / r[0]) / (len(r) - 1)
    p = _slope(potential, r, h, energy, u, light_speed)
    full, u = len(r), u.copy()
    for _ in range(_NEWTON_STEPS):
        size = _extent(potential, r, h, angular, energy)
        v, grid = potential[:size], r[:size]
        mass, a, b = _coefficients(v, grid, angular, energy, light_speed)
        y = np.stack([u[:size], p[:size]], axis=1)
        change = 1 / (2 * light_speed**2)
        slope = np.stack(
            [grid * change * y[:, 1], (-angular * (angular + 1) * change / (mass**2 * grid) - 2 * grid) * y[:, 0]],
            axis=1,
        )
        right = np.zeros((size, 2))
        right.reshape(-1)[1:-1] = -_quadrature(slope, h).reshape(-1)
        z = solve_banded((4, 4), _band(a, b, h), right.reshape(-1), check_finite=False).reshape(size, 2)
        overlap = (z[:, 0] * y[:, 0] * grid).sum() / (y[:, 0] ** 2 * grid).sum()
        if not np.isfinite(overlap) or overlap == 0:
            return None
        step = -1 / overlap
        norm = np.sqrt((z[:, 0] ** 2 * grid).sum() * h)
        u, p = np.zeros(full), np.zeros(full)
        u[:size], p[:size] = z[:, 0] / norm, z[:, 1] / norm
        step = float(np.clip(step, -0.3 * abs(energy) - 0.1, 0.3 * abs(energy) + 0.1))
        energy += step
        if abs(step) < _STEP_TOLERANCE * max(1.0, abs(energy)):
            return energy, u, p
    return None


def _quadrature(f: FloatArray, h: float) -> FloatArray:
    """Integrals (n - 1, 2) of f (n, 2) over each interval."""
    inside = h / 24 * (13 * (f[1:-2] + f[2:-1]) - f[:-3] - f[3:])
    first = h / 12 * (5 * f[0] + 8 * f[1] - f[2])
    last = h / 12 * (5 * f[-1] + 8 * f[-2] - f[-3])
    return np.concatenate([first[None], inside, last[None]])


def _band(a: FloatArray, b: FloatArray, h: float) -> FloatArray:
    """The matrix (9, 2 n) of the boundary-value problem in the layout of `solve_banded`.

    Unknowns u_0, p_0, u_1, …; row 0 is the regular solution at the origin, rows 2 i + 1 and 2 i + 2 the two equations
    of interval i, the last row u = 0.
    """
    size = len(a)
    weights = np.zeros((size - 1, 4))  # of f at i - 1, i, i + 1, i + 2
    weights[1:-1] = np.array([-1, 13, 13, -1]) * h / 24
    weights[0] = np.array([0, 5, 8, -1]) * h / 12
    weights[-1] = np.array([-1, 8, 5, 0]) * h / 12
    difference = np.array([0.0, -1.0, 1.0, 0.0])
    band = np.zeros((9, 2 * size))
    for k in range(4):
        interval = np.arange(max(0, 1 - k), min(size - 1, size + 1 - k))
        node = interval + k - 1
        w = weights[interval, k]
        # column 2 node (u) and 2 node + 1 (p); band row is 4 + row - column
        band[4 + 1 - 2 * (k - 1), 2 * node] = difference[k] - w
        band[4 + 2 - 2 * (k - 1), 2 * node] = -w * b[node]
        band[4 + 0 - 2 * (k - 1), 2 * node + 1] = -w * a[node]
        band[4 + 1 - 2 * (k - 1), 2 * node + 1] = difference[k] + w
    # Near the nucleus (u, p) is an eigenvector of the coefficients, of growing exponent.
    band[4, 0] = np.sqrt(max(1 + a[0] * b[0], 1e-12)) - 1
    band[3, 1] = -a[0]
    band[5, -2] = 1.0
    band[4, -1] = 0.0
    return band


def _extent(potential: FloatArray, r: FloatArray, h: float, angular: int, energy: float) -> int:
    """Number of grid points the state is followed for."""
    inside = 2 * r**2 * (energy - potential) - angular * (angular + 1)
    turning = len(r) - 1 - int(np.argmax(inside[::-1] > 0)) if (inside > 0).any() else 0
    decay = np.cumsum(np.sqrt(np.maximum(-inside[turning:], 0))) * h
    return min(max(turning + int(np.searchsorted(decay, _DECAY)), 100), len(r))


def _slope(
    potential: FloatArray, r: FloatArray, h: float, energy: float, u: FloatArray, light_speed: float
) -> FloatArray:
    """p for u, as a start."""
    mass = 1 + (energy - potential) / (2 * light_speed**2)
    return np.asarray((np.gradient(u, h) - u) / (r * mass))


def _first_guess(
    potential: FloatArray, r: FloatArray, n: int, angular: int, light_speed: float
) -> tuple[float, FloatArray]:
    """Energy and u (n,) to second order in the step: a symmetric tridiagonal eigenproblem with M taken at E = 0.

    -1/2 (W u')' + [W l (l + 1) / 2 r^2 + W' / 2 r + V] u = E u, in x = log r and with the weight r taken into u.
    """
    h = np.log(r[-1] / r[0]) / (len(r) - 1)
    weight = 1 / (1 - potential / (2 * light_speed**2))
    between = np.sqrt(weight[1:] * weight[:-1] / (r[1:] * r[:-1])) / (2 * h**2)
    diagonal = np.zeros_like(r)
    diagonal[:-1] += between
    diagonal[1:] += between
    diagonal += (weight * angular * (angular + 1) + np.gradient(weight, h)) / (2 * r) + r * potential
    # below the grid u is a power of r
    diagonal[0] += 0.5 * weight[0] / r[0] / h
    diagonal[-1] += weight[-1] / r[-1] / (2 * h**2)
    index = n - angular - 1
    energy, vector = eigh_tridiagonal(
        diagonal / r, -between / np.sqrt(r[1:] * r[:-1]), select="i", select_range=(index, index)
    )
    return float(energy[0]), np.asarray(vector[:, 0] / np.sqrt(r))


def _nodes(u: FloatArray) -> int:
    """Sign changes of u where it is not negligible."""
    signs = np.sign(u[np.abs(u) > 1e-7 * np.abs(u).max()])
    return int((signs[1:] != signs[:-1]).sum())


def _normalised(
    potential: FloatArray,
    r: FloatArray,
    n: int,
    angular: int,
    energy: float,
    u: FloatArray,
    p: FloatArray,
    light_speed: float,
) -> BoundState:
    """The density is what a change of the potential couples to (dE/dV), which is that of both Dirac components."""
    mass = 1 + (energy - potential) / (2 * light_speed**2)
    density = u**2 + (p**2 + angular * (angular + 1) * (u / (mass * r)) ** 2) / (4 * light_speed**2)
    sign = np.sign(u[np.argmax(np.abs(u) > 1e-7 * np.abs(u).max())])
    return BoundState(n, angular, energy, sign * u / np.sqrt(integrate(u**2, r)), density / integrate(density, r))
