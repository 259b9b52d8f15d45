"""Supervised ceilings of one set as a small JSON file, which grows while they are computed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.analysis.ceiling import Ceiling
from engine.io.files import atomic_target


def read_ceilings(path: Path, set_hash: str) -> dict[str, Ceiling]:
    """Ceilings by descriptor that ``write_ceilings`` left for the set of that hash; none without a sound file."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["set"] != set_hash:
            return {}
        return {
            str(name): Ceiling(
                math.nan if row["srcc"] is None else float(row["srcc"]), int(row["n_train"]), int(row["n_test"])
            )
            for name, row in stored["ceilings"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_ceilings(path: Path, set_hash: str, ceilings: Mapping[str, Ceiling]) -> None:
    """Writes them beside the hash of their set, never half; DataError when the file cannot be written."""
    content = {"set": set_hash, "split": "material", "ceilings": ceilings_json(ceilings)}
    with atomic_target(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def ceilings_json(ceilings: Mapping[str, Ceiling]) -> dict[str, dict[str, Any]]:
    """Ceilings by descriptor, ready for JSON; an |SRCC| that is not defined is None."""
    return {
        name: {"srcc": None if math.isnan(one.srcc) else one.srcc, "n_train": one.n_train, "n_test": one.n_test}
        for name, one in ceilings.items()
    }
