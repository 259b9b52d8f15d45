"""Measured spectra as drawings: prepared spectra, places on the latent axes, predictions, reconstruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from bokeh.models import BoxAnnotation, ColumnDataSource, Range1d, Span, Whisker
from bokeh.palettes import Viridis256
from bokeh.plotting import figure

from engine.analysis.scores import FloatArray
from engine.experiment.explaining import Moves
from engine.experiment.prediction import MEASURES, Calibrated, Prediction
from explorer.components.member import Axis
from explorer.plots.compare import LOW, QUIET, Grid
from explorer.plots.style import ENERGY_LABEL, MU_LABEL, NOW, add_hover, energy_ends, new_figure, padded

SPECTRA_HEIGHT, AXIS_HEIGHT, PREDICTION_HEIGHT, RESIDUAL_HEIGHT = 330, 230, 250, 160
PER_ROW = 3
BEFORE, AFTER, PUT_RIGHT, MARKED = LOW, "#E69F00", "#009E73", NOW
MEASURE_MARKERS = ("circle", "square", "triangle")
# Neither the dark nor the light end, which vanish on a dark or a light page.
ALONG = Viridis256[84:220]
MOST_NAMED, MOST_WHISKERS, LONGEST_TICK = 10, 30, 18


@dataclass(frozen=True, eq=False)
class Order:
    """Where n spectra stand: x (n,) along a series, or one after another; label of that axis, and their names."""

    names: tuple[str, ...]
    x: FloatArray
    label: str

    @property
    def ends(self) -> tuple[float, float]:
        """The range that holds them all."""
        return (
            padded(float(self.x.min()), float(self.x.max()), 0.05) if np.ptp(self.x) else (self.x[0] - 1, self.x[0] + 1)
        )


def order_of(names: Sequence[str], series: FloatArray) -> Order:
    """By their series (n,) where two of them have different values; those without one stand before its start."""
    known = np.isfinite(series)
    if known.sum() > 1 and np.ptp(series[known]) > 0:
        low, high = float(series[known].min()), float(series[known].max())
        return Order(tuple(names), np.where(known, series, low - 0.08 * (high - low)), "Series")
    return Order(tuple(names), np.arange(1.0, len(names) + 1.0), "Spectrum")


def spectra_figure(energy_ev: FloatArray, mu: FloatArray, order: Order, chosen: int) -> figure:
    """Prepared spectra (n, m) on the model's grid, coloured along the series, the chosen one in front."""
    drawing = new_figure(ENERGY_LABEL, MU_LABEL, SPECTRA_HEIGHT)
    low, high = order.ends
    share = (order.x - low) / (high - low)
    lines = drawing.multi_line(
        "xs", "ys", color="color", line_width=1.3, line_alpha=0.85,
        source={
            "xs": [energy_ev.astype(np.float32)] * len(mu),
            "ys": list(np.asarray(mu, dtype=np.float32)),
            "color": [ALONG[round(place * (len(ALONG) - 1))] for place in share],
            "name": list(order.names),
            "x": order.x,
        },
    )  # fmt: skip
    front = drawing.line(energy_ev, mu[chosen], color=MARKED, line_width=3)
    add_hover(
        drawing,
        [lines],
        [("", "@name"), (order.label, "@x{0.###}"), ("energy", "$x{0.00} eV"), ("μ", "$y{0.000}")],
    )
    add_hover(drawing, [front], [("chosen, energy", "@x{0.00} eV"), ("μ", "@y{0.000}")])
    drawing.x_range.update(start=float(energy_ev[0]), end=float(energy_ev[-1]))
    _fit_y(drawing, [mu])
    return drawing


def axis_grid(axes: Sequence[Axis], latent: FloatArray, mapped: FloatArray | None, order: Order, chosen: int) -> Grid:
    """For every axis where spectra (n, k) lie on it, along the series, before the training sites' density (grey).

    Circles: as measured; triangles: after domain mapping, where there is one.
    """
    drawings = []
    for place, axis in enumerate(axes):
        drawing = new_figure(f"{axis.symbol} axis", order.label, AXIS_HEIGHT)
        drawing.title.update(text=f"{axis.symbol}  {axis.score}", text_font_size="13px")
        low, high = order.ends
        values = np.concatenate(
            [latent[:, place], *([] if mapped is None else [mapped[:, place]]), [axis.low, axis.high]]
        )
        drawing.x_range.update(start=float(values.min()) - 0.2, end=float(values.max()) + 0.2)
        drawing.y_range.update(start=low, end=high)
        _draw_density(drawing, axis, low, high)
        points = [_points(drawing, latent[:, place], order.x, order, "as measured", "circle", BEFORE, swap=True)]
        if mapped is not None:
            points.append(_points(drawing, mapped[:, place], order.x, order, "mapped", "triangle", AFTER, swap=True))
        drawing.scatter(
            [latent[chosen, place]], [order.x[chosen]], marker="circle", size=13, fill_color=None, line_color=MARKED,
            line_width=3,
        )  # fmt: skip
        add_hover(
            drawing,
            points,
            [("", "@name, @kind"), (f"{axis.symbol} axis", "@value{+0.00}"), (order.label, "@x{0.###}")],
        )
        drawing.toolbar_location = None
        _name_ticks(drawing, order, "y")
        drawings.append(drawing)
    return [drawings[i : i + PER_ROW] for i in range(0, len(drawings), PER_ROW)]


