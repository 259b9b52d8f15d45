"""Links and restored values: round trip, and hostile values that are left out one by one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.link import query_of, values_of
from explorer.restoring import Known, place, within

HOSTILE = "<img src=x onerror=alert(1)>"


def brought_back(given: Any) -> tuple[dict[str, Any], list[str]]:
    """A workspace that has one experiment."""
    return ({"chosen": "foil"}, []) if given == "0f" * 16 else ({}, [f"{given} is not here"])


KNOWN = Known(
    {"one", "embedded:a:Cu"}, {"run-1"}, {"map-1"}, ("Data", "Latent"), lambda run: 2, lambda run: 3, brought_back
)
FULL = {"dataset": "one", "run": "run-1", "member": 1, "tab": "Latent", "latent": [0.5, -1.25, 0.0],
        "descriptors": ["OS", "a,b & c=d", HOSTILE], "columns": ["run-1/0", "run-1/1"],
        "map": "map-1", "colour": "Model axis: OS", "experiment": "0f" * 16}  # fmt: skip


def arguments(query: str) -> dict[str, list[bytes]]:
    """A query as the server hands it over."""
    parsed = parse_qs(query.removeprefix("?"), keep_blank_values=True)
    return {name: [value.encode() for value in values] for name, values in parsed.items()}


def test_a_view_survives_the_way_through_a_link() -> None:
    query = query_of(FULL)
    assert HOSTILE not in query
    assert values_of(arguments(query)) == (FULL, [])
    assert place(FULL, KNOWN, "")[1] == []
    assert query_of({"dataset": "", "run": "", "member": None, "latent": [], "descriptors": []}) == ""


@given(st.lists(st.text(min_size=1), max_size=5), st.lists(st.floats(-5, 5), max_size=8))
def test_any_names_and_points_survive(names: list[str], point: list[float]) -> None:
    names = [name for name in names if name.isprintable()]
    values, notes = values_of(arguments(query_of({"descriptors": names, "latent": point})))
    assert notes == []
    assert values.get("descriptors", []) == names
    assert values.get("latent", []) == pytest.approx(point, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("member", "1e3", "need a number"),
        ("member", "٣", "need a number"),
        ("member", "-1", "need a number"),
        ("latent", "0.5,x", "need numbers"),
        ("latent", "", "need numbers"),
        ("run", "x" * 3000, "longer than"),
        ("../../etc/passwd", "1", "not a parameter"),
        (HOSTILE, "1", "not a parameter"),
    ],
)
def test_what_cannot_be_read_is_left_out_with_a_note(name: str, value: str, why: str) -> None:
    values, notes = values_of({name: [value.encode()], "set": [b"one"], "bokeh-session-id": [b"x"], "theme": [b"dark"]})
    assert values == {"dataset": "one"}
    assert len(notes) == 1
    assert notes[0].startswith(f"{name}: ")
    assert why in notes[0]


def test_bytes_that_are_no_text_and_repeated_parameters() -> None:
    values, notes = values_of({"set": [b"\xff\xfe"], "run": [b"a", b"b"], "member": [b"0"]})
    assert values == {"member": 0}
    assert notes == ["set: not text in UTF-8", "run: given more than once"]


@pytest.mark.parametrize(
    ("bad", "lost"),
    [
        ({"dataset": "../../etc/passwd"}, {"dataset"}),
        ({"dataset": HOSTILE}, {"dataset"}),
        ({"dataset": ["one"]}, {"dataset"}),
        ({"run": "run-2"}, {"run", "member", "latent"}),
        ({"run": None}, {"run", "member", "latent"}),
        ({"member": 2}, {"member"}),
        ({"member": True}, {"member"}),
        ({"member": 10**30}, {"member"}),
        ({"latent": [0.0, 0.0]}, {"latent"}),
        ({"latent": [float("nan"), 0.0, 0.0]}, {"latent"}),
        ({"latent": [1e300, 0, 0]}, {"latent"}),
        ({"latent": "0,0,0"}, {"latent"}),
        ({"tab": "Secret"}, {"tab"}),
        ({"tab": {}}, {"tab"}),
        ({"map": "map-2"}, {"map"}),
        ({"map": ["map-1"]}, {"map"}),
        ({"colour": 5}, {"colour"}),
        ({"colour": "x" * 201}, {"colour"}),
    ],
)
def test_a_bad_value_does_not_take_the_others_along(bad: dict[str, Any], lost: set[str]) -> None:
    given_values = {name: value for name, value in FULL.items() if name != "descriptors"}
    taken, notes = place({**given_values, **bad}, KNOWN, "")
    assert set(taken) == set(given_values) - lost
    assert len(notes) == len(lost)


def test_measured_spectra_that_are_not_here_are_named() -> None:
    assert place({"experiment": "0f" * 16}, KNOWN, "") == ({"experiment": {"chosen": "foil"}}, [])
    taken, notes = place({"experiment": HOSTILE}, KNOWN, "")
    assert taken == {"experiment": {}}
    assert notes == [f"measured spectra: {HOSTILE} is not here"]


def test_member_and_point_go_with_the_model_in_view_when_none_is_named() -> None:
    assert place({"member": 1, "latent": [0, 0, 1]}, KNOWN, "run-1")[0] == {"member": 1, "latent": [0.0, 0.0, 1.0]}
    assert place({"member": 1}, KNOWN, "") == ({}, ["member = 1: its model is not here"])


@pytest.mark.parametrize(
    ("columns", "kept", "why"),
    [
        (["run-1/1", "run-1/1", "run-1/2", "gone/0", HOSTILE], ["run-1/1"], "not all of these are here"),
        (["run-1/-1", "run-1/", "run-1/٣", "run-1/99999999999999999999"], [], "not all of these are here"),
        (["run-1/0"] * 7, [], "at most 6"),
        ("run-1/0", [], "need a list"),
    ],
)
def test_members_to_compare_that_are_not_here_are_left_out(columns: Any, kept: list[str], why: str) -> None:
    taken, notes = place({"columns": columns}, KNOWN, "")
    assert taken == {"columns": kept}
    assert why in notes[0]


def test_names_that_the_set_does_not_have_are_left_out() -> None:
    values = {"descriptors": ["OS", HOSTILE, "CN"], "selected": ["a", "a", "z"], "compared": "a"}
    taken, notes = within(values, {"OS", "CN"}, {"a", "b"})
    assert taken == {"descriptors": ["OS", "CN"], "selected": ["a"]}
    assert len(notes) == 3
    assert notes[0] == f"descriptors = {HOSTILE}: not in this set"
    json.dumps(notes)
