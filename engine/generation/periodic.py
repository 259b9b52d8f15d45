"""Recipe ``periodic-47``: H to Sb without the noble gases, in oxides, halides, chalcogenides, pnictides and metals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
from pymatgen.core import Element

from engine.errors import DataError
from engine.generation.chemistry import SPECTATORS
from engine.generation.materials import Material, generator_of, is_new, material_id_of
from engine.generation.prototypes import SALTS, prototypes
from engine.generation.standard import Compound, standard_compounds
from engine.generation.substitution import substitutions
from engine.generation.turns import Candidate, Class, copies_of, in_turn, interleaved

SITES_PER_ELEMENT = 112
SITES_PER_STRUCTURE = 2
PER_TYPE = 6
"""Compositions kept per structure type and anion: breadth before depth."""

ELEMENTS: tuple[str, ...] = tuple(
    Element.from_Z(z).symbol for z in range(1, 52) if Element.from_Z(z).symbol not in ("He", "Ne", "Ar", "Kr")
)

GROUPS: Mapping[str, tuple[tuple[str, ...], float]] = MappingProxyType({
    "oxides": (("O",), 3.0), "halides": (("F", "Cl", "Br"), 2.0), "chalcogenides": (("S", "Se"), 2.0),
    "pnictides, carbides, hydrides": (("N", "P", "As", "C", "H"), 1.0), "elements and alloys": ((), 1.5),
})  # fmt: skip
"""Anions of each group of compounds, and its share."""

STATES: Mapping[str, tuple[int, ...]] = MappingProxyType({
    **SPECTATORS, "Ti": (3, 4), "V": (3, 4, 5), "Cr": (3, 6), "Mn": (2, 3, 4), "Fe": (2, 3), "Co": (2, 3), "Ni": (2,),
    "Cu": (1, 2), "As": (3, 5), "Se": (4, 6), "Mo": (4, 6), "Tc": (4, 7), "Ru": (4,), "Rh": (3,), "Pd": (2, 4),
    "Nb": (4, 5), "Sn": (2, 4), "Sb": (3, 5), "S": (6,), "P": (5,), "Br": (5,), "Cl": (5,),
})  # fmt: skip
"""Cation states of the absorbers of this set."""


def periodic_materials(element: str, *, sites: int, seed: int = 0) -> Iterator[tuple[Material, list[int]]]:
    """Materials with an element as cation, anion or metal and its sites (0-based), until ``sites`` sites are given.

    Groups of compounds take turns by their share; a site is given when its surroundings differ from those of all
    others. At most two per structure. Deterministic by seed. DataError for an element outside the set.
    """
    if element not in ELEMENTS:
        raise DataError(f"{element} is not in the set; it has {', '.join(ELEMENTS)}")
    seen: list[np.ndarray] = []

    def accept(material: Material) -> list[int]:
        chosen = generator_of(seed, material.structure_id, "sites").permutation(material.sites(element))
        new = [i for i in chosen.tolist() if is_new(material.structure, i, seen)]
        return sorted(new[:SITES_PER_STRUCTURE])

    classes = [Class(GROUPS[name][1], copies_of(order)) for name, order in periodic_classes(element, seed).items()]
    yield from in_turn(classes, accept, sites=sites, seed=seed)


def periodic_classes(element: str, seed: int) -> dict[str, list[Candidate]]:
    """The materials of an element by group, published ones first; groups without any are left out."""
    found: dict[str, list[Candidate]] = {}
    compounds = [c for c in standard_compounds() if element in {e.symbol for e in c.structure.elements} and not c.model]
    compounds += allotropes(element)
    known = {material_id_of(compound) for compound in compounds}
    for name, (anions, _) in GROUPS.items():
        generator = generator_of(seed, element, name)
        published: list[Candidate] = [c for c in compounds if _group_of(c) == name]
        built: dict[str, list[Candidate]] = {}
        for anion in anions:
            for prototype in prototypes():
                if prototype.name in SALTS:
                    continue
                fillings = [
                    chosen
                    for chosen in substitutions(prototype, element, STATES.get(element, ()), anion)
                    if material_id_of(chosen) not in known
                ]
                if fillings:
                    kept = generator.permutation(len(fillings))[:PER_TYPE]
                    built[f"{prototype.name} {anion}"] = [fillings[k] for k in kept]
        order = [published[k] for k in generator.permutation(len(published))] + interleaved(built, generator)
        if order:
            found[name] = order
    return found


def allotropes(element: str) -> list[Compound]:
    """A metal in the close-packed types in which it is not published, at the volume per atom at which it is."""
    shapes: dict[str, Compound] = {}
    own: dict[str, Compound] = {}
    for compound in standard_compounds():
        if compound.states is None and len(compound.structure.elements) == 1:
            symbol = compound.structure[0].specie.symbol
            if compound.kind.endswith("metal"):
                shapes.setdefault(compound.kind, compound)
            if symbol == element:
                own[compound.kind] = compound
    if not own or not Element(element).is_metal:
        return []
    first = next(iter(own.values()))
    made = []
    for kind, shape in shapes.items():
        if kind in own:
            continue
        structure = shape.structure.copy()
        structure.replace_species({structure[0].specie.symbol: element})
        structure.scale_lattice(first.structure.volume / len(first.structure) * len(structure))
        source = f"volume per atom of the {first.kind}: {first.source}"
        made.append(Compound(kind, structure, shape.labels, None, source, True))
    return made


def _group_of(compound: Compound) -> str:
    """The group of a published compound, by its most electronegative element that is an anion."""
    if compound.states is None:
        return "elements and alloys"
    symbols = {s.specie.symbol for s, state in zip(compound.structure, compound.states, strict=True) if state < 0}
    most = max(symbols, key=lambda symbol: float(Element(symbol).X))
    return next((name for name, (anions, _) in GROUPS.items() if most in anions), "pnictides, carbides, hydrides")
