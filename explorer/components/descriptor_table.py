"""The descriptor catalogue as a part of the page: filtered in the browser, a descriptor set is clicked from it."""

from __future__ import annotations

import pandas as pd
import param
from panel.custom import JSComponent

from explorer.components.scripts import bundle, stylesheet


class DescriptorTable(JSComponent):
    """One row per descriptor; ``chosen`` follows the clicks in their order."""

    rows = param.List(default=[], doc="What is offered; see descriptor_rows.")
    chosen = param.List(default=[], doc="Names of the descriptors of the set, one axis each.")

    _esm = bundle("descriptor_table.js")
    _stylesheets = [stylesheet("descriptor_table.css")]  # noqa: RUF012 (Panel reads it from the class)


def descriptor_rows(table: pd.DataFrame) -> list[dict[str, object]]:
    """The columns of a set (n, d) and, below them, what else the catalogue has, as descriptor_table.js reads them."""
    from engine.structures import CATALOGUE

    rows: list[dict[str, object]] = []
    for name in [*map(str, table.columns), *(name for name in CATALOGUE if name not in table.columns)]:
        about = CATALOGUE.get(name)
        words = {"symbol": name, "unit": "", "kind": "", "reference": "", "summary": "A column of this set."}
        if about is not None:
            words = {key: str(getattr(about, key)) for key in words}
        row: dict[str, object] = {"name": name, **words, "here": False, "known": "", "range": ""}
        if name in table.columns:
            values = table[name].dropna()
            known = f"{len(values)} of {len(table)}"
            span = f"{values.min():.4g} to {values.max():.4g}".replace("-", "−") if len(values) else "–"
            row |= {"here": len(values) > 0, "known": known, "range": span}
        rows.append(row)
    return rows


def words_of(name: str) -> tuple[str, str]:
    """Symbol and unit of a descriptor; its name, without a unit, for a column that is not in the catalogue."""
    from engine.structures import CATALOGUE

    return (CATALOGUE[name].symbol, CATALOGUE[name].unit) if name in CATALOGUE else (name, "")
