"""Agreement of simulated Cu K-edge XANES with FEFF9 on random sites of cu_feff.

    python -m tests.benchmarks.simulator_agreement --sites 60 --seed 0 --mode fast

Spectra are compared on energies relative to each code's Fermi level, and on the photon axis. "common" allows one rigid
shift for all sites, "own" one for each. "difference" is the correlation of deviations from the mean spectrum of the
sample. The edge of a spectrum is the mean of the energies where it first reaches 0.3, 0.4 … 0.8 of its height at 50 eV.
"""

from __future__ import annotations

import argparse
import os
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pymatgen.core import Structure

from engine.errors import EngineError
from engine.simulation.simulate import Settings, SiteSpectrum, simulate_site
from tests.benchmarks.simulator_cost import one_thread

FloatArray = NDArray[np.float64]
REPOSITORY = Path(__file__).resolve().parents[2]
SHIFTS_EV = np.arange(-8.0, 8.01, 0.05)
START_EV, STEP_EV = -3.0, 0.25
EDGE_HEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sites", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mode", choices=["fast", "scf"], default="fast")
    parser.add_argument("--atoms", type=int, default=Settings.n_atoms)
    parser.add_argument("--radius", type=float, default=None, help="cluster radius in Å, instead of --atoms")
    parser.add_argument("--lmax", type=int, default=Settings.lmax)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="every site")
    parser.add_argument("--out", type=Path, default=None, help="write one row per site (Parquet)")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("RANKAAE_REAL_DATA", REPOSITORY.parent / "shared" / "data")) / "cu_feff"
    if not folder.is_dir():
        raise SystemExit(f"real data not found in {folder} (set RANKAAE_REAL_DATA)")
    table = pd.read_parquet(folder / "sites.parquet")
    if not arguments.all:
        rows = np.random.default_rng(arguments.seed).choice(len(table), arguments.sites, replace=False)
        table = table.iloc[np.sort(rows)].reset_index(drop=True)
    settings = Settings(arguments.mode, arguments.atoms, arguments.radius, arguments.lmax)
    results, failed = run(table, folder / "structures.zip", settings, arguments.workers)
    table = table.loc[list(results)]
    rows_by_site = report(table, list(results.values()))
    for line in failed:
        print("failed:", line)
    if arguments.out is not None:
        rows_by_site.to_parquet(arguments.out)


def run(
    table: pd.DataFrame, structures: Path, settings: Settings, workers: int
) -> tuple[dict[int, SiteSpectrum], list[str]]:
    """Spectra by row of the table, and a line for each site that failed."""
    with zipfile.ZipFile(structures) as archive:
        texts = [archive.read(f"{material}/POSCAR").decode() for material in table["material_id"]]
    jobs = list(zip(texts, table["site"].tolist(), [settings] * len(table), strict=True))
    results, failed = {}, []
    with ProcessPoolExecutor(workers, initializer=one_thread) as pool:
        for row, (spectrum, problem) in enumerate(pool.map(_simulate, jobs)):
            if spectrum is None:
                failed.append(f"{table['site_id'].iloc[row]}: {problem}")
            else:
                results[row] = spectrum
    return results, failed


def _simulate(job: tuple[str, int, Settings]) -> tuple[SiteSpectrum | None, str]:
    text, site, settings = job
    structure = Structure.from_str(text, fmt="poscar")
    start = time.perf_counter()
    try:
        spectrum = simulate_site(structure, site, settings)
    except EngineError as problem:
        return None, str(problem)
    spectrum.diagnostics["seconds"] = time.perf_counter() - start
    return spectrum, ""


