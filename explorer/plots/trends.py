"""A trained member as drawings: sites near a latent point, traversals with differentials, amplitudes against noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from bokeh.models import BoxAnnotation, ColumnDataSource, FixedTicker, Label, Range1d, Span
from bokeh.palettes import Viridis256
from bokeh.plotting import figure

from engine.analysis.differentials import Differentials
from engine.analysis.scores import FloatArray
from engine.analysis.stability import Stability, band
from engine.analysis.traversal import Traversal
from explorer.components.member import Axis, Sites
from explorer.plots.compare import HIGH, LOW, MIDDLE, QUIET, Grid, blend
from explorer.plots.style import (
    ENERGY_LABEL,
    MU_LABEL,
    NOW,
    Columns,
    add_hover,
    energy_ends,
    new_figure,
    padded,
    set_range,
)

PER_ROW = 3
TRAVERSAL_HEIGHT, DIFFERENTIAL_HEIGHT, AXIS_HEIGHT = 176, 96, 44
LEFT_ROOM = {True: 74, False: 10}
NO_SITES: Columns = {"xs": [], "ys": [], "site": [], "material": [], "distance": [], "color": [], "width": []}
NO_SPECTRUM: Columns = {"energy": [], "mu": []}
NO_BAND: Columns = {"energy": [], "low": [], "high": []}
NO_POINTS: Columns = {"fixed": [], "zero": [], "spread": [], "share": []}
BAND = "#CC79A7"
# Neither the dark nor the light end, which vanish on a dark or a light page.
BY_DISTANCE = Viridis256[84:220]


def site_colors(count: int) -> list[str]:
    """A colour for each of ``count`` sites, the nearest first."""
    return [BY_DISTANCE[round(place)] for place in np.linspace(0, len(BY_DISTANCE) - 1, count)]


def site_data(
    sites: Sites, found: Sequence[tuple[int, float]], energy_ev: FloatArray, marked: Sequence[str]
) -> Columns:
    """Columns of the spectra of the rows ``found``, each with its distance; those that are marked are drawn thicker."""
    rows = [row for row, _ in found]
    ids = [str(sites.site_id[row]) for row in rows]
    return {
        "xs": [energy_ev.astype(np.float32)] * len(rows),
        "ys": [sites.mu[row] for row in rows],
        "site": ids,
        "material": [str(sites.material_id[row]) for row in rows],
        "distance": [distance for _, distance in found],
        "color": site_colors(len(rows)),
        "width": [3.5 if site in marked else 1.8 for site in ids],
    }


def nearest_figure(now: ColumnDataSource, sites: ColumnDataSource, height: int) -> figure:
    """The decoded spectrum, and behind it those of the nearest sites in the colours of ``site_colors``."""
    drawing = new_figure(ENERGY_LABEL, MU_LABEL, height)
    lines = drawing.multi_line("xs", "ys", source=sites, color="color", line_width="width", line_alpha=0.9)
    lines.hover_glyph = lines.glyph.clone(line_width=3.5)
    decoded = drawing.line(
        "energy", "mu", source=now, color=NOW, line_width=3, line_dash=[8, 3], legend_label="decoded now"
    )
    about = [("site", "@site"), ("material", "@material"), ("distance", "@distance{0.00}")]
    add_hover(drawing, [lines], [*about, ("energy", "$x{0.00} eV"), ("μ", "$y{0.000}")])
    add_hover(drawing, [decoded], [("decoded at", "@energy{0.00} eV"), ("μ", "@mu{0.000}")])
    drawing.legend.update(location="bottom_right", background_fill_alpha=0.6, label_text_font_size="12px", padding=4)
    return drawing


def fit_nearest(drawing: figure, sites: Columns, now: Columns, mu_range: tuple[float, float]) -> None:
    """Sets the axes of ``nearest_figure``: ``mu_range``, and more where a spectrum needs it."""
    set_range(drawing.x_range, *energy_ends(now["energy"]))
    ends = [(float(mu.min()), float(mu.max())) for mu in [now["mu"], *sites["ys"]]]
    set_range(drawing.y_range, min(mu_range[0], *(e[0] for e in ends)), max(mu_range[1], *(e[1] for e in ends)))


@dataclass(frozen=True, eq=False)
class Agreement:
    """What the members of an ensemble agree on along one axis, as sources of its figure; empty until it is known."""

    band: ColumnDataSource
    points: ColumnDataSource


def no_agreement() -> Agreement:
    """Sources with nothing in them."""
    return Agreement(ColumnDataSource(NO_BAND), ColumnDataSource(NO_POINTS))


def band_data(found: Stability) -> Columns:
    """The middle 90 % of the members' differentials."""
    _, low, high = band(found.differential)
    return {"energy": found.energy_ev, "low": low, "high": high}


