"""How often the intervals of 90 % hold what is true of held-out simulated materials, for every embedded family.

    python -m tests.benchmarks.interval_coverage [--repeats 200]

First as the program calibrates: on the validation part, counted on the sites of the test part. One calibration part is
a draw of some 60 to 110 materials, and so is one test part: their luck alone spreads the share by several per cent. So
the held-out materials of both parts are also dealt anew, again and again, into as many to calibrate on and the rest to
count on, with the same networks; the mean of that is what the intervals promise, by site and with every material alike.
What all sites of a family share, as OS 2 of Zn, is left out.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from engine.embedded.manifest import data_folder, read_embedded
from engine.embedded.models import varying
from engine.experiment.calibration import coverage_on, fit_predictor
from engine.experiment.conformal import grouped_quantile
from engine.model.latent_model import load_member
from engine.model.run import Run

DESCRIPTORS = ("OS", "CN")
COVERAGE = 0.9


def held_out(run: Run, repeats: int) -> tuple[dict[str, tuple[float, int]], dict[str, np.ndarray]]:
    """Per descriptor: share and number of test sites inside; shares (repeats, 2) by site and by material."""
    spectra, split, member = run.spectra(), run.split(), load_member(run)
    names = varying(spectra, DESCRIPTORS)
    predictor = fit_predictor(member, spectra, split, names)
    as_used = coverage_on(predictor, spectra, split.test, COVERAGE)
    rows = np.concatenate([split.validation, split.test])
    found, truth = predictor.predict(spectra.mu[rows]), spectra.descriptor_values(names)[rows]
    material = spectra.material_id[rows]
    calibrating = np.unique(spectra.material_id[split.validation]).size
    dealt = {}
    for i, name in enumerate(names):
        known = ~np.isnan(truth[:, i])
        scores = np.abs(found.ensemble[name].value - truth[:, i]) / (found.spread[:, i] + predictor.floor[i])
        dealt[name] = deal(scores[known], material[known], calibrating, repeats)
    return as_used, dealt


def deal(scores: np.ndarray, material: np.ndarray, calibrating: int, repeats: int) -> np.ndarray:
    """Shares (repeats, 2) of the sites, and of the sites with every material alike, that a new calibration holds."""
    rng, materials, shares = np.random.default_rng(0), np.unique(material), []
    for _ in range(repeats):
        chosen = np.isin(material, rng.permutation(materials)[:calibrating])
        inside = scores[~chosen] <= grouped_quantile(scores[chosen], material[chosen], COVERAGE)
        _, where, counts = np.unique(material[~chosen], return_inverse=True, return_counts=True)
        shares.append((inside.mean(), (inside / counts[where]).sum() / counts.size))
    return np.array(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    embedded = read_embedded(data_folder())
    if embedded is None:
        raise SystemExit("no embedded models")
    print(f"{'':18s}{'as used, test part':>22s}   dealt anew {repeats} times: by site (σ of one deal), by material")
    inside, known = dict.fromkeys(DESCRIPTORS, 0.0), dict.fromkeys(DESCRIPTORS, 0)
    every: dict[str, list[np.ndarray]] = {name: [] for name in DESCRIPTORS}
    for model in embedded.models:
        as_used, dealt = held_out(Run(model.path), repeats)
        for name, (share, count) in as_used.items():
            inside[name] += share * count
            known[name] += count
            site, alike = dealt[name].mean(axis=0)
            every[name].append(np.array([site, alike]))
            dealt_anew = f"{site:.1%} ({dealt[name][:, 0].std():.1%}), {alike:.1%}"
            print(f"{model.path.name:14s}{name:4s}{share:9.1%} of {count:4d} sites   {dealt_anew}", flush=True)
    for name in DESCRIPTORS:
        site, alike = np.mean(every[name], axis=0)
        share = inside[name] / known[name]
        print(f"{'all':14s}{name:4s}{share:9.1%} of {known[name]:4d} sites   {site:.1%}, {alike:.1%}", flush=True)


if __name__ == "__main__":
    main()
