"""Questions about trained members, answered beside the page's events and kept; torch is imported by the first one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pandas as pd

from engine.analysis.comparison import PlacedSites, Trends
from engine.analysis.scores import FloatArray
from engine.analysis.stability import Stability
from engine.model.run import Run
from explorer.columns import Column, RunFacts
from explorer.turns import beside, weights_stamp

KEPT = 96
T = TypeVar("T")
_WORKER = ThreadPoolExecutor(1, "compare")


class Examiner:
    """Answers for all sessions, one at a time; an answer is kept until the weights of its run change."""

    def trends(self, column: Column) -> Trends:
        """Traversals of all axes of a member."""
        return _trends(column.facts.folder, weights_stamp(column.facts.folder), column.index)

    def stability(self, column: Column) -> dict[str, Stability]:
        """Trends of all members of a run by axis, this one first, the others' free axes in its order and direction."""
        return _stability(column.facts.folder, weights_stamp(column.facts.folder), column.index)

    def sites(self, column: Column) -> PlacedSites:
        """The test part in a member's latent space; RunError when the set of its run is gone."""
        return _sites(column.facts.folder, weights_stamp(column.facts.folder), column.index)

    def selection(self, facts: RunFacts) -> pd.DataFrame:
        """The terms of Eq. 2 for every member of a run; RunError when its set is gone."""
        return _selection(facts.folder, weights_stamp(facts.folder))

    def amplitudes(self, facts: RunFacts) -> FloatArray:
        """The amplitude of the strongest free axis of every member of a run."""
        return _amplitudes(facts.folder, weights_stamp(facts.folder))

    def beside(self, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None:
        """Does ``work`` in a thread; calls ``then(result)`` when the page can be changed; ``result()`` may raise."""
        beside(_WORKER, work, then)


@functools.lru_cache(KEPT)
def _trends(folder: Path, stamp: int, member: int) -> Trends:
    import torch

    from engine.model.examine import examine_trends

    torch.set_num_threads(1)
    return examine_trends(Run(folder), member)


@functools.lru_cache(KEPT)
def _stability(folder: Path, stamp: int, member: int) -> dict[str, Stability]:
    import torch

    from engine.study.trust import trends

    torch.set_num_threads(1)
    return trends(Run(folder), member)


@functools.lru_cache(KEPT)
def _sites(folder: Path, stamp: int, member: int) -> PlacedSites:
    from engine.model.examine import place_test_sites

    return place_test_sites(Run(folder), member)


@functools.lru_cache(KEPT)
def _selection(folder: Path, stamp: int) -> pd.DataFrame:
    from engine.model.examine import selection_parts

    return selection_parts(Run(folder))


@functools.lru_cache(KEPT)
def _amplitudes(folder: Path, stamp: int) -> FloatArray:
    from engine.model.examine import free_amplitudes

    return free_amplitudes(Run(folder))
