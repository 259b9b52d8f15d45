"""One material of a set: where it comes from, how it is built from a seed, and what it must pass."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from pymatgen.core import Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from engine.errors import DataError
from engine.generation.distortion import displaced, elongated
from engine.generation.relaxation import instability, relax
from engine.generation.standard import Compound
from engine.generation.substitution import Substitution, substitute

LARGEST_INSTABILITY = 0.25
"""Global instability index in valence units above which a structure is not kept; real oxides rarely exceed 0.2."""

SHORTEST_OF_RADII = 0.62
"""Least distance of two atoms, as a share of the sum of their ionic or atomic radii (O–H and C–O bonds pass)."""

SYMMETRY_ANGSTROM = 0.01
MAX_CELL = 80


@dataclass(frozen=True, eq=False)
class Material:
    """A structure of a set.

    ``material_id`` names structure type and ions: distorted copies share it, so that a split keeps them together;
    ``structure_id`` adds the copy's number. ``states`` (n_sites,) are the oxidation states it was built for, None for
    metals. ``kind`` is the structure type, ``source`` its citation, ``copy`` 0 for the structure without seeded
    displacements, ``published`` whether the lattice parameters are those of the source.
    """

    material_id: str
    structure_id: str
    structure: Structure
    states: tuple[int, ...] | None
    kind: str
    source: str
    copy: int
    published: bool

    def sites(self, symbol: str) -> list[int]:
        """Indices of the symmetry-distinct sites of an element (spglib, 0.01 Å), lowest index of each class."""
        orbit = SpacegroupAnalyzer(self.structure, SYMMETRY_ANGSTROM).get_symmetry_dataset().equivalent_atoms
        return [int(i) for i in np.unique(orbit) if self.structure[int(i)].specie.symbol == symbol]


def material_id_of(chosen: Substitution | Compound) -> str:
    """Structure type and the ions of its slots, such as ``spinel-Mg2-Ti3-O``; a published compound gets the same."""
    if isinstance(chosen, Substitution):
        ions: list[str] = [f"{symbol}{state}" for symbol, state in chosen.ions]
        return "-".join([chosen.prototype.name.replace(" ", "_"), *ions, chosen.anion])
    first = {label: i for i, label in reversed(list(enumerate(chosen.labels)))}
    cations: list[str] = []
    anions: list[str] = []
    for label in sorted(first, key=lambda mark: list(dict.fromkeys(chosen.labels)).index(mark)):
        symbol = chosen.structure[first[label]].specie.symbol
        state = chosen.states[first[label]] if chosen.states else 0
        (anions if state < 0 else cations).append(f"{symbol}{state}" if state > 0 else symbol)
    return "-".join([chosen.kind.replace(" ", "_"), *cations, *anions])


def generator_of(seed: int, *words: object) -> np.random.Generator:
    """A generator that depends on the seed and the words alone, not on what was drawn before."""
    digest = hashlib.blake2b(repr((seed, *words)).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def build(chosen: Substitution | Compound, copy: int, seed: int) -> Material:
    """Copy number ``copy`` of a material; a DataError says why there is none.

    Copy 0 is the published or the substituted structure (Jahn–Teller octahedra drawn out, where it is substituted).
    Others are displaced and strained with a random subgroup of its symmetry kept, then relaxed part of the way so that
    their bond-valence sums come back while the distortion stays, and their volume varies by 1 % (standard deviation of
    the lattice parameter 0.3 %), as calculated and measured ones do.
    """
    name = material_id_of(chosen)
    generator = generator_of(seed, name, copy)
    states: tuple[int, ...] | None
    if isinstance(chosen, Substitution):
        structure, states = substitute(chosen)
        kind, source, published = chosen.prototype.name, chosen.prototype.source, False
    else:
        structure, states = chosen.structure, chosen.states
        kind, source, published = chosen.kind, chosen.source, copy == 0 and not chosen.model
    if len(structure) > MAX_CELL:
        raise DataError(f"{name}: {len(structure)} atoms; need at most {MAX_CELL}")
    if copy and states is not None:
        structure = _distorted(structure, states, generator)
    elif copy:
        structure = displaced(structure, generator, amplitude_angstrom=0.05, strain=0.01)
        structure.scale_lattice(structure.volume * (1 + 0.03 * float(generator.normal())))
    elif states is not None and not published:
        drawn = elongated(structure, states, generator, by_angstrom=float(generator.uniform(0.1, 0.4)))
        structure = relax(drawn, states) if drawn is not structure else structure
    material = Material(name, f"{name}-v{copy}", structure, states, kind, source, copy, published)
    check(material)
    return replace(material, structure=structure.get_sorted_structure()) if states is None else _sorted(material)


def _distorted(structure: Structure, states: tuple[int, ...], generator: np.random.Generator) -> Structure:
    if generator.random() < 0.7:
        structure = elongated(structure, states, generator, by_angstrom=float(generator.uniform(0.05, 0.5)))
    amplitude = float(generator.uniform(0.02, 0.14))
    moved = displaced(structure, generator, amplitude_angstrom=amplitude, strain=0.015)
    moved = relax(moved, states, steps=int(generator.integers(6, 25)), rounds=1)
    moved.scale_lattice(moved.volume * (1 + 0.01 * float(generator.normal())))
    return moved


def _sorted(material: Material) -> Material:
    """Sites ordered by electronegativity, as pymatgen writes structure files, states with them."""
    order = sorted(range(len(material.structure)), key=lambda i: float(Element(material.structure[i].specie.symbol).X))
    sites = [material.structure[i] for i in order]
    states = tuple(material.states[i] for i in order) if material.states is not None else None
    return replace(material, structure=Structure.from_sites(sites), states=states)


def check(material: Material) -> None:
    """DataError for atoms too near to one another and for bond-valence sums far from the states of built structures."""
    structure = material.structure
    centre, neighbour, _, distance = structure.get_neighbor_list(3.2)
    if len(centre):
        radius = np.array(
            [
                _size(site.specie.symbol, state)
                for site, state in zip(structure, material.states or [0] * len(structure), strict=True)
            ]
        )
        share = distance / (radius[centre] + radius[neighbour])
        worst = int(np.argmin(share))
        if share[worst] < SHORTEST_OF_RADII:
            raise DataError(
                f"{material.structure_id}: {structure[centre[worst]].specie.symbol} and "
                f"{structure[neighbour[worst]].specie.symbol} are {distance[worst]:.2f} Å apart"
            )
    if material.states is not None and not material.published:
        misfit = instability(structure, material.states)
        if misfit > LARGEST_INSTABILITY:
            raise DataError(
                f"{material.structure_id}: global instability {misfit:.2f} v.u.; need at most {LARGEST_INSTABILITY}"
            )


def _size(symbol: str, state: int) -> float:
    """A radius in Å for telling atoms that are too near: ionic where there is one, else atomic."""
    element = Element(symbol)
    radii = element.ionic_radii
    if state in radii:
        return max(float(radii[state]), 0.3)
    return float(element.atomic_radius or 1.2) * (0.6 if state > 0 else 1.0)


def is_new(structure: Structure, site: int, seen: list[np.ndarray], *, within_angstrom: float = 0.01) -> bool:
    """Whether a site's 40 nearest distances differ from all in ``seen`` (root mean square); a new one is added."""
    print_ = _fingerprint(structure, site)
    for other in seen:
        if float(np.sqrt(np.mean((print_ - other) ** 2))) < within_angstrom:
            return False
    seen.append(print_)
    return True


def _fingerprint(structure: Structure, site: int, count: int = 40) -> np.ndarray:
    radius = 5.0
    while True:
        near = structure.get_neighbors(structure[site], radius)
        if len(near) >= count or radius > 20:
            break
        radius *= 1.4
    ordered = sorted(near, key=lambda n: n.nn_distance)[:count]
    values = np.full(count, 20.0)
    values[: len(ordered)] = [n.nn_distance + 0.05 * n.specie.Z for n in ordered]
    return values
