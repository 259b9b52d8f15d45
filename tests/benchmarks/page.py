"""One page of numbers: what training, the page, maps and the simulator cost, and how good the models are.

    python -m tests.benchmarks.page [--quick] [--part quality ...] [--out FOLDER]
    python -m tests.benchmarks.page --plot

Every part is a benchmark of its own, in a process of its own, whose peak memory is told too:

quality     training time per seed and scores of `default`, `paper`, PCA and ExtraTrees on `cu_feff`
stack       eight stacked seeds against eight single runs
scaling     stacks of 1 to 100 seeds; sets of 1,000 to 64,000 spectra
slider      from a slider's input to the painted frame in Chromium
atlas       cleaning and mapping 10,000 to 300,000 spectra
descriptors the catalogue per site
simulator   seconds per site against cluster size

The numbers are kept as ``results/<commit>.json`` and drawn over commits in ``results/over_commits.png``. ``--quick``
takes tiny sizes, says whether everything runs, and keeps nothing unless told where. A part that cannot run (no real
data, no browser) is named with the reason. Times of one machine compare with each other only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import torch

from tests.benchmarks.numbers import Tables, table

matplotlib.use("Agg")
from matplotlib import pyplot as plt

RESULTS = Path(__file__).parent / "results"
PLOT = "over_commits.png"


@dataclass(frozen=True)
class Part:
    """A benchmark module with its arguments, and those that make it quick."""

    module: str
    arguments: tuple[str, ...]
    quick: tuple[str, ...]


PARTS = {
    "quality": Part(
        "train_quality",
        ("--part", "cu", "--split", "material"),
        ("--part", "cu", "--split", "material", "--seeds", "1", "--epochs", "1"),
    ),
    "stack": Part("train_quality", ("--part", "stack"), ("--part", "stack", "--seeds", "2", "--epochs", "1")),
    "scaling": Part(
        "train_scaling",
        (),
        ("--stacks", "1", "2", "--spectra", "200", "400", "--stacked-spectra", "200", "--epochs", "1"),
    ),
    "slider": Part("slider_latency", (), ("--moves", "20", "--seeds", "2")),
    "atlas": Part("atlas", ("--part", "scale", "--umap", "300000"), ("--part", "scale", "--sizes", "500")),
    "descriptors": Part("describe_cost", (), ("--sites", "2")),
    "simulator": Part("simulator_cost", (), ("--sites", "1", "--workers", "1", "--atoms", "15")),
}
CU = "cu_feff, split: material"
SHOWN = {
    "training, s per seed": [("quality", CU, f"{preset}, selected", "s/seed") for preset in ("default", "paper")],
    "reconstruction RMSE": [
        ("quality", CU, "default, selected", "RMSE"), ("quality", CU, "paper, selected", "RMSE"),
        ("quality", CU, "PCA-6", "RMSE"),
    ],
    "|SRCC| of CN": [
        ("quality", CU, "default, selected", "CN SRCC"), ("quality", CU, "paper, selected", "CN SRCC"),
        ("quality", CU, "ExtraTrees", "CN SRCC"),
    ],
    "ms per epoch and seed": [("scaling", "stack size", f"{n} seeds", "ms/epoch/seed") for n in (1, 8, 32, 100)],
    "ms per epoch and 1,000 spectra": [
        ("scaling", "spectra", f"{n} spectra", "ms/epoch/1000") for n in (1000, 4000, 16_000, 64_000)
    ],
    "slider to frame, median ms": [
        ("slider", "slider to painted frame", name, "median ms")
        for name in ("one spectrum", "one spectrum, training beside it")
    ],
    "UMAP, s": [("atlas", f"atlas of {n} spectra", "umap", "s") for n in (10_000, 74_000, 300_000)],
    "simulator, s per site": [
        ("simulator", "simulator, seconds per site on one core", f"fast, lmax {lmax}", "60 atoms") for lmax in (2, 3)
    ],
    "peak memory, GB": [("memory", "peak memory", part, "GB") for part in PARTS],
}  # fmt: skip
"""Panels of the plot: (part, table, row, column) of every line."""
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")


def run_part(part: Part, quick: bool, folder: Path) -> tuple[Tables | str, float]:
    """The tables of one benchmark, or why there are none, and the peak memory of its largest process in GB."""
    out, log = folder / "numbers.json", folder / "log.txt"
    out.unlink(missing_ok=True)
    arguments = part.quick if quick else part.arguments
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", f"tests.benchmarks.{part.module}", *arguments, "--json", str(out)], stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode == 0 and out.is_file():
        return json.loads(out.read_text()), usage.ru_maxrss / 1024**2
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["nothing on stderr"]
    return f"exit code {process.returncode}: {said[-1]}", usage.ru_maxrss / 1024**2


def about(quick: bool) -> dict[str, Any]:
    """Commit, its time, and the machine."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()

    changed = bool(git("status", "--porcelain", "--untracked-files=no"))
    return {
        "commit": git("rev-parse", "--short=10", "HEAD") + ("-changed" if changed else ""),
        "time": git("show", "--no-patch", "--format=%cI", "HEAD"),
        "quick": quick,
        "machine": {
            "processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version(),
            "torch": torch.__version__, "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }  # fmt: skip


def plot(folder: Path) -> int:
    """Draws the numbers of every commit kept in ``folder``, in order of time; how many there were."""
    kept = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    kept = sorted((result for result in kept if not result["quick"]), key=lambda result: result["time"])
    if not kept:
        return 0
    figure, axes = plt.subplots(3, 3, figsize=(15, 11), layout="constrained")
    for axis, (title, lines) in zip(axes.flat, SHOWN.items(), strict=True):
        alike = len({row for _, _, row, _ in lines}) == 1
        for color, (part, name, row, column) in zip(COLORS, lines, strict=False):
            values = [r["parts"].get(part, {}).get(name, {}).get(row, {}).get(column, float("nan")) for r in kept]
            axis.plot(range(len(kept)), values, "o-", color=color, label=name if alike else row)
        axis.set_title(title, fontsize=11)
        axis.set_ylim(0, 1.4 * axis.get_ylim()[1])  # room for the legend
        axis.margins(x=0.15)
        axis.set_xticks(range(len(kept)), [result["commit"] for result in kept], rotation=45, ha="right", fontsize=8)
        axis.legend(fontsize=8, framealpha=0.5, ncols=2, loc="upper left")
    figure.savefig(folder / PLOT, dpi=110)
    plt.close(figure)
    return len(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument(
        "--out", type=Path, help=f"folder that keeps the numbers; default: {RESULTS.name}, not if quick"
    )
    parser.add_argument("--plot", action="store_true", help="only draw what is kept")
    options = parser.parse_args()
    kept = options.out or (None if options.quick and not options.plot else RESULTS)
    if options.plot:
        print(f"{plot(kept)} commits in {PLOT}")
        return
    head = about(options.quick)
    machine = head["machine"]
    print(
        f"RankAAE Explorer {head['commit']}: {machine['cores']} cores {machine['processor']}, torch {machine['torch']}"
    )
    print(machine["gpu"] or "no GPU at hand: nothing here says what a GPU does")
    found: dict[str, Tables] = {}
    failed: dict[str, str] = {}
    memory: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.part:
            print(f"\n== {name}", flush=True)
            tables, peak = run_part(PARTS[name], options.quick, Path(folder))
            if isinstance(tables, str):
                failed[name] = tables
                print(f"not measured: {tables}")
            else:
                found[name], memory[name] = tables, {"GB": peak}
    if memory:
        found["memory"] = {"peak memory": memory}
        table("peak memory of the largest process of each part", memory)
    for name, reason in failed.items():
        print(f"not measured: {name}, {reason}")
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        path = kept / f"{head['commit']}.json"
        path.write_text(json.dumps(head | {"parts": found, "not measured": failed}, indent=1) + "\n")
        print(f"\nwrote {path.name}; {plot(kept)} commits in {PLOT}")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
