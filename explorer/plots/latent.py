"""A latent point as a drawing: its decoded spectrum over the baseline's, and the difference of two spectra."""

from __future__ import annotations

import numpy as np
from bokeh.models import ColumnDataSource, Range
from bokeh.plotting import figure

from engine.analysis.scores import FloatArray
from explorer.plots.style import (
    BASELINE,
    DIFFERENCE_LABEL,
    ENERGY_LABEL,
    FALL,
    MU_LABEL,
    NOW,
    RISE,
    Columns,
    add_hover,
    new_figure,
)

NO_DECODED: Columns = {"energy": [], "now": [], "baseline": []}
NO_DIFFERENCE: Columns = {"energy": [], "difference": [], "above": [], "below": []}


def decoded_data(energy_ev: FloatArray, now: FloatArray, baseline: FloatArray) -> Columns:
    """Columns energy, now and baseline (m,) of one decoded spectrum and the one it is compared with."""
    return {"energy": energy_ev, "now": now, "baseline": baseline}


def difference_data(energy_ev: FloatArray, difference: FloatArray) -> Columns:
    """Columns energy, difference, and its parts above and below zero (m,)."""
    return {
        "energy": energy_ev,
        "difference": difference,
        "above": np.maximum(difference, 0),
        "below": np.minimum(difference, 0),
    }


def decoded_figure(source: ColumnDataSource, height: int) -> figure:
    """The decoded spectrum and its baseline."""
    drawing = new_figure(ENERGY_LABEL, MU_LABEL, height)
    drawing.line(
        "energy", "baseline", source=source, color=BASELINE, line_width=2, line_dash="dashed", legend_label="baseline"
    )
    now = drawing.line("energy", "now", source=source, color=NOW, line_width=2.5, legend_label="decoded now")
    tooltips = [("energy", "@energy{0.00} eV"), ("μ now", "@now{0.0000}"), ("μ baseline", "@baseline{0.0000}")]
    add_hover(drawing, [now], tooltips, vertical=True)
    drawing.legend.location = "bottom_right"
    return drawing


def difference_figure(source: ColumnDataSource, x_range: Range, height: int) -> figure:
    """The differential spectrum, filled above and below zero, sharing the energies of the decoded one."""
    drawing = new_figure(ENERGY_LABEL, DIFFERENCE_LABEL, height, x_range)
    drawing.varea("energy", 0, "above", source=source, color=RISE, alpha=0.35)
    drawing.varea("energy", "below", 0, source=source, color=FALL, alpha=0.35)
    line = drawing.line("energy", "difference", source=source, color=BASELINE, line_width=1.5)
    drawing.hspan(y=0, line_color=BASELINE, line_width=1)
    add_hover(drawing, [line], [("energy", "@energy{0.00} eV"), ("Δμ", "@difference{+0.0000}")], vertical=True)
    return drawing
