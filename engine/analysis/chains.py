"""Chains of models whose descriptor sets differ by one: swapped one by one (Fig. S3) or added one by one (Fig. S4).

The figures are those of the supplement of Liang et al., Phys. Rev. Materials 7, 053802 (2023).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.analysis.descriptor_correlation import PAPER_SETS

MOST_CHAINS = 40
MOST_SEARCHED = 4000

Names = frozenset[str]
Path = tuple[Names, ...]


@dataclass(frozen=True)
class Chain:
    """Models, as places in the list that was searched, in the order of their steps.

    steps  what each does to the one before it: "CN, OS" for the first, then "+ OCN" or "CN → MOOD"
    """

    kind: Literal["add", "swap"]
    models: tuple[int, ...]
    steps: tuple[str, ...]


def find_chains(descriptor_sets: Sequence[Collection[str]]) -> list[Chain]:
    """Every chain of at least two models that cannot be made longer, longest first, at most 40 of each kind.

    Along an "add" chain every set is the one before it and one more. Along a "swap" chain every set replaces one
    descriptor of the one before it, and none that was replaced comes back and none that came in leaves, so that the
    k-th set differs from the first in k descriptors. Models with equal sets stand for the same step: the first in the
    list is taken. A swap chain and its reverse are one; it begins with the later in the list.
    """
    place: dict[Names, int] = {}
    for i, names in enumerate(descriptor_sets):
        place.setdefault(frozenset(names), i)
    sets = sorted(place, key=lambda names: (len(names), -place[names]))
    rules: tuple[tuple[Literal["add", "swap"], Callable[[Path], bool]], ...] = (("add", _adds), ("swap", _swaps))
    found = []
    for kind, valid in rules:
        paths = [path for path in itertools.islice(_longest(sets, valid), MOST_SEARCHED) if len(path) > 1]
        if kind == "swap":
            paths = [path for path in paths if place[path[0]] > place[path[-1]]]
        paths.sort(key=lambda path: (-len(path), [place[names] for names in path]))
        found += [_chain(kind, path, place) for path in paths[:MOST_CHAINS]]
    return found


def where_it_began(descriptor_sets: Sequence[Collection[str]]) -> int:
    """Place of the set that the first one in the list was developed from; 0 where the list does not have it.

    The paper's initial set (Fig. 6b) if it is there; else where the longest chain that the first set is in begins,
    one of swaps before one of additions.
    """
    sets, initial = [frozenset(names) for names in descriptor_sets], frozenset(PAPER_SETS["initial"])
    if initial in sets:
        return sets.index(initial)
    chains = [chain for chain in find_chains(descriptor_sets) if 0 in chain.models]
    return min(chains, key=lambda chain: chain.kind != "swap").models[0] if chains else 0


def _adds(path: Path) -> bool:
    """Whether every set of a path is the one before it and one more."""
    return all(before < now and len(now) == len(before) + 1 for before, now in itertools.pairwise(path))


def _swaps(path: Path) -> bool:
    """Whether every two sets of a path are as many descriptors apart, and of one size, as they are steps apart."""
    pairs = itertools.combinations(range(len(path)), 2)
    return all(len(path[i] - path[j]) == len(path[j] - path[i]) == j - i for i, j in pairs)


def _longest(sets: Sequence[Names], valid: Callable[[Path], bool]) -> Iterator[Path]:
    """Every valid path through ``sets`` that no further set at either end keeps valid."""

    def onwards(path: Path) -> Iterator[Path]:
        longer = [(*path, names) for names in sets if names not in path and valid((*path, names))]
        for one in longer:
            yield from onwards(one)
        if not longer and not any(valid((names, *path)) for names in sets):
            yield path

    for names in sets:
        yield from onwards((names,))


def _chain(kind: Literal["add", "swap"], path: Path, place: dict[Names, int]) -> Chain:
    steps = [", ".join(sorted(path[0])) or "no descriptor"]
    for before, now in itertools.pairwise(path):
        came, went = ", ".join(now - before), ", ".join(before - now)
        steps.append(f"+ {came}" if kind == "add" else f"{went} → {came}")
    return Chain(kind, tuple(place[names] for names in path), tuple(steps))
