"""A measured zinc titanate film, read with a model of simulated Ti oxides, with and without domain mapping.

    python -m tests.benchmarks.zinc_titanate [--set SET.parquet | --model RUN] [--seeds 8] [--figures FOLDER]

Trains on the Ti family of the embedded set (or ``--set``), finds the shift of measured energies on the TiO2 reference,
prepares the film's 100 Ti K spectra, and predicts OS and CN as measured and after mapping onto simulated components:
the mean spectra of Ti 4+ sites with 4, 5 and 6 neighbours (the film grew in oxygen, its Ti is 4+ throughout), and,
knowing nothing, three clusters of all simulated spectra. What is printed is held against the published trend: few
well-coordinated Ti below 20 % Ti, a maximum near 39 %, a decline to about 71 %, a rise behind; oxidation state flat
with mapping, falling at low Ti without.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import torch

from engine.embedded.manifest import data_folder, read_embedded
from engine.experiment.aligning import Alignment, align, shift_sensitivity
from engine.experiment.calibration import Predictor, coverage_on, fit_predictor
from engine.experiment.domain_map import map_series
from engine.experiment.intake import Intake, take_in
from engine.experiment.mixtures import SeriesMap, map_flags
from engine.experiment.prediction import MEASURES, Prediction
from engine.experiment.preparing import Preparation, normalised_of
from engine.experiment.reading import Columns, read_measured
from engine.model.latent_model import load_members
from engine.model.run import Run
from engine.spectra import SpectraSet
from tests.benchmarks.train_quality import REAL_DATA

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Array = npt.NDArray[np.float64]
FILM = REAL_DATA / "zinc_titanate" / "TiZn_Multimodal_K-edge_Spectra.csv"
REFERENCE = REAL_DATA / "zinc_titanate" / "ti_ref.csv"
POLYMORPHS = ("rutile", "anatase", "brookite")
DESCRIPTORS = ("OS", "CN", "OCN", "NNRS", "MOOD")
CLASSES = ("OS=4&CN=4", "OS=4&CN=5", "OS=4&CN=6")
WINDOWS = ((0.0, 0.20), (0.25, 0.32), (0.36, 0.42), (0.50, 0.60), (0.67, 0.73), (0.745, 0.80))
SMOOTH = 9
PLAIN, BY_CLASS, BY_CLUSTER = "as measured", "mapped, Ti 4+ with CN 4, 5, 6", "mapped, three clusters"
COLOURS = {PLAIN: "#0072B2", BY_CLASS: "#D55E00", BY_CLUSTER: "#8C6D31"}


@dataclass(frozen=True, eq=False)
class Film:
    """The film by one member: x (100,) Ti fraction, predictions by method, maps by method."""

    x: Array
    mu: Array
    found: dict[str, Prediction]
    maps: dict[str, SeriesMap]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, help="simulated Ti oxides; default: the embedded set")
    parser.add_argument("--model", type=Path, help="a run that was trained on them")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--figures", type=Path, help="folder for the figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(options.model or trained(options.set or embedded_file(), options.seeds, Path(folder) / "ti"))
        report(run, options.figures)


def embedded_file() -> Path:
    embedded = read_embedded(data_folder())
    if embedded is None:
        raise SystemExit("no embedded data: give --set or --model")
    return embedded.set_of("oxides-3d").file_of("Ti").path


def trained(spectra: Path, seeds: int, out: Path) -> Path:
    command = ["train", str(spectra), "--descriptors", ",".join(DESCRIPTORS), "--free", "1", "--seeds", str(seeds)]
    subprocess.run([sys.executable, "-m", "engine.cli", *command, "--out", str(out)], check=True)
    return out


def report(run: Run, figures: Path | None) -> None:
    spectra, split, members = run.spectra(), run.split(), load_members(run)
    print(
        f"{len(spectra)} simulated Ti sites of {np.unique(spectra.material_id).size} materials; {len(members)} members"
    )
    shift = shift_on_reference(spectra)
    taken = prepared(members[0].energy_ev, shift)
    predictors = [fit_predictor(member, spectra, split, ("OS", "CN")) for member in members]
    chosen = run.selected()
    maps: dict[str, SeriesMap] = {}
    mu = np.stack([one.mu for one in taken.prepared])
    for name, classes in ((BY_CLASS, CLASSES), (BY_CLUSTER, ())):
        maps[name] = map_series(mu, members[0].energy_ev, spectra, components=3, sites=classes)
    films = [film(predictor, taken, maps) for predictor in predictors]
    tell_maps(maps)
    tell_domain(films[chosen])
    for name, (share, count) in coverage_on(predictors[chosen], spectra, split.test, 0.9).items():
        print(f"intervals of 90 % hold {name} of {share:.1%} of {count} simulated test sites")
    tell_trend(films, chosen)
    per_ev = shift_sensitivity(predictors[chosen].values, members[chosen].energy_ev, mu).mean(axis=0)
    print(f"\nper eV of shift, mean over the film: OS {per_ev[0]:+.2f}, CN {per_ev[1]:+.2f}")
    for away in (-1.0, -0.5, 0.5, 1.0):
        moved = prepared(members[0].energy_ev, shift + away)
        other = np.stack([one.mu for one in moved.prepared])
        again = {BY_CLASS: map_series(other, members[0].energy_ev, spectra, sites=CLASSES)}
        tell_line(f"shift {shift + away:+.2f} eV", film(predictors[chosen], moved, again), (PLAIN, BY_CLASS))
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        draw_trend(films[chosen], figures / "zinc_titanate_trend.png")
        draw_map(films[chosen], members[chosen].energy_ev, figures / "zinc_titanate_map.png")


def shift_on_reference(spectra: SpectraSet) -> float:
    """The shift of the TiO2 reference that leaves least, over the polymorphs that the set has."""
    [reference] = read_measured(REFERENCE, Columns(), "Ti")
    sound, normal = normalised_of(reference, Preparation("Ti"))
    found: dict[str, Alignment] = {}
    for polymorph in POLYMORPHS:
        mine = spectra.material_id == f"{polymorph}-Ti4-O"
        if mine.any():
            target = spectra.mu[mine].mean(axis=0, dtype=np.float64)
            found[polymorph] = align(sound.energy_ev, normal.mu, spectra.energy_ev, target)
            print(
                f"TiO2 reference as {polymorph}: {found[polymorph].shift_ev:+.2f} eV leaves {found[polymorph].rmse:.3f}"
            )
    if not found:
        raise SystemExit("the simulated set has no TiO2 to align on")
    best = min(found, key=lambda name: found[name].rmse)
    print(f"shift taken: {found[best].shift_ev:+.2f} eV ({best}: the one that leaves least)")
    return found[best].shift_ev


def prepared(grid_ev: Array, shift_ev: float) -> Intake:
    def nothing(_: str) -> SpectraSet:
        raise AssertionError("no reference is aligned here")

    return take_in([FILM], grid_ev, Preparation("Ti", shift_ev=shift_ev), columns={}, simulated=nothing)


def film(predictor: Predictor, taken: Intake, maps: dict[str, SeriesMap]) -> Film:
    mu = np.stack([one.mu for one in taken.prepared])
    x = np.array([one.measured.series for one in taken.prepared])
    order = np.argsort(x)
    found = {PLAIN: predictor.predict(mu[order])}
    for name, result in maps.items():
        found[name] = predictor.predict(result.found.mapped[order])
    weights = {
        name: replace(
            result,
            found=replace(
                result.found, weights=result.found.weights[order], weight_spread=result.found.weight_spread[order]
            ),
        )
        for name, result in maps.items()
    }
    return Film(x[order], mu[order], found, weights)


def smooth(values: Array) -> Array:
    """Running mean over 9 spectra; ends by what there is of them."""
    ones = np.ones(SMOOTH)
    return np.convolve(values, ones, "same") / np.convolve(np.ones(values.size), ones, "same")


def features(one: Film, method: str) -> dict[str, Any]:
    """CN in windows of composition, where it is greatest, OS: spread over the film and slope below 30 % Ti."""
    cn, oxidation = one.found[method].ensemble["CN"].value, one.found[method].ensemble["OS"].value
    even, low = smooth(cn), one.x < 0.30
    return {
        "CN": [float(cn[(one.x > a) & (one.x <= b)].mean()) for a, b in WINDOWS],
        "peak": float(one.x[even.argmax()]),
        "OS mean": float(oxidation.mean()),
        "OS sd": float(oxidation.std()),
        "OS ends": (float(smooth(oxidation).min()), float(smooth(oxidation).max())),
        "OS slope": float(np.polyfit(one.x[low], oxidation[low], 1)[0] / 10),
    }


def tell_maps(maps: dict[str, SeriesMap]) -> None:
    for name, result in maps.items():
        found = result.found
        left, best = np.sqrt((found.residual**2).mean()), result.scan.residual[2]
        print(f"\n{name}: mixture leaves {left:.4f}, three components at best {best:.4f}; balance {found.balance:.0f}")
        print(
            f"  mean of {found.averaged} of {found.loss.size} starts; over all starts weights differ by "
            f"{found.weight_spread.mean():.2f}"
        )
        for i, origin in enumerate(found.basis.origin):
            print(f"  {i + 1}: off by {found.guess_residual[i]:.3f}, ambiguity {found.ambiguity[i]:.2f}, {origin}")
        for flag in map_flags(found):
            print(f"  flag: {flag}")


def tell_domain(one: Film) -> None:
    plain = one.found[PLAIN]
    counts = ", ".join(f"{measure} {int(n)}" for measure, n in zip(MEASURES, plain.flagged.sum(axis=0), strict=True))
    print(f"\nof {one.x.size} spectra as measured, outside the training domain by: {counts}")


def tell_trend(films: list[Film], chosen: int) -> None:
    heads = "".join(f"{100 * a:>5.0f}-{100 * b:.0f}" for a, b in WINDOWS)
    print(f"\nselected member: mean CN at Ti % of {heads}   CN peak at   OS mean, sd, ends, slope per 10 % below 30 %")
    tell_line("", films[chosen], tuple(films[chosen].found))
    print("\nall members, median (lowest to highest):")
    for method in films[0].found:
        every = [features(one, method) for one in films]
        told = []
        for name in ("peak", "OS sd", "OS slope"):
            values = [each[name] for each in every]
            told.append(f"{name} {np.median(values):+.3f} ({min(values):+.3f} to {max(values):+.3f})")
        print(f"  {method:32} {', '.join(told)}")


def tell_line(head: str, one: Film, methods: tuple[str, ...]) -> None:
    for method in methods:
        got = features(one, method)
        windows = "".join(f"{value:8.2f}" for value in got["CN"])
        print(f"  {head:16} {method:32} {windows}   {got['peak']:.2f}   {got['OS mean']:.2f} {got['OS sd']:.3f} "
              f"{got['OS ends'][0]:.2f}-{got['OS ends'][1]:.2f} {got['OS slope']:+.3f}")  # fmt: skip


def draw_trend(one: Film, path: Path) -> None:
    """CN and OS against Ti fraction, without and with mapping, side by side."""
    figure, grid = plt.subplots(2, 3, figsize=(11, 5.6), sharex=True, layout="constrained")
    for column, method in enumerate(one.found):
        for row, (name, symbol) in enumerate((("CN", "Coordination number"), ("OS", "Oxidation state"))):
            axes, value = grid[row, column], one.found[method].ensemble[name]
            shown = value.value
            axes.fill_between(one.x, value.low, value.high, color=COLOURS[method], alpha=0.15, linewidth=0)
            axes.plot(one.x, shown, ".", color=COLOURS[method])
            axes.plot(one.x, smooth(shown), color=COLOURS[method])
            axes.set_ylim((2.0, 8.0) if name == "CN" else (2.0, 5.0))
            axes.set_ylabel(symbol if column == 0 else "")
            axes.grid(alpha=0.3)
        grid[0, column].set_title(method, fontsize=10)
        grid[1, column].set_xlabel("Ti fraction")
    figure.savefig(path, dpi=100)
    plt.close(figure)
    print(f"wrote {path}")


def draw_map(one: Film, energy_ev: Array, path: Path) -> None:
    """Weights along the film, and components as measured and as simulated, for both choices of components."""
    figure, grid = plt.subplots(2, 2, figsize=(11, 6.4), layout="constrained")
    for row, (method, result) in enumerate(one.maps.items()):
        found = result.found
        for i, origin in enumerate(found.basis.origin):
            colour = ("#0072B2", "#E69F00", "#009E73")[i]
            grid[row, 0].plot(one.x, found.weights[:, i], ".-", color=colour, label=origin.partition(",")[0])
            grid[row, 1].plot(energy_ev, found.measured_basis[i], color=colour)
            grid[row, 1].plot(energy_ev, found.basis.mu[i], "--", color=colour)
        grid[row, 0].set(title=method, ylabel="Weight", xlabel="Ti fraction", ylim=(0, 1))
        grid[row, 0].legend(fontsize=8)
        grid[row, 1].set(title="components: solid as measured, dashed simulated", xlabel="Energy (eV)", ylabel="μ")
    for axes in grid.flat:
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
    plt.close(figure)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
