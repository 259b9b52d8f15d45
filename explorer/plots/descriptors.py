"""Descriptors as drawings: how they go together, and how well each can be told from spectra."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from bokeh.models import ColorBar, ColumnDataSource, FactorRange, HoverTool, LinearColorMapper, Span
from bokeh.plotting import figure

from engine.analysis.ceiling import Ceiling
from engine.analysis.descriptor_correlation import DescriptorCorrelation, chance_level
from explorer.plots.style import LEFT_BORDER, NOW, SPECTRUM, UNKNOWN, Columns

NO_CELLS: Columns = {"x": [], "y": [], "rho": [], "text": [], "ink": [], "what": [], "n": []}
NO_BARS: Columns = {"name": [], "srcc": [], "color": [], "what": [], "n_train": [], "n_test": []}
MOST_WITH_NUMBERS = 12
# Orange to blue over a light grey, after ColorBrewer's PuOr: either end and its sign can be told by everybody.
DIVERGING = (
    "#b35806", "#d0761b", "#e89b49", "#f6bf7d", "#f8dcb5", "#ededee",
    "#c5d4e8", "#92b5d6", "#5a94c3", "#2b74ac", "#08528e",
)  # fmt: skip
CONTROL = "NOISE"
CONTROL_COLOR = "#999999"


def correlation_data(correlation: DescriptorCorrelation) -> Columns:
    """One row per pair: x and y (names), rho, its text (for up to twelve descriptors), and what to say of it."""
    names, d = correlation.names, len(correlation.names)
    data: Columns = {name: [] for name in NO_CELLS}
    for i in range(d):
        for j in range(d):
            rho, n = float(correlation.rho[i, j]), int(correlation.n[i, j])
            defined = not np.isnan(rho)
            data["x"].append(names[j])
            data["y"].append(names[i])
            data["rho"].append(rho)
            data["n"].append(n)
            data["text"].append("" if d > MOST_WITH_NUMBERS else signed(rho) if defined else "–")
            data["ink"].append("#ffffff" if abs(rho) > 0.75 else "#1d2126")
            chance = f"; unrelated columns stay below {chance_level(n):.2f} 19 times in 20" if i != j else ""
            data["what"].append(f"{signed(rho)}{chance}" if defined else "not defined: too few sites, or constant")
    return data


def heights(count: int) -> tuple[int, int]:
    """Heights in pixels of the correlation and the ceilings of so many descriptors: a line of text each at least."""
    return max(330, 120 + 14 * count), max(250, 80 + 15 * count)


def correlation_figure(cells: ColumnDataSource, height: int) -> figure:
    """A square of cells, orange for falling and blue for rising together, grey where nothing is known."""
    drawing = figure(
        height=height,
        sizing_mode="stretch_width",
        x_range=FactorRange(),
        y_range=FactorRange(),
        x_axis_location="above",
        tools="save",
        toolbar_location=None,
        title="Rank correlation of descriptors (Spearman's ρ, no unit)",
    )
    mapper = LinearColorMapper(palette=DIVERGING, low=-1, high=1, nan_color=UNKNOWN)
    squares = drawing.rect(
        "x", "y", 0.96, 0.96, source=cells, fill_color={"field": "rho", "transform": mapper}, line_color=None
    )
    drawing.text(
        "x", "y", "text", source=cells, text_color="ink", text_align="center", text_baseline="middle",
        text_font_size="12px",
    )  # fmt: skip
    tooltips = [("", "@y and @x"), ("Spearman ρ", "@what"), ("sites that know both", "@n")]
    drawing.add_tools(HoverTool(renderers=[squares], tooltips=tooltips))
    drawing.add_layout(
        ColorBar(color_mapper=mapper, width=12, padding=4, label_standoff=5, background_fill_alpha=0),
        "right",
    )
    drawing.grid.visible = False
    drawing.axis.major_tick_line_color = None
    return drawing


def fit_correlation(drawing: figure, names: Collection[str]) -> None:
    """Sets the axes of ``correlation_figure`` to these descriptors, the first one at the top left."""
    small = len(names) > MOST_WITH_NUMBERS
    drawing.xaxis.major_label_orientation = np.pi / 3 if len(names) > 6 else "horizontal"
    drawing.axis.major_label_text_font_size = "10px" if small else "12px"
    drawing.x_range.factors, drawing.y_range.factors = list(names), list(names)[::-1]


def ceiling_data(ceilings: Mapping[str, Ceiling], chosen: Collection[str]) -> Columns:
    """One bar per descriptor with a ceiling, the highest first; those of the chosen set stand out, NOISE is grey."""
    known = {name: one for name, one in ceilings.items() if not np.isnan(one.srcc)}
    order = sorted(known, key=lambda name: -known[name].srcc)

    def color(name: str) -> str:
        return CONTROL_COLOR if name == CONTROL else NOW if name in chosen else SPECTRUM

    def what(name: str) -> str:
        return (
            "random numbers, the control" if name == CONTROL else "in the set" if name in chosen else "not in the set"
        )

    return {
        "name": order,
        "srcc": [known[name].srcc for name in order],
        "color": [color(name) for name in order],
        "what": [what(name) for name in order],
        "n_train": [known[name].n_train for name in order],
        "n_test": [known[name].n_test for name in order],
    }


def ceiling_figure(bars: ColumnDataSource, height: int) -> figure:
    """A bar per descriptor up to its ceiling, and a dashed line up to which there may be nothing but chance."""
    drawing = figure(
        height=height,
        sizing_mode="stretch_width",
        x_range=(0, 1),
        y_range=FactorRange(),
        x_axis_label="|SRCC| on held-out materials (no unit)",
        tools="save",
        toolbar_location=None,
        title="Supervised ceiling: ExtraTrees from spectra, split by material",
    )
    drawing.min_border_left = LEFT_BORDER
    drawn = drawing.hbar("name", right="srcc", height=0.75, source=bars, color="color")
    drawing.add_layout(
        Span(location=0, dimension="height", line_color=CONTROL_COLOR, line_dash="dashed", line_width=2, name="chance")
    )
    drawing.add_tools(
        HoverTool(
            renderers=[drawn],
            tooltips=[
                ("", "@name (@what)"),
                ("|SRCC|", "@srcc{0.000}"),
                ("sites", "@n_train learned from, @n_test predicted"),
            ],
        )
    )
    drawing.ygrid.visible = False
    return drawing


def fit_ceilings(drawing: figure, bars: Columns) -> None:
    """Sets the names of ``ceiling_figure``, the highest at the top, and the line of chance."""
    drawing.y_range.factors = list(bars["name"])[::-1]
    drawing.yaxis.major_label_text_font_size = "10px" if len(bars["name"]) > MOST_WITH_NUMBERS else "12px"
    drawing.select_one({"name": "chance"}).location = (
        chance_level(max(bars["n_test"], default=0)) if bars["name"] else 0
    )


def signed(value: float) -> str:
    """A correlation with two digits and a proper minus."""
    return f"{value:.2f}".replace("-", "−")
