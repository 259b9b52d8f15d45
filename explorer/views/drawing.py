"""Changes to figures that are on the page, made when the page may be changed.

Panel hands some events of the browser over without the document's lock and takes care of its own widgets then; sources
and ranges of Bokeh figures are changed here, under the lock, and only once where several changes wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from bokeh.document import Document
from panel.io import unlocked

from explorer.turns import turns_of
from explorer.views.notices import Notices

T = TypeVar("T")
_WORKER = ThreadPoolExecutor(1, "prepare-drawing")


class Drawing:
    """Makes changes at once until the page is ``live`` in a browser, then in the document's next turn."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._document: Document | None = None
        self._waiting: dict[str, Callable[[], None]] = {}
        self._wanted: dict[str, Callable[[], object]] = {}

    def live(self, document: Document) -> None:
        """From now on the page is shown in a browser."""
        self._document = document

    def change(self, what: str, how: Callable[[], None]) -> None:
        """Calls ``how`` soon; a change of the same thing that still waits is left out."""
        if self._document is None:
            self._make(how)
            return
        if not self._waiting:
            self._document.add_next_tick_callback(self._make_all)
        self._waiting[what] = how

    def prepare(self, what: str, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Calls ``work`` beside the page's events and ``then`` with what it gives, unless the same is wanted anew.

        An error of either becomes a message. Until the page is live, both are called at once.
        """
        document = self._document
        if document is None:
            self._make(lambda: then(work()))
            return
        self._wanted[what] = work
        next_turn = turns_of(document)

        def hand_over(future: Future[T]) -> None:
            next_turn(lambda: self._take(what, work, future, then))

        _WORKER.submit(work).add_done_callback(hand_over)

    def _take(self, what: str, work: Callable[[], T], future: Future[T], then: Callable[[T], None]) -> None:
        if self._wanted.get(what) is work:
            self._make(lambda: then(future.result()))

    def _make_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        with unlocked():
            for how in waiting.values():
                self._make(how)

    def _make(self, how: Callable[[], None]) -> None:
        with self._notices.guard():
            how()
