"""Parquet tables of spectra that other programs wrote: one row per site, the spectrum as a list column ``mu``.

Two layouts. "Site table": each row has its own energies in a list column ``energy_ev``, numeric columns beside it are
descriptors. "Common-step table": energies follow from a start per element and a step in the schema metadata.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from engine.errors import DataError
from engine.io.parquet import MU_COLUMN, is_number_list, mu_column, number_lists, open_table, row_lengths, text_column
from engine.names import material_and_site, site_name
from engine.spectra.assemble import RawSpectra
from engine.spectra.edges import element_of_energies
from engine.spectra.report import Ledger
from engine.spectra.spectra_set import FloatArray

ENERGY_COLUMN = "energy_ev"
START_KEY, STEP_KEY, ORIGIN_KEY = b"energy_start_ev", b"energy_step_ev", b"origin"
# Numbers that say where a site is or how it was calculated, not what its surroundings are.
NOT_DESCRIPTORS = frozenset({"site", "site_index", "index", "spacegroup", "space_group", "e_fermi", "e_fermi_ev"})
ONLY_OXYGEN = ("only_O", "ONLY_O")
NEIGHBOURS_COLUMN = "nn_elements"
SPREAD_OF_SCALES = 0.25


@dataclass(frozen=True, eq=False)
class StepTable:
    """A common-step table: n spectra of m points, whose energies are ``start_ev[element] + relative_ev``.

    sites        (n, 3) text columns site_id, material_id, element
    descriptors  (n, d) float64 columns; NaN means "not known"
    mu           (n, m) float32
    relative_ev  (m,) energies in eV from 0
    start_ev     first energy in eV, absolute, by element
    origin       one line: where the spectra come from
    """

    sites: pd.DataFrame
    descriptors: pd.DataFrame
    mu: npt.NDArray[np.float32]
    relative_ev: FloatArray
    start_ev: Mapping[str, float]
    origin: str

    def info(self) -> dict[str, object]:
        """What the table holds, ready for JSON: counts, elements with their first energy, descriptors known."""
        counts = Counter(self.sites["element"].tolist())
        return {
            "n": len(self.sites),
            "materials": int(self.sites["material_id"].nunique()),
            "elements": {symbol: {"n": counts[symbol], "start_ev": self.start_ev[symbol]} for symbol in sorted(counts)},
            "grid": {
                "width_ev": float(self.relative_ev[-1]),
                "points": self.relative_ev.size,
                "step_ev": float(self.relative_ev[1]),
            },
            "origin": self.origin,
            "descriptors": {str(name): {"known": int(self.descriptors[name].count())} for name in self.descriptors},
        }


def is_site_table(schema: pa.Schema) -> bool:
    """Whether each row has its own list of energies beside its list of mu."""
    there = {MU_COLUMN, ENERGY_COLUMN} <= set(schema.names)
    return there and is_number_list(schema.field(ENERGY_COLUMN).type)


def is_step_table(schema: pa.Schema) -> bool:
    """Whether the metadata gives a start per element and a step for the lists of mu."""
    return {MU_COLUMN, "element"} <= set(schema.names) and {START_KEY, STEP_KEY} <= set(schema.metadata or {})


def read_site_table(table: pa.Table, name: str, element: str | None = None) -> RawSpectra:
    """Spectra of a site table; numeric columns become descriptors under their own names.

    Columns that number sites or space groups and the Fermi energy are left out; ``only_O`` becomes ONLY_O, 1 or 0.
    The absorber comes from a column ``element``, else from ``element``, else from the energies (and is reported).
    """
    ledger = Ledger()
    energies, mu = _shared(_lists(table, ENERGY_COLUMN, name)), _lists(table, MU_COLUMN, name)
    sites = _site_ids(table, name)
    elements = _elements(table, name, element, energies, ledger)
    materials = _materials(table, sites, name)
    keep = np.array([element is None or found == element for found in elements], dtype=np.bool_)
    for row in np.flatnonzero(~keep):
        ledger.refuse("another element", sites[row], f"absorber is {elements[row]}; asked for {element}")
    rows = np.flatnonzero(keep)
    if "scf_converged" in table.column_names:
        converged = table.column("scf_converged").to_pylist()
        count = sum(converged[row] is False for row in rows)
        if count:
            ledger.warn(f"{count} spectra come from runs without SCF convergence and were kept")
    neighbours = _neighbours(table)
    return RawSpectra(
        energy_ev=[energies[row] for row in rows],
        mu=[mu[row] for row in rows],
        site_id=[sites[row] for row in rows],
        material_id=[materials[row] for row in rows],
        element=[elements[row] for row in rows],
        descriptors=_descriptors(table).iloc[rows].reset_index(drop=True),
        source=name,
        kind="Parquet site table",
        origin=f"{name}, Parquet site table",
        where=[f"neighbours {neighbours[row]}" for row in rows] if neighbours else (),
        ledger=ledger,
    )


def read_steps(path: Path) -> StepTable:
    """All elements of the common-step table at ``path``; DataError when it is none or does not fit itself."""
    return steps_of(open_table(path), path.name)


def steps_of(table: pa.Table, name: str) -> StepTable:
    """All elements of an open common-step table called ``name``; errors as those of ``read_steps``."""
    if not is_step_table(table.schema):
        raise DataError(
            f"{name}: no common-step table; need columns mu and element, and energy_start_ev and energy_step_ev in the "
            "metadata"
        )
    starts, step = _starts(table, name)
    elements = text_column(table, "element", name).tolist()
    lacking = sorted(set(elements) - set(starts))
    if lacking:
        raise DataError(f"{name}: the metadata gives no start energy for {lacking[0]}")
    mu = mu_column(table, name)
    if mu.shape[1] < 2:
        raise DataError(f"{name}: spectra have {mu.shape[1]} points; need at least 2")
    sites = _site_ids(table, name)
    ids = {"site_id": sites, "material_id": _materials(table, sites, name), "element": elements}
    return StepTable(
        sites=pd.DataFrame(ids),
        descriptors=_descriptors(table),
        mu=mu,
        relative_ev=step * np.arange(mu.shape[1]),
        start_ev=starts,
        origin=_origin(table, name),
    )


def read_step_table(table: pa.Table, name: str, element: str | None, code: str | None = None) -> RawSpectra:
    """Spectra of one ``element`` (and one ``code``, when given) of a common-step table.

    Energies are ``start[element] + step * i``. Site ids that repeat among the chosen rows get the code, then the
    split, then a counter appended, so that every row is kept under its own name; the material comes from material_id,
    else from the site id. Numeric columns become descriptors.
    Raises DataError when the element is not named or not there.
    """
    ledger = Ledger()
    starts, step = _starts(table, name)
    elements = text_column(table, "element", name)
    present = sorted(set(elements.tolist()))
    if element is None and len(present) != 1:
        raise DataError(f"{name}: holds {', '.join(present)}; name one element")
    chosen = element or present[0]
    if chosen not in present:
        raise DataError(f"{name}: has no {chosen}; it holds {', '.join(present)}")
    if chosen not in starts:
        raise DataError(f"{name}: the metadata gives no start energy for {chosen}")
    mask = elements == chosen
    codes = text_column(table, "code", name) if "code" in table.column_names else None
    if code is not None:
        if codes is None:
            raise DataError(f"{name}: has no column 'code' to choose '{code}' by")
        there = sorted(set(codes[mask].tolist()))
        if code not in there:
            raise DataError(f"{name}: has no {chosen} spectra by {code}; it has {', '.join(there)}")
        mask &= codes == code
    mu = mu_column(table, name).astype(np.float64)
    rows = np.flatnonzero(mask)
    energy = starts[chosen] + step * np.arange(mu.shape[1])
    sites = _site_ids(table, name)
    labels = [column for column in ("code", "split") if column in table.column_names]
    materials = _materials(table, sites, name)
    unique = _unique_names([sites[row] for row in rows], [text_column(table, label, name)[rows] for label in labels])
    if codes is not None and code is None and len(set(codes[rows].tolist())) > 1:
        counts = ", ".join(f"{count} {which}" for which, count in sorted(Counter(codes[rows].tolist()).items()))
        ledger.warn(f"spectra of different codes are mixed ({counts}); name one to keep them apart")
    renamed = sum(new != sites[row] for new, row in zip(unique, rows, strict=True))
    if renamed:
        ledger.warn(
            f"{renamed} site ids occur more than once; code, split or a counter was appended to keep them apart"
        )
    _warn_of_common_scale(mu, elements, ledger)
    which = f", {code}" if code else ""
    return RawSpectra(
        energy_ev=[energy] * rows.size,
        mu=list(mu[rows]),
        site_id=unique,
        material_id=[materials[row] for row in rows],
        element=[chosen] * rows.size,
        descriptors=_descriptors(table).iloc[rows].reset_index(drop=True),
        source=name,
        kind="Parquet common-step table",
        origin=f"{_origin(table, name)}, {chosen}{which}",
        ledger=ledger,
    )


def _lists(table: pa.Table, column: str, name: str) -> list[FloatArray]:
    """A list column as n float64 arrays."""
    values = number_lists(table, column, name)
    ends = np.cumsum(row_lengths(values))
    flat = np.asarray(values.flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
    return list(np.split(flat, ends[:-1])) if len(values) else []


def _shared(arrays: list[FloatArray]) -> list[FloatArray]:
    """The same arrays, with one object for those of equal contents, so that interpolation shares its work."""
    first: dict[bytes, FloatArray] = {}
    return [first.setdefault(array.tobytes(), array) for array in arrays]


def _site_ids(table: pa.Table, name: str) -> list[str]:
    """The column site_id, or names made of material_id and site."""
    if "site_id" in table.column_names:
        return [str(site) for site in text_column(table, "site_id", name)]
    if "material_id" in table.column_names and "site" in table.column_names:
        materials = text_column(table, "material_id", name)
        sites = table.column("site").to_pylist()
        return [site_name(str(material), site) for material, site in zip(materials, sites, strict=True)]
    raise DataError(f"{name}: no column 'site_id' (nor material_id and site); need a name per spectrum")


def _materials(table: pa.Table, sites: list[str], name: str) -> list[str]:
    """The column material_id, or the materials that the site ids name."""
    if "material_id" in table.column_names:
        return [str(material) for material in text_column(table, "material_id", name)]
    return [material_and_site(site)[0] for site in sites]


def _elements(table: pa.Table, name: str, element: str | None, energies: list[FloatArray], ledger: Ledger) -> list[str]:
    """Absorber of each row: from the table, from the caller, or from the energies."""
    if "element" in table.column_names:
        return [str(symbol) for symbol in text_column(table, "element", name)]
    if element is not None:
        return [element] * table.num_rows
    ends = [(float(energy[0]), float(energy[-1])) for energy in energies if energy.size]
    first, last = (float(np.median([end[side] for end in ends])) if ends else float("nan") for side in (0, 1))
    found = element_of_energies(first, last)
    if found is None:
        raise DataError(f"{name}: no K edge lies near the start of {first:g} to {last:g} eV; name the element")
    ledger.warn(f"the absorber is taken to be {found}, whose K edge is nearest to {first:.1f} eV")
    return [found] * table.num_rows


def _descriptors(table: pa.Table) -> pd.DataFrame:
    """Numeric columns (n, d) as float64, and only_O as 0 or 1."""
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for field in table.schema:
        values = table.column(field.name)
        if field.name in ONLY_OXYGEN and pa.types.is_boolean(field.type):
            columns["ONLY_O"] = np.array(
                [np.nan if value is None else float(value) for value in values.to_pylist()], dtype=np.float64
            )
        elif field.name not in NOT_DESCRIPTORS and (
            pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
        ):
            columns[field.name] = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    return pd.DataFrame(columns, index=range(table.num_rows))


def _neighbours(table: pa.Table) -> list[str]:
    if NEIGHBOURS_COLUMN not in table.column_names:
        return []
    return [str(value) if value is not None else "unknown" for value in table.column(NEIGHBOURS_COLUMN).to_pylist()]


def _starts(table: pa.Table, name: str) -> tuple[dict[str, float], float]:
    """Start energies per element and the step, both in eV."""
    stored = table.schema.metadata or {}
    try:
        starts = {str(symbol): float(start) for symbol, start in json.loads(stored[START_KEY]).items()}
        step = float(stored[STEP_KEY])
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{name}: metadata energy_start_ev must be a JSON object of numbers, energy_step_ev a number ({error})"
        ) from error
    if not (np.isfinite(step) and step > 0 and all(np.isfinite(start) for start in starts.values())):
        raise DataError(f"{name}: energy step is {step}; need finite starts and a step above 0 eV")
    return starts, step


def _origin(table: pa.Table, name: str) -> str:
    """Where the spectra come from, as the metadata says, or the file."""
    stored: bytes = (table.schema.metadata or {}).get(ORIGIN_KEY, b"")
    return stored.decode(errors="replace") or f"{name}, Parquet common-step table"


def _unique_names(sites: list[str], labels: list[npt.NDArray[np.str_]]) -> list[str]:
    """Names made unique: those that repeat get each label appended in turn, then a counter."""
    names = list(sites)
    for label in labels:
        counts = Counter(names)
        names = [f"{site}-{label[row]}" if counts[site] > 1 else site for row, site in enumerate(names)]
    counts = Counter(names)
    used: Counter[str] = Counter()
    taken = {site for site, count in counts.items() if count == 1}
    for row, site in enumerate(names):
        if counts[site] > 1:
            used[site] += 1
            while (candidate := f"{site}-{used[site]}") in taken:
                used[site] += 1
            taken.add(candidate)
            names[row] = candidate
    return names


def _warn_of_common_scale(mu: FloatArray, elements: npt.NDArray[np.str_], ledger: Ledger) -> None:
    """Say so when the elements of a file end at clearly different mu: they share an absolute scale."""
    tail = max(1, mu.shape[1] // 5)
    with np.errstate(invalid="ignore"):
        ends = {
            symbol: float(np.nanmedian(mu[elements == symbol, -tail:])) for symbol in sorted(set(elements.tolist()))
        }
    values = np.array(list(ends.values()))
    if len(ends) > 1 and np.ptp(values) > SPREAD_OF_SCALES * np.median(values):
        listed = ", ".join(f"{symbol} {end:.2f}" for symbol, end in ends.items())
        ledger.warn(
            f"the elements of this file end at different mu ({listed}): an absolute scale, not edge-normalised; "
            "the values are kept as they are"
        )
