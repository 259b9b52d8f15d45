"""Seconds per site of the simulator against cluster size, lmax, mode and number of sites at a time.

    python -m tests.benchmarks.simulator_cost [--sites 6] [--workers 2] [--atoms 15 30 60 100 150] [--json FILE]

Random sites of `cu_feff`, each simulated on one core; the last table takes them all, with one worker and with several.
Absolute times depend on the machine: compare rows.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pymatgen.core import Structure
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from engine.simulation.simulate import Settings, simulate_site
from tests.benchmarks.numbers import Rows, Tables, add_json, keep

REPOSITORY = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("RANKAAE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
SIZES = (15, 30, 60, 100, 150)
Site = tuple[str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--atoms", type=int, nargs="+", default=SIZES, help="atoms that scatter")
    add_json(parser)
    options = parser.parse_args()
    folder = REAL_DATA / "cu_feff"
    if not folder.is_dir():
        raise SystemExit(f"real data not found in {folder} (set RANKAAE_REAL_DATA)")
    sites = draw_sites(folder, options.sites, options.seed)
    one_thread()
    seconds(sites[0], Settings(n_atoms=15, lmax=2))  # free atoms come from the cache from here on
    print(f"{len(sites)} random sites of cu_feff, one core: mean seconds per site")
    print("atoms that scatter   " + "".join(f"{n:>9d}" for n in options.atoms))
    rows: Rows = {}
    for lmax in (2, 3):
        row = {
            f"{n} atoms": float(np.mean([seconds(site, Settings(n_atoms=n, lmax=lmax)) for site in sites]))
            for n in options.atoms
        }
        rows[f"fast, lmax {lmax}"] = row
        print(f"fast, lmax {lmax}         " + "".join(f"{value:9.2f}" for value in row.values()))
    for name, settings in (("fast, radius 5 Å", Settings(radius_angstrom=5.0)), ("scf, 60 atoms", Settings("scf"))):
        rows[name] = {"s per site": float(np.mean([seconds(site, settings) for site in sites]))}
        print(f"{name:21s}{rows[name]['s per site']:9.2f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    print("\nall sites together, fast, 60 atoms, lmax 3: seconds per site by the clock")
    tables: Tables = {"simulator, seconds per site on one core": rows}
    together = tables["simulator, sites together"] = {}
    for workers in sorted({1, options.workers}):
        with ProcessPoolExecutor(workers, initializer=one_thread) as pool:
            list(pool.map(seconds, sites[:workers], [Settings(n_atoms=15, lmax=2)] * workers))
            start = time.perf_counter()
            list(pool.map(seconds, sites, [Settings()] * len(sites)))
            together[f"{workers} at a time"] = {"s per site": (time.perf_counter() - start) / len(sites)}
            print(f"{workers} at a time {together[f'{workers} at a time']['s per site']:9.2f}")
    keep(tables, options.json)


def draw_sites(folder: Path, count: int, seed: int) -> list[Site]:
    """(POSCAR, site) of random sites."""
    table = pd.read_parquet(folder / "sites.parquet", columns=["material_id", "site"])
    rows = np.sort(np.random.default_rng(seed).choice(len(table), count, replace=False))
    with zipfile.ZipFile(folder / "structures.zip") as archive:
        return [(archive.read(f"{table['material_id'][row]}/POSCAR").decode(), int(table["site"][row])) for row in rows]


def seconds(site: Site, settings: Settings) -> float:
    """Time that one site takes, from the structure on."""
    text, index = site
    structure = Structure.from_str(text, fmt="poscar")
    start = time.perf_counter()
    simulate_site(structure, index, settings)
    return time.perf_counter() - start


def one_thread() -> None:
    torch.set_num_threads(1)
    threadpool_limits(limits=1)


if __name__ == "__main__":
    main()
