"""From a structure and a site to the atoms that matter: a cluster that scatters, and the neighbours of each kind.

Kinds of atoms have a potential of their own: kind 0 is the absorber, then comes one kind per element in order of rising
atomic number, whose typical atom is the one nearest to the absorber. Nothing here depends on the order of the sites or
on how the structure is turned, to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymatgen.core import DummySpecies, Element, Molecule, Species, Structure

from engine.errors import DataError
from engine.simulation.hydrogen import lengthen_hydrogen_bonds
from engine.simulation.lattice_points import Atoms, within
from engine.simulation.muffin_tin import Cluster, FloatArray, IntArray
from engine.simulation.units import BOHR_ANGSTROM

POTENTIAL_RADIUS = 12.0
"""Neighbours within this distance (bohr) overlap their density and potential with an atom's."""

SHELL_TOLERANCE = 0.01 / BOHR_ANGSTROM
SHORTEST_ANGSTROM = 0.5
SHORTEST_FRACTION = 0.5
ABSORBER_SHARE = 1e-4


@dataclass(frozen=True)
class Neighbours:
    """Atoms (n,) around a typical atom of a kind, nearest first: distance (n,) and vector (n, 3) in bohr, kind (n,)."""

    distance: FloatArray
    vector: FloatArray
    kind: IntArray


@dataclass(frozen=True)
class Surroundings:
    """What the potentials of P kinds depend on.

    atomic_number (P,); share (P,) how many atoms of each kind the material has, the absorber (one of its element)
    counting next to nothing; neighbours of a typical atom of each kind, within POTENTIAL_RADIUS. Hydrogen atoms stand
    farther from their partners here than in the cluster.
    """

    atomic_number: IntArray
    share: FloatArray
    neighbours: tuple[Neighbours, ...]


def build_cluster(
    structure: Structure | Molecule, site_index: int, *, n_atoms: int = 60, radius_angstrom: float | None = None
) -> Cluster:
    """The ``n_atoms`` atoms nearest to a site, itself included, or all within ``radius_angstrom`` instead.

    Whole shells: atoms as far as the last one (to 0.01 Å) are taken too. A molecule may have fewer. A DataError says
    which site is wrong, and how: no such site, partial occupancy, not an element, atoms on top of one another.
    """
    atoms = read_atoms(structure, site_index)
    centre = atoms.position[site_index]
    if radius_angstrom is not None:
        index, vector, distance = within(atoms, centre, radius_angstrom / BOHR_ANGSTROM)
    else:
        reach = 8.0
        index, vector, distance = within(atoms, centre, reach)
        while len(index) < n_atoms + 1 and (atoms.lattice is not None or len(index) < len(atoms.position)):
            reach *= 1.4
            index, vector, distance = within(atoms, centre, reach)
        if len(index) > n_atoms:
            last = float(distance[n_atoms - 1]) + SHELL_TOLERANCE
            if last > reach:
                index, vector, distance = within(atoms, centre, last)
            taken = distance <= last
            index, vector, distance = index[taken], vector[taken], distance[taken]
    numbers = atoms.atomic_number[index]
    kind = 1 + np.searchsorted(np.unique(atoms.atomic_number), numbers)
    kind[0] = 0
    _check_distances(atoms, index, vector)
    return Cluster(numbers, vector, kind)


def build_surroundings(structure: Structure | Molecule, site_index: int) -> Surroundings:
    """The neighbours that make the potentials around a site; errors as for build_cluster."""
    atoms = lengthen_hydrogen_bonds(read_atoms(structure, site_index))
    elements, counts = np.unique(atoms.atomic_number, return_counts=True)
    centre = atoms.position[site_index]
    typical = [centre] + [_typical_atom(atoms, centre, int(z)) for z in elements]
    neighbours = []
    for k, position in enumerate(typical):
        index, vector, distance = within(atoms, position, POTENTIAL_RADIUS)
        kind = 1 + np.searchsorted(elements, atoms.atomic_number[index])
        if k > 0:  # the absorber is itself a neighbour of the others
            kind[np.linalg.norm(position + vector - centre, axis=1) < 1e-6] = 0
        neighbours.append(Neighbours(distance[1:], vector[1:], kind[1:]))
    numbers = np.concatenate([[atoms.atomic_number[site_index]], elements])
    share = np.concatenate([[ABSORBER_SHARE], counts.astype(np.float64)])
    return Surroundings(numbers, share, tuple(neighbours))


