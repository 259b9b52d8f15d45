"""Quality and cost of training on real spectra, printed as one table per data set and split.

    python -m tests.benchmarks.train_quality [--part cu|unlabelled|stack] [--seeds 8]
                                             [--split random|material] [--preset default|paper] [--epochs 0]
                                             [--json FILE]

cu          Cu K edge of `cu_feff` (RankAAE CSV), five descriptors and one free axis, split by material and at random:
            presets `default` and `paper`, median over the seeds and the member selected on validation, beside PCA with
            six components and ExtraTrees on the same split
unlabelled  Ti, V, Co, Ni of `tm_unlabelled` (FEFF), six free axes: reconstruction beside PCA with six components
stack       wall time of eight stacked seeds against eight single runs of the `default` preset, whole commands

Every training is its own `rankaae train` process; its wall time and peak memory are those of that process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.numbers import Rows, Tables, add_json, keep, table

REPOSITORY = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("RANKAAE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
DESCRIPTORS = ("OS", "CN", "OCN", "NNRS", "MOOD")
CATEGORICAL = ("OS", "CN")


def rankaae(*arguments: str) -> tuple[float, float]:
    """Runs the command; wall time in seconds and peak memory in GB of that process."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "engine.cli", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"rankaae {' '.join(arguments)} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024**2


def score(run: Path) -> dict[str, Any]:
    out = subprocess.run(
        [sys.executable, "-m", "engine.cli", "score", str(run), "--json"], check=True, capture_output=True, text=True
    )
    return json.loads(out.stdout)


def numbers(member: dict[str, Any]) -> dict[str, float]:
    row = {"RMSE": member["reconstruction_rmse"], "MAE": member["reconstruction_mae"]}
    row |= {f"{n} SRCC": member["descriptors"][n]["srcc"] for n in member["descriptors"]}
    row |= {f"{n} F1": member["descriptors"][n]["f1"] for n in member["descriptors"] if n in CATEGORICAL}
    return row | {"free corr": member["free_axis_correlation_max"]}


