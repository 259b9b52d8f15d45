"""The next turn of a page, for what was worked out beside its events."""

from __future__ import annotations

from collections.abc import Callable

from bokeh.document import Document


def next_turn(document: Document, how: Callable[[], None]) -> None:
    """Calls ``how`` when the page may be changed; never, once the page has been closed."""
    session = document.session_context
    if session is None or not session.destroyed:
        document.add_next_tick_callback(how)
