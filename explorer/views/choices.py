"""What a list of sets or models looks like: the user's own first, the embedded ones below, every name once."""

from __future__ import annotations

from collections.abc import Mapping

import panel_material_ui as pmui

from explorer.library import is_embedded

YOURS, EMBEDDED = "Yours", "Embedded"


def offer(choice: pmui.Select, titles: Mapping[str, str], value: str | None) -> None:
    """Puts ``titles`` (by id) into a choice whose values are the ids; with groups where there are embedded ones."""
    every = list(titles.values())
    named = {
        title if every.count(title) == 1 else f"{title} · {item.removeprefix('run-')}": item
        for item, title in titles.items()
    }
    if not any(map(is_embedded, titles)):
        choice.param.update(options=named, value=value)
        return
    groups = {
        YOURS: {name: item for name, item in named.items() if not is_embedded(item)},
        EMBEDDED: {name: item for name, item in named.items() if is_embedded(item)},
    }
    choice.param.update(options=[], groups={group: items for group, items in groups.items() if items}, value=value)
