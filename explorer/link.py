"""The view as the query of a URL, and back.

set, run, member, tab    ids, a number, the name of a part
map, colour              id of a map, what it is coloured by
latent                   numbers separated by commas
measured                 id of what is kept of the measured files and what was said of them
descriptors, compare     once per descriptor or compared member, in their order
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from explorer.restoring import Values

PARAMETERS = {"set": "dataset", "run": "run", "member": "member", "tab": "tab", "latent": "latent",
              "descriptors": "descriptors", "compare": "columns", "map": "map", "colour": "colour",
              "measured": "experiment"}  # fmt: skip
LISTS = ("descriptors", "compare")
LONGEST = 2000
MOST = 100
OTHERS = ("bokeh-", "theme")
"""What the server itself may put into the query."""


def query_of(values: Mapping[str, Any]) -> str:
    """The query, with its question mark, for ``values`` of the state's fields and the tab; empty ones are left out."""
    pairs: list[tuple[str, str]] = []
    for parameter, field in PARAMETERS.items():
        value = values.get(field)
        if parameter == "latent" and value:
            pairs.append((parameter, ",".join(f"{number:.6g}" for number in value)))
        elif parameter in LISTS:
            pairs += [(parameter, str(item)) for item in value or ()]
        elif value or value == 0:
            pairs.append((parameter, str(value)))
    return f"?{urlencode(pairs)}" if pairs else ""


def values_of(arguments: Mapping[str, Iterable[bytes]]) -> tuple[Values, list[str]]:
    """What a query asks for, as values still to be checked, and a sentence for each parameter that cannot be read."""
    values: Values = {}
    notes: list[str] = []
    for name, raw in list(arguments.items())[:MOST]:
        if name.startswith(OTHERS):
            continue
        try:
            field = PARAMETERS.get(name)
            if field is None:
                raise ValueError("not a parameter of a link")
            values[field] = _read(name, [_text(item) for item in raw])
        except ValueError as problem:
            notes.append(f"{_text(name.encode('utf-8', 'replace'), strict=False)}: {problem}")
    return values, notes


def _read(name: str, texts: list[str]) -> Any:
    if name in LISTS:
        if len(texts) > MOST:
            raise ValueError(f"need at most {MOST}")
        return texts
    if len(texts) != 1:
        raise ValueError("given more than once")
    if name == "member":
        if not (texts[0].isascii() and texts[0].isdigit() and len(texts[0]) < 6):
            raise ValueError("need a number such as 0")
        return int(texts[0])
    if name == "latent":
        try:
            return [float(part) for part in texts[0].split(",")]
        except ValueError:
            raise ValueError("need numbers separated by commas") from None
    return texts[0]


def _text(raw: bytes, *, strict: bool = True) -> str:
    if len(raw) > LONGEST and strict:
        raise ValueError(f"longer than {LONGEST} characters")
    try:
        return raw.decode("utf-8") if strict else raw.decode("utf-8", "replace")[:60]
    except UnicodeDecodeError:
        raise ValueError("not text in UTF-8") from None
