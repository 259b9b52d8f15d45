"""Overlapping free atoms: spherical averages around a neighbour's centre, and the radii that follow.

Sources: Mattheiss, Phys. Rev. 133, A1399 (1964); Loucks, Augmented Plane Wave Method (1967), Eq. 3.22; Norman, Mol.
Phys. 31, 1191 (1976). Hartree atomic units. Shapes: n radii of the common grid r = exp(x), P kinds, q neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.interpolate import CubicHermiteSpline
from scipy.optimize import brentq

from engine.errors import DataError
from engine.simulation.cluster import Neighbours
from engine.simulation.muffin_tin import FloatArray

LARGEST_OVERLAP = 1.15
NORMAN_SHARE = 0.7
NEIGHBOUR_MARGIN = 1.06
INNERMOST_SHELL = float(np.exp(-37 * 0.05))
"""Share of a muffin-tin radius inside which no neighbour may reach (see interstitial.py)."""


class NeighbourAverage:
    """Spherical average, about a point at distance D, of a function f(s) given on the grid around a neighbour.

    <f>(r) = 1 / (2 r D) * integral from |D - r| to D + r of f(s) s ds (Loucks, Eq. 3.22). The running integral is made
    once; f is taken as zero beyond the grid and as f(s_0) inside its first point.
    """

    def __init__(self, r: FloatArray, values: FloatArray) -> None:
        x = np.log(r)
        integrand = values * r**2
        start = 0.5 * values[0] * r[0] ** 2
        running = start + cumulative_simpson(integrand, x=x, initial=0.0)
        self._range = x[0], x[-1]
        self._running = CubicHermiteSpline(x, running, integrand)

    def __call__(self, r: FloatArray, distance: FloatArray, count: FloatArray | None = None) -> FloatArray:
        """Sum (n,) of the averages at radii r (n,) over neighbours at ``distance`` (q,), each taken ``count`` times."""
        d = np.asarray(distance, dtype=np.float64)[:, None]
        upper = self._running(np.clip(np.log(d + r), *self._range))
        lower = self._running(np.clip(np.log(np.maximum(np.abs(d - r), 1e-300)), *self._range))
        average = (upper - lower) / (2.0 * r * d)
        weight = np.ones(len(d)) if count is None else count
        return np.asarray(weight @ average)


def overlap(r: FloatArray, own: FloatArray, averages: Sequence[NeighbourAverage], neighbours: Neighbours) -> FloatArray:
    """A kind's own function (n,) plus the spherical averages of all its ``neighbours``, whose functions go by kind.

    Neighbours of one kind within 1e-4 bohr of one distance are taken together.
    """
    total = own.copy()
    for kind in np.unique(neighbours.kind):
        rounded = np.round(neighbours.distance[neighbours.kind == kind], 4)
        distance, count = np.unique(rounded, return_counts=True)
        total += averages[int(kind)](r, distance, count.astype(np.float64))
    return total


def norman_radius(r: FloatArray, density: FloatArray, electrons: float) -> float:
    """Radius in bohr of the sphere that holds ``electrons`` of the overlapped ``density`` (n,) per bohr³."""
    charge = enclosed(r, density)
    if charge[-1] < electrons:
        raise DataError(f"the density holds {charge[-1]:.3f} electrons; need {electrons:g} for a Norman radius")
    at = max(int(np.searchsorted(charge, electrons)), 1)
    x = np.log(r[at - 1 : at + 1])
    slope = 4.0 * np.pi * density[at - 1 : at + 1] * r[at - 1 : at + 1] ** 3
    step = CubicHermiteSpline(x, charge[at - 1 : at + 1], slope)
    return float(np.exp(brentq(lambda place: float(step(place)) - electrons, x[0], x[1], xtol=1e-15)))


def enclosed(r: FloatArray, density: FloatArray) -> FloatArray:
    """Electrons (..., n) within each radius of spherical densities (..., n) per bohr³."""
    start = 4.0 * np.pi / 3.0 * density[..., :1] * r[0] ** 3
    return np.asarray(start + cumulative_simpson(4.0 * np.pi * density * r**3, x=np.log(r), initial=0.0))


def ball_overlap(a: FloatArray, b: FloatArray, distance: float | FloatArray) -> FloatArray:
    """Volume common to two balls of radii ``a`` and ``b`` whose centres are ``distance`` > 0 apart."""
    gap = np.clip(a + b - distance, 0.0, None)
    lens = np.pi * gap**2 * (distance**2 + 2 * distance * (a + b) - 3 * (a - b) ** 2) / (12 * distance)
    inside = distance <= np.abs(a - b)
    return np.asarray(np.where(inside, 4.0 / 3.0 * np.pi * np.minimum(a, b) ** 3, lens))


def muffin_tin_radii(norman: FloatArray, neighbours: Sequence[Neighbours]) -> FloatArray:
    """Muffin-tin radii (P,) from Norman radii (P,) and the neighbours of each kind.

    Each pair with overlapping Norman spheres proposes d R_i / (R_i + R_j); their mean, weighted by the volume of the
    overlap, is scaled by at most 1.15, less where 0.3 + 0.7 R_Norman / R_mt or a near neighbour asks for less (the
    automatic overlap of FEFF8; Ankudinov et al., Phys. Rev. B 58, 7565, 1998).
    """
    touching = np.array([_touching_radius(k, norman, near) for k, near in enumerate(neighbours)])
    scale = np.minimum(LARGEST_OVERLAP, 1 - NORMAN_SHARE + NORMAN_SHARE * norman / touching)
    for k, near in enumerate(neighbours):
        if len(near.distance) == 0:
            continue
        d, j = float(near.distance[0]), int(near.kind[0])
        scale[k] = min(scale[k], d / touching[k] / NEIGHBOUR_MARGIN)
        if norman[k] >= d:
            room = d / (1.05 * touching[k] + INNERMOST_SHELL * touching[j])
            scale[k] = min(scale[k], room)
        else:
            room = (d - norman[k]) / (INNERMOST_SHELL * touching[j])
        scale[j] = min(scale[j], room)
    return np.asarray(scale * touching)


def _touching_radius(k: int, norman: FloatArray, near: Neighbours) -> float:
    """Radius of kind k before scaling; its Norman radius where it overlaps no neighbour."""
    other = norman[near.kind]
    volume = ball_overlap(np.full(len(other), norman[k]), other, near.distance)
    if not volume.sum() > 0:
        return float(norman[k])
    proposed = near.distance * norman[k] / (norman[k] + other)
    return float((proposed * volume).sum() / volume.sum())


def charges(r: FloatArray, density: FloatArray, radius: FloatArray) -> FloatArray:
    """Electrons (P,) of densities (P, n) within each kind's ``radius`` (P,)."""
    return at_radii(r, enclosed(r, density), 4.0 * np.pi * density * r**3, radius)


def at_radii(r: FloatArray, values: FloatArray, slopes: FloatArray, radius: FloatArray) -> FloatArray:
    """Functions (P, n), each at its own ``radius`` (P,), by Hermite's cubics with ``slopes`` d/d ln r (P, n)."""
    x = np.log(r)
    right = np.clip(np.searchsorted(r, radius), 1, len(r) - 1)
    rows, left = np.arange(len(radius)), right - 1
    width = x[right] - x[left]
    s = (np.log(radius) - x[left]) / width
    return np.asarray(
        values[rows, left] * (1 + 2 * s) * (1 - s) ** 2
        + values[rows, right] * s**2 * (3 - 2 * s)
        + width * s * (1 - s) * (slopes[rows, left] * (1 - s) - slopes[rows, right] * s)
    )
