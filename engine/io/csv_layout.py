"""The published RankAAE layout: a CSV with two index columns, ``AUX_<descriptor>`` and ``ENE_<eV>`` columns.

Plain or gzip-compressed; lines that begin with ``#`` are comments; empty cells are "not known".
"""

from __future__ import annotations

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pandas as pd

from engine.errors import DataError
from engine.io.files import MAX_BYTES, check_file, gigabytes
from engine.names import material_and_site, site_name
from engine.spectra.assemble import RawSpectra
from engine.spectra.edges import element_of_energies
from engine.spectra.grid import grid_problem
from engine.spectra.report import Ledger
from engine.spectra.spectra_set import FloatArray

DESCRIPTOR_PREFIX = "AUX_"
ENERGY_PREFIX = "ENE_"
UNKNOWN = ("", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "None", "null", "NULL")
GZIP_MAGIC = b"\x1f\x8b"
_MAX_LINE = 16 * 1024**2


@dataclass(frozen=True)
class _Layout:
    """Which columns a file has (positions in ``header``) and where its data lines are (1-based line numbers)."""

    header: tuple[str, ...]
    index: tuple[int, ...]
    descriptors: tuple[int, ...]
    energies: tuple[int, ...]
    skipped: tuple[int, ...]
    lines: tuple[int, ...]
    ends_cleanly: bool


def read_csv_layout(path: Path, element: str | None = None) -> RawSpectra:
    """Spectra of a ``.csv`` or ``.csv.gz`` file in the published layout, descriptors named without ``AUX_``.

    ``element`` is the absorber; without it the K edge nearest to the grid's start decides, and the report says so.
    The energies are one even grid where the labels are one within their rounding, else the labels as they are.
    Raises DataError with the line number for a header that is not this layout, a line with too few or too many cells,
    a cell that is not a number, and a compressed file that ends early.
    """
    check_file(path)
    layout = _scan(path)
    energy = _energies(layout, path.name)
    frame = _numbers(path, layout)
    ledger = Ledger()
    if not layout.ends_cleanly:
        ledger.warn(f"{path.name}: the last line has no line end; if the file was cut off, its last number is too")
    if element is None:
        element = element_of_energies(float(energy[0]), float(energy[-1]))
        if element is None:
            raise DataError(
                f"{path.name}: no K edge lies near the start of {energy[0]:g} to {energy[-1]:g} eV; name the element"
            )
        ledger.warn(f"the absorber is taken to be {element}, whose K edge is nearest to {energy[0]:.1f} eV")
    materials, sites = _ids(frame, layout)
    mu = frame[list(layout.energies)].to_numpy(dtype=np.float64)
    descriptors = frame[list(layout.descriptors)].astype(np.float64)
    descriptors.columns = pd.Index(
        [layout.header[place].removeprefix(DESCRIPTOR_PREFIX) for place in layout.descriptors]
    )
    _check_finite(descriptors, layout, path.name)
    return RawSpectra(
        energy_ev=[energy] * len(frame),
        mu=list(mu),
        site_id=sites,
        material_id=materials,
        element=[element] * len(frame),
        descriptors=descriptors,
        source=path.name,
        kind="RankAAE CSV layout",
        origin=f"{path.name}, RankAAE CSV layout",
        where=[f"line {line}" for line in layout.lines],
        on_one_grid=True,
        ledger=ledger,
    )


def looks_like_csv_layout(path: Path) -> bool:
    """Whether the file's first line that is not a comment has an ``ENE_`` column."""
    try:
        with _opened(path) as stream:
            for _, line in _lines(stream, path.name):
                if line.strip() and not line.startswith(b"#"):
                    return ENERGY_PREFIX.encode() in line
    except DataError:
        return False
    return False


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, decompressed when its first bytes say gzip; damage becomes a DataError."""
    try:
        with path.open("rb") as plain:
            if plain.read(2) == GZIP_MAGIC:
                with gzip.open(path, "rb") as stream:
                    yield cast(BinaryIO, stream)
            else:
                plain.seek(0)
                yield plain
    except EOFError as error:
        raise DataError(f"{path.name}: the compressed file ends early; it was cut off") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path.name}: the compressed file is damaged ({error})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Numbered lines from 1; a line or a total beyond the limits, and a NUL byte, are DataErrors."""
    total = 0
    for number, line in enumerate(iter(lambda: stream.readline(_MAX_LINE), b""), start=1):
        total += len(line)
        if total > MAX_BYTES:
            raise DataError(f"{name}: more than the limit of {gigabytes(MAX_BYTES)} once unpacked")
        if len(line) == _MAX_LINE:
            raise DataError(f"{name}, line {number}: longer than {gigabytes(_MAX_LINE)}; not a table of spectra")
        if b"\0" in line:
            raise DataError(f"{name}, line {number}: holds a NUL byte; this is not a text file")
        yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _scan(path: Path) -> _Layout:
    """One pass over the file: the header, comment lines, and a count of cells on every line."""
    header: list[str] = []
    skipped: list[int] = []
    lines: list[int] = []
    last = b"\n"
    with _opened(path) as stream:
        for number, line in _lines(stream, path.name):
            last = line
            if line.startswith(b"#") or not line.strip():
                skipped.append(number)
                continue
            if not header:
                header = _cells(line, path.name, number)
                skipped.append(number)
                continue
            count = len(_cells(line, path.name, number)) if b'"' in line else line.count(b",") + 1
            if count != len(header):
                more = "; the file was cut off here" if count < len(header) and not line.endswith(b"\n") else ""
                raise DataError(f"{path.name}, line {number}: {count} cells; the header has {len(header)}{more}")
            lines.append(number)
    energies = tuple(place for place, label in enumerate(header) if label.startswith(ENERGY_PREFIX))
    descriptors = tuple(place for place, label in enumerate(header) if label.startswith(DESCRIPTOR_PREFIX))
    index = tuple(sorted(set(range(len(header))) - set(energies) - set(descriptors)))
    if not energies:
        raise DataError(f"{path.name}: the header has no 'ENE_<eV>' columns; need the RankAAE layout")
    named = [label for label in header if label]
    if len(set(named)) != len(named):
        twice = next(label for label in named if named.count(label) > 1)
        raise DataError(f"{path.name}: column '{twice}' occurs {named.count(twice)} times in the header")
    if not index:
        raise DataError(f"{path.name}: no index columns; need material and site (MPID, SITE) before the numbers")
    if not lines:
        raise DataError(f"{path.name}: a header but no spectra")
    return _Layout(
        tuple(header),
        index,
        descriptors,
        energies,
        tuple(skipped),
        tuple(lines),
        last.endswith((b"\n", b"\r")),
    )


