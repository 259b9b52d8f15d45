"""Geometry of a coordination polyhedron, given the vectors from its centre to its ligands; numpy and scipy only."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from engine.structures.errors import NotDefinedError

FloatArray = npt.NDArray[np.float64]

FACE_MERGE_DEGREES = 10.0
"""Hull triangles whose normals differ by less count as one face, so that a square face has no diagonal edge."""

FLAT_FRACTION = 0.05
"""A polyhedron with less than this share of the regular polyhedron's volume counts as flat."""

TETRAHEDRAL_DEGREES = float(np.degrees(np.arccos(-1.0 / 3.0)))


def pair_angles(vectors: FloatArray) -> FloatArray:
    """Angles ligand-centre-ligand in degrees, (k(k-1)/2,), for ligand vectors (k, 3) in Å, pairs in rising order."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), k=1)
    cosine = np.clip(np.einsum("ij,ij->i", unit[first], unit[second]), -1.0, 1.0)
    return np.asarray(np.degrees(np.arccos(cosine)), dtype=np.float64)


def pair_distances(vectors: FloatArray) -> FloatArray:
    """Ligand-ligand distances in Å, (k(k-1)/2,), for ligand vectors (k, 3) in Å, pairs in rising order."""
    first, second = np.triu_indices(len(vectors), k=1)
    return np.asarray(np.linalg.norm(vectors[first] - vectors[second], axis=1), dtype=np.float64)


def polyhedron_edges(vectors: FloatArray) -> list[tuple[int, int]]:
    """Pairs of ligands that share an edge of the polyhedron, for ligand vectors (k, 3) in Å.

    Edges of the convex hull, hull triangles within FACE_MERGE_DEGREES of one plane counting as one face. Ligands in
    one plane give the outline of their plane polygon; two or three ligands give every pair. Fewer raise
    NotDefinedError.
    """
    k = len(vectors)
    if k < 2:
        raise NotDefinedError(f"{k} ligand: no pair of ligands")
    if k <= 3:
        return list(combinations(range(k), 2))
    try:
        hull = ConvexHull(vectors)
    except QhullError:
        return _outline(vectors)
    threshold = np.cos(np.radians(FACE_MERGE_DEGREES))
    edges: set[tuple[int, int]] = set()
    for face, neighbours in enumerate(hull.neighbors):
        for opposite, neighbour in enumerate(neighbours):
            if float(hull.equations[face, :3] @ hull.equations[neighbour, :3]) < threshold:
                a, b = sorted(int(v) for v in np.delete(hull.simplices[face], opposite))
                edges.add((a, b))
    return sorted(edges)


def _outline(vectors: FloatArray) -> list[tuple[int, int]]:
    """Edges of the plane polygon of coplanar points; every pair when the points lie on one line."""
    centred = vectors - vectors.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    try:
        hull = ConvexHull(centred @ axes[:2].T)
    except QhullError:
        return list(combinations(range(len(vectors)), 2))
    return sorted((min(int(a), int(b)), max(int(a), int(b))) for a, b in hull.simplices)


def polyhedron_volume(vectors: FloatArray) -> float:
    """Volume in Å³ of the convex hull of four ligands (k, 3) or more; 0 if coplanar, NotDefinedError for fewer."""
    if len(vectors) < 4:
        raise NotDefinedError(f"{len(vectors)} ligands: a polyhedron needs four")
    try:
        return float(ConvexHull(vectors).volume)
    except QhullError:
        return 0.0


def bond_angle_variance(vectors: FloatArray) -> float:
    """Variance of the bond angles about the ideal ones, degrees², for four or six ligands (k, 3).

    Robinson, Gibbs and Ribbe, Science 172, 567 (1971): the sum of (angle - ideal)² over the 6 angles of a tetrahedron
    divided by 5, or over the 12 cis angles of an octahedron divided by 11. The three trans pairs of six ligands are the
    perfect matching with the largest sum of angles. Other coordination numbers
    have no agreed reference and raise NotDefinedError.
    """
    angles = pair_angles(vectors)
    if len(vectors) == 4:
        return float(np.sum((angles - TETRAHEDRAL_DEGREES) ** 2) / 5.0)
    if len(vectors) == 6:
        cis = np.delete(angles, _trans_pairs(angles))
        return float(np.sum((cis - 90.0) ** 2) / 11.0)
    raise NotDefinedError(f"{len(vectors)} ligands: defined for 4 and 6 (Robinson 1971)")


def _trans_pairs(angles: FloatArray) -> list[int]:
    """Positions, in the list of 15 pairs of six ligands, of the three disjoint pairs with the largest sum of angles."""
    place = {pair: i for i, pair in enumerate(combinations(range(6), 2))}
    best: list[int] = []
    best_sum = -np.inf
    for partner in range(1, 6):
        rest = [v for v in range(1, 6) if v != partner]
        for other in rest[1:]:
            last = tuple(v for v in rest[1:] if v != other)
            chosen = [place[(0, partner)], place[(rest[0], other)], place[(last[0], last[1])]]
            total = float(angles[chosen].sum())
            if total > best_sum + 1e-9:
                best, best_sum = chosen, total
    return best


def quadratic_elongation(vectors: FloatArray) -> float:
    """Mean of (l / l0)² for four or six ligands (k, 3); l0 is the bond of the regular polyhedron of equal volume.

    Robinson, Gibbs and Ribbe, Science 172, 567 (1971). Other coordination numbers, and polyhedra flatter than
    FLAT_FRACTION of the regular one (a square plane has no volume), raise NotDefinedError.
    """
    lengths = np.linalg.norm(vectors, axis=1)
    if len(vectors) == 4:
        unit_volume = 8.0 * np.sqrt(3.0) / 27.0
    elif len(vectors) == 6:
        unit_volume = 4.0 / 3.0
    else:
        raise NotDefinedError(f"{len(vectors)} ligands: defined for 4 and 6 (Robinson 1971)")
    volume = polyhedron_volume(vectors)
    if volume < FLAT_FRACTION * unit_volume * float(np.mean(lengths)) ** 3:
        raise NotDefinedError(
            "the ligands lie almost in one plane: no regular polyhedron of equal volume to compare with"
        )
    ideal = (volume / unit_volume) ** (1.0 / 3.0)
    return float(np.mean((lengths / ideal) ** 2))


def smallest_angles(vectors: FloatArray) -> FloatArray:
    """For each of at least two ligands (k, 3), the smallest angle to another ligand, degrees, (k,)."""
    k = len(vectors)
    table = np.full((k, k), np.inf)
    first, second = np.triu_indices(k, k=1)
    table[first, second] = table[second, first] = pair_angles(vectors)
    return np.asarray(table.min(axis=1), dtype=np.float64)
