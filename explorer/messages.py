"""What went wrong, as a person reads it: plain text without server paths, escaped before it becomes HTML."""

from __future__ import annotations

import html
import logging
from pathlib import Path

from engine.errors import EngineError

log = logging.getLogger(__name__)

UNFORESEEN = "Something went wrong that was not foreseen. The server's log has the details; the page goes on working."
_COMMAND_WORDS = {
    "--resume goes on": "press Resume to go on",
    "give a new folder, or --resume to go on with this run": "start a new training, or press Resume",
}


def message_of(error: BaseException, *roots: Path) -> str:
    """One line for ``error``: an EngineError's own words, or a general line for anything else, which is logged."""
    if isinstance(error, EngineError):
        return tidy(str(error), *roots)
    log.error("unforeseen error", exc_info=error)
    return UNFORESEEN


def tidy(text: str, *roots: Path) -> str:
    """An engine message without the paths of the folders ``roots`` and with buttons in place of options."""
    line = " ".join(text.split())
    for root in roots:
        line = line.replace(f"{root}/", "")
    for option, button in _COMMAND_WORDS.items():
        line = line.replace(option, button)
    return line


def as_html(text: str) -> str:
    """``text`` as HTML that shows exactly these characters; whatever came from a file goes through here."""
    return html.escape(text, quote=True)
