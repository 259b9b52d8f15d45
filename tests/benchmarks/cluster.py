"""Seeds × descriptor sets on a local Dask cluster, a worker killed in the middle, beside the same work one by one.

    python -m tests.benchmarks.cluster [--seeds 8] [--epochs 20] [--workers 2]

Four `rankaae train --scheduler` commands at once, one per descriptor set, on Cu K-edge spectra of `cu_feff`; when a
third of the seeds is done a worker is killed. Then every seed is trained alone in this process. Weights, scores and
history must be equal to the last bit.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from engine.io import import_source, write_set
from engine.model.apart import train_apart
from engine.model.config import make_config
from engine.model.run import Run
from engine.spectra import SpectraSet
from tests.local_cluster import local_cluster

REPOSITORY = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("RANKAAE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
SETS = (("OS",), ("OS", "CN"), ("OS", "CN", "OCN"), ("OS", "CN", "OCN", "NNRS", "MOOD"))


def on_the_cluster(work: Path, options: argparse.Namespace) -> tuple[float, int]:
    """Trains every set into ``work/cluster-<i>``; seconds, and how many seeds were done when a worker was killed."""
    killed_at = 0
    with local_cluster(work, options.workers) as cluster:
        ask = [sys.executable, "-m", "engine.cli", "train", str(work / "cu.parquet"), "--scheduler", cluster.address]
        ask += ["--seeds", str(options.seeds), "--set", f"epochs={options.epochs}", "--threads", "1"]
        began = time.perf_counter()
        started = [
            subprocess.Popen(
                [*ask, "--descriptors", ",".join(names), "--out", str(work / f"cluster-{i}")], stdout=subprocess.DEVNULL
            )
            for i, names in enumerate(SETS)
        ]
        while any(process.poll() is None for process in started):
            done = sum(event["event"] == "seed" for i in range(len(SETS)) for event in _events(work / f"cluster-{i}"))
            if not killed_at and done >= options.seeds * len(SETS) // 3:
                cluster.workers[0].kill()
                killed_at = done
            time.sleep(0.2)
        if any(process.returncode for process in started):
            raise SystemExit("a training on the cluster failed")
        return time.perf_counter() - began, killed_at


def _events(folder: Path) -> list[dict[str, object]]:
    return list(Run(folder).events())


def one_by_one(work: Path, spectra: SpectraSet, options: argparse.Namespace) -> float:
    """Trains every seed of every set in this process, into ``work/here-<i>``; seconds."""
    began = time.perf_counter()
    for i, names in enumerate(SETS):
        config = make_config(
            "default", descriptors=names, free_axes=1, seeds=tuple(range(options.seeds)), epochs=options.epochs
        )
        train_apart(spectra, work / "cu.parquet", config, work / f"here-{i}", 1, threads=1)
    return time.perf_counter() - began


def equal(one: Run, other: Run) -> bool:
    """Whether weights, scores and history are the same to the last bit."""
    ours, theirs = one.read_arrays("weights.safetensors"), other.read_arrays("weights.safetensors")
    arrays = all(np.array_equal(ours[0][name], theirs[0][name]) for name in ours[0])
    tables = one.scores().equals(other.scores()) and one.history().equals(other.history())
    return bool(arrays and ours[1] == theirs[1] and tables)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    source = REAL_DATA / "cu_feff" / "rankaae_layout.csv.gz"
    if not source.is_file():
        raise SystemExit(f"real data not found in {REAL_DATA} (set RANKAAE_REAL_DATA)")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        spectra, _ = import_source(source, element="Cu")
        write_set(spectra, work / "cu.parquet")
        seconds, killed_at = on_the_cluster(work, options)
        alone = one_by_one(work, spectra, options)
        n = options.seeds * len(SETS)
        print(f"{n} trainings ({options.seeds} seeds × {len(SETS)} descriptor sets, {options.epochs} epochs)")
        print(f"on {options.workers} workers, one killed after {killed_at} of them: {seconds:.0f} s")
        print(f"one by one in this process: {alone:.0f} s")
        for i, names in enumerate(SETS):
            there, here = Run(work / f"cluster-{i}"), Run(work / f"here-{i}")
            said = "equal" if equal(there, here) else "DIFFERENT"
            print(f"{', '.join(names):24} {len(there.scores())} seeds, weights, scores and history {said}")


if __name__ == "__main__":
    main()
