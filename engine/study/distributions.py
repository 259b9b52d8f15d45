"""How descriptors and latent axes are distributed in a run's set, and which of them go together, for its report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.analysis.descriptor_correlation import chance_level, descriptor_correlation
from engine.analysis.scores import FloatArray
from engine.model.latent_model import LatentModel
from engine.model.run import Run
from engine.spectra.spectra_set import SpectraSet
from engine.spectra.split import PARTS
from engine.structures import CATALOGUE
from engine.study.page import figures_with, section
from engine.study.svg import HIGH, LOW, MIDDLE, Curve, histogram_figure, matrix_figure

LATENT = "Latent axes"
BINS, MOST_CLASSES = 30, 20
COLORS = {"train": MIDDLE, "validation": LOW, "test": HIGH}


def descriptor_figures(run: Run, spectra: SpectraSet) -> str:
    """Distributions of the run's descriptors in the parts of its split, and their rank correlations; "" without any."""
    names, split = list(run.config().descriptors), run.split()
    figures = []
    for name in names:
        values = spectra.descriptors[name].to_numpy(np.float64)
        parts = {part: known(values[getattr(split, part)]) for part in PARTS}
        curves = [
            Curve(parts[part], COLORS[part], f"{part} part: {len(parts[part])} sites", dashed=part == "test")
            for part in PARTS
            if parts[part].size
        ]
        figures.append(histogram_figure(name, with_unit(name), bin_edges(known(values)), curves))
    text = (
        "Share of the sites of each part by descriptor: training filled in grey, validation blue, test orange and "
        "dashed."
    )
    if len(names) < 2:
        return figures_with(text, figures)
    correlation = descriptor_correlation(spectra.descriptors[names])
    matrix = matrix_figure("Rank correlation of descriptors", names, correlation.rho)
    told = (
        "Spearman's rank correlation of every pair over all sites that know both: of two that go together the spectra "
        f"can hardly tell which they follow. {_chance(int(correlation.n.min()))}"
    )
    return figures_with(text, figures) + figures_with(told, [matrix])


def latent_section(run: Run, spectra: SpectraSet, member: LatentModel) -> str:
    """Distributions of the axes beside the prior, rank correlations among axes and of axes with descriptors."""
    split, names = run.split(), list(run.config().descriptors)
    axes = [f"axis {name}" for name in member.axis_names]
    z = member.encode(spectra.mu).astype(np.float64)
    figures = []
    for i, axis in enumerate(axes):
        train, test = z[split.train, i], z[split.test, i]
        edges = bin_edges(np.r_[train, test, -3.0, 3.0])
        x = np.linspace(edges[0], edges[-1], 121)
        prior = 100 * (edges[1] - edges[0]) * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        shown = [Curve(train, MIDDLE, f"training part: {len(train)} sites"),
                 Curve(test, HIGH, f"test part: {len(test)} sites")]  # fmt: skip
        over = [Curve(prior, "currentColor", "standard Gaussian", dashed=True, x=x)]
        title = f"{axis}: mean {test.mean():.2f}, σ {test.std():.2f}"
        figures.append(histogram_figure(title, f"latent value, {axis}", edges, shown, over))
    table = spectra.descriptors[names].iloc[split.test].reset_index(drop=True)
    latent = pd.DataFrame(z[split.test], columns=axes)
    both = descriptor_correlation(pd.concat([latent, table], axis=1))
    k = len(axes)
    matrices = [matrix_figure("Axes with axes", axes, both.rho[:k, :k])]
    if names:
        matrices.append(matrix_figure("Axes with descriptors", axes, both.rho[:k, k:], names))
    text = (
        "Share of the sites by latent value: training filled in grey, test orange, the standard Gaussian that the "
        "prior asks for, dashed; mean and σ are those of the test part."
    )
    told = (
        "Spearman's rank correlation over the test part. Axes that are disentangled have little to do with one "
        "another, and each goes with its own descriptor alone, but for what descriptors have in common themselves "
        "(under Data). "
        f"{_chance(int(both.n.min()))}"
    )
    return section(LATENT, text, figures) + figures_with(told, matrices)


def with_unit(name: str) -> str:
    """A descriptor with the unit that the catalogue gives it, if it has one."""
    unit = CATALOGUE[name].unit if name in CATALOGUE else ""
    return f"{name} ({unit})" if unit else name


def known(values: FloatArray) -> FloatArray:
    """The values that are not NaN."""
    kept: FloatArray = values[~np.isnan(values)]
    return kept


def bin_edges(values: FloatArray) -> FloatArray:
    """Edges (b + 1,) of equal bins for values (n,): one per class where these are few whole numbers, else thirty.

    One bin for a single value.
    """
    low, high = float(values.min()), float(values.max())
    if low == high or ((values == np.round(values)).all() and high - low < MOST_CLASSES):
        return np.arange(low - 0.5, high + 1)
    return np.linspace(low, high, BINS + 1)


def _chance(n: int) -> str:
    return f"Of unrelated ones |ρ| stays below {chance_level(n):.2f} in 19 of 20 cases."