def _cells(line: bytes, name: str, number: int) -> list[str]:
    """One line's cells as text."""
    try:
        return [cell.strip() for cell in next(csv.reader([line.decode("utf-8").rstrip("\r\n")], strict=True))]
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise DataError(f"{name}, line {number}: cannot be read as CSV text in UTF-8 ({error})") from error


def _energies(layout: _Layout, name: str) -> FloatArray:
    """Energies (m,) in eV from the labels; the even grid where labels are one within their rounding."""
    labels = [layout.header[position].removeprefix(ENERGY_PREFIX) for position in layout.energies]
    values = []
    for label in labels:
        try:
            values.append(float(label))
        except ValueError:
            raise DataError(f"{name}: column 'ENE_{label}' has no number; need ENE_<energy in eV>") from None
    energy = np.array(values)
    problem = grid_problem(energy)
    if problem is not None:
        raise DataError(f"{name}: ENE columns: {problem[0]}: {problem[1]}")
    decimals = max(len(match.group(1)) if (match := re.search(r"\.(\d+)$", label)) else 0 for label in labels)
    even = np.linspace(energy[0], energy[-1], energy.size)
    return even if np.abs(even - energy).max() <= 1.01 * 10.0**-decimals else energy


def _numbers(path: Path, layout: _Layout) -> pd.DataFrame:
    """The data lines with columns by position: index columns as text, all others float64."""
    numeric = (*layout.descriptors, *layout.energies)
    names = [str(place) for place in range(len(layout.header))]
    kinds: dict[str, type[str] | type[float]] = dict.fromkeys(names, float)
    kinds.update({names[place]: str for place in layout.index})
    skip = [line - 1 for line in layout.skipped]
    try:
        with _opened(path) as stream:
            frame: pd.DataFrame = pd.read_csv(
                stream,
                header=None,
                names=names,
                skiprows=skip,
                dtype=kinds,
                keep_default_na=False,
                na_values={names[place]: list(UNKNOWN) for place in numeric},
                encoding="utf-8",
            )
        frame.columns = pd.RangeIndex(frame.shape[1])
        return frame
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: not text in UTF-8 ({error.reason})") from error
    except (ValueError, OverflowError) as error:
        _find_text(path, layout)
        raise DataError(f"{path.name}: cannot be read as a table ({error})") from error


def _find_text(path: Path, layout: _Layout) -> None:
    """Raise for the first cell that should be a number and is not, with its line."""
    data = set(layout.lines)
    with _opened(path) as stream:
        for number, line in _lines(stream, path.name):
            if number not in data:
                continue
            cells = _cells(line, path.name, number)
            for position in (*layout.descriptors, *layout.energies):
                if cells[position] in UNKNOWN:
                    continue
                try:
                    float(cells[position].replace("_", "x"))
                except ValueError:
                    column, found = layout.header[position], cells[position][:40]
                    raise DataError(f"{path.name}, line {number}: {column} is '{found}'; need a number") from None


def _ids(frame: pd.DataFrame, layout: _Layout) -> tuple[list[str], list[str]]:
    """Material and site ids of each row, from the first two index columns (one named MPID or material_id leads)."""
    columns = list(layout.index)
    lead = [position for position in columns if layout.header[position].lower() in ("mpid", "material_id", "material")]
    if lead:
        columns = [lead[0], *(position for position in columns if position != lead[0])]
    first = [str(value).strip() for value in frame[columns[0]]]
    if len(columns) == 1:
        return [material_and_site(value)[0] for value in first], first
    second = [str(value).strip() for value in frame[columns[1]]]
    return first, [site_name(material, site) for material, site in zip(first, second, strict=True)]


def _check_finite(descriptors: pd.DataFrame, layout: _Layout, name: str) -> None:
    values = descriptors.to_numpy(dtype=np.float64)
    bad = np.argwhere(np.isinf(values))
    if bad.size:
        row, column = bad[0]
        raise DataError(
            f"{name}, line {layout.lines[row]}: {DESCRIPTOR_PREFIX}{descriptors.columns[column]} is "
            f"{'-' if math.copysign(1, values[row, column]) < 0 else ''}infinite; need a number, or an empty cell"
        )
