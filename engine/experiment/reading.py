"""Files of measured spectra: XDI and other columns of text, tables of a series, Athena projects, HDF5.

XDI: Ravel et al., J. Phys.: Conf. Ser. 712, 012148 (2016). Columns are guessed from their names and can be named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import cast

import h5py
import numpy as np
import numpy.typing as npt

from engine.errors import ConfigError, DataError
from engine.experiment.athena import is_athena, read_athena
from engine.experiment.measured import KINDS, FloatArray, Kind, Measured
from engine.io.files import check_file
from engine.spectra import K_EDGE_EV

MAX_BYTES = 256 * 1024**2
MAX_VALUES = 20_000_000
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ROLES = ("energy", "mu", "i0", "transmission", "fluorescence")
SERIES_COLUMNS = 64
# Energies of a table of a series that jump by more than this begin another element's edge.
NEXT_EDGE_EV = 100.0
_NAMES = {
    "energy": r"(mono_?)?(energy|ene|en|e|ev|kev)(_?(ev|kev|achieved|mono))?",
    "mu": r"(x?mu(_?e|_?trans|_?fluor)?|mutrans|mufluor|norm(alized)?|flat|abs(orption)?|intensity|xanes|xas)",
    "i0": r"(i0|io|i_0|monitor|ion0)",
    "transmission": r"(itrans|it|i1|i_t|trans(mission)?|ion1)",
    "fluorescence": r"(ifluor|if|i_f|fluo(r(escence)?)?|fluor_?total|pips|roi\d*)",
}
_NUMBER = re.compile(r"^\s*[-+]?(\d|\.\d|nan|inf)", re.IGNORECASE)


@dataclass(frozen=True)
class Columns:
    """Which column has which role: names (any case) or numbers from 1; what is None is guessed.

    ``energy_unit``: "eV" or "keV"; None takes what the file declares, eV where it says nothing.
    """

    energy: str | None = None
    mu: str | None = None
    i0: str | None = None
    transmission: str | None = None
    fluorescence: str | None = None
    energy_unit: str | None = None

    def __post_init__(self) -> None:
        if self.energy_unit not in (None, "eV", "keV"):
            raise ConfigError(f"energy unit is '{self.energy_unit}'; need eV or keV")

    @classmethod
    def parse(cls, text: str) -> Columns:
        """Columns from "energy=1,i0=3,transmission=itrans" with, if need be, "energy_unit=keV"."""
        given: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            role, found, column = (piece.strip() for piece in part.partition("="))
            if not found or role not in (*ROLES, "energy_unit") or not column:
                raise ConfigError(f"columns: '{part}'; need ROLE=COLUMN with a role of {', '.join(ROLES)}, energy_unit")
            given[role] = column
        return cls(**given)


def read_measured(path: Path, columns: Columns | None = None, element: str | None = None) -> list[Measured]:
    """Every spectrum in a file, as read. ``element`` chooses among the edges of a table of a series.

    Raises DataError that says what was found for files that hold no spectrum or none that can be told.
    """
    columns = columns or Columns()
    check_file(path, MAX_BYTES)
    with path.open("rb") as opened:
        head = opened.read(len(HDF5_MAGIC))
    if head == HDF5_MAGIC:
        return [_read_hdf5(path, columns)]
    if is_athena(path):
        return read_athena(path, MAX_BYTES)
    return _read_text(path, columns, element)


def column_names(path: Path) -> tuple[str, ...]:
    """What ``Columns`` can name in a file: columns or data sets, numbers where they have no names.

    Files with the same names have the same layout. None for Athena projects, which say themselves what is what.
    DataError for files that hold no columns.
    """
    check_file(path, MAX_BYTES)
    with path.open("rb") as opened:
        head = opened.read(len(HDF5_MAGIC))
    if head == HDF5_MAGIC:
        return tuple(_data_sets(path)[0])
    if is_athena(path):
        return ()
    header, rows = _lines(path)
    count = len(rows[0].split(_delimiter(rows[0])))
    return tuple(_column_names(header, _declared(header), rows[0], count))


def _lines(path: Path) -> tuple[list[str], list[str]]:
    """The header and the rows of numbers of a file of text."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    header, rows = [], []
    for line in lines:
        if line.startswith(("#", "%", ";", "!")):
            header.append(line.lstrip("#%;! ").rstrip())
        elif _NUMBER.match(line.lstrip(",\t ")):
            rows.append(line)
        elif not rows:
            header.append(line)
        else:
            raise DataError(f"{path.name}: {line[:40]!r} stands between the numbers")
    if not rows:
        raise DataError(f"{path.name}: no columns of numbers found")
    return header, rows


