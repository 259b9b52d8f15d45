"""A set of spectra as drawings: a sample coloured by a descriptor, and all of them sorted by it."""

from __future__ import annotations

import numpy as np
from bokeh.models import BoxSelectTool, ColorBar, ColumnDataSource, FixedTicker, LinearColorMapper, TapTool
from bokeh.palettes import Plasma256, Viridis256
from bokeh.plotting import figure

from engine.analysis.groups import SortedSpectra
from engine.analysis.scores import FloatArray
from engine.spectra import SpectraSet
from explorer.plots.style import (
    CATEGORICAL,
    ENERGY_LABEL,
    MU_LABEL,
    NOW,
    UNKNOWN,
    Columns,
    add_hover,
    energy_ends,
    new_figure,
    padded,
    set_range,
)

SAMPLE = 90
BLOCKS = 240
TICKS = 6
NO_SAMPLE: Columns = {"xs": [], "ys": [], "site": [], "color": [], "value": []}
NO_SUMMARY: Columns = {"energy": [], "low": [], "median": [], "high": []}
NO_MAP: Columns = {"image": [], "x": [], "y": [], "dw": [], "dh": []}
# Without the ends that vanish on a dark or a light page.
CONTINUOUS = tuple(Plasma256[28:228])


def color_scale(values: FloatArray) -> tuple[tuple[str, ...], float, float, dict[float, str]]:
    """Palette, the values at its ends, and ticks with their labels, for a descriptor (n,).

    Up to eight classes of whole numbers have a colour each, more of them and continuous values a scale from the 2nd to
    the 98th percentile; beyond, values have the colour of the end.
    """
    known = values[~np.isnan(values)]
    classes = np.unique(known)
    if 0 < classes.size <= len(CATEGORICAL) and (classes == np.round(classes)).all():
        labels = {float(i): f"{label:g}".replace("-", "−") for i, label in enumerate(classes)}
        return CATEGORICAL[: classes.size], -0.5, classes.size - 0.5, labels
    low, high = np.percentile(known, [2, 98]) if known.size else (0.0, 1.0)
    if low == high:
        low, high = padded(float(low), float(high))
    return CONTINUOUS, float(low), float(high), {}


def colors_of(values: FloatArray, every: FloatArray) -> list[str]:
    """The colour of each of ``values`` on the scale of the descriptor ``every`` (n,); grey where it is not known."""
    palette, low, high, labels = color_scale(every)
    if labels:
        place = np.searchsorted(np.unique(every[~np.isnan(every)]), values).astype(float)
    else:
        place = (np.clip(values, low, high) - low) / (high - low) * (len(palette) - 1)
    return [UNKNOWN if np.isnan(v) else palette[round(p)] for v, p in zip(values, place, strict=True)]


def sample_data(spectra: SpectraSet, values: FloatArray, count: int = SAMPLE) -> Columns:
    """Columns xs, ys, site, value and color of at most ``count`` spectra, evenly spaced through the set."""
    rows = np.unique(np.linspace(0, len(spectra) - 1, min(count, len(spectra))).astype(int))
    energy = spectra.energy_ev.astype(np.float32)
    return {
        "xs": [energy] * len(rows),
        "ys": [spectra.mu[row] for row in rows],
        "site": [str(spectra.site_id[row]) for row in rows],
        "color": colors_of(values[rows], values),
        "value": ["not known" if np.isnan(v) else f"{v:.4g}" for v in values[rows]],
    }


def summary_data(spectra: SpectraSet) -> Columns:
    """Columns energy, median, low and high (5th and 95th percentile) over the whole set."""
    low, median, high = np.percentile(spectra.mu, [5, 50, 95], axis=0)
    return {"energy": spectra.energy_ev, "low": low, "median": median, "high": high}


def overlay_figure(sample: ColumnDataSource, summary: ColumnDataSource, height: int) -> figure:
    """The sampled spectra over the middle 90 % of all and their median; a tap or a box chooses some."""
    drawing = new_figure(ENERGY_LABEL, MU_LABEL, height)
    drawing.varea("energy", "low", "high", source=summary, color=UNKNOWN, alpha=0.25, legend_label="middle 90 % of all")
    lines = drawing.multi_line("xs", "ys", source=sample, color="color", alpha=0.55, line_width=1.2)
    lines.hover_glyph = lines.glyph.clone(line_alpha=1.0, line_width=3)
    lines.nonselection_glyph = lines.selection_glyph = lines.glyph
    middle = drawing.line(
        "energy", "median", source=summary, color=NOW, line_width=2.5, line_dash=[7, 3], legend_label="median of all"
    )
    add_hover(drawing, [lines], [("site", "@site"), ("", "@value"), ("energy", "$x{0.00} eV"), ("μ", "$y{0.000}")])
    drawing.hover[0].name = "site"
    add_hover(drawing, [middle], [("median at", "@energy{0.00} eV"), ("μ", "@median{0.000}")])
    drawing.add_layout(_color_bar(CONTINUOUS), "right")
    drawing.legend.update(location="bottom_right", background_fill_alpha=0.6, label_text_font_size="12px", padding=4)
    drawing.legend.spacing = 0
    box = BoxSelectTool(renderers=[])
    drawing.add_tools(TapTool(renderers=[lines]), box)
    drawing.toolbar.active_drag = box
    return drawing


