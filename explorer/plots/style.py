"""What all figures share: colours that colour-blind readers can tell apart, tools, labels, ranges.

Every range is set, none is left to follow the data: axes then stay still while a slider moves or a curve grows.
"""

from __future__ import annotations

from typing import Any

from bokeh.models import HoverTool, Range, Range1d
from bokeh.plotting import figure

from engine.analysis.scores import FloatArray

Columns = dict[str, Any]
"""The columns of a ColumnDataSource by name, all of one length."""

# Okabe and Ito's palette, without black and yellow, which vanish on a dark or a light page.
CATEGORICAL = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8C6D31", "#999999")
NOW = "#D55E00"
LEFT_BORDER = 72
SPECTRUM = "#3A8DC8"
UNKNOWN = "#8A8A8A"
ENERGY_LABEL = "Energy (eV)"
MU_LABEL = "μ (edge-normalised)"


def new_figure(x_label: str, y_label: str, height: int, x_range: Range | None = None) -> figure:
    """An empty figure as wide as its place, with the tools that every figure has; ``x_range`` is shared when given."""
    drawing = figure(
        height=height,
        sizing_mode="stretch_width",
        x_axis_label=x_label,
        y_axis_label=y_label,
        x_range=x_range or Range1d(start=0, end=1),
        y_range=Range1d(start=0, end=1),
        tools="pan,box_zoom,wheel_zoom,reset,save",
        toolbar_location="right",
    )
    drawing.toolbar.logo = None
    drawing.toolbar.autohide = True
    drawing.min_border_left = LEFT_BORDER
    return drawing


def add_hover(
    drawing: figure, renderers: list[Any], tooltips: list[tuple[str, str]], *, vertical: bool = False
) -> None:
    """Values and units at the pointer, over ``renderers``."""
    drawing.add_tools(HoverTool(renderers=renderers, tooltips=tooltips, mode="vline" if vertical else "mouse"))


def set_range(axis: Range, low: float, high: float) -> None:
    """Moves a range of a figure made here, and what its reset goes back to, where that changes anything."""
    if isinstance(axis, Range1d) and (axis.start, axis.end) != (low, high):
        axis.update(start=low, end=high, reset_start=low, reset_end=high)


def padded(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    """The range from ``low`` to ``high`` with some room at both ends; never empty."""
    room = max(share * (high - low), 1e-3)
    return low - room, high + room


def energy_ends(energy_ev: FloatArray) -> tuple[float, float]:
    """First and last energy."""
    return float(energy_ev[0]), float(energy_ev[-1])
