"""Recipe ``oxides-3d``: oxygen-coordinated Ti to Cu (no Sc), balanced over oxidation states and coordinations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.errors import DataError
from engine.generation.chemistry import ABSORBERS
from engine.generation.materials import Material, build, generator_of, is_new, material_id_of
from engine.generation.prototypes import NOT_OXIDES, prototypes
from engine.generation.standard import Compound, standard_compounds
from engine.generation.substitution import Substitution, substitutions
from engine.structures import describe_sites

SITES_PER_FAMILY = 850
SITES_PER_STRUCTURE = 4
COPIES = 6
LARGEST_CLASS_SIZE = 150
NEEDED = ("OS", "CN", "OCN", "NNRS", "MOOD", "O_FRAC")

Kind = tuple[int, int, bool]
"""Oxidation state, coordination number of the slot, square planar or not."""


@dataclass(eq=False)
class _Class:
    """Materials whose absorber has one state and coordination, in turn; what was taken of them so far."""

    weight: float
    queue: Iterator[tuple[Substitution | Compound, int]]
    taken: int = 0
    order: list[Substitution | Compound] = field(default_factory=list)


def oxide_materials(
    element: str, *, sites: int = SITES_PER_FAMILY, seed: int = 0
) -> Iterator[tuple[Material, list[int]]]:
    """Materials of one family and their absorbing sites (0-based indices), until about ``sites`` sites are given.

    In turn from the class (state, coordination) that is most behind its share, which grows with the square root of how
    many compositions it has. A site is given when its first shell is oxygen, OS, CN, OCN, NNRS and MOOD can be
    computed, OS is the state it was built for, and its surroundings differ from those of every other site. At most
    four sites per structure. Deterministic by seed. DataError for an element that is not one of the eight.
    """
    if element not in ABSORBERS:
        raise DataError(f"no oxide family of {element}; there are {', '.join(ABSORBERS)}")
    classes = list(_classes(element, seed).values())
    seen: list[np.ndarray] = []
    given = 0
    while classes and given < sites:
        current = min(classes, key=lambda c: c.taken / c.weight)
        step = next(current.queue, None)
        if step is None:
            classes.remove(current)
            continue
        try:
            material = build(*step, seed)
        except DataError:
            continue
        chosen = _sound_sites(material, element, seen, seed)
        if chosen:
            current.taken += len(chosen)
            given += len(chosen)
            yield material, chosen


def _classes(element: str, seed: int) -> Mapping[Kind, _Class]:
    """Every class of an element with its materials: published ones first, then prototypes in turn.

    Every second material comes as a distorted copy, and as the undistorted one only when a class is gone through again.
    """
    members: dict[Kind, dict[str, list[Substitution | Compound]]] = {}
    published: set[str] = set()
    for compound in standard_compounds():
        kind = _kind_of(compound, element)
        if kind is not None:
            published.add(material_id_of(compound))
            members.setdefault(kind, {}).setdefault("", []).append(compound)
    for prototype in prototypes():
        if prototype.name in NOT_OXIDES:
            continue
        for chosen in substitutions(prototype, element, ABSORBERS[element]):
            if material_id_of(chosen) in published:
                continue
            slot = next(s for s, (symbol, _) in zip(prototype.slots, chosen.ions, strict=True) if symbol == element)
            state = next(q for symbol, q in chosen.ions if symbol == element)
            members.setdefault((state, slot.coordination, slot.planar), {}).setdefault(prototype.name, []).append(
                chosen
            )
    result = {}
    for kind in sorted(members):
        order = _interleaved(members[kind], generator_of(seed, element, kind))
        weight = min(len(order), LARGEST_CLASS_SIZE) ** 0.5
        first = [(chosen, k % 2) for k, chosen in enumerate(order)]
        rest = [(chosen, (k % 2 + copy) % COPIES) for copy in range(1, COPIES) for k, chosen in enumerate(order)]
        queue = iter([*first, *rest])
        result[kind] = _Class(weight, queue, order=order)
    return result


def _kind_of(compound: Compound, element: str) -> Kind | None:
    """The class of a published oxide's first site of an element; None for another compound."""
    symbols = {e.symbol for e in compound.structure.elements}
    if compound.states is None or compound.model or not {element, "O"} <= symbols or "H" in symbols:
        return None
    index = next(i for i, site in enumerate(compound.structure) if site.specie.symbol == element)
    near = compound.structure.get_neighbors(compound.structure[index], 3.2)
    bonds = sorted(n.nn_distance for n in near if n.specie.symbol == "O")
    return compound.states[index], sum(b <= 1.3 * bonds[0] for b in bonds), False


def _interleaved(
    by_type: Mapping[str, list[Substitution | Compound]], generator: np.random.Generator
) -> list[Substitution | Compound]:
    """One of every structure type, then a second of every type, and so on; types and members in drawn order."""
    names = sorted(by_type)
    names = [name for name in names if name == ""] + [names[k] for k in generator.permutation(len(names)) if names[k]]
    columns = [[by_type[name][k] for k in generator.permutation(len(by_type[name]))] for name in names]
    order: list[Substitution | Compound] = list(columns.pop(0)) if names and names[0] == "" else []
    for depth in range(max((len(column) for column in columns), default=0)):
        order += [column[depth] for column in columns if depth < len(column)]
    return order


def _sound_sites(material: Material, element: str, seen: list[np.ndarray], seed: int) -> list[int]:
    indices = material.sites(element)
    generator = generator_of(seed, material.structure_id, "sites")
    indices = sorted(generator.permutation(indices)[:SITES_PER_STRUCTURE].tolist())
    name = material.structure_id
    found = describe_sites({name: material.structure}, [(name, i) for i in indices], NEEDED, valence_seconds=3.0).frame
    states = np.array([material.states[i] for i in indices]) if material.states else np.full(len(indices), np.nan)
    sound = found.notna().all(axis=1).to_numpy() & (found["O_FRAC"] == 1.0).to_numpy()
    sound &= found["OS"].to_numpy() == states
    return [i for i, good in zip(indices, sound, strict=True) if good and is_new(material.structure, i, seen)]