def point_data(found: Stability) -> Columns:
    """Isosbestic points: median energy, its spread, and the share of the members that have them."""
    points = found.isosbestic
    return {
        "fixed": [one.energy_ev for one in points],
        "zero": [0.0] * len(points),
        "spread": [one.spread_ev for one in points],
        "share": [one.confidence for one in points],
    }


def trend_cards(
    axes: Sequence[Axis],
    traversals: Mapping[str, Traversal],
    changes: Differentials,
    agreement: Mapping[str, Agreement],
) -> Grid:
    """For every axis its traversal coloured by level (Fig. 6c), its score inset, and below its differential (Fig. S10).

    All share their energies, all traversals their mu and all differentials their change of mu. The grey band of a
    differential is what errors of the model alone would give. ``agreement`` has sources for every axis.
    """
    x_range = Range1d(*energy_ends(changes.energy_ev))
    mu = np.concatenate([traversal.mu for traversal in traversals.values()])
    mu_range = Range1d(*padded(float(mu.min()), float(mu.max())))
    most = max(float(np.abs(changes.differential).max()), np.nan_to_num(changes.noise_level))
    change_range = Range1d(*padded(-most, most))
    rows: Grid = []
    for start in range(0, len(axes), PER_ROW):
        chunk = axes[start : start + PER_ROW]
        above, below = [], []
        for place, axis in enumerate(chunk):
            drawing = _panel("", "μ", TRAVERSAL_HEIGHT, x_range, mu_range, first=not place)
            _draw_traversal(drawing, axis, traversals[axis.name])
            above.append(drawing)
            drawing = _panel(ENERGY_LABEL, "Δμ", DIFFERENTIAL_HEIGHT, x_range, change_range, first=not place)
            _draw_differential(drawing, changes, changes.axes.index(axis.name), agreement[axis.name])
            below.append(drawing)
        rows += [above, below]
    return rows


def amplitude_figure(axes: Sequence[Axis], changes: Differentials, height: int) -> figure:
    """How much every axis moves the spectrum, free ones in orange, beside the noise level."""
    drawing = new_figure("Amplitude of the differential (rms Δμ)", "", height)
    place = np.arange(len(axes))[::-1]
    drawing.y_range.update(start=-0.6, end=len(axes) - 0.4)
    drawing.yaxis.ticker = FixedTicker(ticks=place.tolist())
    named = [f"{axis.symbol}  {size:.3f}" for axis, size in zip(axes, changes.amplitude, strict=True)]
    drawing.yaxis.major_label_overrides = dict(zip(place.tolist(), named, strict=True))
    most = max(float(changes.amplitude.max()), np.nan_to_num(changes.noise_level))
    drawing.x_range.update(start=0, end=1.06 * most or 1.0)
    drawing.toolbar_location = None
    drawing.title.text = "Amplitude of each axis; dashed: noise level"
    source = {
        "axis": [axis.symbol for axis in axes],
        "place": place,
        "amplitude": changes.amplitude,
        "color": [HIGH if axis.free else LOW for axis in axes],
        "times": changes.amplitude / changes.noise_level,
    }
    bars = drawing.hbar("place", 0.62, "amplitude", source=source, color="color")
    if np.isfinite(changes.noise_level):
        drawing.add_layout(
            Span(location=changes.noise_level, dimension="height", line_color=QUIET, line_width=2, line_dash="dashed")
        )
    words = [("", "@axis"), ("amplitude in μ", "@amplitude{0.0000}"), ("times the noise level", "@times{0.00}")]
    add_hover(drawing, [bars], words)
    drawing.ygrid.visible = False
    return drawing