def prediction_grid(
    found: Prediction, mapped: Prediction | None, axes: Sequence[Axis], order: Order, chosen: int
) -> Grid:
    """Every descriptor along the series with intervals, put right on standards, mapped; below, how odd spectra are.

    Open marks: outside the training domain by one measure or more, or beyond what the standards span.
    """
    units = {axis.name: (axis.symbol, axis.unit) for axis in axes}
    drawings = []
    for name in found.names:
        symbol, unit = units.get(name, (name, ""))
        drawing = new_figure(order.label, f"{symbol} ({unit})" if unit else symbol, PREDICTION_HEIGHT)
        drawing.title.update(text=f"{symbol} predicted", text_font_size="13px")
        outside, aside = found.flagged.any(axis=1), 0.006 * (order.ends[1] - order.ends[0])
        shown = [(found.ensemble[name], order.x, "as measured", "circle", BEFORE, outside)]
        if name in found.standards:
            one = found.standards[name]
            shown.append((one.interval, order.x - aside, "by standards", "square", PUT_RIGHT, outside | one.beyond))
        if mapped is not None:
            inside = np.zeros(len(order.names), dtype=bool)
            shown.append((mapped.ensemble[name], order.x + aside, "mapped", "triangle", AFTER, inside))
        points = [_draw_intervals(drawing, interval, x, order, *look) for interval, x, *look in shown]
        drawing.scatter(
            [order.x[chosen]], [found.ensemble[name].value[chosen]], marker="circle", size=13, fill_color=None,
            line_color=MARKED, line_width=3,
        )  # fmt: skip
        words = [("", "@name, @kind"), (symbol, "@value{0.00}"), ("interval", "@low{0.00} to @high{0.00}")]
        add_hover(drawing, points, [*words, (order.label, "@x{0.###}")])
        ends = np.concatenate([np.concatenate([one[0].low, one[0].high, one[0].value]) for one in shown])
        ends = ends[np.isfinite(ends)]
        drawing.x_range.update(start=order.ends[0], end=order.ends[1])
        drawing.y_range = Range1d(*padded(float(ends.min()), float(ends.max())))
        drawing.toolbar_location = None
        _name_ticks(drawing, order, "x")
        drawings.append(drawing)
    drawings.append(oddness_figure(found, order))
    return [drawings[i : i + 2] for i in range(0, len(drawings), 2)]


def oddness_figure(found: Prediction, order: Order) -> figure:
    """The three measures of the domain apart: the share of in-domain materials that look as odd, per spectrum."""
    drawing = new_figure(order.label, "In-domain materials as odd (%)", PREDICTION_HEIGHT)
    drawing.title.update(text="Inside the training domain?  Filled below the line: outside", text_font_size="13px")
    drawing.add_layout(Span(location=5, dimension="width", line_color=QUIET, line_dash="dashed", line_width=2))
    points = []
    for place, measure in enumerate(MEASURES):
        colour = (LOW, "#009E73", "#CC79A7")[place]
        p, flagged = 100 * found.p[:, place], found.flagged[:, place]
        source = {
            "x": order.x, "p": p, "name": list(order.names), "measure": [measure] * len(p),
            "value": found.measure[:, place],
            "fill": np.where(flagged, 1.0, 0.0),
        }  # fmt: skip
        points.append(
            drawing.scatter(
                "x", "p", source=source, marker=MEASURE_MARKERS[place], size=8, color=colour, fill_alpha="fill",
                legend_label=measure,
            )
        )  # fmt: skip
    words = [("", "@name"), ("@measure", "@value{0.000}"), ("in-domain materials as odd", "@p{0.0} %")]
    add_hover(drawing, points, words)
    drawing.x_range.update(start=order.ends[0], end=order.ends[1])
    drawing.y_range.update(start=-4, end=130)
    drawing.legend.update(
        location="top_left", orientation="horizontal", label_text_font_size="11px", padding=2, margin=2, glyph_width=12,
        background_fill_alpha=0.6, spacing=4,
    )  # fmt: skip
    drawing.toolbar_location = None
    _name_ticks(drawing, order, "x")
    return drawing


