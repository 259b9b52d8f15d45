"""Recipe ``oxides-3d``: oxygen-coordinated Ti to Zn, balanced over oxidation states and coordinations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from engine.errors import DataError
from engine.generation.chemistry import ABSORBERS, takes
from engine.generation.materials import Material, generator_of, is_new, material_id_of
from engine.generation.prototypes import NOT_OXIDES, SALTS, SHELL_RATIO, prototypes
from engine.generation.standard import Compound, standard_compounds
from engine.generation.substitution import substitutions
from engine.generation.turns import Candidate, Class, copies_of, in_turn, interleaved
from engine.structures import describe_sites

SITES_OF: Mapping[str, int] = MappingProxyType(dict.fromkeys(ABSORBERS, 650) | {"Fe": 1000, "Cu": 1000, "Ti": 850})
"""Sites of each family: more where there are spectra of FEFF9 or measured ones to carry a model over to."""
SITES_PER_STRUCTURE = 4
LARGEST_CLASS_SIZE = 150
LARGEST_SHARE = 0.15
"""Most of a family's sites that one structure type may give."""

NEIGHBOURS_OF: Mapping[str, tuple[int, int]] = MappingProxyType({"Zn": (4, 6)})
"""Least and most neighbours of an element's sites, however distorted, where it is known with no others."""

NEEDED = ("OS", "CN", "OCN", "NNRS", "MOOD", "O_FRAC")
VALENCE_SECONDS = 2.0

Kind = tuple[int, int, bool, bool]
"""Oxidation state, coordination number of the slot, square planar or not, in a salt of oxyanions or not."""


def oxide_materials(element: str, *, sites: int, seed: int = 0) -> Iterator[tuple[Material, list[int]]]:
    """Materials of one family and their absorbing sites (0-based indices), until ``sites`` sites are given.

    In turn from the class (state, coordination) that is most behind its share, which grows with the square root of how
    many compositions it has. A site is given when its first shell is oxygen, OS, CN, OCN, NNRS and MOOD can be
    computed, OS is the state it was built for, CN is at least 4 (2 for the states 1 and 2; 4 to 6 for Zn), and its
    surroundings differ from those of every other site. At most four sites per structure and 15 % of all from one
    structure type. Deterministic by seed. DataError for an element without a family.
    """
    if element not in ABSORBERS:
        raise DataError(f"no oxide family of {element}; there are {', '.join(ABSORBERS)}")
    seen: list[np.ndarray] = []
    given: Counter[str] = Counter()

    def accept(material: Material) -> list[int]:
        left = round(LARGEST_SHARE * sites) - given[material.kind]
        chosen = _sound_sites(material, element, seen, seed)[:left] if left > 0 else []
        given[material.kind] += len(chosen)
        return chosen

    classes = [
        Class(min(len(order), LARGEST_CLASS_SIZE) ** 0.5, copies_of(order))
        for order in oxide_classes(element, seed).values()
    ]
    yield from in_turn(classes, accept, sites=sites, seed=seed)


def oxide_classes(element: str, seed: int) -> dict[Kind, list[Candidate]]:
    """Every class of an element with its materials: published ones first, then one of each structure type in turn."""
    published: dict[Kind, list[Candidate]] = {}
    for compound in standard_compounds():
        kind = _kind_of(compound, element)
        if kind is not None:
            published.setdefault(kind, []).append(compound)
    known = {material_id_of(compound) for compounds in published.values() for compound in compounds}
    built: dict[Kind, dict[str, list[Candidate]]] = {}
    for prototype in prototypes():
        if prototype.name in NOT_OXIDES:
            continue
        for chosen in substitutions(prototype, element, ABSORBERS[element], "O"):
            if material_id_of(chosen) in known:
                continue
            held = [(s, q) for s, (symbol, q) in zip(prototype.slots, chosen.ions, strict=True) if symbol == element]
            if not all(takes(element, q, s.coordination, s.planar) for s, q in held):
                continue  # Zn, which substitutions take beside another absorber wherever its size fits
            slot, state = held[0]
            kind = (state, slot.coordination, slot.planar, prototype.name in SALTS)
            built.setdefault(kind, {}).setdefault(prototype.name, []).append(chosen)
    return {
        kind: published.get(kind, []) + interleaved(built.get(kind, {}), generator_of(seed, element, kind[:3]))
        for kind in sorted({*published, *built})
    }


def _kind_of(compound: Compound, element: str) -> Kind | None:
    """The class of a published oxide's first site of an element; None for another compound."""
    symbols = {e.symbol for e in compound.structure.elements}
    if compound.states is None or compound.model or not {element, "O"} <= symbols or "H" in symbols:
        return None
    index = next(i for i, site in enumerate(compound.structure) if site.specie.symbol == element)
    near = compound.structure.get_neighbors(compound.structure[index], 3.2)
    bonds = sorted(n.nn_distance for n in near if n.specie.symbol == "O")
    return compound.states[index], int(sum(b <= SHELL_RATIO * bonds[0] for b in bonds)), False, False


def _sound_sites(material: Material, element: str, seen: list[np.ndarray], seed: int) -> list[int]:
    generator = generator_of(seed, material.structure_id, "sites")
    indices = sorted(generator.permutation(material.sites(element))[:SITES_PER_STRUCTURE].tolist())
    name = material.structure_id
    sites = [(name, i) for i in indices]
    found = describe_sites({name: material.structure}, sites, NEEDED, valence_seconds=VALENCE_SECONDS).frame
    states = np.array([material.states[i] for i in indices]) if material.states else np.full(len(indices), np.nan)
    sound = found.notna().all(axis=1).to_numpy() & (found["O_FRAC"] == 1.0).to_numpy()
    sound &= found["OS"].to_numpy() == states
    sound &= found["CN"].to_numpy() >= np.where(states >= 3, 4, 2)
    if element in NEIGHBOURS_OF:
        sound &= found["CN"].between(*NEIGHBOURS_OF[element]).to_numpy()
    return [i for i, good in zip(indices, sound, strict=True) if good and is_new(material.structure, i, seen)]
