"""Oxidation states by bond valence: the most probable charge-neutral assignment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pymatgen.core import Element, Structure
from pymatgen.core.bond_valence import BV_PARAMS, ICSD_BV_DATA, PRIOR_PROB, calculate_bv_sum
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from engine.structures.errors import NotDefinedError, TimedOutError

SYMMETRY_TOLERANCE_ANGSTROM = 0.1
NEIGHBOUR_RADIUS_ANGSTROM = 4.0
DISTANCE_SCALE = 1.015
MAX_ENDS = 100_000
KEEP_ABOVE = 0.01


def oxidation_states(structure: Structure, *, seconds: float = 10.0) -> npt.NDArray[np.int64]:
    """Oxidation state of every site, (n_sites,), as pymatgen's BVAnalyzer assigns them with its default settings.

    Each class of symmetry-equivalent sites (0.1 Å) gets probabilities of its states from its bond-valence sum;
    the charge-neutral combination with the largest product wins, states of one element differing by at most 1.
    The statistics are BVAnalyzer's (ICSD). The search visits the same combinations in the same order up to the same
    limit, but adds up small integers where BVAnalyzer builds arrays: equal results, tens of times faster in big cells.

    Raises NotDefinedError when no assignment is found or an element has no parameters, TimedOutError after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    missing = sorted({element.symbol for element in structure.elements} - {element.symbol for element in BV_PARAMS})
    if missing:
        raise NotDefinedError(f"no bond-valence parameters for {', '.join(missing)}")
    groups = _equivalent_sites(structure)
    states: list[list[int]] = []
    weights: list[dict[int, float]] = []
    for group in groups:
        near = structure.get_neighbors(structure[group[0]], NEIGHBOUR_RADIUS_ANGSTROM)
        total = float(calculate_bv_sum(structure[group[0]], near, scale_factor=DISTANCE_SCALE))
        probability = _state_probabilities(structure[group[0]].specie.symbol, total)
        ranked = sorted(probability, key=lambda state: -probability[state])
        likely = [state for state in ranked if probability[state] > KEEP_ABOVE * probability[ranked[0]]]
        if not likely:
            raise NotDefinedError(
                f"no likely oxidation state for {structure[group[0]].specie.symbol} at site {group[0]}"
            )
        states.append(likely)
        weights.append(probability)
        if time.monotonic() > deadline:
            raise TimedOutError(f"bond-valence analysis stopped after {seconds:g} s")
    best = _best_neutral(
        states, weights, [len(group) for group in groups], [structure[g[0]].specie.symbol for g in groups], deadline
    )
    result = np.zeros(len(structure), dtype=np.int64)
    for group, state in zip(groups, best, strict=True):
        result[group] = state
    return result


def _equivalent_sites(structure: Structure) -> list[list[int]]:
    """Classes of equivalent sites, most electronegative first, equal ones in the order symmetry analysis gives."""
    try:
        analysis = SpacegroupAnalyzer(structure, SYMMETRY_TOLERANCE_ANGSTROM).get_symmetrized_structure()
    except Exception as problem:
        raise NotDefinedError(
            f"no symmetry found for the bond-valence analysis ({type(problem).__name__})"
        ) from problem
    groups = [[int(i) for i in group] for group in analysis.equivalent_indices]
    return sorted(groups, key=lambda group: -float(structure[group[0]].species.average_electroneg))


def _state_probabilities(symbol: str, total: float) -> dict[int, float]:
    """Posterior probability of each oxidation state of an element, given its bond-valence sum."""
    density: dict[int, float] = {}
    for species, statistics in ICSD_BV_DATA.items():
        if species.symbol == symbol and species.oxi_state != 0 and statistics["std"] > 0:
            sigma = statistics["std"]
            distance = (total - statistics["mean"]) ** 2 / 2 / (sigma**2)
            density[int(species.oxi_state)] = float(np.exp(-distance)) / sigma * PRIOR_PROB[species]
    norm = sum(density.values())
    return {state: value / norm for state, value in density.items()} if norm > 0 else dict.fromkeys(density, 0.0)


def _best_neutral(
    states: Sequence[Sequence[int]],
    weights: Sequence[dict[int, float]],
    counts: Sequence[int],
    symbols: Sequence[str],
    deadline: float,
) -> list[int]:
    """The neutral choice of one state per class with the largest product of weights, depth first, up to MAX_ENDS ends.

    Branches whose charge can no longer reach zero are cut, and count as an end as a full assignment does.
    """
    n = len(states)
    highest, lowest = [0] * (n + 1), [0] * (n + 1)
    for i in reversed(range(n)):
        highest[i] = highest[i + 1] + counts[i] * max(states[i])
        lowest[i] = lowest[i + 1] + counts[i] * min(states[i])
    by_element: dict[str, list[int]] = {}
    for i, symbol in enumerate(symbols):
        by_element.setdefault(symbol, []).append(i)
    chosen, tried = [0] * n, [0] * n
    charge, product = [0] * (n + 1), [1.0] * (n + 1)
    best: list[int] = []
    best_product = 0.0
    ends = 0
    steps = 0
    depth = 0
    entering = True
    while depth >= 0:
        steps += 1
        if steps % 4096 == 0 and time.monotonic() > deadline:
            raise TimedOutError("bond-valence analysis stopped: too many combinations of oxidation states")
        if entering:
            if ends > MAX_ENDS:
                break
            out_of_reach = charge[depth] + highest[depth] < 0 or charge[depth] + lowest[depth] > 0
            if out_of_reach or depth == n:
                ends += 1
                if not out_of_reach and product[n] > best_product and _within_one(chosen, by_element):
                    best, best_product = chosen.copy(), product[n]
                depth -= 1
                entering = False
                continue
            tried[depth] = 0
        if tried[depth] < len(states[depth]):
            state = states[depth][tried[depth]]
            tried[depth] += 1
            chosen[depth] = state
            charge[depth + 1] = charge[depth] + counts[depth] * state
            product[depth + 1] = product[depth] * weights[depth][state]
            depth += 1
            entering = True
        else:
            depth -= 1
            entering = False
    if not best:
        raise NotDefinedError("no charge-neutral assignment of oxidation states found")
    return best


def _within_one(chosen: Sequence[int], by_element: dict[str, list[int]]) -> bool:
    """Whether the states of each element differ by at most one."""
    return all(max(chosen[i] for i in group) - min(chosen[i] for i in group) <= 1 for group in by_element.values())


def ionic_radius(symbol: str, state: int | None) -> float:
    """Ionic radius in Å (Shannon, Acta Cryst. A 32, 751 (1976), as pymatgen tabulates it) of an element in a state.

    Without a state (None) the element's only common one is taken; several, or no tabulated radius, raise
    NotDefinedError.
    """
    element: Any = Element(symbol)
    if state is None:
        common = element.common_oxidation_states
        if len(common) != 1:
            raise NotDefinedError(f"oxidation state of {symbol} unknown, so no ionic radius")
        state = int(common[0])
    radii = {int(key): float(value) for key, value in element.ionic_radii.items()}
    if state not in radii:
        raise NotDefinedError(f"no ionic radius tabulated for {symbol} in state {state:+d}")
    return radii[state]
