"""Seeded departures from an ideal structure: displacements and strains of lower symmetry, Jahn–Teller elongation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

FloatArray = npt.NDArray[np.float64]

JAHN_TELLER = frozenset({("Cu", 2), ("Mn", 3), ("Cr", 2), ("Ni", 3)})
"""Ions whose octahedra are elongated."""

OCTAHEDRON_ANGSTROM = 2.9
SYMMETRY_ANGSTROM = 0.02


def displaced(
    structure: Structure, generator: np.random.Generator, *, amplitude_angstrom: float, strain: float
) -> Structure:
    """The structure with random displacements and strain that keep a random subgroup of its symmetry.

    ``amplitude_angstrom`` is the root mean square of each Cartesian displacement before what the subgroup forbids is
    taken away; ``strain`` that of each component of the strain. Real structures are mostly of lower symmetry than their
    type and not without any, which is why the subgroup is drawn too: one or two operations generate it.
    """
    n = len(structure)
    field = generator.normal(scale=amplitude_angstrom, size=(n, 3))
    tensor = generator.normal(scale=strain, size=(3, 3))
    tensor = (tensor + tensor.T) / 2
    rotations, permutations = _subgroup(structure, generator)
    field = np.mean(
        [field[permutation] @ rotation for rotation, permutation in zip(rotations, permutations, strict=True)], axis=0
    )
    tensor = np.mean([rotation.T @ tensor @ rotation for rotation in rotations], axis=0)
    matrix = structure.lattice.matrix @ (np.eye(3) + tensor)
    moved = structure.cart_coords + field - field.mean(axis=0)
    return Structure(Lattice(matrix), structure.species, structure.lattice.get_fractional_coords(moved))


def elongated(
    structure: Structure, states: Sequence[int], generator: np.random.Generator, *, by_angstrom: float
) -> Structure:
    """The structure with the octahedra of Jahn–Teller ions drawn out by ``by_angstrom`` per bond, all along one axis.

    The axis is one of the metal-ligand directions of the first such ion, drawn by the generator. A structure without
    one comes back unchanged.
    """
    centres = [i for i, site in enumerate(structure) if (site.specie.symbol, states[i]) in JAHN_TELLER]
    shells = {
        i: sorted(structure.get_neighbors(structure[i], OCTAHEDRON_ANGSTROM), key=lambda n: n.nn_distance)[:6]
        for i in centres
    }
    shells = {i: [n for n in shell if states[n.index] < 0] for i, shell in shells.items()}
    shells = {i: shell for i, shell in shells.items() if len(shell) == 6}
    if not shells:
        return structure
    first = next(iter(shells))
    vectors = np.array([n.coords - structure[first].coords for n in shells[first]])
    axis = vectors[generator.integers(6)]
    axis = axis / np.linalg.norm(axis)
    field = np.zeros((len(structure), 3))
    for i, shell in shells.items():
        along = np.array([(n.coords - structure[i].coords) @ axis / n.nn_distance for n in shell])
        for k in np.argsort(-np.abs(along))[:2]:
            field[shell[k].index] += np.sign(along[k]) * by_angstrom * axis
    share = len(shells) / max(sum(state > 0 for state in states), 1)
    stretch = share * by_angstrom / 2.1 * (1.5 * np.outer(axis, axis) - 0.5 * np.eye(3))
    moved = structure.lattice.get_fractional_coords(structure.cart_coords + field)
    return Structure(Lattice(structure.lattice.matrix @ (np.eye(3) + stretch)), structure.species, moved)


def _subgroup(
    structure: Structure, generator: np.random.Generator
) -> tuple[list[FloatArray], list[npt.NDArray[np.intp]]]:
    """Rotations (3, 3) on row vectors and atom permutations (n,) of a random subgroup of the space group.

    Operations are told apart by rotation and permutation, which are whole numbers: the closure is exact and ends, even
    where the structure has its symmetry only to 0.02 Å.
    """
    operations = SpacegroupAnalyzer(structure, SYMMETRY_ANGSTROM).get_symmetry_operations(cartesian=False)
    count = min(int(generator.integers(1, 3)), len(operations))
    seeds = []
    for k in generator.choice(len(operations), size=count, replace=False):
        rotation = np.rint(operations[k].rotation_matrix).astype(np.intp)
        image = structure.frac_coords @ rotation.T + operations[k].translation_vector
        onto = np.argmin(structure.lattice.get_all_distances(image, structure.frac_coords), axis=1)
        if len(np.unique(onto)) == len(onto):
            seeds.append((rotation, onto))
    identity = (np.eye(3, dtype=np.intp), np.arange(len(structure)))
    group = {_label(*identity): identity}
    waiting = [identity]
    while waiting:
        rotation, onto = waiting.pop()
        for by, to in seeds:
            product = (by @ rotation, to[onto])
            if _label(*product) not in group:
                group[_label(*product)] = product
                waiting.append(product)
    matrix = structure.lattice.matrix
    rotations = [np.linalg.inv(matrix) @ np.linalg.inv(r.T) @ matrix for r, _ in group.values()]
    return rotations, [onto for _, onto in group.values()]


def _label(rotation: npt.NDArray[np.intp], onto: npt.NDArray[np.intp]) -> bytes:
    return rotation.tobytes() + onto.tobytes()
