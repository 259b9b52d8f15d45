"""What the embedded sets hold, and what they are worth on spectra of FEFF9.

    python -m tests.benchmarks.embedded_sets [--data data] [--part sanity|trends|families|transfer]

sanity    every element of both sets: spectra that are negative, have a spike, no edge, two, or do not settle
trends    each family of oxides-3d: edge against oxidation state; pre-edge peak of Ti, V, Cr against coordination
families  each family beside FEFF9's spectra of the same element in `tm_unlabelled`: mean spectrum after the best common
          shift, and how much of FEFF's variance the leading components of ours hold
transfer  RankAAE trained on simulated Cu oxides, scored on FEFF9's `cu_feff`, its energies moved onto our scale
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
from pymatgen.core import Element
from scipy.stats import spearmanr

from engine.embedded.manifest import read_embedded
from engine.io import read_set, read_steps
from engine.simulation.core_hole import edge_energy_ev
from engine.simulation.soundness import UNSEEN_PER_EV2, excess_bend
from engine.spectra import SpectraSet, spectral_descriptors

FloatArray = npt.NDArray[np.float64]
REPOSITORY = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("RANKAAE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
SHIFTS_EV = np.arange(-8.0, 8.01, 0.1)
DECAY = 2.7
HEAVIEST_LIGHT = 10
COMPONENTS = 6
FEFF_SHIFT_EV = -8.0
"""From FEFF9's energies to ours, for Cu: the one constant that `simulator_agreement` finds on random sites."""


def oxides(data: Path) -> dict[str, SpectraSet]:
    embedded = read_embedded(data)
    if embedded is None:
        raise SystemExit(f"no embedded data in {data}")
    return {el: embedded.spectra("oxides-3d", el) for el in embedded.set_of("oxides-3d").elements}


def troubles(energy_ev: FloatArray, mu: FloatArray, element: str) -> dict[str, float]:
    """How many spectra (n, m) of an element break each rule of a sane absorption edge, and their extremes.

    The tail is the mean of the last 10 eV; atomic absorption falls towards it from 50 eV above the edge, where spectra
    are normalised, as E^-2.7, which says little of what is lighter than neon.
    """
    number = Element(element).Z
    last = energy_ev[-1] - energy_ev <= 10
    decay = ((edge_energy_ev(element) + 50) / energy_ev[last]) ** DECAY
    tail = (mu[:, last] / decay).mean(axis=1) if number > HEAVIEST_LIGHT else np.ones(len(mu))
    after = np.array([one[one.argmax() :].min() for one in mu])
    return {
        "sites": len(mu),
        "negative": int((mu.min(axis=1) < 0).sum()),
        "sharper than core hole": sum(excess_bend(energy_ev, one, number)[0] > 2 * UNSEEN_PER_EV2 for one in mu),
        "rises by < 0.4": int(((mu.max(axis=1) - mu[:, 0]) < 0.4).sum()),
        "falls below 0.3 after maximum": int((after < 0.3).sum()),
        "tail not 0.5 to 2": int(((tail < 0.5) | (tail > 2)).sum()),
        "first, highest": float(mu[:, 0].max()),
        "maximum, highest": float(mu.max()),
    }


def sanity(data: Path) -> None:
    rows = {f"oxides-3d {el}": troubles(s.energy_ev, s.mu.astype(float), el) for el, s in oxides(data).items()}
    steps = read_steps(data / "periodic-47.parquet")
    for element, start in steps.start_ev.items():
        mu = steps.mu[(steps.sites["element"] == element).to_numpy()].astype(float)
        rows[f"periodic-47 {element}"] = troubles(start + steps.relative_ev, mu, element)
    table = pd.DataFrame(rows).T
    counts = table.columns[:-2]
    table[counts] = table[counts].astype(int)
    table.loc["all"] = [*table[counts].sum(), *table.iloc[:, -2:].max()]
    print(f"\n{table.round(2).to_string()}")


def trends(data: Path) -> None:
    print("\nedge at half height (eV, mean ± standard error) by oxidation state, and slope over all sites")
    sets = oxides(data)
    for element, spectra in sets.items():
        edge = spectral_descriptors(spectra.energy_ev, spectra.mu)["E_edge"].to_numpy()
        state = spectra.descriptors["OS"].to_numpy()
        known = np.isfinite(edge) & np.isfinite(state)
        cells = []
        for value in np.unique(state[known]):
            these = edge[known & (state == value)]
            cells.append(f"{value:+.0f}: {these.mean():.2f} ± {these.std() / np.sqrt(len(these)):.2f} ({len(these)})")
        trend = "one state"
        if len(cells) > 1:
            slope = np.polyfit(state[known], edge[known], 1)[0]
            trend = f"{slope:+.2f} eV per unit, SRCC {spearmanr(state[known], edge[known]).statistic:.2f}"
        print(f"  {element:3s} {trend}   {'   '.join(cells)}")
    print("\npre-edge: highest mu in the 10 eV below the edge less 2 eV, mean, by coordination number")
    for element in ("Ti", "V", "Cr"):
        spectra = sets[element]
        edge = spectral_descriptors(spectra.energy_ev, spectra.mu)["E_main"].to_numpy()
        window = (spectra.energy_ev > edge[:, None] - 22) & (spectra.energy_ev < edge[:, None] - 9)
        height = np.where(window, spectra.mu, 0.0).max(axis=1)
        highest = spectra.descriptors["OS"] == spectra.descriptors["OS"].max()
        for label, chosen in (("all states", np.ones(len(edge), bool)), ("highest state", highest.to_numpy())):
            cn = spectra.descriptors["CN"].to_numpy()
            cells = [
                f"CN {n:.0f}: {height[chosen & (cn == n)].mean():.3f} ({(chosen & (cn == n)).sum()})"
                for n in (4, 5, 6)
                if (chosen & (cn == n)).any()
            ]
            print(f"  {element:3s} {label:14s} {'   '.join(cells)}")


