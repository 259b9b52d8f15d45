"""Files of one FEFF run: ``xmu.dat`` (the spectrum) and ``feff.out`` (the log)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import DataError
from engine.io.files import check_file
from engine.spectra.edges import K_EDGE_EV
from engine.spectra.spectra_set import FloatArray

MAX_FILE_BYTES = 64 * 1024**2
_ABSORBER = re.compile(r"\bAbs\s+Z=\s*(\d+)")
_EDGE = re.compile(r"\bAbs\s+Z=.*?\b([KLM]\d?)\s+shell")
_COLUMNS = ("omega", "e", "k", "mu", "mu0", "chi")
# Symbols by atomic number from Li (3): the table of K edges lists every one in order.
_SYMBOLS = dict(enumerate(K_EDGE_EV, start=3))


@dataclass(frozen=True, eq=False)
class XmuData:
    """What one ``xmu.dat`` holds, p points.

    energy_ev   (p,) absolute photon energy, FEFF's omega, eV
    mu, mu0     (p,) absorption and atomic background, normalised by FEFF 50 eV above the edge (no unit)
    k           (p,) photoelectron wave number, 1/Angstrom; below the Fermi level negative by FEFF's convention
    e_fermi_ev  photon energy at k = 0, where the Fermi level is reached, eV; NaN when k does not cross zero
    element     absorber from the header, None when it is not stated
    edge        such as "K" from the header, None when it is not stated
    """

    energy_ev: FloatArray
    mu: FloatArray
    mu0: FloatArray
    k: FloatArray
    e_fermi_ev: float
    element: str | None
    edge: str | None


@dataclass(frozen=True)
class RunLog:
    """What ``feff.out`` says: whether the run came to its end, and whether the self-consistent field converged.

    scf_converged is None when the log shows no self-consistent field at all.
    """

    finished: bool
    scf_converged: bool | None


def read_xmu(path: Path) -> XmuData:
    """The spectrum in a FEFF ``xmu.dat``.

    Raises DataError with the line for a row without six numbers, and for a file that is empty, no text, too large, has
    no ``omega e k mu mu0 chi`` header or ends in the middle of a row. Energies are not checked for order here.
    """
    return parse_xmu(_text(path), f"{path.parent.name}/{path.name}" if path.parent.name else path.name)


def parse_xmu(text: str, name: str) -> XmuData:
    """The spectrum in the text of an ``xmu.dat``; ``name`` is for messages."""
    rows: list[list[float]] = []
    header: list[str] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith("#"):
            header.append(line)
            continue
        cells = line.split()
        if not cells:
            continue
        if len(cells) != len(_COLUMNS):
            cut = "; the file was cut off here" if number == len(lines) else ""
            raise DataError(f"{name}, line {number}: {len(cells)} numbers; need 6 ({' '.join(_COLUMNS)}){cut}")
        rows.append([_number(cell, column, name, number) for cell, column in zip(cells, _COLUMNS, strict=True)])
    if not any(tuple(line.lstrip("# ").split()[:6]) == _COLUMNS for line in header):
        raise DataError(f"{name}: no header line '# {' '.join(_COLUMNS)}'; this is not a FEFF xmu.dat")
    if len(rows) < 2:
        raise DataError(f"{name}: {len(rows)} rows of numbers; the calculation wrote no spectrum")
    if lines[-1]:
        raise DataError(f"{name}: the last row has no line end; the file was cut off")
    table = np.array(rows)
    joined = "\n".join(header)
    absorber, edge = _ABSORBER.search(joined), _EDGE.search(joined)
    return XmuData(
        energy_ev=table[:, 0],
        mu=table[:, 3],
        mu0=table[:, 4],
        k=table[:, 2],
        e_fermi_ev=_energy_at_zero(table[:, 2], table[:, 0]),
        element=_SYMBOLS.get(int(absorber[1])) if absorber else None,
        edge=edge[1] if edge else None,
    )


def read_log(path: Path) -> RunLog:
    """What a ``feff.out`` says about its run: the end-of-run line, and "Convergence reached" after SCF iterations."""
    return parse_log(_text(path))


def parse_log(text: str) -> RunLog:
    """What the text of a ``feff.out`` says about its run."""
    finished = "### feff ends at" in text or "Done with module: XAS spectra" in text
    if "SCF ITERATION" not in text:
        return RunLog(finished, None)
    return RunLog(finished, "Convergence reached" in text)


def _energy_at_zero(k: FloatArray, energy_ev: FloatArray) -> float:
    """Energy where k first crosses zero upwards, linear between points; NaN when it does not."""
    crossing = np.flatnonzero((k[:-1] < 0) & (k[1:] >= 0))
    if crossing.size == 0:
        return float("nan")
    at = int(crossing[0])
    share = -k[at] / (k[at + 1] - k[at])
    return float(energy_ev[at] + share * (energy_ev[at + 1] - energy_ev[at]))


def _number(cell: str, column: str, name: str, line: int) -> float:
    """One number; FEFF writes stars where a number does not fit its field."""
    try:
        return float(cell)
    except ValueError:
        raise DataError(f"{name}, line {line}: {column} is '{cell[:40]}'; need a number") from None


def _text(path: Path) -> str:
    """A small text file, whatever its line ends."""
    check_file(path, MAX_FILE_BYTES)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if b"\0" in raw:
        raise DataError(f"{path.name}: holds a NUL byte; this is not a text file")
    return raw.decode("utf-8", errors="replace").replace("\r\n", "\n")
