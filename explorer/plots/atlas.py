"""A map of sites as a drawing, and what is chosen on it: composition, nearest spectra, sparklines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bokeh.events import MouseLeave, MouseMove, RangesUpdate
from bokeh.models import (
    BasicTicker,
    BoxSelectTool,
    ColumnDataSource,
    CustomJS,
    FactorRange,
    LassoSelectTool,
    LinearColorMapper,
    WheelZoomTool,
)
from bokeh.plotting import figure
from bokeh.transform import dodge

from engine.analysis.scores import FloatArray
from explorer.plots.colouring import Colouring
from explorer.plots.selection import A_COLOR, B_COLOR
from explorer.plots.style import MU_LABEL, NOW, UNKNOWN, Columns, add_hover, new_figure, padded, set_range
from explorer.plots.trends import site_colors

NO_POINTS: Columns = {"x": [], "y": [], "value": []}
NO_MARKS: Columns = {"x": [], "y": []}
NO_PICTURE: Columns = {"image": [], "x": [], "y": [], "dw": [], "dh": []}
NO_SHARES: Columns = {"element": [], "a": [], "b": [], "count_a": [], "count_b": []}
NO_LINES: Columns = {"xs": [], "ys": [], "site": [], "what": [], "distance": [], "color": [], "width": [], "dash": []}
ENERGY_ABOVE = "Energy above the element's first (eV)"
NAMES = {"umap": "UMAP", "densmap": "densMAP", "pca": "Principal component"}
FADED, SOLID = 0.18, 0.8
MOST_SHARES = 14
SPARK_WIDTH, SPARK_HEIGHT = 176, 54

# At most one report per turn of the clock, the last one included: the server is not asked for every pixel.
_REPORT = """
if (to.timer !== undefined) clearTimeout(to.timer)
to.timer = setTimeout(() => { to.data = %s }, %d)
"""
_POINTER = "{x: [cb_obj.x], y: [cb_obj.y], sx: [cb_obj.sx], sy: [cb_obj.sy]}"
_AWAY = "{x: [], y: [], sx: [], sy: []}"
_VIEW = "{x0: [cb_obj.x0], x1: [cb_obj.x1], y0: [cb_obj.y0], y1: [cb_obj.y1]}"


def map_figure(
    points: ColumnDataSource, picture: ColumnDataSource, marks: dict[str, ColumnDataSource], height: int
) -> figure:
    """Sites as points of WebGL, or as a picture where there are many; above them ``marks`` by what they are.

    Marks: "a" and "b" chosen sites, "found" those of a search, "near" neighbours of "site", which was clicked, and
    "placed" measured spectra. Lasso and box give outlines, which the server turns into sites.
    """
    drawing = new_figure("", "", height)
    drawing.output_backend = "webgl"
    drawing.min_border_left = 46
    drawing.image_rgba("image", "x", "y", "dw", "dh", source=picture, name="picture")
    mapper = LinearColorMapper(palette=[UNKNOWN], low=0, high=1, nan_color=UNKNOWN)
    drawing.scatter(
        "x", "y", source=points, size=4, line_color=None, fill_color={"field": "value", "transform": mapper},
        name="sites",
    )  # fmt: skip
    for name, look in (
        ("a", {"size": 4, "fill_color": A_COLOR, "line_color": None}),
        ("b", {"size": 4, "fill_color": B_COLOR, "line_color": None}),
        ("found", {"size": 11, "fill_color": None, "line_color": NOW, "line_width": 2}),
        ("near", {"size": 13, "fill_color": "#FFFFFF", "line_color": "#111111", "line_width": 2, "marker": "diamond"}),
        ("site", {"size": 15, "fill_color": "#FFFFFF", "line_color": NOW, "line_width": 4}),
        ("placed", {"size": 19, "fill_color": NOW, "line_color": "#FFFFFF", "line_width": 1.5, "marker": "star"}),
    ):
        drawing.scatter("x", "y", source=marks[name], **look)
    lasso, box = LassoSelectTool(renderers=[]), BoxSelectTool(renderers=[])
    drawing.add_tools(lasso, box)
    drawing.toolbar.active_drag = lasso
    drawing.toolbar.active_scroll = drawing.select_one(WheelZoomTool)
    drawing.grid.visible = False
    return drawing


def report(drawing: figure, pointer: ColumnDataSource, view: ColumnDataSource) -> None:
    """Puts where the pointer rests, and which part is in view, into sources that the server follows."""
    drawing.js_on_event(MouseMove, CustomJS(args={"to": pointer}, code=_REPORT % (_POINTER, 60)))
    drawing.js_on_event(MouseLeave, CustomJS(args={"to": pointer}, code=_REPORT % (_AWAY, 0)))
    drawing.js_on_event(RangesUpdate, CustomJS(args={"to": view}, code=_REPORT % (_VIEW, 120)))


def fit_map(drawing: figure, xy: FloatArray, method: str) -> None:
    """Sets the axes of ``map_figure`` to hold all of xy (n, 2), and says what they are."""
    (x0, y0), (x1, y1) = xy.min(axis=0).tolist(), xy.max(axis=0).tolist()
    set_range(drawing.x_range, *padded(x0, x1, 0.03))
    set_range(drawing.y_range, *padded(y0, y1, 0.03))
    drawing.xaxis.axis_label, drawing.yaxis.axis_label = (f"{NAMES[method]} {axis} (no unit)" for axis in (1, 2))


def color_map(drawing: figure, colouring: Colouring, count: int) -> None:
    """Gives the points of ``map_figure`` their colours and a size that suits their ``count``."""
    glyph = drawing.select_one({"name": "sites"}).glyph
    glyph.fill_color["transform"].update(palette=list(colouring.palette), low=colouring.low, high=colouring.high)
    glyph.size = 7 if count < 1000 else 5 if count < 5_000 else 4 if count < 20_000 else 3


def mark_data(xy: FloatArray) -> Columns:
    """Columns x and y of points xy (n, 2)."""
    return {"x": xy[:, 0], "y": xy[:, 1]}


def share_data(symbols: Sequence[str], a: Sequence[int], b: Sequence[int]) -> Columns:
    """What selections A and B are made of: the share (%) of each element, the most frequent first, at most 14."""
    every = np.array([a, b], dtype=np.float64).T
    total = np.maximum(every.sum(axis=0), 1)
    order = np.argsort(-(every / total).max(axis=1), kind="stable")
    order = [int(i) for i in order if every[i].any()][:MOST_SHARES]
    part = 100 * every[order] / total
    return {
        "element": [symbols[i] for i in order],
        "a": part[:, 0], "b": part[:, 1], "count_a": every[order, 0], "count_b": every[order, 1],
    }  # fmt: skip


def share_figure(shares: ColumnDataSource, height: int) -> figure:
    """The elements of both selections as bars beside each other."""
    drawing = figure(
        height=height, sizing_mode="stretch_width", x_range=FactorRange(), y_axis_label="Share (%)",
        x_axis_label="Element", tools="save", toolbar_location=None, min_border_left=60,
    )  # fmt: skip
    drawing.y_range.start = 0
    for name, color, offset in (("a", A_COLOR, -0.2), ("b", B_COLOR, 0.2)):
        place = dodge("element", offset, range=drawing.x_range)
        bars = drawing.vbar(place, top=name, width=0.38, source=shares, color=color)
        add_hover(drawing, [bars], [(f"{name.upper()}, @element", f"@{name}{{0.0}} %"), ("sites", f"@count_{name}")])
    drawing.xgrid.visible = False
    return drawing


def fit_shares(drawing: figure, shares: Columns) -> None:
    """Sets the axes of ``share_figure``."""
    drawing.x_range.factors = list(shares["element"])
    most = max([*map(float, shares["a"]), *map(float, shares["b"]), 1.0])
    drawing.y_range.update(start=0, end=1.06 * most)


def near_figure(lines: ColumnDataSource, height: int) -> figure:
    """A spectrum, and behind it those that are nearest to it, each above its element's first energy."""
    drawing = new_figure(ENERGY_ABOVE, MU_LABEL, height)
    drawing.yaxis.ticker = BasicTicker(desired_num_ticks=4)
    drawn = drawing.multi_line(
        "xs", "ys", source=lines, color="color", line_width="width", line_dash="dash", line_alpha=0.9
    )
    about = [("", "@what"), ("site", "@site"), ("distance", "@distance")]
    add_hover(drawing, [drawn], [*about, ("energy above first", "$x{0.00} eV"), ("μ", "$y{0.000}")])
    return drawing


