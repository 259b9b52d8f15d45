"""Descriptor values on disk: one JSON file per structure content, safe to delete, ignored when damaged."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pymatgen.core
from pymatgen.core import Structure

from engine.errors import ConfigError
from engine.structures.catalogue import CATALOGUE_VERSION

MAX_BYTES = 20_000_000
Outcome = float | str
"""A value, or the reason why there is none."""


@dataclass
class Remembered:
    """Outcomes of one structure: ``sites[index][column]``."""

    sites: dict[int, dict[str, Outcome]] = field(default_factory=dict)


def structure_hash(structure: Structure) -> str:
    """SHA-256 (hex) of lattice, species with occupancies and fractional coordinates, in order, and the code's versions.

    The order of sites counts, because sites are named by index. The version of pymatgen counts, because CrystalNN is
    its.
    """
    digest = hashlib.sha256(f"catalogue {CATALOGUE_VERSION}, pymatgen {pymatgen.core.__version__}\n".encode())
    digest.update(np.ascontiguousarray(structure.lattice.matrix, dtype="<f8").tobytes())
    digest.update("\n".join(site.species_string for site in structure).encode())
    digest.update(np.ascontiguousarray(structure.frac_coords, dtype="<f8").tobytes())
    return digest.hexdigest()


def open_cache(folder: Path) -> Path:
    """``folder``, made if need be; a ConfigError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigError(
            f"descriptor cache {folder}: {problem.strerror}; need a folder that can be written"
        ) from problem
    return folder


def load(folder: Path, key: str) -> Remembered:
    """What is remembered of structure ``key``; nothing where the file is missing, damaged or not of this form."""
    path = folder / f"{key}.json"
    try:
        if path.stat().st_size > MAX_BYTES:
            return Remembered()
        return _parse(json.loads(path.read_text(encoding="utf-8")), key)
    except (OSError, ValueError, RecursionError):
        return Remembered()


def _parse(content: Any, key: str) -> Remembered:
    """Checks the form of a cache file; ValueError on anything unexpected."""
    if not isinstance(content, dict) or content.get("structure") != key or not isinstance(content.get("sites"), dict):
        raise ValueError("not a descriptor cache file")
    found = Remembered()
    for index, columns in content["sites"].items():
        if not isinstance(columns, dict):
            raise ValueError("not a descriptor cache file")
        outcomes: dict[str, Outcome] = {}
        for name, outcome in columns.items():
            if isinstance(outcome, str):
                outcomes[name] = outcome
            elif isinstance(outcome, int | float) and not isinstance(outcome, bool) and math.isfinite(outcome):
                outcomes[name] = float(outcome)
            else:
                raise ValueError("not a descriptor cache file")
        found.sites[int(index)] = outcomes
    return found


def save(folder: Path, key: str, remembered: Remembered) -> None:
    """Writes what is known of structure ``key`` in one step, so that a reader or a crash never meets half a file."""
    sites = {str(index): columns for index, columns in sorted(remembered.sites.items())}
    text = json.dumps({"structure": key, "sites": sites}, allow_nan=False, sort_keys=True)
    try:
        handle, name = tempfile.mkstemp(prefix=f"{key[:16]}.", suffix=".tmp", dir=folder)
    except OSError as problem:
        raise ConfigError(
            f"descriptor cache {folder}: {problem.strerror}; need a folder that can be written"
        ) from problem
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        temporary.replace(folder / f"{key}.json")
    except OSError as problem:
        raise ConfigError(
            f"descriptor cache {folder}: {problem.strerror}; need a folder that can be written"
        ) from problem
    finally:
        temporary.unlink(missing_ok=True)
