"""The next turn of a page, for what was worked out beside its events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import TypeVar

import panel as pn
from bokeh.document import Document

T = TypeVar("T")


def turns_of(document: Document) -> Callable[[Callable[[], None]], None]:
    """What calls a function when the page may be changed, and never once the page has been closed.

    Asked for in the page's own thread, called in any: a document takes callbacks of other threads only while it is not
    being closed, which they cannot know.
    """
    session = document.session_context
    if session is None:
        return document.add_next_tick_callback
    loop = asyncio.get_running_loop()

    def take(how: Callable[[], None]) -> None:
        if not session.destroyed:
            document.add_next_tick_callback(how)

    return lambda how: loop.call_soon_threadsafe(take, how)


def beside(worker: Executor, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None:
    """Does ``work`` in ``worker``; calls ``then(result)`` in the page's next turn; ``result()`` may raise."""
    document = pn.state.curdoc
    if document is None:
        then(worker.submit(work).result)
        return
    next_turn = turns_of(document)

    def hand_over(future: Future[T]) -> None:
        next_turn(lambda: then(future.result))

    worker.submit(work).add_done_callback(hand_over)


def weights_stamp(run: Path) -> int:
    """Changes when the run in the folder ``run`` is trained anew; 0 where its weights are gone."""
    path = run / "weights.safetensors"
    return path.stat().st_mtime_ns if path.is_file() else 0