def near_data(
    relative_ev: FloatArray, own: tuple[str, str, FloatArray], others: Sequence[tuple[str, str, float, FloatArray]]
) -> Columns:
    """Columns of ``near_figure``: ``own`` as (site, what it is, mu), ``others`` as (site, what, distance, mu)."""
    energy = relative_ev.astype(np.float32)
    colors = site_colors(len(others))
    rows = [
        *zip([o[0] for o in others], [o[1] for o in others], [f"{o[2]:.3f}" for o in others], [o[3] for o in others],
             colors, strict=True),
        (own[0], own[1], "0", own[2], NOW),
    ]  # fmt: skip
    return {
        "xs": [energy] * len(rows), "ys": [np.asarray(row[3], np.float32) for row in rows],
        "site": [row[0] for row in rows], "what": [row[1] for row in rows], "distance": [row[2] for row in rows],
        "color": [row[4] for row in rows], "width": [*[1.6] * len(others), 3.0],
        "dash": [*["solid"] * len(others), "dashed"],
    }  # fmt: skip


def fit_near(drawing: figure, lines: Columns) -> None:
    """Sets the axes of ``near_figure`` to hold its lines."""
    if lines["xs"]:
        set_range(drawing.x_range, float(lines["xs"][0][0]), float(lines["xs"][0][-1]))
        mu = np.concatenate(lines["ys"])
        set_range(drawing.y_range, *padded(float(mu.min()), float(mu.max())))


def spark_svg(mu: FloatArray) -> str:
    """A spectrum mu (m,) as a line of a drawing for the tip at the pointer, with its largest value."""
    values = np.asarray(mu, dtype=np.float64)
    low, high = padded(min(0.0, float(values.min())), float(values.max()), 0.05)
    x = np.linspace(1, SPARK_WIDTH - 1, values.size)
    y = (SPARK_HEIGHT - 1) * (1 - (values - low) / (high - low))
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return (
        f'<svg width="{SPARK_WIDTH}" height="{SPARK_HEIGHT}" role="img" aria-label="Spectrum">'
        f'<polyline points="{path}" fill="none" stroke="{NOW}" stroke-width="1.8"/></svg>'
    )
