"""The next turn of a page, for what was worked out beside its events."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import TypeVar

import panel as pn
from bokeh.document import Document

T = TypeVar("T")


def next_turn(document: Document, how: Callable[[], None]) -> None:
    """Calls ``how`` when the page may be changed; never, once the page has been closed."""
    session = document.session_context
    if session is None or not session.destroyed:
        document.add_next_tick_callback(how)


def beside(worker: Executor, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None:
    """Does ``work`` in ``worker``; calls ``then(result)`` in the page's next turn; ``result()`` may raise."""
    document = pn.state.curdoc

    def hand_over(future: Future[T]) -> None:
        next_turn(document, lambda: then(future.result))

    future = worker.submit(work)
    if document is None:
        then(future.result)
    else:
        future.add_done_callback(hand_over)


def weights_stamp(run: Path) -> int:
    """Changes when the run in the folder ``run`` is trained anew; 0 where its weights are gone."""
    path = run / "weights.safetensors"
    return path.stat().st_mtime_ns if path.is_file() else 0
