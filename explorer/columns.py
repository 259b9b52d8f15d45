"""The members that the Compare part puts side by side, read without torch: what they are, their scores, provenance."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd

from engine.analysis.comparison import PlacedSites, Trends
from engine.analysis.scores import FloatArray
from engine.errors import DataError, EngineError
from engine.model.config import TrainConfig
from engine.model.run import Run
from engine.study.footing import Footing, footing
from explorer.library import Library
from explorer.messages import tidy
from explorer.runs import MemberInfo, read_members

LETTERS = "ABCDEF"
MOST_KEPT = 256
T = TypeVar("T")
C = TypeVar("C")


@dataclass(frozen=True, eq=False)
class RunFacts:
    """A finished run: its id and title, absorber ("?" for several), settings, what it was trained on, its members."""

    run: str
    title: str
    folder: Path
    element: str
    config: TrainConfig
    footing: Footing
    members: tuple[MemberInfo, ...]

    @property
    def set_hash(self) -> str:
        """Of the training set."""
        return self.footing.set_hash

    @property
    def selected(self) -> int:
        """The member that Eq. 2 prefers."""
        return next(member.index for member in self.members if member.selected)

    @property
    def worst(self) -> int:
        """The member with the lowest selection score."""
        return int(np.argmin([member.scores["selection_score"] for member in self.members]))


@dataclass(frozen=True, eq=False)
class Column:
    """One member among those that are compared, called by a letter; in a comparison of elements by its element."""

    letter: str
    facts: RunFacts
    index: int

    @property
    def member(self) -> MemberInfo:
        return self.facts.members[self.index]

    @property
    def key(self) -> str:
        """How ``state.columns`` names it."""
        return f"{self.facts.run}/{self.index}"

    @property
    def name(self) -> str:
        """Its letter (or whatever it is called by), absorber and seed."""
        return " · ".join(dict.fromkeys([self.letter, self.facts.element, f"seed {self.member.seed}"]))

    def score(self, axis: str) -> str:
        """How well an axis follows its descriptor, or how far a free one stays apart, in a few characters."""
        scores = self.member.scores
        if axis not in self.facts.config.descriptors:
            return f"max |ρ| {scores.get('free_axis_correlation_max', np.nan):.2f}"
        f1 = scores.get(f"{axis} f1", np.nan)
        return f"|SRCC| {scores.get(f'{axis} srcc', np.nan):.2f}" + ("" if np.isnan(f1) else f", F1 {f1:.2f}")


class Answers(Protocol):
    """What can be asked of models; see ``explorer.examine``. EngineError when there is no answer."""

    def trends(self, column: Column) -> Trends: ...
    def sites(self, column: Column) -> PlacedSites: ...
    def selection(self, facts: RunFacts) -> pd.DataFrame: ...
    def amplitudes(self, facts: RunFacts) -> FloatArray: ...


def read_facts(library: Library, run: str, title: str) -> RunFacts:
    """What is known of the finished run ``run``, kept until its files change; EngineError when it cannot be read."""
    folder = library.run_path(run)
    files = [folder / name for name in ("config.toml", "data.json", "scores.parquet")]
    return _read_facts(folder, run, title, tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in files))


@functools.lru_cache(MOST_KEPT)
def _read_facts(folder: Path, run: str, title: str, stamps: tuple[int, ...]) -> RunFacts:
    opened = Run(folder)
    stands = footing(opened)
    element, members = opened.data().get("element") or "?", tuple(read_members(opened))
    return RunFacts(run, title, folder, element, opened.config(), stands, members)


def read_columns(library: Library, titles: dict[str, str], keys: Iterable[str]) -> tuple[list[Column], list[str]]:
    """The columns that ``keys`` name, at most six, and a line for each key that names none."""
    found: list[Column] = []
    notes = []
    for key in dict.fromkeys(keys):
        run, _, index = key.rpartition("/")
        try:
            if run not in titles or not index.isdecimal():
                raise DataError(f"'{key}' is not among the models")
            facts = read_facts(library, run, titles[run])
            if int(index) >= len(facts.members):
                raise DataError(f"{facts.title} has no member {index}")
            if len(found) == len(LETTERS):
                raise DataError(f"{facts.title}: only {len(LETTERS)} members fit side by side")
            found.append(Column(LETTERS[len(found)], facts, int(index)))
        except EngineError as error:
            notes.append(tidy(str(error), *library.roots))
    return found, notes


def gather(things: Iterable[C], ask: Callable[[C], T], name: Callable[[C], str]) -> tuple[list[tuple[C, T]], list[str]]:
    """Each thing with its answer, and a line for each that has none."""
    found, notes = [], []
    for thing in things:
        try:
            found.append((thing, ask(thing)))
        except EngineError as error:
            notes.append(f"{name(thing)}: {error}")
    return found, notes


def axis_names(columns: Sequence[Column]) -> list[str]:
    """The axes of all columns, each once: descriptors in their order, then free axes."""
    descriptors = [name for column in columns for name in column.facts.config.descriptors]
    every = [name for column in columns for name in column.facts.config.axis_names]
    return list(dict.fromkeys(descriptors)) + [name for name in dict.fromkeys(every) if name not in descriptors]


def differences_told(columns: Sequence[Column]) -> list[str]:
    """What a reader must know before comparing scores: which columns differ from the first in set or split."""
    told = []
    first = columns[0].facts
    others = [c for c in columns if not c.facts.footing.compares_with(first.footing)]
    alike = [c.letter for c in others if c.facts.footing.split == first.footing.split]
    other_set = [c.letter for c in others if c.facts.set_hash != first.set_hash and c.letter not in alike]
    other_split = [c.letter for c in others if c.facts.set_hash == first.set_hash]
    if alike:
        told.append(
            f"{_and(alike)} trained on another set than A, split alike, whose spectra, sites or labels differ or "
            "cannot be read: do not compare scores."
        )
    if other_set:
        told.append(f"{_and(other_set)} trained on another set than A: scores are those of other test sites.")
    if other_split:
        told.append(f"{_and(other_split)} trained on another split than A: scores are those of other test sites.")
    if any(c.facts.run != first.run for c in columns):
        told.append("Selection scores (Eq. 2) compare the seeds of one run; between runs they say nothing.")
    return told


def _and(letters: Sequence[str]) -> str:
    return f"{', '.join(letters)} {'was' if len(letters) == 1 else 'were'}"


def provenance(column: Column) -> dict[str, str | int]:
    """Where a number comes from: run, seed of the member and hash of the training set."""
    return {"run": column.facts.run, "seed": column.member.seed, "set_hash": column.facts.set_hash}


def with_provenance(column: Column, table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with run, seed and set hash in front of every row."""
    for place, (name, value) in enumerate(provenance(column).items()):
        table.insert(place, name, value)
    return table
