"""Undo and redo against a plain list of what was there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from explorer.history import History


def test_back_and_forth_over_steps() -> None:
    history = History({"x": 0})
    assert (history.can_undo, history.can_redo, history.undo(), history.redo()) == (False, False, None, None)
    assert history.record({"x": 1})
    assert history.record({"x": 2})
    assert not history.record({"x": 2})
    assert history.undo() == {"x": 1}
    assert history.undo() == {"x": 0}
    assert (history.can_undo, history.can_redo) == (False, True)
    assert history.redo() == {"x": 1}
    assert history.record({"x": 7})
    assert history.redo() is None
    assert history.undo() == {"x": 1}


def test_what_follows_from_a_step_belongs_to_it() -> None:
    history = History({"run": "a", "latent": [1.0]})
    history.record({"run": "b", "latent": [1.0]})
    history.amend({"run": "b", "latent": [0.0, 0.0]})
    assert not history.record({"run": "b", "latent": [0.0, 0.0]})
    assert history.undo() == {"run": "a", "latent": [1.0]}
    assert history.redo() == {"run": "b", "latent": [0.0, 0.0]}


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 8))
def test_undoing_everything_gives_the_last_steps_in_reverse(values: list[int], limit: int) -> None:
    history, seen = History({"x": -1}, limit), [-1]
    for value in values:
        if history.record({"x": value}):
            seen.append(value)
    back = []
    while (snapshot := history.undo()) is not None:
        back.append(snapshot["x"])
    assert back == seen[-limit - 1 : -1][::-1]
    while history.can_redo:
        history.redo()
    assert history.now["x"] == seen[-1]
