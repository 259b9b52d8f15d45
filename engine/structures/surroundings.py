"""What surrounds an absorbing site, for a picture: atoms by shell and the polyhedron of the first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pymatgen.core import Structure
from scipy.spatial import ConvexHull, QhullError

from engine.structures.environment import StructureContext
from engine.structures.errors import NotDefinedError
from engine.structures.shells import PAPER_SECOND_SHELL_ANGSTROM

FloatArray = npt.NDArray[np.float64]

SAME_ATOM_ANGSTROM = 0.02
FLAT = 1e-3
"""Thickness of a shell, as a share of its size, below which it is drawn as a polygon."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """q atoms: the absorber, its first shell, then whatever else is near, each by distance.

    symbol             q element symbols · shell  q numbers: 0 absorber, 1 first shell, 2 beyond it
    position_angstrom  (q, 3) relative to the absorber
    faces              (f, 3) triangles of the polyhedron around the absorber, as rows of the atoms; at least 3 ligands
    """

    symbol: tuple[str, ...]
    shell: tuple[int, ...]
    position_angstrom: FloatArray
    faces: npt.NDArray[np.intp]

    @property
    def distance_angstrom(self) -> FloatArray:
        """Distances (q,) from the absorber."""
        return np.asarray(np.linalg.norm(self.position_angstrom, axis=1), dtype=np.float64)


def surroundings(
    structure: Structure, index: int, radius_angstrom: float = PAPER_SECOND_SHELL_ANGSTROM[1]
) -> Surroundings:
    """The first shell of site ``index``, by the method that CN counts with, and all other atoms within the radius.

    NotDefinedError on partial occupancy and an index out of range; a site without a first shell has only the others.
    """
    context = StructureContext(structure)
    if not 0 <= index < len(structure):
        raise NotDefinedError(f"site index {index} is out of range: the structure has sites 0 to {len(structure) - 1}")
    try:
        shell = context.shell(index)
        first, symbols = shell.vectors, list(shell.symbols)
    except NotDefinedError:
        first, symbols = np.empty((0, 3)), []
    near = sorted(
        context.structure.get_neighbors(context.structure[index], radius_angstrom), key=lambda n: n.nn_distance
    )
    centre = context.structure[index].coords
    beyond = []
    for neighbour in near:
        vector = neighbour.coords - centre
        if not len(first) or np.linalg.norm(first - vector, axis=1).min() > SAME_ATOM_ANGSTROM:
            beyond.append(vector)
            symbols.append(str(neighbour.specie.symbol))
    position = np.concatenate([np.zeros((1, 3)), first, np.array(beyond).reshape(-1, 3)])
    shells = (0, *[1] * len(first), *[2] * len(beyond))
    return Surroundings((context.symbol(index), *symbols), shells, position, _faces(first) + 1)


def _faces(points: FloatArray) -> npt.NDArray[np.intp]:
    """Triangles (f, 3) of the hull of points (k, 3); of the polygon where they lie in a plane; none on a line."""
    none = np.empty((0, 3), dtype=np.intp)
    if len(points) < 3:
        return none
    centred = points - points.mean(axis=0)
    _, extent, axes = np.linalg.svd(centred, full_matrices=False)
    if extent[1] < FLAT * extent[0]:
        return none
    try:
        if len(points) > 3 and extent[2] >= FLAT * extent[0]:
            return np.asarray(ConvexHull(points).simplices, dtype=np.intp)
        round_it = ConvexHull(centred @ axes[:2].T).vertices
    except QhullError:
        return none
    return np.array([[round_it[0], round_it[i], round_it[i + 1]] for i in range(1, len(round_it) - 1)], dtype=np.intp)
