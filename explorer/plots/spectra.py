"""A set of spectra as a drawing: a sample of its spectra over their median and spread."""

from __future__ import annotations

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from engine.spectra import SpectraSet
from explorer.plots.style import (
    ENERGY_LABEL,
    MU_LABEL,
    NOW,
    SPECTRUM,
    Columns,
    add_hover,
    energy_ends,
    new_figure,
    padded,
    set_range,
)

SAMPLE = 60
NO_SAMPLE: Columns = {"xs": [], "ys": [], "site": []}
NO_SUMMARY: Columns = {"energy": [], "low": [], "median": [], "high": []}


def sample_data(spectra: SpectraSet, count: int = SAMPLE) -> Columns:
    """Columns xs, ys, site of at most ``count`` spectra, evenly spaced through the set."""
    rows = np.unique(np.linspace(0, len(spectra) - 1, min(count, len(spectra))).astype(int))
    return {
        "xs": [spectra.energy_ev] * len(rows),
        "ys": [spectra.mu[row] for row in rows],
        "site": [str(spectra.site_id[row]) for row in rows],
    }


def summary_data(spectra: SpectraSet) -> Columns:
    """Columns energy, median, low and high (5th and 95th percentile) over the whole set."""
    low, median, high = np.percentile(spectra.mu, [5, 50, 95], axis=0)
    return {"energy": spectra.energy_ev, "low": low, "median": median, "high": high}


def overlay_figure(sample: ColumnDataSource, summary: ColumnDataSource, height: int) -> figure:
    """The sampled spectra, and over them the median and the middle 90 % of all."""
    drawing = new_figure(ENERGY_LABEL, MU_LABEL, height)
    lines = drawing.multi_line("xs", "ys", source=sample, color=SPECTRUM, alpha=0.3, line_width=1)
    lines.hover_glyph = lines.glyph.clone(line_alpha=1.0, line_width=2)
    drawing.varea("energy", "low", "high", source=summary, color=NOW, alpha=0.15, legend_label="middle 90 % of all")
    middle = drawing.line("energy", "median", source=summary, color=NOW, line_width=2, legend_label="median of all")
    add_hover(drawing, [lines], [("site", "@site"), ("energy", "$x{0.00} eV"), ("μ", "$y{0.000}")])
    add_hover(drawing, [middle], [("median at", "@energy{0.00} eV"), ("μ", "@median{0.000}")])
    drawing.legend.location = "bottom_right"
    return drawing


def fit_overlay(drawing: figure, sample: Columns, summary: Columns) -> None:
    """Sets the axes of ``overlay_figure`` to hold these data."""
    set_range(drawing.x_range, *energy_ends(summary["energy"]))
    values = np.concatenate([*sample["ys"], summary["low"], summary["high"]])
    set_range(drawing.y_range, *padded(float(values.min()), float(values.max())))
