"""Values from a link or a session file, checked one by one before the state takes them: the bad ones are left out.

``place`` checks what says where the session is; ``within`` what only makes sense in the set that is then open. Both
return what may be taken and, for each value left out, a sentence that says which and why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from explorer.columns import LETTERS

FIELDS = (
    "dataset", "run", "member", "latent", "descriptors", "selected", "compared", "columns", "map", "colour",
    "experiment",
)  # fmt: skip
"""What undo, a link and a session file bring back of the state."""

BESIDE = ("tab",)
"""What a session file tells beside them: the part in view."""

NAMES = {
    **{name: name for name in (*FIELDS, *BESIDE)},
    "dataset": "set",
    "selected": "selection A",
    "compared": "selection B",
    "columns": "compared members",
    "experiment": "measured spectra",
}
FARTHEST = 100.0
LONGEST = 200
MOST_ITEMS = 200_000

Values = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """What there is to choose from. ``members`` and ``axes`` count those of a run, and may raise EngineError.

    ``experiment`` gives what can be brought back of one, and a sentence for each thing that cannot.
    """

    sets: Collection[str]
    runs: Collection[str]
    maps: Collection[str]
    tabs: Collection[str]
    members: Callable[[str], int]
    axes: Callable[[str], int]
    experiment: Callable[[Any], tuple[Values, list[str]]]


def place(given: Mapping[str, Any], known: Known, run: str) -> tuple[Values, list[str]]:
    """Checks dataset, run, member, latent, columns, map, colour, experiment and what is told beside them.

    ``run`` is the model in view where none is given. Whether a map has a colour is known once it is open.
    """
    taken: Values = {}
    notes: list[str] = []

    def refuse(name: str, why: str) -> None:
        notes.append(f"{NAMES[name]} = {_short(given[name])}: {why}")

    for name, choices, what in (
        ("dataset", known.sets, "no such set here"),
        ("run", known.runs, "no such model here"),
        ("tab", known.tabs, "no such part of the page"),
    ):
        if name in given:
            if isinstance(given[name], str) and given[name] in choices:
                taken[name] = given[name]
            elif given[name] != "":
                refuse(name, what)
    lost = "run" in given and "run" not in taken
    model = taken.get("run", run)
    for name in ("member", "latent"):
        if name not in given or given[name] == []:
            continue
        if lost or not model:
            refuse(name, "its model is not here")
            continue
        problem = _member(given[name], known, model) if name == "member" else _latent(given[name], known, model)
        if problem:
            refuse(name, problem)
        else:
            taken[name] = given[name] if name == "member" else [float(value) for value in given[name]]
    if "columns" in given:
        taken["columns"], problem = _columns(given["columns"], known)
        if problem:
            refuse("columns", problem)
    for name, sound, what in (
        ("map", lambda value: value in ("", *known.maps), "no such map here"),
        ("colour", lambda value: len(value) <= LONGEST, "too long for a name"),
    ):
        if name in given:
            if isinstance(given[name], str) and sound(given[name]):
                taken[name] = given[name]
            else:
                refuse(name, what)
    if "experiment" in given:
        taken["experiment"], problems = known.experiment(given["experiment"])
        notes += [f"{NAMES['experiment']}: {problem}" for problem in problems]
    return taken, notes


def within(given: Mapping[str, Any], columns: Collection[str], sites: Collection[str]) -> tuple[Values, list[str]]:
    """Checks descriptors against the set's columns, and selections against its site ids; unknown items are left out."""
    taken: Values = {}
    notes: list[str] = []
    for name, choices in (("descriptors", columns), ("selected", sites), ("compared", sites)):
        if name not in given:
            continue
        values = given[name]
        if not isinstance(values, list) or len(values) > MOST_ITEMS or not all(isinstance(v, str) for v in values):
            notes.append(f"{NAMES[name]} = {_short(values)}: need a list of names")
            continue
        kept = list(dict.fromkeys(value for value in values if value in choices))
        unknown = [value for value in values if value not in choices]
        if unknown:
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            notes.append(f"{NAMES[name]} = {_short(unknown[0])}{more}: not in this set")
        taken[name] = kept
    return taken, notes


def _member(value: Any, known: Known, run: str) -> str:
    count = known.members(run)
    if type(value) is not int or not 0 <= value < count:
        return f"need a number from 0 to {count - 1}"
    return ""


def _columns(value: Any, known: Known) -> tuple[list[str], str]:
    """The members run/member that are here, and what is wrong with the others."""
    if not isinstance(value, list) or len(value) > len(LETTERS) or not all(isinstance(one, str) for one in value):
        return [], f"need a list of at most {len(LETTERS)} members such as RUN/0"
    kept = [one for one in dict.fromkeys(value) if _is_column(one, known)]
    return kept, "" if len(kept) == len(value) else "not all of these are here"


def _is_column(one: str, known: Known) -> bool:
    run, _, member = one.rpartition("/")
    return run in known.runs and member.isascii() and member.isdigit() and not _member(int(member[:9]), known, run)


def _latent(value: Any, known: Known, run: str) -> str:
    count = known.axes(run)
    sound = isinstance(value, list) and all(
        type(v) in (int, float) and math.isfinite(v) and abs(v) <= FARTHEST for v in value
    )
    return "" if sound and len(value) == count else f"need {count} numbers, one per axis, between -100 and 100"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:60]}…"
