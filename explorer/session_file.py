"""A session as JSON: what the state must bring back, the journal and the notes; read with a limit and checked."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import engine
from engine.errors import DataError
from engine.io.files import atomic_target
from explorer.journal import MOST, Entry, read_entries
from explorer.restoring import BESIDE, FIELDS, Values
from explorer.workspace import make_folder

FORMAT, VERSION = "rankaae-session", 1
MOST_BYTES = 4_000_000
LONGEST_NOTES = 100_000
MOST_NOTES = 20
KEPT = 200
_KEY = re.compile(r"[0-9a-f]{32}")
_TOP = ("format", "version", "program", "state", "journal", "notes")


@dataclass(frozen=True)
class Session:
    """``values`` of the state's fields and those beside, still to be checked against what is there; journal; notes."""

    values: Values
    journal: tuple[Entry, ...] = ()
    notes: str = ""
    left_out: tuple[str, ...] = field(default=())


def session_json(values: Mapping[str, Any], journal: Sequence[Entry], notes: str) -> str:
    """The text of a session file."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "program": engine.__version__,
        "state": {name: values[name] for name in (*FIELDS, *BESIDE) if name in values},
        "journal": [asdict(entry) for entry in journal[-MOST:]],
        "notes": notes[:LONGEST_NOTES],
    }
    return json.dumps(content, indent=1, allow_nan=False)


def read_session(text: str | bytes) -> Session:
    """A session from the text of its file; what is not known in it is left out, with a sentence each.

    DataError when it is too large, no JSON, or no session of this version.
    """
    if len(text) > MOST_BYTES:
        raise DataError(f"the session file is larger than {MOST_BYTES / 1e6:.0f} MB")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the session file is not JSON ({str(error)[:80]})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"not a session file: need a JSON object with format '{FORMAT}'")
    if content.get("version") != VERSION:
        raise DataError(f"the session file has version {str(content.get('version'))[:20]}; need {VERSION}")
    left_out = [f"{_short(name)}: not part of a session file" for name in content if name not in _TOP]
    state = content.get("state", {})
    if not isinstance(state, dict):
        left_out.append("state: need an object")
        state = {}
    left_out += [f"{_short(name)}: not part of a session's state" for name in state if name not in (*FIELDS, *BESIDE)]
    journal, lost = read_entries(content.get("journal", []))
    if lost:
        left_out.append(f"journal: {lost} entries are not of its form")
    notes = content.get("notes", "")
    if not isinstance(notes, str) or len(notes) > LONGEST_NOTES:
        left_out.append(f"notes: need text of at most {LONGEST_NOTES} characters")
        notes = ""
    if len(left_out) > MOST_NOTES:
        left_out = [*left_out[:MOST_NOTES], f"and {len(left_out) - MOST_NOTES} more"]
    values = {name: value for name, value in state.items() if name in (*FIELDS, *BESIDE)}
    return Session(values, tuple(journal), notes, tuple(left_out))


class Autosave:
    """The last state of each page, under ``<workspace>/sessions``; what cannot be read or written is let go.

    A page goes on where the browser was and keeps its key, unless another page that is still open has it: then it
    begins with what that one has saved and goes on under a key of its own.
    """

    _held: ClassVar[set[Path]] = set()

    def __init__(self, root: Path, key: str | None) -> None:
        """``key`` is what the browser has kept from an earlier visit; another is made where it is none."""
        self._folder = root / "sessions"
        known = key if key and _KEY.fullmatch(key) else secrets.token_hex(16)
        self._before = self._folder / f"{known}.json"
        self.moved = self._before in self._held
        self.key = secrets.token_hex(16) if self.moved else known
        self._held.add(self.path)

    @property
    def path(self) -> Path:
        return self._folder / f"{self.key}.json"

    @classmethod
    def of_open_pages(cls, root: Path) -> list[Values]:
        """What the pages of the workspace at ``root`` that are open now have saved last."""
        found = [_read(path) for path in cls._held if path.parent == root / "sessions"]
        return [session.values for session in found if session is not None]

    def release(self) -> None:
        """Says that the page has been closed."""
        self._held.discard(self.path)

    def read(self) -> Session | None:
        """What was saved last before this page was opened, or None."""
        return _read(self._before)

    def write(self, text: str) -> None:
        """Saves a session's text; the oldest sessions beyond a limit are forgotten. EngineError when it cannot."""
        make_folder(self._folder)
        new = not self.path.exists()
        with atomic_target(self.path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        if new:
            found = sorted(self._folder.glob("*.json"), key=os.path.getmtime, reverse=True)
            for path in found[KEPT:]:
                path.unlink(missing_ok=True)


def _read(path: Path) -> Session | None:
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        return read_session(path.read_bytes())
    except (OSError, DataError):
        return None


def _short(name: Any) -> str:
    return " ".join(str(name).split())[:60]
