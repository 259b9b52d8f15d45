"""Weights of mixtures that are known, found again by domain mapping, and what 100 starts cost.

    python -m tests.benchmarks.mixture_recovery [--data FOLDER] [--noise 0.003]

Mixes embedded simulated spectra of Ti with 100 sets of random weights and adds noise. Components: mean spectra of the
4+ sites with 4, 5 and 6 neighbours, centroids of three clusters of all sites, and three random sites, five times. The
loss that mapping minimises is told beside that of the true weights, below which only the noise can bring it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from engine.embedded.manifest import data_folder, read_embedded
from engine.experiment.domain_map import map_domain
from engine.experiment.mixtures import Basis, basis_from_clusters, basis_from_sites
from engine.spectra import SpectraSet
from tests.benchmarks.numbers import table

SPECTRA = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data_folder(), help="folder of embedded sets")
    parser.add_argument("--noise", type=float, default=0.003, help="sigma of the noise, in edge steps")
    options = parser.parse_args()
    torch.set_num_threads(1)
    embedded = read_embedded(options.data)
    if embedded is None:
        raise SystemExit(f"{options.data}: no embedded data")
    spectra = embedded.spectra("oxides-3d", "Ti")
    rng = np.random.default_rng(0)
    bases = {
        "4+ with 4, 5, 6 neighbours": chosen(spectra, [f"OS=4&CN={n}" for n in (4, 5, 6)]),
        "three clusters": basis_from_clusters(spectra.mu, spectra.site_id.tolist(), 3),
    }
    for i in range(5):
        sites = spectra.site_id[rng.choice(len(spectra), 3, replace=False)].tolist()
        bases[f"three random sites, {i + 1}"] = chosen(spectra, sites)
    rows = {name: recovered(basis, options.noise, rng) for name, basis in bases.items()}
    table(f"{SPECTRA} mixtures of three spectra, noise {options.noise:g}, 100 starts on one core", rows)


def chosen(spectra: SpectraSet, names: Sequence[str]) -> Basis:
    return basis_from_sites(spectra.mu, spectra.site_id, spectra.material_id, names, spectra.descriptors)


def recovered(basis: Basis, noise: float, rng: np.random.Generator) -> dict[str, float]:
    """Errors of the weights, loss over that of the true ones, rms residual, least rms between components, seconds."""
    weights = rng.dirichlet([0.8, 0.8, 0.8], SPECTRA)
    measured = weights @ basis.mu + noise * rng.normal(size=(SPECTRA, basis.mu.shape[1]))
    began = time.perf_counter()
    found = map_domain(measured, basis)
    seconds = time.perf_counter() - began
    error = np.abs(found.weights - weights)
    own = np.linalg.pinv(weights) @ measured  # components that the true weights give
    true = np.mean((basis.mu - own) ** 2) + found.balance * np.mean((measured - weights @ own) ** 2)
    return {
        "largest error": float(error.max()),
        "mean error": float(error.mean()),
        "loss / true": float(found.loss.min() / true),
        "residual": float(np.median(found.residual)),
        "components apart": float(min(np.sqrt(np.mean((a - b) ** 2)) for a, b in combinations(basis.mu, 2))),
        "s": seconds,
    }


if __name__ == "__main__":
    main()