def _read_text(path: Path, columns: Columns, element: str | None) -> list[Measured]:
    header, rows = _lines(path)
    table = _numbers(rows, path.name)
    declared = _declared(header)
    if columns == Columns() and table.shape[1] >= SERIES_COLUMNS and table[0, 0] == 0:
        return _series(path, table, element)
    names = _column_names(header, declared, rows[0], table.shape[1])
    units = {i: unit for i, (_, unit) in _xdi_columns(declared).items()}
    energy_at = _energy_column(columns, names, table, path.name)
    unit = columns.energy_unit or ("keV" if units.get(energy_at, "").lower() == "kev" else "eV")
    mu, kind, how = _absorption(columns, names, table, energy_at, path.name)
    energy = table[:, energy_at] * (1000.0 if unit == "keV" else 1.0)
    steps = [f"energy from column '{names[energy_at]}'" + (", keV times 1000" if unit == "keV" else ""), how]
    symbol = declared.get("element.symbol", "").strip().capitalize()
    return [
        Measured(
            name=path.stem,
            energy_ev=energy,
            mu=mu,
            element=symbol if symbol in K_EDGE_EV else "",
            edge=declared.get("element.edge", "K").strip() or "K",
            kind=kind,
            steps=tuple(steps),
        )
    ]


def _numbers(rows: list[str], name: str) -> FloatArray:
    delimiter = _delimiter(rows[0])
    if delimiter == ";":  # where columns are apart by semicolons, a comma is a decimal point
        rows = [row.replace(",", ".") for row in rows]
    if len(rows) * len(rows[0].split(delimiter)) > MAX_VALUES:
        raise DataError(f"{name}: more than {MAX_VALUES} numbers")
    try:
        return np.loadtxt(StringIO("\n".join(rows)), delimiter=delimiter, ndmin=2, converters=_number, comments=None)
    except ValueError as error:
        raise DataError(f"{name}: not a table of numbers ({' '.join(str(error).split())[:120]})") from error


def _delimiter(row: str) -> str | None:
    """What stands between the columns of a row: a semicolon, comma or tab, or None for blanks."""
    return next((mark for mark in (";", ",", "\t") if mark in row.strip()), None)


def _number(cell: str) -> float:
    return float(cell) if cell.strip() else float("nan")


def _declared(header: list[str]) -> dict[str, str]:
    """Fields "Family.name: value" of an XDI header, names in lower case."""
    fields = (re.match(r"([A-Za-z][\w]*\.[\w]+)\s*:\s*(.*)", line) for line in header)
    return {found[1].lower(): found[2] for found in fields if found}


def _xdi_columns(declared: dict[str, str]) -> dict[int, tuple[str, str]]:
    """(name, unit) of the columns, from 0, that an XDI header declares."""
    found = {}
    for field, value in declared.items():
        if re.fullmatch(r"column\.\d{1,3}", field) and value.split():
            words = value.split()
            found[int(field.split(".")[1]) - 1] = (words[0], words[1] if len(words) > 1 else "")
    return found


def _column_names(header: list[str], declared: dict[str, str], row: str, count: int) -> list[str]:
    """Names of ``count`` columns: declared, or the last header line that has as many words; else their numbers."""
    names = [str(i + 1) for i in range(count)]
    delimiter = _delimiter(row)
    labels = next((line.split(delimiter) for line in reversed(header) if len(line.split(delimiter)) == count), None)
    if labels is not None:
        names = [label.strip().strip('"') or str(i + 1) for i, label in enumerate(labels)]
    for i, (name, _) in _xdi_columns(declared).items():
        if i < count:
            names[i] = name
    return names


def _find(role: str, given: str | None, names: list[str], file: str) -> int | None:
    """The column, from 0, for a role: as given (DataError when there is none), or the first of a fitting name."""
    if given is not None:
        lower = [name.lower() for name in names]
        if given.lower() in lower:
            return lower.index(given.lower())
        if given.isdigit() and 1 <= int(given) <= len(names):
            return int(given) - 1
        raise DataError(f"{file}: no column '{given}' for {role}; it has {', '.join(names)}")
    return next((i for i, name in enumerate(names) if re.fullmatch(_NAMES[role], name.lower().strip())), None)


def _energy_column(columns: Columns, names: list[str], table: FloatArray, file: str) -> int:
    found = _find("energy", columns.energy, names, file)
    if found is not None:
        return found
    for i in range(table.shape[1]):  # without names: the first column that runs one way, as energies do
        step = np.diff(table[:, i])
        if table.shape[0] > 2 and table[:, i].min() > 1.0 and ((step > 0).all() or (step < 0).all()):
            return i
    raise DataError(f"{file}: no column of energies found among {', '.join(names)}; name it")


