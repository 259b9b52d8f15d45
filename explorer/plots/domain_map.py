"""A domain map as drawings: weights along the series, components, and what tells whether to believe them."""

from __future__ import annotations

import numpy as np
from bokeh.models import Band, ColumnDataSource, Range1d
from bokeh.plotting import figure

from engine.analysis.scores import FloatArray
from engine.experiment.mixtures import DomainMap, SeriesMap
from explorer.plots.compare import LOW, Grid
from explorer.plots.experiment import Order
from explorer.plots.style import CATEGORICAL, ENERGY_LABEL, MU_LABEL, NOW, add_hover, new_figure, padded

HEIGHT = 250
BINS = 20


def component_color(place: int) -> str:
    """The colour of a component throughout."""
    return CATEGORICAL[place % len(CATEGORICAL)]


def map_grid(result: SeriesMap, energy_ev: FloatArray, order: Order) -> Grid:
    """Everything about a map, two figures in a row."""
    found = result.found
    return [
        [weight_figure(found, order), component_figure(found, energy_ev)],
        [residual_figure(result, order), loss_figure(found)],
        [rank_figure(result, len(found.basis.origin))],
    ]


def weight_figure(found: DomainMap, order: Order) -> figure:
    """Weights C along the series, with their standard deviation over all starts as a band."""
    drawing = new_figure(order.label, "Weight", HEIGHT)
    drawing.title.update(text="Weights of the components; band: spread over starts", text_font_size="13px")
    along = np.argsort(order.x, kind="stable")
    lines = []
    for place in range(found.weights.shape[1]):
        value, spread = found.weights[along, place], found.weight_spread[along, place]
        source = ColumnDataSource(
            {
                "x": order.x[along], "weight": value, "low": value - spread, "high": value + spread, "spread": spread,
                "name": [order.names[i] for i in along], "which": [f"component {place + 1}"] * len(along),
            }
        )  # fmt: skip
        colour = component_color(place)
        drawing.add_layout(
            Band(base="x", lower="low", upper="high", source=source, fill_color=colour, fill_alpha=0.2, line_color=None)
        )
        drawing.line("x", "weight", source=source, color=colour, line_width=1.5)
        lines.append(
            drawing.scatter("x", "weight", source=source, color=colour, size=6, legend_label=f"component {place + 1}")
        )
    words = [("", "@name, @which"), (order.label, "@x{0.###}"), ("weight", "@weight{0.000} ± @spread{0.000}")]
    add_hover(drawing, lines, words)
    drawing.x_range.update(start=order.ends[0], end=order.ends[1])
    drawing.y_range.update(start=-0.05, end=1.2)
    _top_legend(drawing)
    return drawing


def component_figure(found: DomainMap, energy_ev: FloatArray) -> figure:
    """Component spectra: of the measurement (solid) and as simulated (dashed)."""
    drawing = new_figure(ENERGY_LABEL, MU_LABEL, HEIGHT)
    drawing.title.update(text="Components: solid as measured, dashed as simulated", text_font_size="13px")
    for place, origin in enumerate(found.basis.origin):
        for mu, dash in ((found.measured_basis[place], "solid"), (found.basis.mu[place], "dashed")):
            source = {"energy": energy_ev, "mu": mu, "what": ["measured" if dash == "solid" else origin] * len(mu)}
            line = drawing.line(
                "energy", "mu", source=source, color=component_color(place), line_dash=dash, line_width=2
            )
            words = [(f"component {place + 1}", "@what"), ("energy", "@energy{0.00} eV"), ("μ", "@mu{0.000}")]
            add_hover(drawing, [line], words)
    drawing.x_range.update(start=float(energy_ev[0]), end=float(energy_ev[-1]))
    values = np.concatenate([found.measured_basis.ravel(), found.basis.mu.ravel()])
    drawing.y_range = Range1d(*padded(float(values.min()), float(values.max())))
    drawing.toolbar_location = None
    return drawing


def residual_figure(result: SeriesMap, order: Order) -> figure:
    """What the mixture leaves of every spectrum, and what is left by what is usually done."""
    drawing = new_figure(order.label, "Residual (μ)", HEIGHT)
    drawing.title.update(text="Residual per spectrum", text_font_size="13px")
    every = [("domain map", result.found.residual), *((how, left) for how, (_, _, left) in result.usual.items())]
    short = {"linear combination of the simulated spectra": "LCF", "non-negative factorisation": "NMF"}
    points = []
    for place, (how, left) in enumerate(every):
        source = {"x": order.x, "left": left, "name": list(order.names), "how": [how] * len(left)}
        points.append(
            drawing.scatter(
                "x", "left", source=source, size=6, marker=("circle", "square", "triangle", "diamond")[place],
                color=component_color(place), fill_alpha=0.7, legend_label=short.get(how, how),
            )
        )  # fmt: skip
    add_hover(drawing, points, [("", "@name"), ("@how", "@left{0.0000}"), (order.label, "@x{0.###}")])
    most = max(float(left.max()) for _, left in every)
    drawing.x_range.update(start=order.ends[0], end=order.ends[1])
    drawing.y_range.update(start=0, end=1.25 * most or 1.0)
    _top_legend(drawing)
    return drawing


def loss_figure(found: DomainMap) -> figure:
    """How many starts ended at which loss."""
    drawing = new_figure("Loss reached (mean square of μ)", "Starts", HEIGHT)
    drawing.title.update(
        text=f"Loss over {found.loss.size} starts; weights are the mean of {found.averaged}", text_font_size="13px"
    )
    counts, edges = np.histogram(found.loss, BINS)
    source = {"left": edges[:-1], "right": edges[1:], "count": counts}
    bars = drawing.quad("left", "right", "count", 0, source=source, color=LOW, alpha=0.8, line_color=None)
    add_hover(drawing, [bars], [("loss", "@left{0.00e} to @right{0.00e}"), ("starts", "@count")])
    drawing.x_range.update(start=float(edges[0]), end=float(edges[-1]))
    drawing.y_range.update(start=0, end=1.08 * float(counts.max()))
    drawing.xaxis.ticker.desired_num_ticks = 4
    drawing.toolbar_location = None
    return drawing


def rank_figure(result: SeriesMap, used: int) -> figure:
    """What 1, 2, … components leave at best; the number that was used is marked."""
    scan = result.scan
    drawing = new_figure("Components", "Least residual (μ)", HEIGHT)
    drawing.title.update(text="How many components does the series ask for?", text_font_size="13px")
    source = {
        "n": scan.components, "left": scan.residual, "singular": scan.singular_value,
        "size": np.where(scan.components == used, 14, 8), "color": np.where(scan.components == used, NOW, LOW),
    }  # fmt: skip
    drawing.line("n", "left", source=source, color=LOW, line_width=1.5)
    points = drawing.scatter("n", "left", source=source, size="size", color="color")
    words = [("components", "@n"), ("rms left", "@left{0.0000}"), ("singular value", "@singular{0.000}")]
    add_hover(drawing, [points], words)
    drawing.x_range.update(start=0.5, end=float(scan.components[-1]) + 0.5)
    drawing.y_range.update(start=0, end=1.08 * float(scan.residual.max()) or 1.0)
    drawing.toolbar_location = None
    return drawing


def _top_legend(drawing: figure) -> None:
    drawing.legend.update(
        location="top_left", orientation="horizontal", label_text_font_size="11px", padding=2, margin=2, glyph_width=14,
        background_fill_alpha=0.6, spacing=6,
    )  # fmt: skip
    drawing.toolbar_location = None
