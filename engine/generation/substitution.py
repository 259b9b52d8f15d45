"""Charge-balanced ions put into the slots of a prototype, the cell sized and the atoms moved to fit them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from pymatgen.core import Composition, Structure

from engine.errors import DataError
from engine.generation.chemistry import (
    ANION_STATES,
    CLOSED_TRANSITION,
    SPECTATORS,
    coordinations,
    ideal_bond,
    shannon_radius,
    takes,
)
from engine.generation.prototypes import Prototype, Slot
from engine.generation.relaxation import relax, scale_to_valence

BOND_MISMATCH = 1.16
"""Largest ratio between slots of (bond length the ion wants / bond length in the prototype): a tolerance factor."""

LARGE_RADIUS_ANGSTROM = 0.95
"""Ions above this Shannon radius are not put among fewer than six anions, smaller ones not among more than eight."""


@dataclass(frozen=True)
class Substitution:
    """Ions (symbol, state) for the slots of a prototype, in order, and the anion."""

    prototype: Prototype
    ions: tuple[tuple[str, int], ...]
    anion: str

    @property
    def formula(self) -> str:
        """Reduced formula."""
        counts: dict[str, float] = {self.anion: float(len(self.prototype.anions))}
        for (symbol, _), slot in zip(self.ions, self.prototype.slots, strict=True):
            counts[symbol] = counts.get(symbol, 0.0) + len(slot.index)
        return str(Composition(counts).reduced_formula)


def substitutions(
    prototype: Prototype, absorber: str, states: tuple[int, ...], anion: str = "O"
) -> Iterator[Substitution]:
    """Every plausible way to fill a prototype with ``absorber`` in one of ``states`` and ions that keep one state.

    Plausible: neutral; the absorber in a coordination it is known in, and in one state only; every ion within one of a
    coordination number that Shannon tabulates; bond lengths that fit the slots relative to one another within 16 %; no
    element twice in different states; at most one other transition metal.
    """
    total = -ANION_STATES[anion] * len(prototype.anions)
    choices = [_candidates(slot, absorber, states, anion) for slot in prototype.slots]
    sizes = [len(slot.index) for slot in prototype.slots]
    for chosen in product(*choices):
        if sum(size * state for size, (_, state, _) in zip(sizes, chosen, strict=True)) != total:
            continue
        ions = tuple((symbol, state) for symbol, state, _ in chosen)
        ratios = [ratio for _, _, ratio in chosen]
        if absorber not in {symbol for symbol, _ in ions} or max(ratios) > BOND_MISMATCH * min(ratios):
            continue
        distinct = set(ions)
        others = {symbol for symbol, _ in distinct if symbol in CLOSED_TRANSITION and symbol != absorber}
        if len({symbol for symbol, _ in distinct}) == len(distinct) and len(others) <= 1:
            yield Substitution(prototype, ions, anion)


def substitute(chosen: Substitution) -> tuple[Structure, tuple[int, ...]]:
    """The structure with its ions, scaled and relaxed to their valences, and the state of every site.

    DataError where no volume suits them.
    """
    prototype = chosen.prototype
    species = [chosen.anion] * len(prototype.structure)
    states = np.full(len(species), ANION_STATES[chosen.anion])
    for slot, (symbol, state) in zip(prototype.slots, chosen.ions, strict=True):
        for i in slot.index:
            species[i], states[i] = symbol, state
    filled = Structure(prototype.structure.lattice, species, prototype.structure.frac_coords)
    charges = tuple(int(state) for state in states)
    return relax(scale_to_valence(filled, charges), charges), charges


def _candidates(slot: Slot, absorber: str, states: tuple[int, ...], anion: str) -> list[tuple[str, int, float]]:
    """Ions that may fill a slot: symbol, state, and wanted over present bond length."""
    found = []
    for state in states:
        if takes(absorber, state, slot.coordination, slot.planar):
            found.append((absorber, state))
    for table, is_metal in ((SPECTATORS, False), (CLOSED_TRANSITION, True)):
        for symbol, known in table.items():
            if symbol != absorber:
                fits = takes if is_metal else _fits
                found += [(symbol, s) for s in known if fits(symbol, s, slot.coordination, slot.planar)]
    result = []
    for symbol, state in found:
        try:
            result.append((symbol, state, ideal_bond(symbol, state, anion, slot.coordination) / slot.bond_angstrom))
        except DataError:
            continue
    return result


def _fits(symbol: str, state: int, coordination: int, planar: bool) -> bool:
    """Whether an ion of one state may stand in a slot."""
    if planar or not coordinations(symbol, state):
        return False
    try:
        radius = shannon_radius(symbol, state, coordination)
    except DataError:
        return False
    numbers = {"III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9, "X": 10, "XII": 12, "II": 2}
    known = [numbers[c] for c in coordinations(symbol, state) if c in numbers]
    if not known or min(abs(c - coordination) for c in known) > (1 if coordination < 9 else 4):
        return False
    return radius >= LARGE_RADIUS_ANGSTROM if coordination > 8 else coordination >= 6 or radius < LARGE_RADIUS_ANGSTROM