def fit_overlay(drawing: figure, sample: Columns, summary: Columns, values: FloatArray, label: str) -> None:
    """Sets axes and colour bar of ``overlay_figure`` to hold these data, coloured by a descriptor called ``label``."""
    set_range(drawing.x_range, *energy_ends(summary["energy"]))
    mu = np.concatenate([*sample["ys"], summary["low"], summary["high"]])
    set_range(drawing.y_range, *padded(float(mu.min()), float(mu.max())))
    palette, low, high, labels = color_scale(values)
    bar = drawing.select_one({"type": ColorBar})
    bar.color_mapper.update(palette=list(palette), low=low, high=high)
    ticks = sorted(labels) if labels else np.linspace(low, high, TICKS).tolist()
    bar.ticker.ticks = ticks
    bar.major_label_overrides = labels or {tick: f"{tick:.3g}".replace("-", "−") for tick in ticks}
    bar.title = label
    hover = drawing.select_one({"name": "site"})
    hover.tooltips = [("site", "@site"), (label, "@value"), ("energy", "$x{0.00} eV"), ("μ", "$y{0.000}")]


def map_data(found: SortedSpectra, energy_ev: FloatArray) -> Columns:
    """One image of blocks of sorted spectra over energy, as ``heat_map_figure`` takes it."""
    if not len(found.mu):
        return NO_MAP
    low, high = energy_ends(energy_ev)
    image = found.mu.astype(np.float32)
    return {"image": [image], "x": [low], "y": [0], "dw": [high - low], "dh": [int(found.edges[-1])]}


def heat_map_figure(image: ColumnDataSource, height: int) -> figure:
    """All spectra, sorted by a descriptor from bottom to top, mu as colour; a box chooses sites by their place."""
    drawing = new_figure(ENERGY_LABEL, "", height)
    mapper = LinearColorMapper(palette=list(Viridis256), low=0, high=1.5)
    picture = drawing.image("image", "x", "y", "dw", "dh", source=image, color_mapper=mapper)
    add_hover(drawing, [picture], [("energy", "$x{0.00} eV"), ("place in the order", "$y{0}"), ("μ", "@image{0.000}")])
    bar = _color_bar(mapper.palette, mapper)
    bar.title = "μ"
    drawing.add_layout(bar, "right")
    box = BoxSelectTool(renderers=[], dimensions="height")
    drawing.add_tools(box)
    drawing.toolbar.active_drag = box
    drawing.yaxis.ticker = FixedTicker(ticks=[])
    drawing.grid.visible = False
    return drawing


def fit_heat_map(drawing: figure, found: SortedSpectra, energy_ev: FloatArray, values: FloatArray, label: str) -> None:
    """Sets axes and colours of ``heat_map_figure``; its ticks are values of the descriptor, at the sites' places."""
    set_range(drawing.x_range, *energy_ends(energy_ev))
    set_range(drawing.y_range, 0, max(int(found.edges[-1]), 1))
    drawing.yaxis.axis_label = f"sites sorted by {label}"
    if not len(found.mu):
        return
    ordered = values[found.order]
    classes, first = np.unique(ordered, return_index=True)
    if classes.size <= TICKS + 2:
        places = (first + np.append(first[1:], ordered.size)) / 2
        shown = dict(zip(places.tolist(), classes, strict=True))
    else:
        rows = np.linspace(0, ordered.size - 1, TICKS).astype(int)
        shown = {float(row): ordered[row] for row in rows}
    drawing.yaxis.ticker.ticks = list(shown)
    drawing.yaxis.major_label_overrides = {tick: f"{v:.3g}".replace("-", "−") for tick, v in shown.items()}
    mapper = drawing.select_one({"type": ColorBar}).color_mapper
    low, high = np.percentile(found.mu, [0.5, 99.5])
    mapper.update(low=float(low), high=float(high))
    bar = drawing.select_one({"type": ColorBar})
    bar.ticker.ticks = np.linspace(low, high, TICKS).tolist()
    bar.major_label_overrides = {tick: f"{tick:.2f}" for tick in bar.ticker.ticks}


def _color_bar(palette: tuple[str, ...] | list[str], mapper: LinearColorMapper | None = None) -> ColorBar:
    return ColorBar(
        color_mapper=mapper or LinearColorMapper(palette=list(palette), low=0, high=1),
        ticker=FixedTicker(ticks=[]),
        width=12,
        padding=4,
        label_standoff=5,
        background_fill_alpha=0,
        title_text_font_style="normal",
    )
