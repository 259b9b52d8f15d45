"""One entry to every import: look at a source, choose its reader, filter, put on a grid, account for everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.batch.processes import Workers
from engine.errors import ConfigError, DataError
from engine.io.archive import is_zip
from engine.io.csv_layout import GZIP_MAGIC, looks_like_csv_layout, read_csv_layout
from engine.io.feff_tree import Progress, StructureTools, read_feff_tree
from engine.io.files import check_file
from engine.io.parquet import METADATA_KEY, open_table, read_set, table_schema
from engine.io.structures import copy_structures, structures_path, write_structures
from engine.io.tables import is_site_table, is_step_table, read_site_table, read_step_table
from engine.spectra.assemble import RawSpectra, add_set_warnings, assemble, describe_grid
from engine.spectra.grid import GridSpec, choose_grid, resample
from engine.spectra.report import ImportReport, Ledger
from engine.spectra.spectra_set import SpectraSet

FirstShell = Literal["O", "any"]
OXYGEN_SHARE_COLUMNS = ("O_FRAC", "ONLY_O")
LARGEST_SHIFT_EV = 100.0
_NEIGHBOUR_COLUMNS = ("CN", "O_FRAC", "ONLY_O")
_PARQUET_MAGIC = b"PAR1"
KNOWN_FORMATS = (
    "a RankAAE CSV (.csv, .csv.gz), a folder or .zip of FEFF runs, a Parquet set of this program, or a Parquet table "
    "with a list column mu and energies"
)


def import_source(
    source: Path,
    *,
    element: str | None = None,
    grid: GridSpec | None = None,
    shift_ev: float = 0.0,
    first_shell: FirstShell | None = None,
    code: str | None = None,
    workers: Workers = 1,
    cache: Path | None = None,
    progress: Progress | None = None,
    tools: StructureTools | None = None,
    structures: Path | None = None,
) -> tuple[SpectraSet, ImportReport]:
    """The spectra of any supported source as one set, and the account of what was read, kept and refused.

    source       a RankAAE CSV, a folder or zip of FEFF runs, this program's Parquet, or a foreign Parquet table
    element      chemical symbol of the absorber: names it where the source does not, chooses it where there are several
    grid         the energy grid; None keeps a source's own model grid, or picks one (``choose_grid``)
    shift_ev     added to all energies, to bring one code's or instrument's scale to another's; told in the set's steps
    first_shell  "O" keeps sites whose neighbours are all oxygen (O_FRAC or ONLY_O equal to 1) and refuses the others,
                 with counts; "any" keeps all; None is "O" except for this program's own files. Without such a column
                 it has no effect, and the report says so
    code         which calculation to take from a table that holds several, such as "FEFF"
    workers, cache, progress   handed to the descriptor computation for FEFF runs
    tools        functions to read structures and describe sites, for tests; None takes those of ``engine.structures``
    structures   file for the crystal structures of the sites kept, where the source has them; None writes none

    Raises DataError when the source is missing, of no known format, damaged, too large, or nothing in it can be kept;
    ConfigError for an option that is not one of those above.
    """
    if first_shell not in (None, "O", "any"):
        raise ConfigError(f"first shell is {first_shell!r}; need 'O' or 'any'")
    if not abs(shift_ev) <= LARGEST_SHIFT_EV:
        raise ConfigError(f"energy shift is {shift_ev} eV; need -{LARGEST_SHIFT_EV:g} to {LARGEST_SHIFT_EV:g}")
    source = Path(source)
    kind = _kind(source)
    if kind == "set":
        stored = read_set(source)
        if shift_ev:
            energy = stored.energy_ev + shift_ev
            stored = replace(stored, energy_ev=energy, steps=(*stored.steps, _shift_step(shift_ev)))
        spectra, report = _from_set(stored, source.name, element, grid, first_shell or "any")
        if structures is not None:
            copy_structures(structures_path(source), spectra, structures)
        return spectra, report
    raw = _read(source, kind, element, code, {"workers": workers, "cache": cache, "progress": progress, "tools": tools})
    n_read = len(raw) + raw.ledger.n_refused
    if (first_shell or "O") == "O":
        raw = _only_oxygen(raw)
    if shift_ev:
        shifted = {id(energy): energy + shift_ev for energy in raw.energy_ev}  # shared energies stay shared
        raw.energy_ev = [shifted[id(energy)] for energy in raw.energy_ev]
        raw.steps = (*raw.steps, _shift_step(shift_ev))
    if len(raw) == 0:
        raise raw.ledger.none_left(raw.source, n_read)
    spectra, report = assemble(raw, grid)
    if structures is not None:
        write_structures(raw.structures, spectra, structures)
    return spectra, report


def _shift_step(shift_ev: float) -> str:
    return f"energies shifted by {shift_ev:+g} eV"


def load_set(path: Path, element: str | None = None) -> SpectraSet:
    """The set in a file of this program, or one element of a common-step table on its own energies; nothing resampled.

    ``element`` keeps the sites of one absorber; a table that holds several needs it. What a table's spectra are refused
    for is told in the steps. Raises DataError as ``read_set`` does, and when the element is not there or not named.
    """
    if not holds_steps(path):
        return _of_element(read_set(path), path.name, element)
    raw = read_step_table(open_table(path), path.name, element)
    raw.on_one_grid = True
    spectra, report = assemble(raw, None)
    left_out = tuple(f"{refusal.count} spectra left out: {refusal.reason}" for refusal in report.refused)
    return replace(spectra, steps=(*spectra.steps, *left_out))


def holds_steps(path: Path) -> bool:
    """Whether the Parquet file at ``path`` is a common-step table."""
    check_file(path)
    schema = table_schema(path)
    return METADATA_KEY not in (schema.metadata or {}) and is_step_table(schema)


def _of_element(spectra: SpectraSet, name: str, element: str | None) -> SpectraSet:
    if element is None:
        return spectra
    rows = spectra.element == element
    if not rows.any():
        raise DataError(f"{name}: has no {element}; it holds {', '.join(sorted(set(spectra.element.tolist())))}")
    return spectra if rows.all() else spectra.take(rows, f"{int(rows.sum())} of {len(spectra)} sites: {element}")


def _kind(source: Path) -> str:
    """Which reader a source needs: "runs", "set", "site table", "step table" or "csv"; DataError for anything else."""
    if source.is_dir():
        return "runs"
    check_file(source)
    with source.open("rb") as stream:
        head = stream.read(4096)
    if is_zip(source):
        return "runs"
    if head.startswith(_PARQUET_MAGIC):
        return _kind_of_table(source)
    if head.startswith(GZIP_MAGIC) or source.suffix.lower() == ".csv" or looks_like_csv_layout(source):
        return "csv"
    if b"omega" in head and b"mu0" in head:
        raise DataError(f"{source.name}: a single FEFF spectrum; import the folder of runs that it belongs to")
    what = "a binary file of unknown format" if b"\0" in head else "not a format this program imports"
    raise DataError(f"{source.name}: {what}; need {KNOWN_FORMATS}")


def _kind_of_table(source: Path) -> str:
    schema = table_schema(source)
    if METADATA_KEY in (schema.metadata or {}):
        return "set"
    if is_site_table(schema):
        return "site table"
    if is_step_table(schema):
        return "step table"
    columns = ", ".join(schema.names[:8]) or "none"
    raise DataError(
        f"{source.name}: a Parquet table without spectra (columns: {columns}); need list columns mu and energy_ev, or "
        "mu with energy_start_ev and energy_step_ev in the metadata"
    )


def _read(source: Path, kind: str, element: str | None, code: str | None, options: dict[str, Any]) -> RawSpectra:
    """The raw spectra of a source of one ``kind``; an unused ``code`` is noted."""
    if kind == "runs":
        raw = read_feff_tree(source, element, **options)
    elif kind == "csv":
        raw = read_csv_layout(source, element)
    elif kind == "site table":
        raw = read_site_table(open_table(source), source.name, element)
    else:
        return read_step_table(open_table(source), source.name, element, code)
    if code is not None:
        raw.ledger.warn(f"'{code}' was asked for, but a {raw.kind} does not say which code a spectrum comes from")
    return raw


def _from_set(
    spectra: SpectraSet, name: str, element: str | None, grid: GridSpec | None, first_shell: FirstShell
) -> tuple[SpectraSet, ImportReport]:
    """A stored set again, filtered and on another grid when asked."""
    ledger = Ledger()
    keep = np.ones(len(spectra), dtype=np.bool_)
    if element is not None:
        keep = spectra.element == element
        for row in np.flatnonzero(~keep):
            ledger.refuse("another element", str(spectra.site_id[row]), f"absorber is {spectra.element[row]}")
    if first_shell == "O":
        keep &= _oxygen_mask(spectra.descriptors, spectra.site_id.tolist(), (), keep, ledger)
    if not keep.any():
        raise ledger.none_left(name, len(spectra))
    kept = (
        spectra if keep.all() else spectra.take(keep, f"{int(keep.sum())} of {len(spectra)} spectra chosen on import")
    )
    if grid is not None:
        ends = kept.energy_ev[[0, -1]]
        energy = choose_grid(ends[:1], ends[1:], grid)
        step = f"interpolated by not-a-knot cubic spline onto {energy.size} points "
        step += f"from {energy[0]:.3f} to {energy[-1]:.3f} eV"
        mu = resample(kept.energy_ev, kept.mu, energy)
        kept = replace(kept, energy_ev=energy, mu=mu, steps=(*kept.steps, step))
    add_set_warnings(kept, (spectra.mu[row] for row in np.flatnonzero(keep)), ledger)
    report = ledger.report(name, "set of spectra", len(spectra), len(kept), describe_grid(kept, grid is not None))
    return kept, report


def _only_oxygen(raw: RawSpectra) -> RawSpectra:
    """The spectra whose first shell is oxygen alone; the others are refused in the ledger."""
    keep = _oxygen_mask(raw.descriptors, raw.site_id, raw.where, np.ones(len(raw), dtype=np.bool_), raw.ledger)
    if keep.all():
        return raw
    rows: list[int] = np.flatnonzero(keep).tolist()
    return replace(
        raw,
        energy_ev=[raw.energy_ev[row] for row in rows],
        mu=[raw.mu[row] for row in rows],
        site_id=[raw.site_id[row] for row in rows],
        material_id=[raw.material_id[row] for row in rows],
        element=[raw.element[row] for row in rows],
        where=[raw.where[row] for row in rows] if raw.where else (),
        descriptors=raw.descriptors.iloc[rows].reset_index(drop=True),
        steps=(*raw.steps, f"first shell oxygen only: {len(rows)} of {len(raw)} sites"),
    )


def _oxygen_mask(
    descriptors: pd.DataFrame,
    sites: Sequence[str],
    where: Sequence[str],
    considered: npt.NDArray[np.bool_],
    ledger: Ledger,
) -> npt.NDArray[np.bool_]:
    """(n,) whether each first shell is oxygen alone; refusals of ``considered`` rows go to the ledger."""
    column = next((name for name in OXYGEN_SHARE_COLUMNS if name in descriptors.columns), None)
    if column is None:
        ledger.warn(
            "the choice of sites with only oxygen as neighbours had no effect: there is no column "
            + " or ".join(OXYGEN_SHARE_COLUMNS)
        )
        return np.ones(len(descriptors), dtype=np.bool_)
    share = descriptors[column].to_numpy(dtype=np.float64)
    keep = share >= 1.0 - 1e-9
    shown = [name for name in _NEIGHBOUR_COLUMNS if name in descriptors.columns]
    for row in np.flatnonzero(considered & ~keep).tolist():
        values = ", ".join(f"{name} {descriptors[name].iloc[row]:g}" for name in shown)
        note = f"{where[row]}, {values}" if where else values
        reason = "first shell is not known" if np.isnan(share[row]) else "first shell is not oxygen only"
        ledger.refuse(reason, sites[row], note)
    return keep
