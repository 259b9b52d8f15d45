"""Questions about trained members, answered beside the page's events and kept; torch is imported by the first one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pandas as pd
import panel as pn

from engine.analysis.comparison import PlacedSites, Trends
from engine.analysis.scores import FloatArray
from engine.model.run import Run
from explorer.columns import Column, RunFacts
from explorer.turns import next_turn

KEPT = 96
T = TypeVar("T")
_WORKER = ThreadPoolExecutor(1, "compare")


class Examiner:
    """Answers for all sessions, one at a time; an answer is kept until the weights of its run change."""

    def trends(self, column: Column) -> Trends:
        """Traversals of all axes of a member."""
        return _trends(column.facts.folder, _stamp(column.facts), column.index)

    def sites(self, column: Column) -> PlacedSites:
        """The test part in a member's latent space; RunError when the set of its run is gone."""
        return _sites(column.facts.folder, _stamp(column.facts), column.index)

    def selection(self, facts: RunFacts) -> pd.DataFrame:
        """The terms of Eq. 2 for every member of a run; RunError when its set is gone."""
        return _selection(facts.folder, _stamp(facts))

    def amplitudes(self, facts: RunFacts) -> FloatArray:
        """The amplitude of the strongest free axis of every member of a run."""
        return _amplitudes(facts.folder, _stamp(facts))

    def beside(self, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None:
        """Does ``work`` in a thread; calls ``then(result)`` when the page can be changed; ``result()`` may raise."""
        doc = pn.state.curdoc

        def hand_over(future: Future[T]) -> None:
            next_turn(doc, lambda: then(future.result))

        future = _WORKER.submit(work)
        if doc is None:
            then(future.result)
        else:
            future.add_done_callback(hand_over)


def _stamp(facts: RunFacts) -> int:
    """Changes when the run is trained anew; 0 where its weights are gone."""
    path = facts.folder / "weights.safetensors"
    return path.stat().st_mtime_ns if path.is_file() else 0


@functools.lru_cache(KEPT)
def _trends(folder: Path, stamp: int, member: int) -> Trends:
    import torch

    from engine.model.examine import examine_trends

    torch.set_num_threads(1)
    return examine_trends(Run(folder), member)


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
