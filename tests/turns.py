"""A page without a browser, whose next turn comes when a test says so."""

from __future__ import annotations

from typing import Any


class Turns:
    """A document whose next turn comes when the test says so."""

    session_context: Any = None

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def add_next_tick_callback(self, callback: Any) -> None:
        self.waiting.append(callback)

    def turn(self) -> None:
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()
