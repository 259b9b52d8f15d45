"""Messages at the top of the page: what failed and what finished, as plain text that a person can close."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import panel as pn
import panel_material_ui as pmui

from explorer.messages import as_html, message_of

MOST, SECONDS = 3, 8.0
TROUBLE = ("error", "warning")
SOLID = {"backgroundColor": "background.paper", "& .MuiAlertTitle-root": {"display": "none"}}
FLOATING = {"position": "fixed", "right": "16px", "bottom": "44px", "z-index": "1300"}


class Notices(pn.viewable.Viewer):
    """The latest few messages, newest first."""

    def __init__(self, *roots: Path) -> None:
        """Messages leave out the paths of the folders ``roots``."""
        super().__init__()
        self._roots = roots
        self._shown: dict[pmui.Alert, float] = {}
        self._column = pmui.Column(margin=0, width=440, styles=FLOATING)

    def show(self, text: str, severity: Literal["error", "warning", "info", "success"] = "info") -> None:
        """Adds one message; ``text`` is shown as it is, never as HTML."""
        words = pn.pane.HTML(as_html(text), sizing_mode="stretch_width", margin=0, css_classes=["notice"])
        alert = pmui.Alert(words, severity=severity, closeable=True, margin=4, sx=SOLID)
        self._shown[alert] = time.monotonic()
        self._column.objects = [alert, *(old for old in self._column.objects if not old.closed)][:MOST]

    def expire(self) -> None:
        """Takes away what was closed, and what reported no trouble some seconds ago."""
        now = time.monotonic()
        kept = [
            a
            for a in self._column.objects
            if not a.closed and (a.severity in TROUBLE or now - self._shown[a] < SECONDS)
        ]
        if len(kept) < len(self._column.objects):
            self._column.objects = kept
            self._shown = {alert: self._shown[alert] for alert in kept}

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Turns any error of the enclosed lines into a message, so that the page lives on."""
        try:
            yield
        except Exception as error:
            self.show(message_of(error, *self._roots), "error")

    def __panel__(self) -> pmui.Column:
        return self._column