def read_atoms(structure: Structure | Molecule, site_index: int) -> Atoms:
    """The sites of a structure as numbers, in bohr, once it is clear that ``site_index`` can be simulated."""
    if not 0 <= site_index < len(structure):
        raise DataError(f"site {site_index}: the structure has {len(structure)} sites, numbered from 0")
    numbers = np.zeros(len(structure), dtype=np.int64)
    for i, site in enumerate(structure):
        if not site.is_ordered:
            raise DataError(f"site {i} is partly occupied ({site.species_string}); need one whole atom per site")
        if isinstance(site.specie, DummySpecies) or not isinstance(site.specie, Element | Species):
            raise DataError(f"site {i} is {site.species_string}; need a chemical element")
        numbers[i] = site.specie.Z
    position = np.asarray(structure.cart_coords, dtype=np.float64) / BOHR_ANGSTROM
    lattice = None
    if isinstance(structure, Structure):
        lattice = np.asarray(structure.lattice.matrix, dtype=np.float64) / BOHR_ANGSTROM
    if not np.isfinite(position).all() or (lattice is not None and not np.isfinite(lattice).all()):
        raise DataError("the structure has coordinates that are not finite numbers")
    return Atoms(numbers, position, lattice)


def _typical_atom(atoms: Atoms, centre: FloatArray, z: int) -> FloatArray:
    """Position (3,) of the atom of element z nearest to ``centre`` but not on it; the absorber if there is no other.

    Of several equally near, the one with the nearest neighbours.
    """
    reach = 10.0
    while True:
        index, vector, distance = within(atoms, centre, reach)
        found = (atoms.atomic_number[index] == z) & (distance > 1e-6)
        whole = atoms.lattice is None and len(index) == len(atoms.position)
        if found.any() or whole:
            break
        reach *= 1.6
    if not found.any():
        return centre
    nearest = found & (distance <= distance[found][0] + SHELL_TOLERANCE)
    candidates = np.unique(index[nearest], return_index=True)[1]
    positions = centre + vector[nearest][candidates]
    if len(positions) == 1:
        return np.asarray(positions[0])

    def rank(position: FloatArray) -> tuple[tuple[float, int], ...]:
        near, _, away = within(atoms, position, POTENTIAL_RADIUS)
        steps = zip(np.round(away, 3).tolist(), atoms.atomic_number[near].tolist(), strict=True)
        return tuple(sorted(steps))

    return np.asarray(min(positions, key=rank))


def _check_distances(atoms: Atoms, index: IntArray, vector: FloatArray) -> None:
    """A DataError naming the two nearest sites of the cluster, where these are too near to be two atoms."""
    size = np.array([float(Element.from_Z(int(z)).atomic_radius or 0.0) for z in atoms.atomic_number[index]])
    gap = vector[:, None] - vector[None]
    distance = np.sqrt(np.einsum("ijk,ijk->ij", gap, gap)) * BOHR_ANGSTROM
    distance[np.diag_indices(len(index))] = np.inf
    shortest = np.maximum(SHORTEST_ANGSTROM, SHORTEST_FRACTION * (size[:, None] + size[None]))
    if (distance >= shortest).all():
        return
    i, j = np.unravel_index(int(np.argmin(distance - shortest)), distance.shape)
    names = [f"site {index[k]} ({Element.from_Z(int(atoms.atomic_number[index[k]])).symbol})" for k in (i, j)]
    raise DataError(
        f"{names[0]} and {names[1]} are {distance[i, j]:.2f} Å apart; need {shortest[i, j]:.2f} Å or more "
        "between two atoms"
    )
