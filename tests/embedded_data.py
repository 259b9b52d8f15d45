"""A tiny folder of embedded data: two families, a table of two elements, and a model that was hardly trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.embedded.manifest import file_entry, put_entry
from engine.embedded.models import train_models
from engine.io import write_set
from engine.model.config import make_config
from engine.spectra import SpectraSet
from tests.synthetic import make_set

TINY = make_config(
    "default", descriptors=("OS", "CN"), seeds=(0, 1), hidden=16, layers=3, epochs=10, batch_size=40
)  # fmt: skip
POINTS, STEP_EV = 20, 0.5
STARTS_EV = {"Cl": 2817.0, "Na": 1066.0}


def family(element: str, n: int = 90) -> SpectraSet:
    spectra = make_set(n)
    return replace(spectra, element=np.full(n, element), mu=spectra.mu * (1.0 if element == "Cu" else 1.01))


def put_family(folder: Path, spectra: dict[str, SpectraSet]) -> None:
    """Writes the families and names them in the manifest as the set oxides-3d."""
    files = []
    (folder / "oxides-3d").mkdir(exist_ok=True)
    for element, one in spectra.items():
        files.append(folder / "oxides-3d" / f"oxides-3d-{element}.parquet")
        write_set(one, files[-1])
    (folder / "oxides-3d.md").write_text("# oxides-3d\n\nMade up. Must not be used for <b>anything</b>.\n")
    _put_set(folder, "oxides-3d", list(spectra), sum(map(len, spectra.values())), files)


def put_table(folder: Path, copies: int = 1) -> None:
    """A common-step table of three Na and two Cl sites, or so many copies of them, as the set periodic-47."""
    elements = ["Na", "Na", "Na", "Cl", "Cl"] * copies
    n = len(elements)
    rows = np.linspace(0, 1, POINTS) ** np.tile(np.arange(1, 6), copies)[:, None]
    flat = pa.array(rows.ravel().astype(np.float16), type=pa.float16())
    columns = {
        "site_id": pa.array([f"m-{i}_000" for i in range(n)]),
        "material_id": pa.array([f"m-{i}" for i in range(n)]),
        "element": pa.array(elements),
        "CN": pa.array(np.array([6, 6, 4, 6, np.nan] * copies, dtype=np.float32)),
        "mu": pa.FixedSizeListArray.from_arrays(flat, POINTS),
    }
    metadata = {"energy_start_ev": json.dumps(STARTS_EV), "energy_step_ev": repr(STEP_EV), "origin": "made up"}
    path = folder / "periodic-47.parquet"
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
    (folder / "periodic-47.md").write_text("# periodic-47\n")
    _put_set(folder, "periodic-47", ["Na", "Cl"], n, [path])


def _put_set(folder: Path, name: str, elements: list[str], n: int, files: list[Path]) -> None:
    entry = {"name": name, "title": "made up", "card": f"{name}.md", "spectra": n, "elements": elements}
    put_entry(folder, "set", {**entry, "files": [file_entry(path, folder) for path in files]})


def make_embedded(folder: Path) -> Path:
    """The whole folder, with a model on Cu."""
    folder.mkdir(parents=True)
    put_family(folder, {"Ni": family("Ni"), "Cu": family("Cu")})
    put_table(folder)
    train_models("oxides-3d", folder, folder / ".parts" / "models", elements=["Cu"], config=TINY)
    return folder
