"""What training costs against the number of stacked seeds and the number of spectra, per epoch.

    python -m tests.benchmarks.train_scaling [--stacks 1 8 32 100] [--spectra 1000 4000 16000 64000] [--epochs 4]

Preset `default` on made-up spectra of 256 points, three descriptors and a free axis; batch size fixed. Every training
is a `rankaae train` process on the GPU where there is one; the first of its epochs, which warms up, does not count.
Training time per spectrum should stay the same as sets grow, and on a GPU that per seed should fall as stacks grow.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from engine.io import write_set
from engine.model.run import Run
from tests.benchmarks.numbers import Rows, Tables, add_json, keep, table
from tests.benchmarks.train_quality import rankaae
from tests.synthetic import make_set

STACKED_SPECTRA = 4000


def measured(work: Path, spectra: int, seeds: int, epochs: int) -> tuple[float, float]:
    """Median seconds per epoch of one training, and the peak memory of its process in GB."""
    path, run = work / f"{spectra}.parquet", Path(tempfile.mkdtemp(dir=work)) / "run"
    if not path.exists():
        write_set(make_set(spectra, points=256), path)
    options = ("--descriptors", "OS,CN,WAVE", "--free", "1", "--seeds", str(seeds), "--set", f"epochs={epochs + 1}")
    _, memory = rankaae("train", str(path), *options, "--out", str(run))
    seconds = [event["seconds"] for event in Run(run).events() if event["event"] == "epoch"]
    return float(np.median(seconds[1:])), memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stacks", type=int, nargs="+", default=[1, 8, 32, 100])
    parser.add_argument("--spectra", type=int, nargs="+", default=[1000, 4000, 16_000, 64_000])
    parser.add_argument("--stacked-spectra", type=int, default=STACKED_SPECTRA, help="spectra of the stacks' set")
    parser.add_argument("--epochs", type=int, default=4, help="epochs that count")
    add_json(parser)
    options = parser.parse_args()
    gpu = torch.cuda.is_available()
    where = torch.cuda.get_device_name() if gpu else "the CPU"
    print(f"training on {where}" + ("" if gpu else ": no GPU at hand, so what a stack gains on one is not measured"))
    tables: Tables = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        rows: Rows = {}
        for seeds in options.stacks:
            seconds, memory = measured(work, options.stacked_spectra, seeds, options.epochs)
            rows[f"{seeds} seeds"] = {"s/epoch": seconds, "ms/epoch/seed": 1000 * seconds / seeds, "GB": memory}
        single = next(iter(rows.values()))["ms/epoch/seed"]
        rows = {name: row | {"of the first": row["ms/epoch/seed"] / single} for name, row in rows.items()}
        tables["stack size"] = rows
        table(f"seeds in one stack, {options.stacked_spectra} spectra", rows)
        rows = {}
        for spectra in options.spectra:
            seconds, memory = measured(work, spectra, 1, options.epochs)
            rows[f"{spectra} spectra"] = {"s/epoch": seconds, "ms/epoch/1000": 1e6 * seconds / spectra, "GB": memory}
        tables["spectra"] = rows
        table("spectra in a set, one seed", rows)
    keep(tables, options.json)


if __name__ == "__main__":
    main()