def report(table: pd.DataFrame, spectra: list[SiteSpectrum]) -> pd.DataFrame:
    """Prints the comparison; one row per site is returned."""
    feff = [_row(row) for _, row in table.iterrows()]
    out = pd.DataFrame({"site_id": table["site_id"].to_numpy(), "formula": table["formula"].to_numpy()})
    ours = [(s.relative_ev, s.mu) for s in spectra]
    theirs = [(energy - fermi, mu) for energy, mu, fermi in feff]
    print(f"{len(spectra)} sites, {sum(s.mode != s.settings.mode for s in spectra)} fell back")
    print("relative to the Fermi level      median    p10     min   rms    diff (median)")
    for span in (35.0, 50.0):
        grid = np.arange(START_EV, span + 1e-9, STEP_EV)
        pearson, shift = _scan(ours, theirs, grid)
        own = pearson.max(axis=1)
        best = pearson.mean(axis=0).argmax()
        for name, values, at in (
            ("common", pearson[:, best], np.full(len(ours), SHIFTS_EV[best])),
            ("own", own, shift),
        ):
            a, b = _on_grid(ours, grid, at), _on_grid(theirs, grid, 0 * at)
            rms = np.sqrt(((a - b) ** 2).mean(axis=1)) / b.std(axis=1)
            diff = np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(a - a.mean(0), b - b.mean(0), strict=True)])
            print(
                f"  {span:.0f} eV, {name:6s} shift          {np.median(values):.4f}  {np.quantile(values, 0.1):.4f}  "
                f"{values.min():.4f}  {np.median(rms):.3f}  {np.median(diff):.4f}"
            )
            out[f"r_{name}_{span:.0f}"], out[f"diff_{name}_{span:.0f}"] = values, diff
        if span == 35.0:
            out["shift"] = shift
            print(f"  common shift {SHIFTS_EV[best]:.2f} eV; own shifts: σ {shift.std():.2f} eV")
    ours_photon = [(s.energy_ev, s.mu) for s in spectra]
    theirs_photon = [(energy, mu) for energy, mu, _ in feff]
    out["photon_shift"] = out["shift"] + np.array(
        [f[2] - (s.energy_ev[0] - s.relative_ev[0]) for s, f in zip(spectra, feff, strict=True)]
    )
    here = np.array([_edge(e, m) for e, m in ours_photon])
    there = np.array([_edge(e, m) for e, m in theirs_photon])
    out["edge"], out["edge_feff"] = here, there
    residual = here - there
    at_fermi = np.array([s.energy_ev[0] - s.relative_ev[0] for s in spectra])
    print("photon axis, one constant removed    residual σ (eV)   correlation")
    print(
        f"  edge (mean of 0.3 to 0.8)          {residual.std():.2f} (FEFF's own σ {there.std():.2f})"
        f"   {np.corrcoef(here, there)[0, 1]:.3f}"
    )
    print(f"  whole spectrum (own shifts)        {out['photon_shift'].std():.2f}")
    feff_fermi = np.array([f[2] for f in feff])
    print(
        f"  photon energy of the Fermi level   {(at_fermi - feff_fermi).std():.2f}"
        f" (FEFF's own σ {feff_fermi.std():.2f})   {np.corrcoef(at_fermi, feff_fermi)[0, 1]:.3f}"
    )
    out["fermi_photon"], out["fermi_photon_feff"] = at_fermi, feff_fermi
    for name in spectra[0].diagnostics:
        out[name] = [s.diagnostics.get(name, np.nan) for s in spectra]
    print(f"seconds per site: median {out['seconds'].median():.2f}, max {out['seconds'].max():.2f}")
    worst = out.nsmallest(6, "r_common_35")
    print("lowest, common shift, 35 eV:")
    for _, row in worst.iterrows():
        print(
            f"  {row['site_id']:18s} {row['formula']:22s} r {row['r_common_35']:.4f}  own shift {row['shift']:+.2f} eV"
        )
    return out


def _row(row: pd.Series) -> tuple[FloatArray, FloatArray, float]:
    return np.asarray(row["energy_ev"], float), np.asarray(row["mu"], float), float(row["e_fermi"])


def _on_grid(spectra: list[tuple[FloatArray, FloatArray]], grid: FloatArray, shift: FloatArray) -> FloatArray:
    """Spectra (n, m), each moved up by its ``shift``, on one grid."""
    return np.stack([np.interp(grid - d, e, m) for (e, m), d in zip(spectra, shift, strict=True)])


def _scan(
    ours: list[tuple[FloatArray, FloatArray]], theirs: list[tuple[FloatArray, FloatArray]], grid: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Pearson (n, shifts) of each pair for every shift of ours, and the best shift (n,)."""
    reference = _on_grid(theirs, grid, np.zeros(len(theirs)))
    reference = reference - reference.mean(axis=1, keepdims=True)
    reference /= np.linalg.norm(reference, axis=1, keepdims=True)
    pearson = np.zeros((len(ours), len(SHIFTS_EV)))
    for k, d in enumerate(SHIFTS_EV):
        moved = _on_grid(ours, grid, np.full(len(ours), d))
        moved = moved - moved.mean(axis=1, keepdims=True)
        pearson[:, k] = (moved * reference).sum(axis=1) / np.linalg.norm(moved, axis=1)
    return pearson, SHIFTS_EV[pearson.argmax(axis=1)]


def _edge(energy: FloatArray, mu: FloatArray) -> float:
    """Mean of the energies where mu first reaches each of EDGE_HEIGHTS, between points."""
    crossings = []
    for height in EDGE_HEIGHTS:
        k = int(np.argmax(mu >= height))
        crossings.append(np.interp(height, [mu[k - 1], mu[k]], [energy[k - 1], energy[k]]))
    return float(np.mean(crossings))


if __name__ == "__main__":
    main()