def reconstruction_figures(
    energy_ev: FloatArray, mu: FloatArray, moves: Moves, together: FloatArray, usual_rms: float
) -> Grid:
    """Measured spectrum (m,), what the model decodes of it and at its best, and the residual below.

    The grey band is the model's own reconstruction error on the test part, ``usual_rms`` to both sides.
    """
    decoded = mu - moves.residual
    above = new_figure("", MU_LABEL, SPECTRA_HEIGHT - 40)
    below = new_figure(ENERGY_LABEL, "Residual (μ)", RESIDUAL_HEIGHT)
    above.x_range = below.x_range = Range1d(*energy_ends(energy_ev))
    for values, name, colour, dash, width in (
        (mu, "measured", LOW, "solid", 2.5),
        (decoded, "decoded where it is encoded", NOW, [8, 3], 2.5),
        (together, "decoded at the best point", "#009E73", "dotted", 2),
    ):
        line = above.line(energy_ev, values, color=colour, line_dash=dash, line_width=width, legend_label=name)
        add_hover(above, [line], [(name, "@x{0.00} eV"), ("μ", "@y{0.000}")])
    above.xaxis.visible = False
    above.legend.update(location="bottom_right", background_fill_alpha=0.6, label_text_font_size="12px", padding=4)
    if np.isfinite(usual_rms):
        below.add_layout(
            BoxAnnotation(bottom=-usual_rms, top=usual_rms, fill_color=QUIET, fill_alpha=0.22, line_color=None)
        )
    below.add_layout(Span(location=0, dimension="width", line_color=QUIET, line_width=1))
    residual = below.line(energy_ev, moves.residual, color=NOW, line_width=2)
    below.line(energy_ev, mu - together, color="#009E73", line_width=2, line_dash="dotted")
    add_hover(below, [residual], [("energy", "@x{0.00} eV"), ("measured − decoded", "@y{+0.000}")], vertical=True)
    _fit_y(above, [mu, decoded, together])
    _fit_y(below, [moves.residual, mu - together, np.array([usual_rms, -usual_rms])])
    above.toolbar_location = below.toolbar_location = None
    return [[above], [below]]


def _draw_density(drawing: figure, axis: Axis, low: float, high: float) -> None:
    """Training sites along the axis as an area over the whole height; nothing where their set is gone."""
    if not axis.density:
        return
    edges = np.linspace(axis.low, axis.high, len(axis.density) + 1)
    share = np.array(axis.density) / max(axis.density)
    drawing.quad(
        left=edges[:-1], right=edges[1:], bottom=low, top=low + share * (high - low), fill_color=QUIET, fill_alpha=0.3,
        line_color=None,
    )  # fmt: skip


def _points(
    drawing: figure, value: FloatArray, x: FloatArray, order: Order, kind: str, marker: str, colour: str, *, swap: bool
) -> object:
    source = {"value": value, "x": x, "name": list(order.names), "kind": [kind] * len(x)}
    across, up = ("value", "x") if swap else ("x", "value")
    return drawing.scatter(across, up, source=source, marker=marker, size=7, color=colour, fill_alpha=0.75)


def _draw_intervals(
    drawing: figure, one: Calibrated, x: FloatArray, order: Order, kind: str, marker: str, colour: str,
    outside: FloatArray,
) -> object:  # fmt: skip
    """Marks, open where a spectrum is outside the domain, with whiskers, or with a band where there are many."""
    source = ColumnDataSource(
        {
            "value": one.value, "low": one.low, "high": one.high, "x": x, "name": list(order.names),
            "kind": [f"{kind}{', outside' if odd else ''}" for odd in outside],
            "fill": np.where(outside, 0.0, 0.85),
        }
    )  # fmt: skip
    if len(x) > MOST_WHISKERS:
        along = np.argsort(x, kind="stable")
        drawing.varea(x[along], one.low[along], one.high[along], color=colour, alpha=0.16)
        return drawing.scatter("x", "value", source=source, marker=marker, size=6, color=colour, fill_alpha="fill")
    whisker = Whisker(base="x", lower="low", upper="high", source=source, line_color=colour, line_alpha=0.5)
    for head in (whisker.upper_head, whisker.lower_head):
        if head is not None:
            head.update(size=5, line_color=colour, line_alpha=0.5)
    drawing.add_layout(whisker)
    return drawing.scatter("x", "value", source=source, marker=marker, size=8, color=colour, fill_alpha="fill")


def _name_ticks(drawing: figure, order: Order, axis: str) -> None:
    """Names instead of numbers where spectra stand one after another and are few."""
    if order.label != "Spectrum":
        return
    ticks = drawing.xaxis if axis == "x" else drawing.yaxis
    if len(order.names) > MOST_NAMED:
        return
    ticks.ticker = order.x.tolist()
    ticks.major_label_overrides = dict(zip(order.x.tolist(), tick_names(order.names), strict=True))
    ticks.axis_label = ""
    if axis == "x":
        ticks.major_label_orientation = 0.6


def tick_names(names: Sequence[str]) -> list[str]:
    """Names short enough for ticks: of long ones their beginnings or their ends, whichever tells more of them apart."""
    heads = [name if len(name) <= LONGEST_TICK else f"{name[: LONGEST_TICK - 1]}…" for name in names]
    ends = [name if len(name) <= LONGEST_TICK else f"…{name[1 - LONGEST_TICK :]}" for name in names]
    return ends if len({*ends}) > len({*heads}) else heads


def _fit_y(drawing: figure, curves: Sequence[FloatArray]) -> None:
    values = np.concatenate([np.ravel(curve) for curve in curves])
    values = values[np.isfinite(values)]
    drawing.y_range = Range1d(*padded(float(values.min()), float(values.max())))
