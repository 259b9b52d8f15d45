"""Athena projects (.prj): gzipped text in which every spectrum is lists of quoted numbers; read as text, not run.

The format is that of Demeter (Ravel & Newville, J. Synchrotron Rad. 12, 537 (2005)): records ``$old_group``, ``@args``,
``@x``, ``@y``, ``@i0``, ``@signal``, one record per group of lines, closed by ``[record]``.
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

import numpy as np

from engine.errors import DataError
from engine.experiment.measured import FloatArray, Kind, Measured
from engine.io.csv_layout import GZIP_MAGIC
from engine.io.files import gigabytes
from engine.spectra import K_EDGE_EV

LISTS = ("x", "y")
MAX_SETTINGS = 20_000  # characters; a line of settings has hundreds
_ITEM = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s,()'\"]+)")
FIRST_WORDS = b"Athena project file"


def is_athena(path: Path) -> bool:
    """Whether a file begins as Athena's projects do, gzipped or not."""
    try:
        with path.open("rb") as plain:
            head = plain.read(256)
        if head[:2] == GZIP_MAGIC:
            with gzip.open(path, "rb") as packed:
                head = packed.read(256)
    except (OSError, EOFError):
        return False
    return FIRST_WORDS in head


def read_athena(path: Path, max_bytes: int) -> list[Measured]:
    """Every spectrum of a project that has energies and absorption; DataError when it holds none or is damaged."""
    spectra: list[Measured] = []
    record: dict[str, list[str]] = {}
    for line in _text(path, max_bytes).splitlines():
        if line.strip().startswith("[record]"):
            spectra += _spectrum(path, record)
            record = {}
        elif line.startswith(("@", "$")) and line.rstrip().endswith(";"):
            name, _, value = line[1:].partition("=")
            record[name.strip()] = _items(name.strip(), value.strip().rstrip(";"))
    if not spectra:
        raise DataError(f"{path.name}: the Athena project holds no spectrum")
    return spectra


def _text(path: Path, max_bytes: int) -> str:
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == GZIP_MAGIC
        opener = gzip.open if packed else open
        with opener(path, "rb") as opened:
            content = opened.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name}: cannot be unpacked ({error})") from error
    if len(content) > max_bytes:
        raise DataError(f"{path.name}: more than {gigabytes(max_bytes)} once unpacked")
    return bytes(content).decode("utf-8", errors="replace")


def _items(name: str, value: str) -> list[str]:
    """What a list or a quoted value holds, as text: numbers are only cut apart, settings may hold commas in quotes."""
    if name in LISTS:
        return [part.strip(" '\"") for part in value.strip("() ").split(",") if part.strip()]
    return [first or second or bare for first, second, bare in _ITEM.findall(value[:MAX_SETTINGS])]


def _numbers(path: Path, record: dict[str, list[str]], key: str) -> FloatArray:
    try:
        return np.array([float(value) for value in record.get(key, [])])
    except ValueError as error:
        raise DataError(f"{path.name}: list '{key}' holds what is no number ({error})") from error


def _spectrum(path: Path, record: dict[str, list[str]]) -> list[Measured]:
    """The record as one spectrum, or none where it holds no energies or chi(k) instead of mu(E)."""
    arguments = record.get("args", [])
    settings = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if "x" not in record or "y" not in record or settings.get("datatype") == "chi" or settings.get("is_chi") == "1":
        return []
    energy, mu = _numbers(path, record, "x"), _numbers(path, record, "y")
    name = settings.get("label") or next(iter(record.get("old_group", [])), path.stem)
    if energy.size != mu.size:
        raise DataError(f"{path.name}, {name}: {energy.size} energies, {mu.size} values of absorption")
    steps = ["energies and absorption from the Athena project"]
    try:
        shift = float(settings.get("bkg_eshift") or 0.0)
    except ValueError:
        shift = 0.0
    if shift:
        energy = energy + shift
        steps.append(f"shift of {shift:g} eV set in the project applied")
    kind: Kind = "fluorescence" if settings.get("is_fluo") == "1" else "unknown"
    element = settings.get("bkg_z", "").capitalize()
    return [
        Measured(
            name=f"{path.stem}_{name}",
            energy_ev=energy,
            mu=mu,
            element=element if element in K_EDGE_EV else "",
            edge=(settings.get("fft_edge") or "k").upper(),
            kind=kind,
            steps=tuple(steps),
        )
    ]
