"""The user's own numbers per site, from a CSV file."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import DataError
from engine.names import site_name

MAX_BYTES = 50_000_000
MAX_COLUMNS = 500
MISSING = frozenset({"", "nan", "na", "n/a", "none", "null"})
MATERIAL_NAMES = ("mpid", "material_id")


@dataclass(frozen=True, eq=False)
class UserColumns:
    """Columns read from a file.

    frame    (n, d) float64, one row per site asked for, in that order, index ``site_id``; NaN: not known
    missing  site ids asked for that the file does not have
    unknown  site ids of the file that were not asked for
    """

    frame: pd.DataFrame
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def read_columns(
    path: str | os.PathLike[str],
    site_ids: Sequence[str],
    *,
    columns: Sequence[str] | None = None,
    max_bytes: int = MAX_BYTES,
) -> UserColumns:
    """Numeric columns of a comma-separated file for ``site_ids`` (n,), matched by site.

    The file has a header and either a column ``site_id`` or the two columns ``MPID`` (or ``material_id``) and ``SITE``
    (0-based index). Every other column, or those of ``columns``, must hold numbers; an empty field, ``nan`` or ``NA``
    is "not known". Column names must be identifiers, so that expressions can use them.
    Sites without a row become NaN and are listed, as are rows of other sites. A DataError names file, row (counted as
    in the file, header 1), column and value when something is not as it should be, when a site occurs twice, or when
    no row matches.
    """
    path = Path(path)
    rows = _read_rows(path, max_bytes)
    header = [name.strip() for name in rows[0][1]]
    key = _key_columns(path, header)
    wanted = _value_columns(path, header, key, columns)
    asked = {site: row for row, site in enumerate(site_ids)}
    values = np.full((len(site_ids), len(wanted)), np.nan)
    seen: dict[str, int] = {}
    unknown = []
    for line, fields in rows[1:]:
        if len(fields) != len(header):
            raise DataError(f"{path.name}, row {line}: {len(fields)} fields; need {len(header)}, as in the header")
        site = _site(path, line, header, fields, key)
        if site in seen:
            raise DataError(
                f"{path.name}, row {line}: site '{site}' is in row {seen[site]} already; need one row per site"
            )
        seen[site] = line
        numbers = [_number(path, line, header[column], fields[column]) for column in wanted]
        if site in asked:
            values[asked[site]] = numbers
        else:
            unknown.append(site)
    if len(unknown) == len(seen) and asked:
        example = f"'{unknown[0]}' in the file, " if unknown else ""
        raise DataError(f"{path.name}: no row matches a site of the set ({example}'{site_ids[0]}' in the set)")
    frame = pd.DataFrame(
        values,
        columns=pd.Index([header[column] for column in wanted]),
        index=pd.Index(list(site_ids), name="site_id", dtype=object),
    )
    return UserColumns(frame, tuple(site for site in site_ids if site not in seen), tuple(unknown))


def _read_rows(path: Path, max_bytes: int) -> list[tuple[int, list[str]]]:
    """Line number and fields of every row that is not blank, the header first."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise DataError(f"{path.name}: {size} bytes; need at most {max_bytes}")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            rows = [(reader.line_num, fields) for fields in reader if any(field.strip() for field in fields)]
    except OSError as problem:
        raise DataError(f"{path.name}: cannot be read ({problem.strerror})") from problem
    except UnicodeDecodeError as problem:
        raise DataError(
            f"{path.name}: not UTF-8 text (byte {problem.start}); need a comma-separated text file"
        ) from problem
    except csv.Error as problem:
        raise DataError(f"{path.name}: not a comma-separated file ({problem})") from problem
    if not rows:
        raise DataError(f"{path.name}: the file is empty; need a header and one row per site")
    return rows


def _key_columns(path: Path, header: Sequence[str]) -> tuple[int, ...]:
    """Positions of the column(s) that name the site: (site_id,) or (material, index)."""
    lower = [name.lower() for name in header]
    repeated = {name for name in lower if lower.count(name) > 1}
    if repeated:
        raise DataError(f"{path.name}, row 1: column '{sorted(repeated)[0]}' occurs twice; need different names")
    if "site_id" in lower:
        return (lower.index("site_id"),)
    material = next((lower.index(name) for name in MATERIAL_NAMES if name in lower), None)
    if material is not None and "site" in lower:
        return material, lower.index("site")
    raise DataError(
        f"{path.name}, row 1: columns are {', '.join(header[:8])}; need site_id, or MPID (material_id) and SITE"
    )


def _value_columns(path: Path, header: Sequence[str], key: tuple[int, ...], columns: Sequence[str] | None) -> list[int]:
    if columns is not None:
        missing = [name for name in columns if name not in header]
        if missing:
            raise DataError(f"{path.name}, row 1: no column '{missing[0]}'; it has: {', '.join(header)}")
        wanted = [header.index(name) for name in dict.fromkeys(columns)]
    else:
        wanted = [i for i in range(len(header)) if i not in key]
    if not wanted or len(wanted) > MAX_COLUMNS:
        raise DataError(f"{path.name}, row 1: {len(wanted)} columns of values; need 1 to {MAX_COLUMNS}")
    for column in wanted:
        if column in key:
            raise DataError(f"{path.name}, row 1: column '{header[column]}' names the sites; need columns of values")
        if not (header[column].isidentifier() and header[column].isascii()):
            raise DataError(
                f"{path.name}, row 1: column '{header[column]}' is not a name; need letters, digits and underscores, "
                "not starting with a digit"
            )
    return wanted


def _site(path: Path, line: int, header: Sequence[str], fields: Sequence[str], key: tuple[int, ...]) -> str:
    name = fields[key[0]].strip()
    if not name:
        raise DataError(f"{path.name}, row {line}: {header[key[0]]} is empty; need the name of a site")
    if len(key) == 1:
        return name
    index = fields[key[1]].strip()
    if not (index.isascii() and index.isdigit() and len(index) < 10):
        raise DataError(f"{path.name}, row {line}: {header[key[1]]} is '{index}'; need a 0-based site index")
    return site_name(name, int(index))


def _number(path: Path, line: int, column: str, field: str) -> float:
    text = field.strip()
    if text.lower() in MISSING:
        return math.nan
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{path.name}, row {line}: {column} is '{text}'; need a number, or nothing for unknown")
    return value
