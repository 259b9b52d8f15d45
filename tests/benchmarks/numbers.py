"""What every benchmark of the page hands on: tables of numbers, printed and, with ``--json FILE``, kept."""

from __future__ import annotations

import argparse
import json
import sys
from math import isfinite
from pathlib import Path

Rows = dict[str, dict[str, float]]
"""Row → column → number, one table."""
Tables = dict[str, Rows]
"""Tables by title."""
DIGITS = {"RMSE": 4, "MAE": 4, "s/seed": 1, "spectra": 0, "steps": 0, "n": 0, "peak MB": 0}


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option with which a benchmark also writes its tables."""
    parser.add_argument("--json", type=Path, help="also write the numbers as JSON")


def keep(tables: Tables, path: Path | None) -> None:
    """Writes the tables where ``--json`` says; a number that is not known is left out."""
    if path is not None:
        known = {
            title: {name: {c: v for c, v in row.items() if v is not None and isfinite(v)} for name, row in rows.items()}
            for title, rows in tables.items()
        }
        path.write_text(json.dumps(known, indent=1) + "\n")


def table(title: str, rows: Rows) -> None:
    """Prints one table; a number that a row does not have stays empty."""
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    width = max(map(len, rows))
    cells = {c: max(len(c) + 2, 11) for c in columns}
    print(f"\n{title}")
    print(" " * width + "".join(f"{column:>{cells[column]}}" for column in columns))
    for name, row in rows.items():
        line = "".join(f"{row[c]:>{cells[c]}.{DIGITS.get(c, 3)}f}" if c in row else " " * cells[c] for c in columns)
        print(f"{name:<{width}}{line}")
    sys.stdout.flush()
