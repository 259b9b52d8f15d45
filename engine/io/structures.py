"""The crystal structures of a set, beside it in ``<set>.structures.parquet``: one row per structure.

Columns: structure_id (a site's id without its site number), lattice (9 float32, rows a, b, c in Å), species (n symbols)
and position (3 n float32, fractional). A set without this file is as good as any other; only its sites have no picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import DataError
from engine.io.files import atomic_target, check_file
from engine.names import material_and_site
from engine.spectra.spectra_set import SpectraSet

if TYPE_CHECKING:
    from pymatgen.core import Structure

SUFFIX = ".structures.parquet"
MAX_ATOMS = 2000
ROWS_PER_GROUP = 256
_SCHEMA = pa.schema(
    {
        "structure_id": pa.string(),
        "lattice": pa.list_(pa.float32()),
        "species": pa.list_(pa.string()),
        "position": pa.list_(pa.float32()),
    }
)


def structures_path(set_path: Path) -> Path:
    """Where the structures of the set at ``set_path`` are, if it has any."""
    return set_path.with_name(set_path.name.removesuffix(".parquet") + SUFFIX)


def write_structures(structures: Mapping[str, Structure], spectra: SpectraSet | Iterable[str], path: Path) -> None:
    """Writes those of ``structures`` (by id) that sites of a set, or of some site ids, are in; none, no file stays.

    Structures with partly occupied sites are left out. DataError when the file cannot be written.
    """
    wanted = _structure_ids(spectra.site_id.tolist() if isinstance(spectra, SpectraSet) else spectra)
    kept = {name: structures[name] for name in wanted if name in structures and structures[name].is_ordered}
    columns = {
        "structure_id": list(kept),
        "lattice": [s.lattice.matrix.ravel().astype(np.float32) for s in kept.values()],
        "species": [[site.specie.symbol for site in s] for s in kept.values()],
        "position": [np.asarray(s.frac_coords % 1.0, dtype=np.float32).ravel() for s in kept.values()],
    }
    _write(pa.table(columns, schema=_SCHEMA), path)


def copy_structures(source: Path, spectra: SpectraSet, target: Path) -> None:
    """The same with rows of the file ``source``, which need not be there."""
    wanted = _structure_ids(spectra.site_id.tolist())
    _write(_rows(source, wanted) if source.is_file() else _SCHEMA.empty_table(), target)


def read_site_structure(path: Path, site_id: str) -> tuple[Structure, int] | None:
    """The structure that a site is in, and the site's 0-based number there; None when the file does not have it.

    Only the part of the file that holds it is read. DataError for a missing or damaged file, or a site out of range.
    """
    return next(((structure, index) for _, structure, index in read_structures(path, [site_id])), None)


def read_structures(path: Path, site_ids: Sequence[str]) -> Iterator[tuple[str, Structure, int]]:
    """(site id, structure, 0-based number in it) of every site that the file has; errors as in the above."""
    wanted: dict[str, list[tuple[str, int]]] = {}
    for site_id in site_ids:
        structure_id, index = material_and_site(site_id)
        if index is not None:
            wanted.setdefault(structure_id, []).append((site_id, index))
    for row in _rows(path, list(wanted)).to_pylist() if wanted else ():
        for site_id, index in wanted[row["structure_id"]]:
            yield site_id, _structure(path, row, site_id, index), index


def read_formulas(path: Path) -> dict[str, str]:
    """Reduced formula of every structure in the file, by structure id; DataError for a missing or damaged file."""
    from pymatgen.core import Composition

    rows = _rows(path, None, ("structure_id", "species")).to_pydict()
    counts = [tuple(sorted(Counter(species).items())) for species in rows["species"]]
    try:
        formulas = {one: str(Composition(dict(one)).reduced_formula) for one in set(counts)}
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path.name}: the atoms of a structure are not sound ({error})") from error
    return {name: formulas[one] for name, one in zip(rows["structure_id"], counts, strict=True)}


def _structure(path: Path, row: dict[str, Any], site_id: str, index: int) -> Structure:
    from pymatgen.core import Lattice, Structure

    lattice, species, position = (row[name] for name in ("lattice", "species", "position"))
    try:
        matrix = np.array(lattice, dtype=np.float64).reshape(3, 3)
        positions = np.array(position, dtype=np.float64).reshape(len(species), 3)
        sound = np.isfinite(matrix).all() and np.isfinite(positions).all() and abs(np.linalg.det(matrix)) > 1
        if not sound or not index < len(species) <= MAX_ATOMS:
            raise ValueError(f"{len(species)} atoms, site {index}")
        return Structure(Lattice(matrix), species, positions)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path.name}: the structure of {site_id} is not sound ({error})") from error


def _structure_ids(sites: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(material_and_site(str(site))[0] for site in sites))


def _rows(path: Path, structure_ids: list[str] | None, columns: Sequence[str] = tuple(_SCHEMA.names)) -> pa.Table:
    """Columns of the rows of some structures, of all for None."""
    check_file(path)
    wanted = None if structure_ids is None else [("structure_id", "in", structure_ids)]
    try:
        table = pq.read_table(path, columns=list(columns), filters=wanted, use_threads=False)
        return table.cast(pa.schema([_SCHEMA.field(name) for name in columns]))
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(f"{path.name}: not a readable file of structures ({reason})") from error


def _write(table: pa.Table, path: Path) -> None:
    if not table.num_rows:
        path.unlink(missing_ok=True)
        return
    with atomic_target(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=ROWS_PER_GROUP)
