"""Candidates for the next descriptor as a drawing: what each would explain of the spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.models import ColumnDataSource, FactorRange, HoverTool
from bokeh.plotting import figure

from explorer.plots.descriptors import CONTROL, CONTROL_COLOR
from explorer.plots.style import LEFT_BORDER, NOW, SPECTRUM, Columns

NO_CANDIDATES: Columns = {"candidate": [], "explains": [], "color": [], "what": [], "p": []}


def candidate_data(ranked: Sequence[Mapping[str, Any]]) -> Columns:
    """One bar per candidate in their order; those worth a try stand out, NOISE is grey."""

    def kind(one: Mapping[str, Any]) -> tuple[str, str]:
        if one["name"] == CONTROL:
            return CONTROL_COLOR, "random numbers, the control"
        return (NOW, "worth a try") if one["proposed"] else (SPECTRUM, "not told from chance, or not from spectra")

    return {
        "candidate": [one["name"] for one in ranked],
        "explains": [one["explained_mu"] or 0.0 for one in ranked],
        "color": [kind(one)[0] for one in ranked],
        "what": [kind(one)[1] for one in ranked],
        "p": [one["p"] for one in ranked],
    }


def height(count: int) -> int:
    """Height in pixels of the figure of so many candidates."""
    return max(230, 80 + 18 * count)


def candidate_figure(bars: ColumnDataSource, height: int) -> figure:
    """A bar per candidate up to the change of mu that it explains."""
    drawing = figure(
        height=height,
        sizing_mode="stretch_width",
        x_range=(0, 1),
        y_range=FactorRange(),
        x_axis_label="rms Δμ explained (edge-normalised)",
        tools="save",
        toolbar_location=None,
        title="What each would explain; orange: worth a try, grey: control",
    )
    drawing.min_border_left = LEFT_BORDER
    drawn = drawing.hbar("candidate", right="explains", height=0.72, source=bars, color="color")
    about = [("", "@candidate (@what)"), ("explains, rms Δμ", "@explains{0.0000}"), ("p", "@p{0.0000}")]
    drawing.add_tools(HoverTool(renderers=[drawn], tooltips=about))
    drawing.ygrid.visible = False
    return drawing


def fit_candidates(drawing: figure, bars: Columns) -> None:
    """Sets the names of ``candidate_figure``, the first at the top, and how far its axis goes."""
    drawing.y_range.factors = list(bars["candidate"])[::-1]
    drawing.x_range.update(start=0, end=1.05 * max(bars["explains"], default=0.0) or 1.0)