def families(data: Path) -> None:
    """Spectra of both are brought to unit area over the common range, as FEFF's are on an arbitrary scale here."""
    table = pq.read_table(REAL_DATA / "tm_unlabelled" / "spectra.parquet")
    starts = json.loads(table.schema.metadata[b"energy_start_ev"])
    frame = table.to_pandas()
    print(f"\nbeside FEFF9 (tm_unlabelled): r of means, shift, share of FEFF's variance in our {COMPONENTS} components")
    for element, ours in oxides(data).items():
        rows = frame[(frame["element"] == element) & (frame["code"] == "FEFF")]
        if rows.empty:
            continue
        theirs = np.stack(rows["mu"].to_numpy()).astype(np.float64)
        energy = starts[element] + 0.25 * np.arange(theirs.shape[1])
        best = max((_means(ours, energy, theirs, d), d) for d in SHIFTS_EV)
        a, b = _aligned(ours, energy, theirs, best[1])
        axes = np.linalg.svd(a - a.mean(0), full_matrices=False)[2][:COMPONENTS]
        own = np.linalg.svd(b - b.mean(0), full_matrices=False)[2][:COMPONENTS]
        centred = b - b.mean(0)
        held = [float(((centred @ v.T) ** 2).sum() / (centred**2).sum()) for v in (axes, own)]
        spread = a.std(0).mean() / b.std(0).mean()
        print(
            f"  {element:3s} n {len(a):5d} and {len(b):5d}   r {best[0]:.4f}   shift {best[1]:+.1f} eV   "
            f"variance {held[0]:.3f} (FEFF's own components {held[1]:.3f})   spread {spread:.2f}"
        )


def _aligned(ours: SpectraSet, energy: FloatArray, theirs: FloatArray, shift: float) -> tuple[FloatArray, FloatArray]:
    inside = (energy >= ours.energy_ev[0] + shift) & (energy <= ours.energy_ev[-1] + shift)
    a = np.stack([np.interp(energy[inside] - shift, ours.energy_ev, mu) for mu in ours.mu.astype(float)])
    b = theirs[:, inside]
    return a / a.mean(axis=1, keepdims=True), b / b.mean(axis=1, keepdims=True)


def _means(ours: SpectraSet, energy: FloatArray, theirs: FloatArray, shift: float) -> float:
    a, b = _aligned(ours, energy, theirs, shift)
    return float(np.corrcoef(a.mean(0), b.mean(0))[0, 1])


def transfer(data: Path) -> None:
    def rankaae(*arguments: str) -> str:
        command = [sys.executable, "-m", "engine.cli", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    with tempfile.TemporaryDirectory() as folder:
        ours, run = str(Path(folder) / "ours.parquet"), str(Path(folder) / "run")
        simulated = data / "oxides-3d" / "oxides-3d-Cu.parquet"
        # An eV less at both ends, so that FEFF's spectra cover the grid wherever they are moved to.
        start = float(read_set(simulated).energy_ev[0]) + 1.0
        rankaae("import", str(simulated), "--start", f"{start:g}", "--width", "48", "--out", ours)
        rankaae("train", ours, "--descriptors", "OS,CN,OCN,NNRS,MOOD", "--free", "1", "--out", run)
        print("\ntrained on simulated Cu oxides, |SRCC| of the selected member")
        _print_scores("own test part", rankaae("score", run, "--json", "--no-baselines"))
        source = str(REAL_DATA / "cu_feff" / "rankaae_layout.csv.gz")
        for shift in (FEFF_SHIFT_EV, FEFF_SHIFT_EV - 0.5, FEFF_SHIFT_EV + 0.5):
            real = str(Path(folder) / f"cu{shift:+g}.parquet")
            rankaae("import", source, "--element", "Cu", f"--shift-ev={shift}", "--out", real)
            scores = rankaae("score", run, "--json", "--no-baselines", "--on", real)
            _print_scores(f"FEFF9, all of cu_feff moved by {shift:+g} eV", scores)


def _print_scores(name: str, text: str) -> None:
    result = json.loads(text)
    member = result["members"][result["selected"]]
    cells = "  ".join(f"{key} {abs(value['srcc']):.3f}" for key, value in member["descriptors"].items())
    print(f"  {name:44s} {cells}   RMSE {member['reconstruction_rmse']:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"sanity": sanity, "trends": trends, "families": families, "transfer": transfer}
    parser.add_argument("--data", type=Path, default=REPOSITORY / "data")
    parser.add_argument("--part", action="append", choices=parts)
    options = parser.parse_args()
    if not REAL_DATA.is_dir():
        raise SystemExit(f"real data not found in {REAL_DATA} (set RANKAAE_REAL_DATA)")
    for name in options.part or parts:
        parts[name](options.data)


if __name__ == "__main__":
    main()
