"""The structures of a set on disk: one Parquet table per element, one row per structure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pymatgen.core import Lattice, Structure

from engine.batch.processes import Workers, in_processes
from engine.batch.simulate import Progress, reason_of
from engine.embedded.recipes import recipe_of
from engine.errors import DataError
from engine.generation.materials import Material
from engine.io.files import atomic_target

METADATA_KEY = b"rankaae-structures"


@dataclass(frozen=True)
class _Task:
    recipe: str
    element: str
    sites: int
    seed: int
    path: Path


def make_structures(
    recipe: str,
    sites: Mapping[str, int],
    *,
    seed: int,
    folder: Path,
    workers: Workers,
    progress: Progress | None,
) -> dict[str, Path]:
    """The file of every element of ``sites``, made where it is missing or differs; one process per element."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [_Task(recipe, element, count, seed, folder / f"{element}.parquet") for element, count in sites.items()]
    waiting = [task for task in tasks if not _is_current(task)]
    done = len(tasks) - len(waiting)
    for task, result in in_processes(_make, waiting, workers):
        if isinstance(result, Exception):
            raise DataError(f"structures of {task.element}: {reason_of(result)}") from result
        done += 1
        if progress is not None:
            progress(done, len(tasks))
    return {task.element: task.path for task in tasks}


def read_structures(path: Path) -> list[tuple[Material, list[int]]]:
    """Structures and chosen sites (0-based) of one element, as they were made."""
    table = pq.read_table(path)
    found = []
    for row in table.to_pylist():
        lattice = Lattice(np.array(row["lattice"], dtype=np.float64).reshape(3, 3))
        positions = np.array(row["position"], dtype=np.float64).reshape(-1, 3)
        structure = Structure(lattice, row["species"], positions)
        states = None if row["states"] is None else tuple(int(state) for state in row["states"])
        material = Material(
            row["material_id"], row["structure_id"], structure, states, row["kind"], row["source"], row["copy"],
            row["published"],
        )  # fmt: skip
        found.append((material, [int(i) for i in row["sites"]]))
    return found


def write_structures(materials: Sequence[tuple[Material, list[int]]], about: dict[str, object], path: Path) -> None:
    """One row per structure: ids, type, source, lattice (9, Å), species, fractional positions (3 n), states, sites."""
    rows: dict[str, list[object]] = {
        "material_id": [m.material_id for m, _ in materials],
        "structure_id": [m.structure_id for m, _ in materials],
        "kind": [m.kind for m, _ in materials],
        "source": [m.source for m, _ in materials],
        "copy": [m.copy for m, _ in materials],
        "published": [m.published for m, _ in materials],
        "lattice": [np.round(m.structure.lattice.matrix, 6).ravel().tolist() for m, _ in materials],
        "species": [[site.specie.symbol for site in m.structure] for m, _ in materials],
        "position": [np.round(m.structure.frac_coords % 1.0, 6).ravel().tolist() for m, _ in materials],
        "states": [None if m.states is None else list(m.states) for m, _ in materials],
        "sites": [chosen for _, chosen in materials],
    }
    table = pa.table({name: pa.array(values) for name, values in rows.items()})
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(about, sort_keys=True).encode()})
    with atomic_target(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _about(task: _Task) -> dict[str, object]:
    return {"recipe": task.recipe, "element": task.element, "sites": task.sites, "seed": task.seed}


def _is_current(task: _Task) -> bool:
    try:
        stored = (pq.read_schema(task.path).metadata or {}).get(METADATA_KEY)
    except (OSError, pa.ArrowException):
        return False
    return stored == json.dumps(_about(task), sort_keys=True).encode()


def _make(task: _Task) -> int:
    """The structures of one element, in a process of its own."""
    materials = list(recipe_of(task.recipe).materials(task.element, sites=task.sites, seed=task.seed))
    write_structures(materials, _about(task), task.path)
    return len(materials)
