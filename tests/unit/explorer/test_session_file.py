"""Session files and autosave: round trip, hostile content, limits."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from explorer import session_file
from explorer.journal import entry
from explorer.session_file import Autosave, read_session, session_json

VALUES: dict[str, Any] = {
    "dataset": "one", "run": "run-1", "member": 1, "latent": [0.5, -1.0], "descriptors": ["OS"], "selected": ["a"],
    "compared": [], "tab": "Latent",
}  # fmt: skip
JOURNAL = [entry("open_set", dataset="one", title="<img src=x>", element=None)]


def test_a_session_comes_back() -> None:
    session = read_session(session_json(VALUES, JOURNAL, "my\nnotes <b>"))
    assert session.values == VALUES
    assert list(session.journal) == JOURNAL
    assert session.notes == "my\nnotes <b>"
    assert session.left_out == ()


def test_unknown_keys_are_left_out_one_by_one() -> None:
    content = json.loads(session_json(VALUES, JOURNAL, ""))
    content |= {"__class__": "os.system", "notes": 5}
    content["state"] |= {"spectra": "x", "jobs": {}}
    content["journal"].append({"action": "exec"})
    session = read_session(json.dumps(content))
    assert session.values == VALUES
    assert [note.split(":")[0] for note in session.left_out] == ["__class__", "spectra", "jobs", "journal", "notes"]
    many = read_session(json.dumps({"format": "rankaae-session", "version": 1, **{f"x{i}": 0 for i in range(50)}}))
    assert len(many.left_out) == 21


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a session"),
        ('{"format": "other"}', "not a session"),
        ('{"format": "rankaae-session", "version": 2}', "version 2"),
        (b"\x80\x04\x95", "not JSON"),
        (b" " * 4_000_001, "larger than"),
    ],
)
def test_what_is_no_session_is_an_error(text: str | bytes, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read_session(text)


def test_autosave_keeps_the_last_state_of_a_browser(tmp_path: Path) -> None:
    first = Autosave(tmp_path, None)
    assert first.read() is None
    first.write(session_json(VALUES, JOURNAL, ""))
    first.release()
    again = Autosave(tmp_path, first.key)
    session = again.read()
    assert session is not None
    assert session.values == VALUES
    again.path.write_text("{")
    assert again.read() is None


def test_two_open_pages_of_a_browser_do_not_overwrite_each_other(tmp_path: Path) -> None:
    first = Autosave(tmp_path, None)
    first.write(session_json(VALUES, JOURNAL, "first"))
    second = Autosave(tmp_path, first.key)
    assert second.moved
    seen = second.read()
    assert seen is not None
    assert seen.notes == "first"
    second.write(session_json(VALUES, JOURNAL, "second"))
    for page in (first, second):
        page.release()
    notes = [session.notes for page in (first, second) if (session := Autosave(tmp_path, page.key).read())]
    assert notes == ["first", "second"]


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "a" * 31, "A" * 32, "a" * 32 + "\n", None])
def test_a_key_that_is_none_is_replaced(tmp_path: Path, key: str | None) -> None:
    autosave = Autosave(tmp_path, key)
    assert autosave.key != key
    assert autosave.path.parent == tmp_path / "sessions"


def test_old_sessions_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_file, "KEPT", 3)
    made = [Autosave(tmp_path, None) for _ in range(5)]
    for age, autosave in enumerate(made):
        autosave.write("{}")
        os.utime(autosave.path, (age, age))
    assert sum(autosave.path.exists() for autosave in made) == 3
    assert made[-1].path.exists()