def _absorption(
    columns: Columns, names: list[str], table: FloatArray, energy_at: int, file: str
) -> tuple[FloatArray, Kind, str]:
    """mu (p,), the kind of measurement and one line that says what was divided by what."""
    at = {role: _find(role, getattr(columns, role), names, file) for role in ROLES[1:]}
    asked = [role for role in ("mu", "transmission", "fluorescence") if getattr(columns, role) is not None]
    order = asked or [role for role in ("mu", "transmission", "fluorescence") if at[role] is not None]
    rest = [i for i in range(len(names)) if i != energy_at]
    if not order and len(rest) >= 1 and at["i0"] is None:
        at["mu"], order = rest[0], ["mu"]
    if not order:
        raise DataError(f"{file}: no column of absorption found among {', '.join(names)}; name it")
    role = order[0]
    column = at[role]
    assert column is not None  # every role in the order has a column
    signal = table[:, column]
    if role == "mu":
        name = names[column].lower()
        kind = "transmission" if "trans" in name else "fluorescence" if "fluor" in name else "unknown"
        return signal, cast(Kind, kind), f"absorption from column '{names[column]}'"
    i0_at = at["i0"]
    if i0_at is None:
        raise DataError(f"{file}: column '{names[column]}' needs the incoming intensity (i0); name its column")
    i0 = table[:, i0_at]
    if not (i0 > 0).all() or (role == "transmission" and not (signal > 0).all()):
        raise DataError(f"{file}: an intensity is zero or negative; absorption cannot be worked out")
    if role == "transmission":
        return np.log(i0 / signal), "transmission", f"absorption = ln({names[i0_at]} / {names[column]})"
    return signal / i0, "fluorescence", f"absorption = {names[column]} / {names[i0_at]}"


def _series(path: Path, table: FloatArray, element: str | None) -> list[Measured]:
    """A table of a series: energies in its first row, one spectrum in every further row, ordered by its first column.

    Where energies jump, another edge begins; the part around the edge of ``element`` is taken.
    """
    energy = table[0, 1:]
    cuts = np.flatnonzero((np.diff(energy) > NEXT_EDGE_EV) | (np.diff(energy) < 0)) + 1
    parts = np.split(np.arange(energy.size), cuts)
    if element is None and len(parts) > 1:
        raise DataError(f"{path.name}: holds spectra at {len(parts)} edges; say which element to take")
    if element is not None:
        edge = K_EDGE_EV.get(element, float("nan"))
        parts = [part for part in parts if energy[part[0]] <= edge <= energy[part[-1]]]
        if not parts:
            raise DataError(f"{path.name}: none of its energies cover the K edge of {element}")
    part = parts[0]
    step = f"energies of row 1, {energy[part[0]]:.1f} to {energy[part[-1]]:.1f} eV; series value from column 1"
    digits = len(str(len(table) - 1))
    return [
        Measured(f"{path.stem}_{i:0{digits}d}", energy[part], row[1:][part], series=float(row[0]), steps=(step,))
        for i, row in enumerate(table[1:], start=1)
    ]


def _data_sets(path: Path) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, str]]:
    """Every list of numbers in an HDF5 file by its path, and their units."""
    found: dict[str, npt.NDArray[np.float64]] = {}
    units: dict[str, str] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim == 1 and item.dtype.kind in "fiu":
            if item.is_virtual or item.external:
                return  # a link to another file is not followed
            if sum(values.size for values in found.values()) + item.size > MAX_VALUES:
                raise DataError(f"{path.name}: more than {MAX_VALUES} numbers")
            found[name] = np.asarray(item[()], dtype=np.float64)
            unit = item.attrs.get("units", "")
            units[name] = unit.decode(errors="replace") if isinstance(unit, bytes) else str(unit)

    try:
        with h5py.File(path, "r") as opened:
            opened.visititems(visit)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(f"{path.name}: not a readable HDF5 file ({' '.join(str(error).split())[:120]})") from error
    return found, units


def _read_hdf5(path: Path, columns: Columns) -> Measured:
    """Energy and absorption in an HDF5 file: data sets of equal length with fitting names, in NXdata or anywhere."""
    found, units = _data_sets(path)
    paths = list(found)
    short = [name.rsplit("/", 1)[-1] for name in paths]

    def pick(role: str) -> int | None:
        given = getattr(columns, role)
        return paths.index(given) if given in paths else _find(role, given, short, path.name)

    energy_at = pick("energy")
    if energy_at is None:
        raise DataError(f"{path.name}: no data set of energies found among {', '.join(paths[:12]) or 'none'}; name it")
    energy = found[paths[energy_at]]
    same = [i for i, name in enumerate(paths) if found[name].size == energy.size]
    table = np.stack([found[paths[i]] for i in same], axis=1)
    names = [short[i] for i in same]
    given = {role: _short(getattr(columns, role)) for role in ROLES}
    mu, kind, how = _absorption(Columns(**given), names, table, same.index(energy_at), path.name)
    unit = columns.energy_unit or ("keV" if units[paths[energy_at]].lower() == "kev" else "eV")
    steps = (f"energy from {paths[energy_at]}" + (", keV times 1000" if unit == "keV" else ""), how)
    return Measured(path.stem, energy * (1000.0 if unit == "keV" else 1.0), mu, kind=kind, steps=steps)


def _short(name: str | None) -> str | None:
    return None if name is None else name.rsplit("/", 1)[-1]


def check_kind(kind: str) -> Kind:
    """The kind of measurement as declared by whoever measured; ConfigError when it is none of the known."""
    known = {name.lower(): name for name in KINDS}
    if kind.lower() not in known:
        raise ConfigError(f"kind is '{kind}'; need {', '.join(KINDS)}")
    return known[kind.lower()]
