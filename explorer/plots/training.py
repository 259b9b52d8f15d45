"""A training as curves: one line per seed over the epochs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from explorer.plots.style import CATEGORICAL, Columns, add_hover, new_figure, padded, set_range

Event = dict[str, Any]
NO_CURVES: Columns = {"xs": [], "ys": [], "seed": [], "color": []}
NO_HEADS: Columns = {"x": [], "y": [], "seed": [], "color": []}
MOST_POINTS = 500


def curve_data(epochs: Sequence[Event], part: str, term: str, seeds: Sequence[int]) -> Columns:
    """Columns xs (epochs), ys, seed and color, one row per seed, of a ``term`` of a ``part`` ("loss" or "validation").

    Long curves are thinned to about 500 points, the last one kept; values that are not numbers leave a gap.
    """
    found = [(event["epoch"], values) for event in epochs if (values := (event.get(part) or {}).get(term))]
    step = max(1, len(found) // MOST_POINTS)
    found = found[(len(found) - 1) % step :: step] if found else []
    x = np.array([epoch for epoch, _ in found], dtype=float)
    return {
        "xs": [x] * len(seeds),
        "ys": [np.array([_number(values[i]) for _, values in found]) for i in range(len(seeds))],
        "seed": [f"seed {seed}" for seed in seeds],
        "color": [CATEGORICAL[i % len(CATEGORICAL)] for i in range(len(seeds))],
    }


def head_data(curves: Columns) -> Columns:
    """Columns x, y, seed and color of the last point of each curve that has one."""
    rows = list(zip(curves["xs"], curves["ys"], curves["seed"], curves["color"], strict=True))
    ends = [(x[-1], y[-1], seed, color) for x, y, seed, color in rows if len(x)]
    return {name: [end[i] for end in ends] for i, name in enumerate(NO_HEADS)}


def terms_of(epochs: Iterable[Event], part: str) -> list[str]:
    """The names of the terms that any of the epochs has in ``part``, in their order."""
    return list(dict.fromkeys(term for event in epochs for term in event.get(part) or {}))


def curve_figure(curves: ColumnDataSource, heads: ColumnDataSource, height: int) -> figure:
    """One line per row of ``curves``, ending in a point of ``heads``."""
    drawing = new_figure("Epoch", "", height)
    lines = drawing.multi_line("xs", "ys", source=curves, color="color", line_width=2, legend_field="seed")
    drawing.scatter("x", "y", source=heads, color="color", size=6)
    add_hover(drawing, [lines], [("", "@seed"), ("epoch", "$x{0}"), ("value", "$y{0.0000}")])
    drawing.legend.update(ncols=4, spacing=0, padding=2, margin=2, label_text_font_size="11px", glyph_width=14)
    drawing.legend.location = "top_center"
    return drawing


def fit_curves(drawing: figure, data: Columns, epochs: int, label: str) -> None:
    """Sets the axes of ``curve_figure``: all epochs to come, and values with room for the legend above them."""
    set_range(drawing.x_range, 0, 1.02 * max(epochs, 1))
    values = np.concatenate([*data["ys"], np.empty(0)])
    values = values[np.isfinite(values)]
    if values.size:
        low, high = padded(float(values.min()), float(values.max()))
        set_range(drawing.y_range, low, high + 0.3 * (high - low))
    drawing.yaxis.axis_label = label


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
