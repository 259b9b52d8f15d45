"""Generated structures beside real ones: descriptors of Cu oxides, and what both recipes hold.

    python tests/benchmarks/structure_distributions.py --work .embedded --sites 850

Structures that are already in ``--work`` (``python -m engine.embedded build`` leaves them there) are not made again.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from engine.embedded.recipes import RECIPES
from engine.embedded.structures import make_structures, read_structures
from engine.structures import describe_sites

REPOSITORY = Path(__file__).resolve().parents[2]
COMPARED = ("OS", "CN", "BL_MEAN", "OCN", "NNRS", "MOOD", "PGSO")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=REPOSITORY / ".embedded", help="folder of finished structures")
    parser.add_argument("--sites", type=int, default=None, help="sites per element; default: the recipe's")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--skip-periodic", action="store_true")
    arguments = parser.parse_args()
    recipes = ["oxides-3d"] if arguments.skip_periodic else list(RECIPES)
    for name in recipes:
        recipe = RECIPES[name]
        files = make_structures(
            name, {el: arguments.sites or count for el, count in recipe.sites.items()}, seed=0,
            folder=arguments.work / name / "structures", workers=arguments.workers, progress=None,
        )  # fmt: skip
        print(f"\n{name}: {recipe.title}")
        if name == "oxides-3d":
            tables = {element: described(path, arguments.workers) for element, path in files.items()}
            compare(tables["Cu"])
            for element, table in tables.items():
                print(f"\n{element}: {len(table)} sites, {table.material_id.nunique()} materials")
                print(pd.crosstab(table["OS"].astype(int), table["CN"].astype(int)).to_string())
        else:
            for element, path in files.items():
                stored = read_structures(path)
                kinds = Counter(group_of(material.structure) for material, _ in stored)
                count = sum(len(chosen) for _, chosen in stored)
                print(f"{element:3} {count:4} sites  " + ", ".join(f"{k} {v}" for k, v in kinds.most_common()))


def described(path: Path, workers: int) -> pd.DataFrame:
    """Descriptors of the chosen sites of one element, and the material of each."""
    stored = read_structures(path)
    structures = {material.structure_id: material.structure for material, _ in stored}
    sites = [(material.structure_id, i) for material, chosen in stored for i in chosen]
    frame = describe_sites(structures, sites, list(COMPARED), workers=workers).frame.reset_index(drop=True)
    return frame.assign(material_id=[material.material_id for material, chosen in stored for _ in chosen])


def compare(generated: pd.DataFrame) -> None:
    """Quantiles and class shares of generated Cu oxides beside the published ones."""
    real = published()
    print(f"Cu oxides: {len(generated)} generated and {len(real)} published sites; quantiles {QUANTILES}")
    for name in COMPARED:
        for label, table in (("generated", generated), ("published", real)):
            values = np.quantile(table[name].dropna(), QUANTILES)
            print(f"  {name:8} {label:10}" + "".join(f"{value:9.3f}" for value in values))
    for name in ("OS", "CN"):
        for label, table in (("generated", generated), ("published", real)):
            share = table[name].dropna().astype(int).value_counts(normalize=True).sort_index()
            print(f"  {name:8} {label:10}" + "".join(f"  {k}: {v:.2f}" for k, v in share.items()))


def published() -> pd.DataFrame:
    """The complete oxygen-coordinated rows of ``cu_feff``; the mean bond length is computed here."""
    folder = Path(os.environ.get("RANKAAE_REAL_DATA", REPOSITORY.parent / "shared" / "data")) / "cu_feff"
    table = pd.read_parquet(folder / "sites.parquet")
    table = table[table["only_O"]].dropna(subset=["OS", "CN", "OCN", "NNRS", "MOOD"]).reset_index(drop=True)
    return table.assign(BL_MEAN=bond_lengths(folder, table))


def bond_lengths(folder: Path, table: pd.DataFrame) -> np.ndarray:
    """Mean bond length of every twelfth row; NaN for the others, which would take minutes."""
    import zipfile

    from pymatgen.core import Structure

    values = np.full(len(table), np.nan)
    with zipfile.ZipFile(folder / "structures.zip") as archive:
        for row in range(0, len(table), 12):
            name, site = table.material_id[row], int(table.site[row])
            structure = Structure.from_str(archive.read(f"{name}/POSCAR").decode(), fmt="poscar")
            values[row] = describe_sites({name: structure}, [(name, site)], ["BL_MEAN"]).frame["BL_MEAN"].iloc[0]
    return values


def group_of(structure: object) -> str:
    """Oxide, halide, chalcogenide, pnictide or carbide, hydride, or metal, by what it holds."""
    symbols = {element.symbol for element in structure.elements}  # type: ignore[attr-defined]
    for name, anions in (
        ("oxides", {"O"}), ("halides", {"F", "Cl", "Br"}), ("chalcogenides", {"S", "Se"}),
        ("pnictides, carbides", {"N", "P", "As", "C"}), ("hydrides", {"H"}),
    ):  # fmt: skip
        if symbols & anions and len(symbols) > 1:
            return name
    return "elements and alloys"


if __name__ == "__main__":
    main()
