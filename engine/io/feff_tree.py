"""A tree of FEFF runs as workflow tools leave it: ``<material>/POSCAR``, ``<material>/FEFF-XANES/NNN_El/xmu.dat``.

NNN is the 0-based index of the absorbing site in the POSCAR, El its element. A ``.zip`` of such a tree will do.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.batch.processes import Workers
from engine.errors import DataError, EngineError
from engine.io.archive import unpack
from engine.io.feff import RunLog, XmuData, read_log, read_xmu
from engine.names import site_name
from engine.spectra.assemble import RawSpectra
from engine.spectra.report import Ledger

RUNS_FOLDER = "FEFF-XANES"
MAX_DEPTH = 6
_RUN_FOLDER = re.compile(r"^(\d{1,6})_([A-Z][a-z]?)$")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class StructureTools:
    """The two functions of ``engine.structures`` that the import of runs needs; tests pass their own."""

    read_structure: Callable[[Path], Any]
    describe_sites: Callable[..., Any]


@dataclass(frozen=True)
class _Run:
    material: str
    site: int
    element: str
    folder: Path

    @property
    def site_id(self) -> str:
        return site_name(self.material, self.site)


def read_feff_tree(
    source: Path,
    element: str | None = None,
    *,
    workers: Workers = 1,
    cache: Path | None = None,
    progress: Progress | None = None,
    tools: StructureTools | None = None,
) -> RawSpectra:
    """Spectra and site descriptors of every FEFF run below a folder, or in a zip archive of one.

    ``element`` keeps the runs of one absorber; others are refused as "another element". A run is refused, with its
    reason, when its log does not show the end of the run, ``xmu.dat`` is missing, cut off or of another element or
    edge, the POSCAR is missing or unreadable, or the POSCAR has another element (or nothing) at that site. Runs whose
    self-consistent field did not converge are kept and counted in a warning. Raises DataError when there is no run.

    ``workers``, ``cache`` and ``progress`` are handed to the descriptor computation.
    """
    options = {"workers": workers, "cache": cache, "progress": progress}
    if source.is_dir():
        return _read(source, source.resolve().name, element, tools, options)
    with tempfile.TemporaryDirectory(prefix="rankaae-") as folder:
        unpack(source, Path(folder))
        return _read(Path(folder), source.name, element, tools, options)


def structure_tools() -> StructureTools:
    """The tools of ``engine.structures``; imported on use, as they bring pymatgen with them."""
    from engine.structures import describe_sites, read_structure

    return StructureTools(read_structure, describe_sites)


def find_runs(root: Path, name: str) -> Iterator[_Run]:
    """Every run folder ``<material>/FEFF-XANES/NNN_El`` below ``root``, in sorted order; links are not followed."""

    def unreadable(error: OSError) -> None:
        raise error

    for folder, children, _ in os.walk(root, followlinks=False, onerror=unreadable):
        here = Path(folder)
        children.sort()
        if len(here.relative_to(root).parts) >= MAX_DEPTH:
            children.clear()
        if RUNS_FOLDER not in children:
            continue
        children.remove(RUNS_FOLDER)
        material = here.name if here != root else name.removesuffix(".zip")
        for run in sorted((here / RUNS_FOLDER).iterdir()):
            match = _RUN_FOLDER.match(run.name)
            if match and run.is_dir():
                yield _Run(material, int(match[1]), match[2], run)


def _read(
    root: Path, name: str, element: str | None, tools: StructureTools | None, options: Mapping[str, Any]
) -> RawSpectra:
    ledger = Ledger()
    try:
        runs = list(find_runs(root, name))
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error})") from error
    if not runs:
        raise DataError(f"{name}: no FEFF runs; need <material>/{RUNS_FOLDER}/NNN_El/xmu.dat with <material>/POSCAR")
    kept: list[tuple[_Run, XmuData]] = []
    unconverged: list[str] = []
    for run in runs:
        if element is not None and run.element != element:
            ledger.refuse("another element", run.site_id, f"absorber is {run.element}; asked for {element}")
            continue
        read = _read_run(run, ledger)
        if read is not None:
            kept.append((run, read[0]))
            if read[1] is not None and read[1].scf_converged is False:
                unconverged.append(run.site_id)
    tools = tools or structure_tools()
    structures, kept = _structures(kept, tools, ledger)
    if not kept:
        raise ledger.none_left(name, len(runs))
    if unconverged:
        ledger.warn(
            f"{len(unconverged)} runs without SCF convergence were kept (e.g. {unconverged[0]})"
            if len(unconverged) > 1
            else f"1 run without SCF convergence was kept ({unconverged[0]})"
        )
    sites = [(run.material, run.site) for run, _ in kept]
    described = tools.describe_sites(structures, sites, **options)
    frame = _descriptor_frame(described.frame, len(kept), name)
    steps = [f"descriptors computed from POSCAR: {', '.join(map(str, frame.columns)) or 'none'}"]
    steps.extend(
        f"second shell of {symbol}: {low:.3f} to {high:.3f} Å"
        for symbol, (low, high) in sorted(described.second_shell_angstrom.items())
    )
    _warn_of_failures(described.failures, len(kept), ledger)
    return RawSpectra(
        energy_ev=[xmu.energy_ev for _, xmu in kept],
        mu=[xmu.mu for _, xmu in kept],
        site_id=[run.site_id for run, _ in kept],
        material_id=[run.material for run, _ in kept],
        element=[run.element for run, _ in kept],
        descriptors=frame,
        source=name,
        kind="FEFF run folders",
        origin=f"{name}, FEFF runs, mu as FEFF normalised it (column 4 of xmu.dat)",
        steps=tuple(steps),
        structures=structures,
        ledger=ledger,
    )


def _warn_of_failures(failures: pd.DataFrame, n: int, ledger: Ledger) -> None:
    """One line per descriptor that is not known for some sites: how many, and the most frequent reason."""
    for name, rows in failures.groupby("descriptor", sort=False):
        reasons = rows["reason"].value_counts()
        ledger.warn(
            f"{name} is not known for {len(rows)} of {n} sites, which are kept; most often: {reasons.index[0]} "
            f"({int(reasons.iloc[0])})"
        )


def _read_run(run: _Run, ledger: Ledger) -> tuple[XmuData, RunLog | None] | None:
    """Spectrum and log of one run, or None with the refusal noted."""
    log: RunLog | None = None
    try:
        if (run.folder / "feff.out").is_file():
            log = read_log(run.folder / "feff.out")
            if not log.finished:
                ledger.refuse("the FEFF run did not finish", run.site_id, "feff.out has no 'feff ends at' line")
                return None
        if not (run.folder / "xmu.dat").is_file():
            ledger.refuse("no xmu.dat", run.site_id, f"{run.folder.name} has none")
            return None
        xmu = read_xmu(run.folder / "xmu.dat")
    except DataError as error:
        ledger.refuse("a file of the run is unreadable or incomplete", run.site_id, str(error))
        return None
    if xmu.element is not None and xmu.element != run.element:
        ledger.refuse(
            "absorber differs from the folder's name", run.site_id, f"xmu.dat says {xmu.element}, folder {run.element}"
        )
        return None
    if xmu.edge is not None and xmu.edge != "K":
        ledger.refuse("not a K edge", run.site_id, f"xmu.dat says {xmu.edge} shell")
        return None
    return xmu, log


def _structures(
    runs: Sequence[tuple[_Run, XmuData]], tools: StructureTools, ledger: Ledger
) -> tuple[dict[str, Any], list[tuple[_Run, XmuData]]]:
    """The structures of the runs' materials, and the runs whose site exists there with the right element."""
    structures: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    folder_of: dict[str, Path] = {}
    kept: list[tuple[_Run, XmuData]] = []
    for run, xmu in runs:
        folder = run.folder.parent.parent
        if folder_of.setdefault(run.material, folder) != folder:
            ledger.refuse("another folder has the same material name", run.site_id, f"first: {folder_of[run.material]}")
            continue
        if run.material not in structures and run.material not in unreadable:
            poscar = folder / "POSCAR"
            try:
                if not poscar.is_file():
                    raise DataError("there is none beside FEFF-XANES")
                structures[run.material] = tools.read_structure(poscar)
            except EngineError as error:
                unreadable[run.material] = str(error)
        if run.material in unreadable:
            ledger.refuse("POSCAR is missing or unreadable", run.site_id, unreadable[run.material])
            continue
        structure = structures[run.material]
        if run.site >= len(structure):
            ledger.refuse(
                "no such site in POSCAR", run.site_id, f"it has {len(structure)} sites, 0 to {len(structure) - 1}"
            )
            continue
        found = str(structure[run.site].species_string)
        if found != run.element:
            ledger.refuse(
                "POSCAR has another element at the site", run.site_id, f"{found}; the run's folder says {run.element}"
            )
            continue
        kept.append((run, xmu))
    return structures, kept


def _descriptor_frame(frame: pd.DataFrame, n: int, name: str) -> pd.DataFrame:
    """The descriptor columns (n, d) that ``describe_sites`` returned, rows in the order asked for."""
    if len(frame) != n:
        raise DataError(f"{name}: descriptors came back for {len(frame)} of {n} sites")
    return frame.astype(np.float64).reset_index(drop=True)
