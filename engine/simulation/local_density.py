"""Electrons of the valence bands around each kind of atom, from the Green function of its cluster.

With G = -2ik [R(r<) H(r>) + R chi R], see `scattered_waves`, the density is -2/π times the imaginary part of the
integral of G(r, r) over energy, a factor 2 for spin (Ankudinov et al., Phys. Rev. B 58, 7565, 1998, section II.C). G is
analytic above the real axis, so the path may run there, where a small cluster and few points suffice. Hartree and
bohr. Shapes: P kinds, E energies, n radii, L = lmax + 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.simulation.cluster import Neighbours, Surroundings
from engine.simulation.muffin_tin import FloatArray, IntArray, MuffinTin
from engine.simulation.multiple_scattering import scattered_waves
from engine.simulation.partial_waves import STEP, ComplexArray
from engine.simulation.phase_shifts import LIGHTEST, kind_waves, without_light_waves
from engine.simulation.propagator import Geometry, build_geometry

FROZEN = 3
"""States of this angular momentum and beyond are not counted: f electrons stay as they are in the atom."""

REACH = 1.25
"""The density is followed to this many Norman radii."""

INNER_RADII = (5.0, 7.5, 10.0)
"""Radii (bohr) of the smaller clusters, used where waves are damped so much that nothing comes from farther."""

DAMPED = 4.0
"""Atoms that a wave reaches with less than exp(-DAMPED) are left out."""


@dataclass(frozen=True)
class Surrounded:
    """A typical atom and those about it within ``reach`` bohr: angular part of propagation and kinds (N,)."""

    geometry: Geometry
    kind: IntArray
    reach: float


Environment = tuple[Surrounded, ...]
"""Clusters about the same atom, each within the next; the last is the whole."""


@dataclass(frozen=True)
class LocalResponse:
    """How each unit of energy adds to the valence electrons about an atom, before the imaginary part is taken.

    r (n,); density (E, n), of 4 π r² n(r); count (E, L), within the Norman radius and by l.
    """

    r: FloatArray
    density: ComplexArray
    count: ComplexArray


def environments(surroundings: Surroundings, n_atoms: int, lmax: int) -> tuple[Environment, ...]:
    """Clusters of at least ``n_atoms`` about each kind, with waves up to ``lmax``.

    Whole shells, as far as the surroundings reach.
    """
    found = []
    for kind, near in enumerate(surroundings.neighbours):
        whole = _whole_shells(near.distance, n_atoms)
        inner = [int(np.searchsorted(near.distance, radius)) for radius in INNER_RADII]
        counts = [count for count in inner if count < whole]
        reach = [*INNER_RADII[: len(counts)], np.inf]
        found.append(
            tuple(_surrounded(near, kind, n, far, lmax) for n, far in zip([*counts, whole], reach, strict=True))
        )
    return tuple(found)


def _whole_shells(distance: FloatArray, n_atoms: int) -> int:
    """How many of the atoms at ``distance``, nearest first, belong to the shells of the first ``n_atoms`` - 1."""
    if len(distance) < n_atoms:
        return len(distance)
    return int(np.searchsorted(distance, distance[n_atoms - 2] + 0.02, side="right"))


def _surrounded(near: Neighbours, kind: int, count: int, reach: float, lmax: int) -> Surrounded:
    order = np.argsort(near.kind[:count], kind="stable")  # atoms of a kind together, for speed
    position = np.concatenate([np.zeros((1, 3)), near.vector[order]])
    return Surrounded(build_geometry(position, lmax), np.concatenate([[kind], near.kind[order]]), reach)


def local_responses(
    muffin_tin: MuffinTin, clusters: tuple[Environment, ...], energy: ComplexArray
) -> tuple[LocalResponse, ...]:
    """Response of each kind at complex energies (E,), with the ground-state potential."""
    lmax = clusters[0][-1].geometry.lmax
    degeneracy = 2 * np.arange(lmax + 1) + 1
    first = np.cumsum(degeneracy) - degeneracy
    norman = muffin_tin.norman_radius
    waves = kind_waves(muffin_tin, np.arange(len(clusters)), energy, lmax, excited=False, reach=REACH * norman)
    t = without_light_waves(muffin_tin, waves.t)
    found = []
    for kind, cluster in enumerate(clusters):
        chi = returned_waves(cluster, waves.k, t)
        trace = np.add.reduceat(np.diagonal(chi, axis1=1, axis2=2), first, axis=1)  # (E, L)
        r, regular, irregular = waves.r[:, kind], waves.regular[:, kind], waves.irregular[:, kind]
        by_l = degeneracy[:, None] * regular * irregular + trace.T * regular**2  # (n, L, E)
        by_l = by_l * (4j / np.pi) * waves.k
        by_l[:, 2 if muffin_tin.atomic_number[kind] <= LIGHTEST else FROZEN :] = 0.0
        count = np.tensordot(_integration(r, float(norman[kind])), by_l, axes=1)  # (L, E)
        found.append(LocalResponse(r, by_l.sum(axis=1).T, count.T))
    return tuple(found)


def returned_waves(environment: Environment, k: ComplexArray, t: ComplexArray) -> ComplexArray:
    """`scattered_waves` (E, c, c) at wave numbers k (E,), each from the smallest cluster that is large enough for it.

    Waves are damped by exp(-Im k d) on the way to an atom at distance d, and again on the way back.
    """
    needed = DAMPED / np.maximum(k.imag, 1e-9)
    size = np.searchsorted([cluster.reach for cluster in environment], needed)
    waves = (environment[0].geometry.lmax + 1) ** 2
    chi = np.empty((len(k), waves, waves), dtype=np.complex128)
    for which in np.unique(size):
        here, cluster = size == which, environment[which]
        chi[here] = scattered_waves(cluster.geometry, cluster.kind, k[here], t[:, :, here])
    return chi


def _integration(r: FloatArray, end: float) -> FloatArray:
    """Weights (n,) of values on the logarithmic grid ``r`` in their integral up to ``end``, piecewise cubic."""
    weights = np.zeros(len(r))
    last = min(int(np.log(end / r[0]) / STEP), len(r) - 2)
    parts = np.append(np.ones(last), np.log(end / r[last]) / STEP)
    left = np.clip(np.arange(last + 1) - 1, 0, len(r) - 4)
    # Integrals of the powers of s over each step, s counted from the first of the four points of its cubic.
    power = np.arange(4)
    low = (np.arange(last + 1) - left)[:, None]
    moments = ((low + parts[:, None]) ** (power + 1) - low ** (power + 1.0)) / (power + 1)
    to_points = np.linalg.inv(np.arange(4)[:, None] ** power)  # values at 0, 1, 2, 3 -> coefficients of the powers
    np.add.at(weights, left[:, None] + np.arange(4), moments @ to_points)
    weights *= STEP * r
    weights[0] += r[0] / 3  # below the grid the density goes as r²
    return weights
