"""What `rankaae suggest` proposes on real Cu spectra, and whether chance fools it.

    python -m tests.benchmarks.discovery [--part next|swap] [--seeds 4] [--epochs 0] [--runs FOLDER]

next  from {OS, CN}: the ranking, and 20 seeded repeats in which the candidates are NOISE and a shuffled copy of every
      other descriptor: how often one of these is proposed
swap  from the paper's initial set (OS, CN, CN2, NNAS, PGSO): the ranking, and the scores before and after the first
      proposed replacement is trained

Runs are kept in FOLDER, where they are found again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from engine.analysis.descriptor_correlation import PAPER_SETS
from engine.analysis.discovery import rank_candidates
from engine.model.latent_model import load_members
from engine.model.run import Run
from engine.structures.catalogue import noise_value
from engine.study.suggest import held_out_ceiling, is_proposed, suggest, unexplained
from engine.study.suggest_command import suggestion_lines

REPOSITORY = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("RANKAAE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
REPEATS = 20


def rankaae(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "engine.cli", *arguments], check=True, stdout=subprocess.DEVNULL)


def trained(folder: Path, names: tuple[str, ...], options: argparse.Namespace) -> Run:
    """The run with these descriptors on `cu_feff`, trained where it is not there yet."""
    path, run = folder / "cu.parquet", Run(folder / "-".join(names))
    if not path.is_file():
        rankaae("import", str(REAL_DATA / "cu_feff" / "sites.parquet"), "--element", "Cu", "--out", str(path))
    if not run.finished:
        given = ["--descriptors", ",".join(names), "--seeds", str(options.seeds), "--set", f"epochs={options.epochs}"]
        rankaae("train", str(path), *given, "--threads", "1", "--out", str(run.path))
    return run


def next_descriptor(folder: Path, options: argparse.Namespace) -> None:
    run = trained(folder, ("OS", "CN"), options)
    print("\n".join(["from OS, CN", *suggestion_lines(suggest(run))]), flush=True)
    spectra, split = run.spectra(), run.split()
    rows = split.validation
    left = [unexplained(member, spectra, rows) for member in load_members(run)]
    used = spectra.descriptors[["OS", "CN"]]
    tried = proposed = significant = 0
    for seed in range(REPEATS):
        rng = np.random.default_rng(seed)
        fakes = {"NOISE": np.array([noise_value(site, seed) for site in spectra.site_id])}
        fakes |= {f"{name} shuffled": rng.permutation(spectra.descriptors[name]) for name in spectra.descriptors}
        table = pd.DataFrame(fakes)
        found = rank_candidates(left, used.iloc[rows], table.iloc[rows], spectra.material_id[rows], seed=seed)
        tried += len(found)
        for one in (one for one in found if one.p <= 0.05):
            significant += 1
            proposed += is_proposed(one, held_out_ceiling(spectra, table[one.name].to_numpy(), split))
            print(f"  repeat {seed}: {one.name} has p {one.p:.4f}", flush=True)
    print(f"{REPEATS} repeats, {tried} null candidates: {significant} with p <= 0.05, {proposed} proposed")


def swap(folder: Path, options: argparse.Namespace) -> None:
    initial = PAPER_SETS["initial"]
    run = trained(folder, initial, options)
    found = suggest(run)
    print("\n".join([f"from {', '.join(initial)}", *suggestion_lines(found)]), flush=True)
    if not found.swaps:
        print("no replacement proposed")
        return
    out, new = found.swaps[0]
    replaced = trained(folder, tuple(new if name == out else name for name in initial), options)
    print(f"{new} in place of {out}; medians over {options.seeds} seeds on the test part")
    before, after = (one.scores().median() for one in (run, replaced))
    for row in [f"{name} srcc" for name in initial if name != out] + ["reconstruction_rmse"]:
        print(f"  {row:22} {before[row]:.4f} -> {after[row]:.4f}")
    print(f"  {out + ' -> ' + new + ' srcc':22} {before[f'{out} srcc']:.4f} -> {after[f'{new} srcc']:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"next": next_descriptor, "swap": swap}
    parser.add_argument("--part", action="append", choices=parts)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=0, help="0: as many as the preset takes")
    parser.add_argument("--runs", type=Path, help="folder to keep the runs in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.runs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in options.part or parts:
            parts[name](folder, options)


if __name__ == "__main__":
    main()
