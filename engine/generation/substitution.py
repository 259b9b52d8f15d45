"""Charge-balanced ions put into the slots of a prototype, the cell sized and the atoms moved to fit them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from pymatgen.core import Composition, Structure

from engine.errors import DataError
from engine.generation.chemistry import (
    ABSORBERS,
    ANION_STATES,
    CLOSED_TRANSITION,
    MOST_ANIONS,
    NUMBERS,
    ONLY_OXIDES,
    SPECTATORS,
    SQUARE_PLANAR,
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


def substitutions(prototype: Prototype, absorber: str, states: tuple[int, ...], anion: str) -> Iterator[Substitution]:
    """Every plausible way to fill a prototype with ``absorber`` in one of ``states``, or as the anion, and other ions.

    Plausible: neutral; transition metals in a coordination they are known in, other ions within one of a coordination
    number that Shannon tabulates; bond lengths that fit the slots relative to one another within 16 %; no element in
    two states; at most one transition metal beside the absorber. The others are ions that keep one state.
    """
    total = -ANION_STATES[anion] * len(prototype.anions)
    choices = [_candidates(slot, absorber, states, anion) for slot in prototype.slots]
    sizes = [len(slot.index) for slot in prototype.slots]
    for ions in _neutral(choices, sizes, total):
        symbols = {symbol for symbol, _ in ions}
        if absorber not in symbols | {anion} or anion in symbols:
            continue
        others = {symbol for symbol in symbols if symbol in CLOSED_TRANSITION and symbol != absorber}
        if len(symbols) == len(set(ions)) and len(others) <= 1:
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


def _neutral(
    choices: Sequence[Sequence[tuple[str, int, float]]], sizes: Sequence[int], total: int
) -> Iterator[tuple[tuple[str, int], ...]]:
    """Every choice of one ion per slot that adds up to the charge ``total`` and whose bonds fit relative to another."""

    def extend(
        chosen: list[tuple[str, int]], left: int, low: float, high: float
    ) -> Iterator[tuple[tuple[str, int], ...]]:
        depth = len(chosen)
        if depth == len(choices):
            yield tuple(chosen)
            return
        last = depth == len(choices) - 1
        for symbol, state, ratio in choices[depth]:
            rest = left - sizes[depth] * state
            if (rest != 0 if last else rest <= 0) or max(high, ratio) > BOND_MISMATCH * min(low, ratio):
                continue
            yield from extend([*chosen, (symbol, state)], rest, min(low, ratio), max(high, ratio))

    yield from extend([], total, float("inf"), 0.0)


def _candidates(slot: Slot, absorber: str, states: tuple[int, ...], anion: str) -> list[tuple[str, int, float]]:
    """Ions that may fill a slot: symbol, state, and wanted over present bond length."""
    ions = [(absorber, state) for state in states if absorber != anion]
    for table in (SPECTATORS, CLOSED_TRANSITION):
        ions += [(symbol, state) for symbol, known in table.items() for state in known if symbol != absorber]
    result = []
    for symbol, state in ions:
        fits = takes if symbol in ABSORBERS and symbol not in SPECTATORS else _fits
        if (anion == "O" or symbol not in ONLY_OXIDES) and fits(symbol, state, slot.coordination, slot.planar):
            try:
                wanted = ideal_bond(symbol, state, anion, slot.coordination)
            except DataError:
                continue
            result.append((symbol, state, wanted / slot.bond_angstrom))
    return result


@cache
def _fits(symbol: str, state: int, coordination: int, planar: bool) -> bool:
    """Whether an ion that is no transition metal may stand in a slot."""
    if planar:
        return state in SQUARE_PLANAR.get(symbol, ())
    if coordination > MOST_ANIONS.get(symbol, 12):
        return False
    try:
        radius = shannon_radius(symbol, state, coordination)
    except DataError:
        return False
    known = [NUMBERS[c] for c in coordinations(symbol, state) if c in NUMBERS]
    if not known or min(abs(c - coordination) for c in known) > (1 if coordination < 9 else 4):
        return False
    return radius >= LARGE_RADIUS_ANGSTROM if coordination > 8 else coordination >= 6 or radius < LARGE_RADIUS_ANGSTROM
