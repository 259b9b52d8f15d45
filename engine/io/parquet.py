"""The program's own file format: one Parquet table per SpectraSet, readable with plain ``pandas.read_parquet``.

Columns: site_id, material_id, element (text), one float64 column per descriptor, and ``mu`` as a fixed-size list of m
float32. Everything else (energy grid in eV, units, edge, origin, steps, format version) is JSON in the schema metadata
under the key ``rankaae``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.errors import DataError
from engine.io.files import MAX_BYTES, atomic_target, check_file, gigabytes
from engine.spectra.spectra_set import SpectraSet

METADATA_KEY = b"rankaae"
FORMAT = "rankaae-spectra"
FORMAT_VERSION = 1
TEXT_COLUMNS = ("site_id", "material_id", "element")
MU_COLUMN = "mu"


def write_set(spectra: SpectraSet, path: Path) -> None:
    """Write a set of n sites to one Parquet file; an existing file is replaced only once the new one is complete.

    ``read_set`` gives back every number bit for bit. Raises DataError when a descriptor is named like one of the
    format's own columns, and when the file cannot be written (no folder, no permission, full disk).
    """
    names = [str(name) for name in spectra.descriptors.columns]
    taken = [name for name in names if name in (*TEXT_COLUMNS, MU_COLUMN)]
    if taken or len(set(names)) != len(names):
        what = taken[0] if taken else next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path.name}: descriptor name '{what}' is already a column; rename the descriptor")
    n, m = spectra.mu.shape
    columns: dict[str, pa.Array] = {name: pa.array(getattr(spectra, name), type=pa.string()) for name in TEXT_COLUMNS}
    for position, name in enumerate(names):
        columns[name] = pa.array(spectra.descriptors.iloc[:, position].to_numpy(dtype=np.float64), type=pa.float64())
    flat = pa.array(spectra.mu.reshape(n * m), type=pa.float32())
    columns[MU_COLUMN] = pa.FixedSizeListArray.from_arrays(flat, m)
    table = pa.table(columns).replace_schema_metadata({METADATA_KEY: json.dumps(_metadata(spectra)).encode()})
    with atomic_target(path) as temporary:
        try:
            pq.write_table(table, temporary, compression="zstd", row_group_size=65536, write_page_checksum=True)
        except pa.ArrowException as error:
            raise OSError(str(error)) from error


def read_set(path: Path) -> SpectraSet:
    """The set in a file that ``write_set`` wrote, checked throughout.

    Raises DataError for a file that is missing, too large, not Parquet, not this format or a newer version of it, and
    for contents that do not fit: wrong lengths, values that are not finite, ids that repeat, text for numbers.
    """
    table = open_table(path)
    stored = own_metadata(table, path.name)
    if stored is None:
        raise DataError(f"{path.name}: a Parquet file without '{METADATA_KEY.decode()}' metadata; import it first")
    energy = _energies(stored, path.name)
    missing = [name for name in (*TEXT_COLUMNS, MU_COLUMN) if name not in table.column_names]
    if missing:
        raise DataError(f"{path.name}: column '{missing[0]}' is missing")
    names = [name for name in table.column_names if name not in (*TEXT_COLUMNS, MU_COLUMN)]
    text = {name: text_column(table, name, path.name) for name in TEXT_COLUMNS}
    descriptors = pd.DataFrame(
        {name: _number_column(table, name, path.name) for name in names}, index=range(table.num_rows), columns=names
    )
    try:
        return SpectraSet(
            energy_ev=energy,
            mu=mu_column(table, path.name, energy.size),
            descriptors=descriptors,
            edge=_text(stored, "edge", path.name),
            origin=_text(stored, "origin", path.name),
            steps=_steps(stored, path.name),
            **text,
        )
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from error


def open_table(path: Path, max_bytes: int = MAX_BYTES) -> pa.Table:
    """The whole Parquet table at ``path``, after a look at its size in memory, checksums and text verified."""
    check_file(path, max_bytes)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as opened:
            metadata = opened.metadata
            size = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
            width = sum(_bytes_per_row(field.type) for field in opened.schema_arrow)
            size = max(size, width * metadata.num_rows)
            if size > max_bytes:
                raise DataError(
                    f"{path.name}: {gigabytes(size)} once unpacked is more than the limit of {gigabytes(max_bytes)}"
                )
            table = opened.read(use_threads=False)
            table.validate(full=True)
            return table
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(f"{path.name}: not a readable Parquet file ({reason})") from error


def table_schema(path: Path) -> pa.Schema:
    """Columns and metadata of the Parquet file at ``path``, without its rows."""
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(f"{path.name}: not a readable Parquet file ({reason})") from error


def own_metadata(table: pa.Table, name: str) -> dict[str, object] | None:
    """The format's metadata, or None for a table that is not in this format."""
    raw = (table.schema.metadata or {}).get(METADATA_KEY)
    if raw is None:
        return None
    try:
        stored = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: the 'rankaae' metadata is not JSON ({error})") from error
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise DataError(f"{name}: the 'rankaae' metadata does not describe a set of spectra")
    version = stored.get("version")
    if version != FORMAT_VERSION:
        raise DataError(f"{name}: format version is {version!r}; this program reads version {FORMAT_VERSION}")
    return stored


