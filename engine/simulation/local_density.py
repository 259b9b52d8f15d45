"""Electrons of the valence bands around each kind of atom, from the Green function of its cluster.

With G = -2ik [R(r<) H(r>) + R chi R], see `scattered_waves`, the density is -2/π times the imaginary part of the
integral of G(r, r) over energy, a factor 2 for spin (Ankudinov et al., Phys. Rev. B 58, 7565, 1998, section II.C). G is
analytic above the real axis, so the path may run there, where a small cluster and few points suffice. Hartree and
bohr. Shapes: P kinds, E energies, n radii, L = lmax + 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from engine.simulation.cluster import Surroundings
from engine.simulation.muffin_tin import FloatArray, IntArray, MuffinTin
from engine.simulation.multiple_scattering import scattered_waves
from engine.simulation.partial_waves import ComplexArray
from engine.simulation.phase_shifts import kind_waves, scattering_matrices
from engine.simulation.propagator import Geometry, build_geometry

FROZEN = 3
"""States of this angular momentum and beyond are not counted: f electrons stay as they are in the atom."""

LIGHTEST = 5
"""Up to boron, atoms have no d states to speak of: what there is of them belongs to the neighbours' tails."""

REACH = 1.25
"""The density is followed to this many Norman radii."""


@dataclass(frozen=True)
class Environment:
    """A typical atom of one kind in the middle of its cluster: angular part of propagation and kinds (N,)."""

    geometry: Geometry
    kind: IntArray


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
        count = len(near.distance)
        if count >= n_atoms:
            count = int(np.searchsorted(near.distance, near.distance[n_atoms - 2] + 0.02, side="right"))
        position = np.concatenate([np.zeros((1, 3)), near.vector[:count]])
        found.append(Environment(build_geometry(position, lmax), np.concatenate([[kind], near.kind[:count]])))
    return tuple(found)


def local_responses(
    muffin_tin: MuffinTin, clusters: tuple[Environment, ...], energy: ComplexArray
) -> tuple[LocalResponse, ...]:
    """Response of each kind at complex energies (E,), with the ground-state potential."""
    lmax = clusters[0].geometry.lmax
    k, t = scattering_matrices(muffin_tin, energy, lmax, excited=False)
    degeneracy = 2 * np.arange(lmax + 1) + 1
    first = np.cumsum(degeneracy) - degeneracy
    found = []
    for kind, cluster in enumerate(clusters):
        norman = float(muffin_tin.norman_radius[kind])
        waves = kind_waves(muffin_tin, kind, energy, lmax, excited=False, reach=REACH * norman)
        chi = scattered_waves(cluster.geometry, cluster.kind, k, t)[:, 0]
        trace = np.add.reduceat(np.diagonal(chi, axis1=1, axis2=2), first, axis=1)  # (E, L)
        regular, irregular = waves.regular, waves.irregular
        by_l = degeneracy[:, None] * regular * irregular + trace.T * regular**2  # (n, L, E)
        by_l = by_l * (4j / np.pi) * k
        by_l[:, 2 if muffin_tin.atomic_number[kind] <= LIGHTEST else FROZEN :] = 0.0
        count = np.tensordot(_integration(waves.r, norman), by_l, axes=1)  # (L, E)
        found.append(LocalResponse(waves.r, by_l.sum(axis=1).T, count.T))
    return tuple(found)


def _integration(r: FloatArray, end: float) -> FloatArray:
    """Weights (n,) of values on the logarithmic grid ``r`` in their integral up to ``end``."""
    x = np.log(r)
    last = int(np.searchsorted(r, end)) + 3
    spline = CubicSpline(x[:last], np.eye(min(last, len(r))))
    weights = np.zeros(len(r))
    weights[:last] = spline.integrate(x[0], np.log(end)) * r[:last]
    weights[0] += r[0] / 3  # below the grid the density goes as r²
    return weights
