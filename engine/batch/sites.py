"""Which sites of a structure to simulate, and how many each stands for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Element, Molecule, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from engine.errors import DataError
from engine.names import site_name

SYMMETRY_ANGSTROM = 0.01
VACUUM_ANGSTROM = 15.0
SHORTEST_ANGSTROM = 0.5


@dataclass(frozen=True)
class Site:
    """Site ``index`` (0-based) of a material; it stands for ``multiplicity`` equivalent sites of the cell as given."""

    material_id: str
    index: int
    multiplicity: int

    @property
    def site_id(self) -> str:
        """Material and index, as sets name sites."""
        return site_name(self.material_id, self.index)


def choose_sites(material_id: str, structure: Structure | Molecule, element: str, *, all_sites: bool) -> list[Site]:
    """The sites of ``element``: one of each symmetry class (spglib, 0.01 Å) with its size, or each for itself.

    A molecule's sites all count for themselves. DataError for an element that is no element or is not there, and for
    partial occupancy or atoms within 0.5 Å of one another anywhere in the structure.
    """
    if not Element.is_valid_symbol(element):
        raise DataError(f"'{element}' is not a chemical element; need a symbol such as Ti")
    for i, site in enumerate(structure):
        if not site.is_ordered:
            raise DataError(
                f"{material_id}: site {i} holds {site.species.formula}: partial occupancy; need an ordered structure"
            )
    _check_distances(material_id, structure)
    symbols = [site.specie.symbol for site in structure]
    indices = [i for i, symbol in enumerate(symbols) if symbol == element]
    if not indices:
        raise DataError(f"{material_id}: no {element}; it has {', '.join(sorted(set(symbols)))}")
    if all_sites or isinstance(structure, Molecule):
        return [Site(material_id, i, 1) for i in indices]
    try:
        orbit = np.asarray(SpacegroupAnalyzer(structure, SYMMETRY_ANGSTROM).get_symmetry_dataset().equivalent_atoms)
    except Exception:
        orbit = np.arange(len(structure))
    first, counts = np.unique(orbit[indices], return_counts=True)
    members = [next(i for i in indices if orbit[i] == mark) for mark in first]
    return sorted((Site(material_id, i, int(n)) for i, n in zip(members, counts, strict=True)), key=lambda s: s.index)


def _check_distances(material_id: str, structure: Structure | Molecule) -> None:
    if isinstance(structure, Molecule):
        apart = structure.distance_matrix + np.eye(len(structure)) * 9
        near = np.argwhere(apart < SHORTEST_ANGSTROM)[:1].tolist()
    else:
        first, second, _, _ = structure.get_neighbor_list(SHORTEST_ANGSTROM)
        near = [[first[0], second[0]]] if len(first) else []
    for i, j in near:
        raise DataError(
            f"{material_id}: sites {i} and {j} are less than {SHORTEST_ANGSTROM} Å apart; atoms must not overlap"
        )


def boxed(structure: Structure | Molecule) -> Structure:
    """The structure; a molecule in a box with 15 Å of vacuum, same order of sites, so that descriptors can be had."""
    if isinstance(structure, Structure):
        return structure
    size = np.ptp(structure.cart_coords, axis=0) + VACUUM_ANGSTROM
    return structure.get_boxed_structure(*size.tolist(), reorder=False)