def text_column(table: pa.Table, column: str, name: str) -> npt.NDArray[np.str_]:
    """A column of text without gaps, as (n,) text."""
    values = table.column(column)
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        raise DataError(f"{name}: column '{column}' holds {values.type}; need text")
    if values.null_count:
        row = int(np.argmax(values.is_null().to_numpy()))
        raise DataError(f"{name}, row {row + 1}: '{column}' is empty; need text")
    return np.array(values.to_pylist(), dtype=np.str_)


def mu_column(table: pa.Table, name: str, points: int | None = None) -> npt.NDArray[np.float32]:
    """Column mu as (n, m) float32, every row the same length, ``points`` when given; values may be NaN."""
    return list_column(table, MU_COLUMN, name, points)


def number_lists(table: pa.Table, column: str, name: str) -> pa.Array:
    """A ``column`` in one piece, once it is clear that it holds a list of numbers in every row."""
    values = table.column(column).combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks else pa.array([], type=values.type)
    if not is_number_list(values.type):
        raise DataError(f"{name}: column '{column}' holds {values.type}; need a list of numbers per row")
    if values.null_count:
        row = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
        raise DataError(f"{name}, row {row + 1}: '{column}' is empty; need a list of numbers")
    return values


def list_column(table: pa.Table, column: str, name: str, points: int | None = None) -> npt.NDArray[np.float32]:
    """A list ``column`` as (n, m) float32, every row the same length, ``points`` when given; values may be NaN."""
    values = number_lists(table, column, name)
    lengths = row_lengths(values)
    want = points if points is not None else int(lengths[0]) if lengths.size else 0
    wrong = np.flatnonzero(lengths != want)
    if wrong.size:
        raise DataError(f"{name}, row {wrong[0] + 1}: {column} has {lengths[wrong[0]]} points; need {want}")
    flat = np.asarray(values.flatten().to_numpy(zero_copy_only=False), dtype=np.float32)
    return flat.reshape(len(values), want)


def is_number_list(kind: pa.DataType) -> bool:
    """Whether a column type is a list of numbers."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(is_list and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)))


def row_lengths(values: pa.Array) -> npt.NDArray[np.intp]:
    """Length of each row of a list column (n,)."""
    if pa.types.is_fixed_size_list(values.type):
        return np.full(len(values), values.type.list_size, dtype=np.intp)
    return np.asarray(pc.list_value_length(values).to_numpy(zero_copy_only=False), dtype=np.intp)


def _bytes_per_row(kind: pa.DataType) -> int:
    """What one row costs in memory at least."""
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size) * _bytes_per_row(kind.value_type)
    return 4


def _metadata(spectra: SpectraSet) -> dict[str, object]:
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "energy_ev": spectra.energy_ev.tolist(),
        "units": {"energy_ev": "eV, absolute", "mu": "as described in steps; edge-normalised unless said otherwise"},
        "edge": spectra.edge,
        "origin": spectra.origin,
        "steps": list(spectra.steps),
    }


def _energies(stored: Mapping[str, object], name: str) -> npt.NDArray[np.float64]:
    values = stored.get("energy_ev")
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise DataError(f"{name}: the metadata's 'energy_ev' must be a list of numbers in eV")
    return np.array(values, dtype=np.float64)


def _text(stored: Mapping[str, object], key: str, name: str) -> str:
    value = stored.get(key)
    if not isinstance(value, str):
        raise DataError(f"{name}: the metadata's '{key}' is {value!r}; need text")
    return value


def _steps(stored: Mapping[str, object], name: str) -> tuple[str, ...]:
    steps = stored.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise DataError(f"{name}: the metadata's 'steps' must be a list of text")
    return tuple(steps)


def _number_column(table: pa.Table, column: str, name: str) -> npt.NDArray[np.float64]:
    values = table.column(column)
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        example = next((value for value in values.to_pylist() if value is not None), None)
        raise DataError(f"{name}: column '{column}' holds {values.type}, e.g. {example!r}; need numbers")
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
