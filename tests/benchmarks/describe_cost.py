"""Seconds per site on one core, and agreement with the published values, on seeded real sites.

    python -m tests.benchmarks.describe_cost --sites 200 --seed 0

Each site is described on its own, with nothing shared between sites, so the numbers are upper bounds.
"""

from __future__ import annotations

import argparse
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from pymatgen.core import Structure
from threadpoolctl import threadpool_limits

from engine.structures import PAPER_SECOND_SHELL_ANGSTROM, describe_sites
from tests.benchmarks.numbers import add_json, keep

PUBLISHED = ["OS", "CN", "CN2", "OCN", "NNRS", "NNAS", "MOOD", "PGSO"]
REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=200, help="number of sites, 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    add_json(parser)
    arguments = parser.parse_args()
    folder = Path(os.environ.get("RANKAAE_REAL_DATA", REPOSITORY.parent / "shared" / "data")) / "cu_feff"
    table = pd.read_parquet(folder / "sites.parquet", columns=["material_id", "site", "only_O", *PUBLISHED])
    if 0 < arguments.sites < len(table):
        rows = np.random.default_rng(arguments.seed).choice(len(table), arguments.sites, replace=False)
        table = table.iloc[np.sort(rows)].reset_index(drop=True)
    seconds, frames = [], []
    with zipfile.ZipFile(folder / "structures.zip") as archive:
        for material_id, site in zip(table.material_id, table.site, strict=True):
            text = archive.read(f"{material_id}/POSCAR").decode()
            structure = Structure.from_str(text, fmt="poscar")
            start = time.perf_counter()
            described = describe_sites(
                {material_id: structure},
                [(material_id, site)],
                second_shell_angstrom={"Cu": PAPER_SECOND_SHELL_ANGSTROM},
            )
            seconds.append(time.perf_counter() - start)
            frames.append(described.frame)
    cost = np.array(seconds)
    print(f"{len(table)} sites, the whole catalogue, one core, seconds per site:")
    figures = {"mean": cost.mean(), "median": np.median(cost), "p95": np.quantile(cost, 0.95), "max": cost.max()}
    print("  " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    kept = {name: float(value) for name, value in figures.items()}
    keep({"descriptors, seconds per site on one core": {"whole catalogue": kept}}, arguments.json)
    found = pd.concat(frames).reset_index(drop=True)
    print("agreement with the published values (within 1e-6, NaN with NaN):")
    for name in PUBLISHED:
        here, there = found[name].to_numpy(), table[name].to_numpy(dtype=float)
        same = (np.abs(here - there) <= 1e-6) | (np.isnan(here) & np.isnan(there))
        print(f"  {name:5s} {int(same.sum())} of {len(table)}")
    same = (found["O_FRAC"] == 1.0).to_numpy() == table["only_O"].to_numpy()
    print(f"  O_FRAC == 1 as only_O: {int(same.sum())} of {len(table)}")


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        main()
