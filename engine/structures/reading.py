"""Reading one crystal structure from a POSCAR or CIF file that may come from anywhere."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Structure
from pymatgen.io.cif import CifFile, CifParser
from pymatgen.io.vasp.inputs import Poscar

from engine.errors import DataError

MAX_BYTES = 5_000_000
MAX_SITES = 2000
MAX_CIF_POSITIONS = 400_000
SHORTEST_DISTANCE_ANGSTROM = 0.4
SMALLEST_VOLUME_ANGSTROM3 = 1.0


def read_structure(
    path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES, max_sites: int = MAX_SITES
) -> Structure:
    """The crystal structure in a POSCAR/CONTCAR or CIF file, told apart by their content.

    A POSCAR keeps its site order, so that 0-based site indices mean what they mean in the file; the sites of a CIF,
    with its symmetry operations applied, come sorted by electronegativity, as pymatgen gives them. Partial occupancy
    is kept.
    A DataError names the file and what is wrong: missing, larger than ``max_bytes``, not text, neither format, no
    element symbols, more than one structure, more than ``max_sites`` sites, no volume, atoms on top of one another.
    """
    path = Path(path)
    text = _read_text(path, max_bytes)
    is_cif = "_cell_length_a" in text.lower()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            structure = _from_cif(path, text, max_sites) if is_cif else _from_poscar(path, text, max_sites)
    except DataError:
        raise
    except Exception as problem:
        form = "CIF" if is_cif else "POSCAR"
        raise DataError(
            f"{path.name}: cannot be read as {form} ({type(problem).__name__}: {_short(problem)})"
        ) from problem
    if any("Elements in POSCAR cannot be determined" in str(warning.message) for warning in caught):
        raise DataError(f"{path.name}: no element symbols; need them in line 6 of the POSCAR")
    _check(path, structure, max_sites)
    return structure


def _read_text(path: Path, max_bytes: int) -> str:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise DataError(f"{path.name}: not a file; need a POSCAR or CIF file")
        if size > max_bytes:
            raise DataError(f"{path.name}: {size} bytes; need at most {max_bytes}")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise DataError(f"{path.name}: cannot be read ({problem.strerror})") from problem
    except UnicodeDecodeError as problem:
        raise DataError(f"{path.name}: not text (byte {problem.start}); need a POSCAR or CIF file") from problem
    if not text.strip():
        raise DataError(f"{path.name}: the file is empty; need a POSCAR or CIF file")
    return text


def _from_poscar(path: Path, text: str, max_sites: int) -> Any:
    lines = text.splitlines()
    if len(lines) < 8:
        raise DataError(f"{path.name}: {len(lines)} lines; need a POSCAR (8 lines or more) or a CIF")
    try:
        scale = float(lines[1].split()[0])
        vectors = [[float(word) for word in line.split()[:3]] for line in lines[2:5]]
    except (ValueError, IndexError):
        raise DataError(
            f"{path.name}: lines 2 to 5 are not a scale and three lattice vectors; "
            "need a POSCAR, or a CIF with _cell_length_a"
        ) from None
    if not (np.isfinite(scale) and scale != 0 and all(len(v) == 3 for v in vectors) and np.isfinite(vectors).all()):
        raise DataError(f"{path.name}: lines 2 to 5 are not a scale and three lattice vectors of finite numbers")
    counted = 0
    for line in lines[5:26]:
        words = line.split()
        if counted and not (words and words[0].isdigit()):
            break
        counted += sum(int(word) for word in words if word.isdigit() and len(word) < 10) if words else 0
        if any(word.isdigit() and len(word) >= 10 for word in words):
            counted = max_sites + 1
    if counted > max_sites:
        raise DataError(f"{path.name}: more than {max_sites} sites; need at most that many")
    return Poscar.from_str(text, read_velocities=False).structure


def _from_cif(path: Path, text: str, max_sites: int) -> Any:
    blocks = [block for block in CifFile.from_str(text).data.values() if "_cell_length_a" in block.data]
    if len(blocks) != 1:
        raise DataError(f"{path.name}: {len(blocks)} structures; need a CIF with one")
    data = blocks[0].data
    atoms = data.get("_atom_site_label", data.get("_atom_site_type_symbol", ()))
    operations: Any = ()
    for key in ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz", "_space_group_symop.operation_xyz"):
        operations = operations or data.get(key, ())
    count = 1 if isinstance(operations, str) else max(len(operations), 1)
    if len(atoms) > max_sites or len(atoms) * count > MAX_CIF_POSITIONS:
        raise DataError(f"{path.name}: {len(atoms)} atoms × {count} operations; need at most {max_sites} atoms")
    structures = CifParser.from_str(text).parse_structures(primitive=False, on_error="raise")
    if len(structures) != 1:
        raise DataError(f"{path.name}: {len(structures)} structures; need a CIF with one")
    return structures[0]


def _check(path: Path, structure: Any, max_sites: int) -> None:
    if not 1 <= len(structure) <= max_sites:
        raise DataError(f"{path.name}: {len(structure)} sites; need 1 to {max_sites}")
    if not (np.isfinite(structure.lattice.matrix).all() and np.isfinite(structure.frac_coords).all()):
        raise DataError(f"{path.name}: lattice or coordinates are not finite numbers")
    if structure.volume < SMALLEST_VOLUME_ANGSTROM3:
        raise DataError(f"{path.name}: the cell has {structure.volume:.3g} Å³; need a lattice in Å that spans a volume")
    distances = np.array(structure.distance_matrix)
    np.fill_diagonal(distances, np.inf)
    i, j = (int(k) for k in np.unravel_index(int(np.argmin(distances)), distances.shape))
    if distances[i, j] < SHORTEST_DISTANCE_ANGSTROM:
        raise DataError(
            f"{path.name}: sites {i} and {j} are {distances[i, j]:.3f} Å apart; need at least "
            f"{SHORTEST_DISTANCE_ANGSTROM:g} Å between atoms"
        )


def _short(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return text if len(text) <= 160 else f"{text[:160]}…"
