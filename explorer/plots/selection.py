"""Chosen sites as drawings: where they lie in a descriptor's histogram, and their mean spectra."""

from __future__ import annotations

import numpy as np
from bokeh.models import BasicTicker, BoxSelectTool, ColumnDataSource, FixedTicker, GlyphRenderer, Span, TapTool
from bokeh.plotting import figure

from engine.analysis.groups import Group, group_difference
from engine.analysis.scores import FloatArray, is_categorical
from explorer.plots.style import (
    CATEGORICAL,
    ENERGY_LABEL,
    UNKNOWN,
    Columns,
    add_hover,
    new_figure,
    padded,
    set_range,
)

BINS = 40
A_COLOR, B_COLOR = CATEGORICAL[0], CATEGORICAL[1]
NO_BARS: Columns = {"left": [], "right": [], "count": [], "a": [], "b": [], "what": []}
NO_GROUP: Columns = {"energy": [], "mean": [], "low": [], "high": []}


def histogram_data(values: FloatArray, a: FloatArray, b: FloatArray) -> Columns:
    """One bar per class, or 40 bins, of a descriptor (n,): all sites, and those of selections ``a`` and ``b``."""
    known = values[~np.isnan(values)]
    if not known.size:
        return NO_BARS
    if is_categorical(values):
        classes = np.unique(known)
        left, right, edges = classes - 0.4, classes + 0.4, np.append(classes - 0.5, classes[-1] + 0.5)
        what = [f"{label:g}" for label in classes]
    else:
        low, high = (known.min(), known.max()) if np.ptp(known) else padded(known[0], known[0])
        edges = np.linspace(low, high, BINS + 1)
        left, right = edges[:-1], edges[1:]
        what = [f"{x:.4g} to {y:.4g}" for x, y in zip(left, right, strict=True)]
    counts = [np.histogram(part[~np.isnan(part)], edges)[0] for part in (values, a, b)]
    count, of_a, of_b = counts
    return {"left": left, "right": right, "count": count, "a": of_a, "b": of_b, "what": what}


def histogram_figure(bars: ColumnDataSource, height: int) -> figure:
    """How many sites have which value; a tap on a bar or a box over bars chooses their sites."""
    drawing = new_figure("", "Sites", height)
    every = drawing.quad(left="left", right="right", top="count", bottom=0, source=bars, color=UNKNOWN, alpha=0.5)
    every.nonselection_glyph = every.selection_glyph = every.glyph
    for column, color, name in (("a", A_COLOR, "A"), ("b", B_COLOR, "B")):
        drawing.quad(
            left="left", right="right", top=column, bottom=0, source=bars, fill_color=color, fill_alpha=0.55,
            line_color=color, name=name,
        )  # fmt: skip
    tooltips = [("", "@what"), ("sites", "@count"), ("of A", "@a"), ("of B", "@b")]
    add_hover(drawing, [every], tooltips)
    box = BoxSelectTool(renderers=[], dimensions="width")
    drawing.add_tools(TapTool(renderers=[every]), box)
    drawing.toolbar.active_drag = box
    return drawing


def fit_histogram(drawing: figure, bars: Columns, label: str) -> None:
    """Sets the axes of ``histogram_figure`` to hold these bars of a descriptor called ``label``."""
    drawing.xaxis.axis_label = label
    middle = [(low + high) / 2 for low, high in zip(bars["left"], bars["right"], strict=True)]
    classes = bool(middle) and all(abs(place - round(place)) < 1e-6 for place in middle)
    drawing.xaxis.ticker = FixedTicker(ticks=middle) if classes else BasicTicker()
    if len(bars["count"]):
        set_range(drawing.x_range, *padded(float(bars["left"][0]), float(bars["right"][-1]), 0.02))
        set_range(drawing.y_range, 0, 1.06 * float(bars["count"].max()))


def group_data(group: Group | None, energy_ev: FloatArray) -> Columns:
    """Columns energy, mean, and low and high one standard deviation away; empty without a group."""
    if group is None:
        return NO_GROUP
    return {"energy": energy_ev, "mean": group.mean, "low": group.mean - group.sigma, "high": group.mean + group.sigma}


def difference_data(a: Group | None, b: Group | None, energy_ev: FloatArray) -> Columns:
    """Columns energy, mean (A less B), and low and high two standard errors away; empty unless there are both."""
    if a is None or b is None:
        return NO_GROUP
    change, error = group_difference(a, b)
    return {"energy": energy_ev, "mean": change, "low": change - 2 * error, "high": change + 2 * error}


def groups_figure(a: ColumnDataSource, b: ColumnDataSource, height: int) -> figure:
    """Mean spectra of both selections, each in a band of one standard deviation."""
    drawing = _small(ENERGY_LABEL, "mean μ", height)
    for source, color, name in ((a, A_COLOR, "A"), (b, B_COLOR, "B")):
        drawing.varea("energy", "low", "high", source=source, color=color, alpha=0.25)
        line = drawing.line("energy", "mean", source=source, color=color, line_width=2.5)
        spread = [
            (f"{name} at", "@energy{0.00} eV"),
            ("mean μ", "@mean{0.000}"),
            ("− σ, + σ", "@low{0.000}, @high{0.000}"),
        ]
        add_hover(drawing, [line], spread)
    return drawing


def lay_means(drawing: figure, a: ColumnDataSource, b: ColumnDataSource) -> tuple[GlyphRenderer, GlyphRenderer]:
    """Mean spectra of both selections as lines over what ``drawing`` shows already, not visible yet."""
    lines = [
        drawing.line("energy", "mean", source=source, color=color, line_width=3.5, visible=False)
        for source, color in ((a, A_COLOR), (b, B_COLOR))
    ]
    for line, name in zip(lines, "AB", strict=True):
        add_hover(drawing, [line], [(f"mean of {name} at", "@energy{0.00} eV"), ("μ", "@mean{0.000}")])
    return lines[0], lines[1]


def difference_figure(difference: ColumnDataSource, height: int) -> figure:
    """Mean of A less mean of B, in a band of two standard errors."""
    drawing = _small(ENERGY_LABEL, "Δμ (A − B)", height)
    drawing.add_layout(Span(location=0, dimension="width", line_color=UNKNOWN, line_width=1))
    drawing.varea("energy", "low", "high", source=difference, color=CATEGORICAL[2], alpha=0.3)
    line = drawing.line("energy", "mean", source=difference, color=CATEGORICAL[2], line_width=2.5)
    add_hover(drawing, [line], [("A − B at", "@energy{0.00} eV"), ("Δμ", "@mean{+0.000}")])
    return drawing


def fit_groups(drawing: figure, *groups: Columns) -> None:
    """Sets the axes of a figure of groups or of their difference to hold these data."""
    shown = [group for group in groups if len(group["energy"])]
    if shown:
        set_range(drawing.x_range, float(shown[0]["energy"][0]), float(shown[0]["energy"][-1]))
        ends = np.concatenate([part for group in shown for part in (group["low"], group["high"])])
        set_range(drawing.y_range, *padded(float(ends.min()), float(ends.max())))


def _small(x_label: str, y_label: str, height: int) -> figure:
    """A figure too low for many ticks."""
    drawing = new_figure(x_label, y_label, height)
    drawing.yaxis.ticker = BasicTicker(desired_num_ticks=4)
    return drawing
