"""Undo and redo over snapshots of the view; knows nothing of what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Snapshot = Mapping[str, Any]
LIMIT = 100


class History:
    """The steps that led to the present snapshot, at most ``limit`` of them, and those that were taken back."""

    def __init__(self, now: Snapshot, limit: int = LIMIT) -> None:
        self._now = dict(now)
        self._limit = limit
        self._past: list[Snapshot] = []
        self._future: list[Snapshot] = []

    @property
    def now(self) -> Snapshot:
        """The present snapshot."""
        return self._now

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)

    def record(self, snapshot: Snapshot) -> bool:
        """Makes ``snapshot`` the present one, a step after the last; False when nothing has changed.

        What was taken back can then no longer be redone.
        """
        if dict(snapshot) == self._now:
            return False
        self._past = [*self._past, self._now][-self._limit :]
        self._now, self._future = dict(snapshot), []
        return True

    def amend(self, snapshot: Snapshot) -> None:
        """Takes ``snapshot`` as what the last step has led to: a change that follows from another is no step."""
        self._now = dict(snapshot)

    def undo(self) -> Snapshot | None:
        """The snapshot before the last step, which becomes the present one; None without any."""
        if not self._past:
            return None
        self._future.append(self._now)
        self._now = dict(self._past.pop())
        return self._now

    def redo(self) -> Snapshot | None:
        """The snapshot that was taken back last, which becomes the present one; None without any."""
        if not self._future:
            return None
        self._past.append(self._now)
        self._now = dict(self._future.pop())
        return self._now
