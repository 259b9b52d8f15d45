"""Classes of materials that take turns, so that none crowds out the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import DataError
from engine.generation.materials import Material, build
from engine.generation.standard import Compound
from engine.generation.substitution import Substitution

Candidate = Substitution | Compound
COPIES = 6
PATIENCE = 25
"""A class that gives nothing so many times in a row is left out from then on."""


@dataclass(eq=False)
class Class:
    """Materials that count as one kind: their share, (material, copy) in turn, sites given, failures since the last."""

    weight: float
    queue: Iterator[tuple[Candidate, int]]
    given: int = 0
    in_vain: int = 0


def in_turn(
    classes: Sequence[Class], accept: Callable[[Material], list[int]], *, sites: int, seed: int
) -> Iterator[tuple[Material, list[int]]]:
    """Materials and the sites that ``accept`` lets through, until ``sites`` are given or no material is left.

    The next material comes from the class that is most behind its share. One that cannot be built, or of which no site
    is accepted, is passed over; a class that only fails is given up.
    """
    left = list(classes)
    given = 0
    while left and given < sites:
        current = min(left, key=lambda c: c.given / c.weight)
        step = next(current.queue, None)
        if step is None or current.in_vain >= PATIENCE:
            left.remove(current)
            continue
        current.in_vain += 1
        try:
            material = build(*step, seed)
        except DataError:
            continue
        chosen = accept(material)[: sites - given]
        if chosen:
            current.given += len(chosen)
            current.in_vain = 0
            given += len(chosen)
            yield material, chosen


def copies_of(order: Sequence[Candidate]) -> Iterator[tuple[Candidate, int]]:
    """Every material, each second one as a distorted copy; then round after round the copies not yet given."""
    for turn in range(COPIES):
        for k, candidate in enumerate(order):
            yield candidate, (k % 2 + turn) % COPIES


def interleaved(by_type: Mapping[str, Sequence[Candidate]], generator: np.random.Generator) -> list[Candidate]:
    """One of every structure type, then a second of every type, and so on; types and their members in drawn order."""
    names = sorted(by_type)
    columns = [
        [by_type[names[k]][i] for i in generator.permutation(len(by_type[names[k]]))]
        for k in generator.permutation(len(names))
    ]
    depth = max((len(column) for column in columns), default=0)
    return [column[level] for level in range(depth) for column in columns if level < len(column)]
