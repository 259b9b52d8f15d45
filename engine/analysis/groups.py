"""Groups of spectra: mean and spread of some, difference of two, which ones pass where, all of them in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.analysis.scores import FloatArray

BoolArray = npt.NDArray[np.bool_]
_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class Group:
    """Mean (m,) and standard deviation (m,) of n spectra at each energy; the deviation of a single one is 0."""

    mean: FloatArray
    sigma: FloatArray
    n: int


def group_of(mu: FloatArray, rows: BoolArray | None = None) -> Group:
    """The group of the spectra ``rows`` (n,) of mu (n, m), at least one; None takes all of them.

    The deviation is that of a sample (n - 1). Sums are taken in blocks that stay in the processor's cache, and of
    differences from the mean of the first block, so that nothing is lost to rounding and many spectra are not copied.
    """
    chosen = np.arange(len(mu)) if rows is None else np.flatnonzero(rows)
    n = chosen.size
    pivot = np.asarray(mu[chosen[:_BLOCK]], dtype=np.float64).mean(axis=0)
    first, second = np.zeros_like(pivot), np.zeros_like(pivot)
    for start in range(0, n, _BLOCK):
        apart = mu[chosen[start : start + _BLOCK]] - pivot
        first += apart.sum(axis=0)
        second += np.einsum("nm,nm->m", apart, apart)
    variance = np.maximum(second - first**2 / n, 0) / max(n - 1, 1)
    return Group(pivot + first / n, np.sqrt(variance), n)


def group_difference(a: Group, b: Group) -> tuple[FloatArray, FloatArray]:
    """Mean of ``a`` less mean of ``b`` (m,), and its standard error (m,) for independent spectra (Welch)."""
    error: FloatArray = np.sqrt(a.sigma**2 / a.n + b.sigma**2 / b.n)
    return a.mean - b.mean, error


def passing_through(
    energy_ev: FloatArray, mu: FloatArray, energies: tuple[float, float], values: tuple[float, float]
) -> BoolArray:
    """Which spectra (n, m), drawn as lines, pass through the box from ``energies`` (eV) and ``values`` (mu), as (n,).

    The box may be narrower than a step of the grid; outside the grid nothing passes.
    """
    low, high = max(min(energies), float(energy_ev[0])), min(max(energies), float(energy_ev[-1]))
    if low > high:
        return np.zeros(len(mu), dtype=np.bool_)
    ends = [_at(energy_ev, mu, energy) for energy in (low, high)]
    inside = (energy_ev > low) & (energy_ev < high)
    lines = np.column_stack([ends[0], mu[:, inside], ends[1]])
    passing: BoolArray = (lines.min(axis=1) <= max(values)) & (lines.max(axis=1) >= min(values))
    return passing


@dataclass(frozen=True, eq=False)
class SortedSpectra:
    """Spectra in rising order of a descriptor, as the means of r blocks of neighbours in that order.

    mu (r, m) · edges (r + 1,) ranks at which blocks begin and end, from 0 to the number of sites that know the
    descriptor · values (r,) mean descriptor of each block · order those sites' rows, sorted
    """

    mu: FloatArray
    edges: npt.NDArray[np.intp]
    values: FloatArray
    order: npt.NDArray[np.intp]


def sort_spectra(mu: FloatArray, values: FloatArray, blocks: int) -> SortedSpectra:
    """Spectra (n, m) sorted by ``values`` (n,), NaN left out, in at most ``blocks`` blocks of nearly equal size."""
    order = np.argsort(values, kind="stable")[: int((~np.isnan(values)).sum())]
    r = min(blocks, order.size)
    edges = np.linspace(0, order.size, r + 1).round().astype(np.intp)
    if r == 0:
        return SortedSpectra(np.empty((0, mu.shape[1])), edges[:1], np.empty(0), order)
    sizes = np.diff(edges)
    sums = np.add.reduceat(np.asarray(mu[order], dtype=np.float64), edges[:-1], axis=0)
    return SortedSpectra(sums / sizes[:, None], edges, np.add.reduceat(values[order], edges[:-1]) / sizes, order)


def _at(energy_ev: FloatArray, mu: FloatArray, energy: float) -> FloatArray:
    """Spectra (n, m) at one energy of the grid's range, linear between points, (n,)."""
    right = int(np.clip(np.searchsorted(energy_ev, energy), 1, energy_ev.size - 1))
    share = (energy - energy_ev[right - 1]) / (energy_ev[right] - energy_ev[right - 1])
    between: FloatArray = (1 - share) * mu[:, right - 1] + share * mu[:, right]
    return between