def ensemble_rows(name: str, result: dict[str, Any], seconds: float, memory: float) -> dict[str, dict[str, float]]:
    rows = [numbers(m) for m in result["members"]]
    cost = {"s/seed": seconds / len(rows), "GB": memory}
    median = {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
    return {f"{name}, median of {len(rows)}": median | cost, f"{name}, selected": rows[result["selected"]] | cost}


def baseline_rows(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    pca, trees = result["baselines"]["pca"], result["baselines"]["extra_trees"]
    rows = {f"PCA-{pca['n_components']}": {"RMSE": pca["reconstruction_rmse"], "MAE": pca["reconstruction_mae"]}}
    if trees:
        row = {f"{n} SRCC": trees[n]["srcc"] for n in trees}
        rows["ExtraTrees"] = row | {f"{n} F1": trees[n]["f1"] for n in trees if n in CATEGORICAL}
    return rows


def import_set(work: Path, source: Path, name: str, *options: str) -> Path:
    path = work / f"{name}.parquet"
    rankaae("import", str(source), "--out", str(path), *options)
    return path


def cu(work: Path, options: argparse.Namespace) -> Tables:
    path = import_set(work, REAL_DATA / "cu_feff" / "rankaae_layout.csv.gz", "cu", "--element", "Cu")
    results: Tables = {}
    for split in options.split or ("random", "material"):
        rows: Rows = {}
        baselines: Rows = {}
        for preset in options.preset or ("default", "paper"):
            run = work / f"cu-{split}-{preset}"
            axes = ["--descriptors", ",".join(DESCRIPTORS), "--free", "1", "--seeds", str(options.seeds)]
            axes += epochs(options)
            cost = rankaae("train", str(path), *axes, "--preset", preset, "--split", split, "--out", str(run))
            result = score(run)
            rows |= ensemble_rows(preset, result, *cost)
            baselines = baseline_rows(result)
        results[f"cu_feff, split: {split}"] = found = rows | baselines
        table(f"cu_feff, split: {split}, {result['n_test']} test spectra", found)
        if not {"default, selected", "paper, selected"} <= set(rows):
            continue
        ratio = rows["default, selected"]["s/seed"] / rows["paper, selected"]["s/seed"]
        found["wall time per seed"] = {"default / paper": ratio}
        print(f"wall time per seed, default / paper: {ratio:.3f}")
    return results


def unlabelled(work: Path, options: argparse.Namespace) -> Tables:
    rows: Rows = {}
    for element in ("Ti", "V", "Co", "Ni"):
        source = REAL_DATA / "tm_unlabelled" / "spectra.parquet"
        path = import_set(work, source, element, "--element", element, "--code", "FEFF", "--first-shell", "any")
        run = work / f"free-{element}"
        axes = ["--free", "6", "--seeds", str(options.seeds), *epochs(options)]
        cost = rankaae("train", str(path), *axes, "--out", str(run))
        result = score(run)
        ensemble = ensemble_rows(f"{element} default", result, *cost)
        pca = baseline_rows(result)["PCA-6"]
        rows |= {name: {k: v for k, v in row.items() if k != "free corr"} for name, row in ensemble.items()}
        rows[f"{element} PCA-6"] = pca
    title = "tm_unlabelled (FEFF), no labels, six free axes, split: material"
    table(title, rows)
    return {title: rows}


def stack(work: Path, options: argparse.Namespace) -> Tables:
    path = import_set(work, REAL_DATA / "cu_feff" / "rankaae_layout.csv.gz", "cu-stack", "--element", "Cu")
    base = ["train", str(path), "--descriptors", ",".join(DESCRIPTORS), *epochs(options)]
    seeds = options.seeds
    together, memory = rankaae(*base, "--seeds", str(seeds), "--out", str(work / "stack"))
    alone, alone_memory, alone_epochs = 0.0, 0.0, 0.0
    for seed in range(seeds):
        run = work / f"alone-{seed}"
        seconds, used = rankaae(*base, "--set", f"seeds=[{seed}]", "--out", str(run))
        alone, alone_memory, alone_epochs = alone + seconds, max(alone_memory, used), alone_epochs + _epoch_seconds(run)
    stacked_epochs = _epoch_seconds(work / "stack")
    results = {
        "whole command": {"stacked s": together, "singles s": alone, "ratio": together / alone},
        "epochs alone": {
            "stacked s": stacked_epochs,
            "singles s": alone_epochs,
            "ratio": stacked_epochs / alone_epochs,
        },
        "peak memory": {"stacked GB": memory, "single GB": alone_memory},
    }
    title = f"{seeds} seeds stacked against {seeds} single runs, cu_feff, preset default"
    table(title, results)
    return {title: results}


def epochs(options: argparse.Namespace) -> list[str]:
    """Options of a training for the epochs asked for; 0 leaves the preset's."""
    return ["--set", f"epochs={options.epochs}"] if options.epochs else []


def _epoch_seconds(run: Path) -> float:
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return sum(e["seconds"] for e in events if e["event"] == "epoch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"cu": cu, "unlabelled": unlabelled, "stack": stack}
    parser.add_argument("--part", action="append", choices=parts)
    parser.add_argument("--split", action="append", choices=("random", "material"), help="of part cu; default: both")
    parser.add_argument("--preset", action="append", choices=("default", "paper"), help="of part cu; default: both")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=0, help="0 for those of the preset")
    add_json(parser)
    options = parser.parse_args()
    if not (REAL_DATA / "cu_feff").is_dir():
        raise SystemExit(f"real data not found in {REAL_DATA} (set RANKAAE_REAL_DATA)")
    with tempfile.TemporaryDirectory() as folder:
        results: Tables = {}
        for name in options.part or parts:
            results |= parts[name](Path(folder), options)
    keep(results, options.json)


if __name__ == "__main__":
    main()
