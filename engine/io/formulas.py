"""What the materials of a set are made of: formulas of its sites, and what two formulas have in common."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import DataError
from engine.io.parquet import table_schema
from engine.io.structures import read_formulas, structures_path
from engine.names import material_and_site

FORMULA_COLUMNS = ("formula", "reduced_formula", "formula_pretty", "pretty_formula", "composition")
LONGEST = 100
_FORMULA = re.compile(r"[A-Za-z0-9.()\[\]]+")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")

Shares = tuple[tuple[str, float], ...]
"""Symbols of elements, in the order of the alphabet, each with its share of the atoms."""


@functools.lru_cache(65_536)
def composition_of(formula: str) -> Shares | None:
    """What a formula says: the same for TiO2, O2Ti, Ti2O4 and TiO₂; None for a text that is no formula."""
    from pymatgen.core import Composition, Element

    text = "".join(formula.split()).translate(_SUBSCRIPTS)
    if len(text) > LONGEST or not _FORMULA.fullmatch(text):
        return None
    try:
        found = Composition(text)
    except (ValueError, KeyError, OverflowError):
        return None
    total = float(sum(found.values()))
    if not 0 < total < float("inf") or not all(isinstance(element, Element) for element in found):
        return None
    return tuple(sorted((str(element.symbol), round(float(n) / total, 6)) for element, n in found.items()))


def site_formulas(site_ids: Sequence[str], material_ids: Sequence[str], source: Path) -> list[str]:
    """Formula of each of n sites of the set in the file ``source``, "" where none is known.

    Reduced, from the structures beside the set; where there are none, as its column of formulas says. DataError when
    one of these cannot be read.
    """
    beside = structures_path(source)
    known = read_formulas(beside) if beside.is_file() else _column(source)
    if not known:
        return [""] * len(site_ids)
    return [
        known.get(site) or known.get(material_and_site(site)[0]) or known.get(material, "")
        for site, material in zip(site_ids, material_ids, strict=True)
    ]


def _column(source: Path) -> dict[str, str]:
    """What a column of formulas says, by site and by material; nothing where the file has no such column of text."""
    schema = table_schema(source)
    texts = {field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)}
    column = next((name for name in FORMULA_COLUMNS if name in texts), None)
    if column is None:
        return {}
    keys = [key for key in ("material_id", "site_id") if key in texts]
    try:
        table = pq.read_table(source, columns=[*keys, column], use_threads=False).to_pydict()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(f"{source.name}: not a readable Parquet file ({reason})") from error
    return {name: said for key in keys for name, said in zip(table[key], table[column], strict=True) if name and said}
