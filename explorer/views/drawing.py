"""Changes to figures that are on the page, made when the page may be changed.

Panel hands some events of the browser over without the document's lock and takes care of its own widgets then; sources
and ranges of Bokeh figures are changed here, under the lock, and only once where several changes wait for it.
"""

from __future__ import annotations

from collections.abc import Callable

from bokeh.document import Document

from explorer.views.notices import Notices


class Drawing:
    """Makes changes at once until the page is ``live`` in a browser, then in the document's next turn."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._document: Document | None = None
        self._waiting: dict[str, Callable[[], None]] = {}

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

    def _make_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for how in waiting.values():
            self._make(how)

    def _make(self, how: Callable[[], None]) -> None:
        with self._notices.guard():
            how()
