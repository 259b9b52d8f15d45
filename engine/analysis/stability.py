"""How sure a trend is: what several members of one ensemble agree on.

s members, t levels, m energies. Members differ by their seed or, trained with ``bootstrap``, by seed and by a draw of
the training materials (Efron, Ann. Statist. 7, 1 (1979), with materials as the units).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from engine.analysis.scores import FloatArray
from engine.analysis.traversal import Traversal, cosine_overlap
from engine.errors import ConfigError

LOBE = 0.05
FIXED = 0.1
SAME_POINT_EV = 1.0
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Isosbestic:
    """An energy at which spectra do not change along an axis.

    energy_ev   median over the members that have it · spread_ev  standard deviation over them
    confidence  share of the members that have it
    """

    energy_ev: float
    spread_ev: float
    confidence: float


@dataclass(frozen=True, eq=False)
class Stability:
    """One axis over the members.

    energy_ev     (m,) · low, high  (s, m) spectra at the ends of the traversal · differential (s, m)
    cosine        (s, s) overlap of the differentials
    isosbestic    points at which mu stays in at least half of the members, rising in energy
    """

    axis: str
    energy_ev: FloatArray
    low: FloatArray
    high: FloatArray
    differential: FloatArray
    cosine: FloatArray
    isosbestic: tuple[Isosbestic, ...]

    @property
    def agreement(self) -> tuple[float, float]:
        """Mean and least cosine between two members, of two or more."""
        pairs = self.cosine[np.triu_indices(len(self.cosine), 1)]
        return float(pairs.mean()), float(pairs.min())


def band(curves: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Median, 5th and 95th percentile (m,) of the curves (s, m) of the members."""
    low, middle, high = np.percentile(curves, [5, 50, 95], axis=0)
    return middle, low, high


def match_axes(differentials: FloatArray, reference: FloatArray) -> list[int]:
    """For every axis of a reference (a, m) the axis of a member (a, m) that does the most alike to the spectrum.

    Free axes have no order of their own: the assignment has the largest sum of |cosine| of differentials.
    """
    a = len(reference)
    alike = np.abs(cosine_overlap(np.concatenate([reference, differentials]))[:a, a:])
    return [int(column) for column in linear_sum_assignment(-alike)[1]]


def stability_of(traversals: Sequence[Traversal], *, free: bool = False) -> Stability:
    """One axis of s members, on one energy grid. ConfigError without any.

    The direction of a ``free`` axis is arbitrary: a member whose differential points against the first one's is turned.
    """
    if not traversals:
        raise ConfigError("stability needs at least one traversal")
    first = traversals[0].differential
    levels = [one.mu[::-1] if free and one.differential @ first < 0 else one.mu for one in traversals]
    differential = np.stack([mu[-1] - mu[0] for mu in levels])
    energy = traversals[0].energy_ev
    return Stability(
        axis=traversals[0].axis,
        energy_ev=energy,
        low=np.stack([mu[0] for mu in levels]),
        high=np.stack([mu[-1] for mu in levels]),
        differential=differential,
        cosine=cosine_overlap(differential),
        isosbestic=_common([fixed_energies(energy, mu) for mu in levels]),
    )


def _common(own: Sequence[FloatArray]) -> tuple[Isosbestic, ...]:
    """Points of members (e,) each, gathered where neighbours are within 1 eV and all within 2 eV."""
    points = sorted((float(energy), member) for member, found in enumerate(own) for energy in found)
    groups: list[list[tuple[float, int]]] = []
    for point in points:
        group = groups[-1] if groups else []
        if group and point[0] - group[-1][0] <= SAME_POINT_EV and point[0] - group[0][0] <= 2 * SAME_POINT_EV:
            group.append(point)
        else:
            groups.append([point])
    gathered = [
        Isosbestic(float(np.median(energies)), float(np.std(energies)), len(set(members)) / len(own))
        for energies, members in (zip(*group, strict=True) for group in groups)
    ]
    return tuple(point for point in gathered if point.confidence >= LEAST_SHARE)


def fixed_energies(energy_ev: FloatArray, mu: FloatArray) -> FloatArray:
    """Energies in eV, rising, at which the levels (t, m) of a traversal cross in one point.

    The differential changes sign there, between two lobes of at least a twentieth of its largest value, and mu varies
    over the levels by at most a tenth (standard deviation) of where it varies most.
    """
    change = np.asarray(mu[-1] - mu[0], dtype=np.float64)
    size = np.abs(change)
    if not size.max() > 0:
        return np.empty(0)
    lobes = np.flatnonzero(size >= LOBE * size.max())
    most = mu.std(axis=0).max()
    found = []
    for a, b in itertools.pairwise(lobes):
        if change[a] * change[b] > 0:
            continue
        left = a + int(np.argmax(np.sign(change[a + 1 : b + 1]) != np.sign(change[a])))
        share = change[left] / (change[left] - change[left + 1])
        at_point = (1 - share) * mu[:, left] + share * mu[:, left + 1]
        if at_point.std() <= FIXED * most:
            found.append(energy_ev[left] + share * (energy_ev[left + 1] - energy_ev[left]))
    return np.array(found)