def _panel(x_label: str, y_label: str, height: int, x_range: Range1d, y_range: Range1d, *, first: bool) -> figure:
    """One of many small figures: only the first of a row has numbers at the left."""
    drawing = new_figure(x_label, y_label if first else "", height + (AXIS_HEIGHT if x_label else 0), x_range)
    drawing.y_range = y_range
    drawing.toolbar_location = None
    drawing.min_border_left = LEFT_ROOM[first]
    drawing.min_border_right = 10
    drawing.xaxis.visible, drawing.yaxis.visible = bool(x_label), first
    drawing.xaxis.ticker.desired_num_ticks = 4
    drawing.yaxis.ticker.desired_num_ticks = 4
    return drawing


def _draw_traversal(drawing: figure, axis: Axis, traversal: Traversal) -> None:
    drawing.title.update(text=axis.symbol, text_font_size="13px")
    share = np.linspace(0, 1, len(traversal.level))
    lines = drawing.multi_line(
        "xs", "ys", color="color", line_width=1.3,
        source={
            "xs": [traversal.energy_ev.astype(np.float32)] * len(share),
            "ys": list(traversal.mu.astype(np.float32)),
            "color": blend(LOW, MIDDLE, HIGH, share),
            "level": traversal.level,
        },
    )  # fmt: skip
    add_hover(drawing, [lines], [("level", "@level{+0.00}"), ("energy", "$x{0.00} eV"), ("μ", "$y{0.000}")])
    inset = Label(
        x=drawing.x_range.end, y=8, x_offset=-8, y_units="screen", anchor="bottom_right", text=axis.score,
        text_font_size="12px", text_color="#FFFFFF", background_fill_color="#3A4048", background_fill_alpha=0.9,
        padding=4, border_radius=4,
    )  # fmt: skip
    drawing.add_layout(inset)


def _draw_differential(drawing: figure, changes: Differentials, place: int, agreement: Agreement) -> None:
    change = changes.differential[place]
    if np.isfinite(changes.noise_level):
        noise = changes.noise_level
        drawing.add_layout(BoxAnnotation(bottom=-noise, top=noise, fill_color=QUIET, fill_alpha=0.22, line_color=None))
    drawing.add_layout(Span(location=0, dimension="width", line_color=QUIET, line_width=1))
    energy, zero = changes.energy_ev, np.zeros_like(change)
    drawing.varea(energy, zero, np.maximum(change, 0), color=HIGH, alpha=0.35)
    drawing.varea(energy, np.minimum(change, 0), zero, color=LOW, alpha=0.35)
    drawing.varea("energy", "low", "high", source=agreement.band, color=BAND, alpha=0.45)
    line = drawing.line(energy, change, color=MIDDLE, line_width=2)
    points = drawing.scatter(
        "fixed", "zero", source=agreement.points, size=9, color=BAND, line_color="#FFFFFF", line_width=1.5
    )
    words = [("spectra cross at", "@fixed{0.0} ± @spread{0.0} eV"), ("in", "@share{0 %} of the members")]
    add_hover(drawing, [points], words)
    add_hover(drawing, [line], [("energy", "@x{0.00} eV"), ("Δμ, 95th − 5th", "@y{+0.000}")], vertical=True)
