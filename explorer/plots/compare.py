"""Members side by side: traversals, differentials, overlap, latent against descriptor, chains of models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from bokeh.models import ColorBar, FactorRange, LinearColorMapper, Range1d
from bokeh.plotting import figure

from engine.analysis.comparison import PlacedSites, Trends
from engine.analysis.differentials import noise_level
from engine.analysis.scores import FloatArray, rank_correlation
from engine.analysis.traversal import Traversal
from engine.spectra import SPECTRAL_UNITS
from explorer.columns import Column
from explorer.plots.style import CATEGORICAL, ENERGY_LABEL, MU_LABEL, add_hover, energy_ends, new_figure, padded

LOW, MIDDLE, HIGH = "#0072B2", "#A6A6A6", "#D55E00"
NEGATIVE, NONE, POSITIVE, UNKNOWN, ON_CELL = "#56B4E9", "#F4F4F4", "#E69F00", "#BDBDBD", "#111111"
QUIET = "#808080"
DASHES = ("solid", "dashed", "dotdash", "dotted", "solid", "dashed")
MARKERS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "hex", "plus", "cross")
TREND_HEIGHT, HEAD_HEIGHT, AXIS_HEIGHT = 132, 22, 40
OWN_EDGE_LABEL = "E − E₀ (eV)"
BOX_WIDTH, JITTER = 0.56, 0.2

Found = Sequence[tuple[Column, Trends]]
Grid = list[list[figure]]
"""Figures in rows, one beside the other."""


def blend(low: str, middle: str, high: str, share: FloatArray) -> list[str]:
    """Colours between three, at ``share`` (n,) from 0 to 1; grey at NaN."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in (low, middle, high)])
    mixed = [np.interp(share, [0, 0.5, 1], stops[:, i]) for i in range(3)]
    rows = np.stack(mixed, axis=1)
    return [UNKNOWN if np.isnan(row).any() else "#{:02x}{:02x}{:02x}".format(*row.round().astype(int)) for row in rows]


PALETTE = tuple(blend(LOW, MIDDLE, HIGH, np.linspace(0, 1, 64)))
"""From low to high; readers who see colours differently can tell it apart, on a light and on a dark page."""


def trend_grid(found: Found, axes: Sequence[str]) -> Grid:
    """Traversals as small multiples (Fig. 6c): a row per axis, a column per member, coloured by level."""
    y_range = _mu_range([t for _, trends in found for t in trends.traversals.values()])
    x_ranges = [Range1d(*energy_ends(trends.energy_ev)) for _, trends in found]
    rows: Grid = []
    for axis in axes:
        last = axis == axes[-1]
        row = []
        for place, (column, trends) in enumerate(found):
            drawing = _panel(x_ranges[place], y_range, first=not place, last=last, label=ENERGY_LABEL)
            if axis in trends.traversals:
                drawing.title.text = f"{column.letter} · {axis} · {column.score(axis)}"
                _draw_levels(drawing, trends.traversals[axis], 0.0)
            else:
                _say_nothing(drawing, f"{column.letter} has no axis {axis}")
            row.append(drawing)
        rows.append(row)
    return rows


def element_grid(found: Found, axis: str, per_row: int = 4) -> Grid:
    """Traversals of one axis for several models, each relative to its own edge (Fig. 8)."""
    y_range = _mu_range([trends.traversals[axis] for _, trends in found])
    ends = np.array([np.subtract(energy_ends(trends.energy_ev), trends.edge_ev) for _, trends in found])
    x_range = Range1d(float(ends[:, 0].min()), float(ends[:, 1].max()))
    drawings = []
    for place, (column, trends) in enumerate(found):
        last = place + per_row >= len(found)
        drawing = _panel(x_range, y_range, first=place % per_row == 0, last=last, label=OWN_EDGE_LABEL)
        drawing.title.text = f"{column.facts.element} · {column.score(axis)}"
        _draw_levels(drawing, trends.traversals[axis], trends.edge_ev)
        drawings.append(drawing)
    return [drawings[i : i + per_row] for i in range(0, len(drawings), per_row)]


def differential_figure(found: Found, axis: str, *, own_edge: bool, by_element: bool = False) -> figure:
    """Highest minus lowest level along ``axis`` of every member that has it; with ``own_edge`` relative to its edge."""
    there = [(column, trends) for column, trends in found if axis in trends.traversals]
    drawing = new_figure(OWN_EDGE_LABEL if own_edge else ENERGY_LABEL, "Δμ, 95th − 5th", 230)
    drawing.title.text = axis
    ends, values = [], []
    for column, trends in there:
        place = found.index((column, trends))
        energy = trends.energy_ev - (trends.edge_ev if own_edge else 0.0)
        change = trends.traversals[axis].differential
        ends.append(energy_ends(energy))
        values.append(change)
        name = column.facts.element if by_element else column.letter
        line = drawing.line(
            "energy", "change", color=CATEGORICAL[place % len(CATEGORICAL)], line_dash=DASHES[place % len(DASHES)],
            line_width=2, legend_label=name,
            source={"energy": energy, "change": change, "member": [column.name] * len(energy)},
        )  # fmt: skip
        add_hover(drawing, [line], [("", "@member"), ("energy", "@energy{0.00} eV"), ("Δμ", "@change{+0.000}")])
    span = np.array(ends)
    low, high = padded(min(float(v.min()) for v in values), max(float(v.max()) for v in values))
    drawing.x_range.update(start=float(span[:, 0].min()), end=float(span[:, 1].max()))
    drawing.y_range.update(start=low, end=high)
    drawing.legend.update(orientation="horizontal", padding=2, margin=2, label_text_font_size="11px", glyph_width=22)
    drawing.legend.location = "top_right"
    return drawing


def overlap_figure(title: str, names: Sequence[str], overlap: FloatArray, size: int) -> figure:
    """A matrix (a, a) of cosine overlaps with its numbers; a dash where there is none."""
    drawing = figure(
        x_range=FactorRange(*names), y_range=FactorRange(*reversed(names)), width=size, height=size, title=title,
        tools="save", toolbar_location=None, x_axis_location="below",
    )  # fmt: skip
    value = np.asarray(overlap, dtype=float).ravel()
    known = ~np.isnan(value)
    source = {
        "first": np.repeat(list(names), len(names)).tolist(),
        "second": list(names) * len(names),
        "text": [f"{v:.2f}".replace("-", "−") if ok else "–" for v, ok in zip(value, known, strict=True)],
        "words": [f"{v:+.3f}" if ok else "none: other energies" for v, ok in zip(value, known, strict=True)],
        "color": blend(NEGATIVE, NONE, POSITIVE, (value + 1) / 2),
    }  # fmt: skip
    cells = drawing.rect("second", "first", 1, 1, source=source, color="color", line_color="white")
    drawing.text(
        "second", "first", text="text", source=source, text_color=ON_CELL, text_align="center",
        text_baseline="middle", text_font_size="11px",
    )  # fmt: skip
    add_hover(drawing, [cells], [("", "@first · @second"), ("cosine overlap", "@words")])
    drawing.grid.visible = False
    drawing.axis.major_tick_line_color = None
    if max(map(len, names)) > 3:
        drawing.xaxis.major_label_orientation = 0.9
    return drawing


def latent_grid(
    found: Sequence[tuple[Column, PlacedSites]], descriptor: str, unit: str, feature: str, per_row: int = 3
) -> Grid:
    """Latent value against descriptor of the test sites (Fig. 7), coloured by a spectral descriptor; boxes for classes.

    A box holds the middle half of a class with its median; whiskers go to the 5th and 95th percentile. Colours go from
    the 5th to the 95th percentile of the feature over all members, or of each where they are of different absorbers.
    """
    apart = len({column.facts.element for column, _ in found}) > 1
    together = np.concatenate([sites.features[feature].to_numpy() for _, sites in found])
    latent = np.concatenate([sites.latent[descriptor].to_numpy() for _, sites in found])
    label = f"{descriptor} ({unit})" if unit else descriptor
    labels = np.concatenate([sites.descriptors[descriptor].to_numpy() for _, sites in found])
    classes = any(descriptor in sites.classes for _, sites in found)
    room = 0.6 if classes else 0.0
    ends = padded(float(np.nanmin(labels)) - room, float(np.nanmax(labels)) + room, 0.03)
    x_range, y_range = Range1d(*ends), Range1d(*padded(float(latent.min()), float(latent.max())))
    feature_label = f"{feature} ({SPECTRAL_UNITS[feature] or 'μ'})"
    drawings = []
    for place, (column, sites) in enumerate(found):
        drawing = new_figure(label, f"Latent axis {descriptor}", 300)
        drawing.update(x_range=x_range, y_range=y_range)
        drawing.toolbar_location = None
        mapper = _mapper(sites.features[feature].to_numpy() if apart else together)
        z, d = sites.latent[descriptor].to_numpy(), sites.descriptors[descriptor].to_numpy()
        srcc = abs(rank_correlation(z, d))
        drawing.title.text = f"{column.name} · |SRCC| {srcc:.3f} · {int(np.isfinite(d).sum())} test sites"
        boxed = descriptor in sites.classes
        points = drawing.scatter(
            "x", "y", size=5, line_color=None, fill_alpha=0.75,
            fill_color={"field": "feature", "transform": mapper},
            source={
                "x": d + (_jitter(len(d)) if boxed else 0.0), "y": z, "label": d, "feature": sites.features[feature],
                "site": sites.site_id.tolist(),
            },
        )  # fmt: skip
        if boxed:
            _draw_boxes(drawing, d, z)
        value = f"@label{{0.[000]}}{f' {unit}' if unit else ''}"
        shade = f"@feature{{0.[000]}} {SPECTRAL_UNITS[feature] or 'μ'}"
        add_hover(drawing, [points], [("site", "@site"), (descriptor, value), ("latent", "@y{0.00}"), (feature, shade)])
        if boxed:
            drawing.xaxis.ticker = np.unique(d[~np.isnan(d)]).tolist()
        if apart or place == min(per_row, len(found)) - 1:
            drawing.add_layout(ColorBar(color_mapper=mapper, title=feature_label, width=10, padding=4), "right")
        drawings.append(drawing)
    return [drawings[i : i + per_row] for i in range(0, len(drawings), per_row)]


def chain_figures(table: pd.DataFrame, steps: Sequence[str]) -> Grid:
    """Scores and free-axis amplitude along a chain: a dot per seed, a line through the selected members.

    ``table`` has a row per step (its place in ``steps``), member and measure: columns step, seed, selected, measure and
    value, and reconstruction_rmse; the measure "amplitude" is drawn below, beside the noise level that it is held
    against, every other one is the |SRCC| of the descriptor of that name.
    """
    names = ["start", *steps[1:]]
    measures = [name for name in dict.fromkeys(table["measure"]) if name != "amplitude"]
    x_range = FactorRange(*names)
    scores = _chain_figure(table, names, measures, x_range, "|SRCC| on the test part", 300)
    amplitudes = _chain_figure(table, names, ["amplitude"], x_range, "Free axis: rms of Δμ", 230)
    amplitudes.legend.visible = False
    noise = table[table["selected"]].groupby("step")["reconstruction_rmse"].first().map(noise_level)
    line = amplitudes.line(
        "x", "y", color=QUIET, line_dash="dashed", line_width=2,
        source={"x": [names[step] for step in noise.index], "y": noise.to_numpy()},
    )  # fmt: skip
    add_hover(amplitudes, [line], [("noise level", "@y{0.0000}"), ("model", "@x")])
    amplitudes.y_range.start = min(amplitudes.y_range.start, 0.9 * float(noise.min()))
    return [[scores], [amplitudes]]


def _chain_figure(
    table: pd.DataFrame, names: list[str], measures: Sequence[str], x_range: FactorRange, label: str, height: int
) -> figure:
    drawing = new_figure("", label, height, x_range)
    values = table.loc[table["measure"].isin(measures), "value"].to_numpy()
    values = values[np.isfinite(values)]
    low, high = padded(float(values.min()), float(values.max()), 0.12) if values.size else (0.0, 1.0)
    drawing.y_range.update(start=low, end=high)
    for place, measure in enumerate(measures):
        color, marker = CATEGORICAL[place % len(CATEGORICAL)], MARKERS[place % len(MARKERS)]
        of = table[table["measure"] == measure]
        chosen = of[of["selected"]].sort_values("step")
        offset = 0.06 * (place - (len(measures) - 1) / 2)
        source = {
            "x": [(names[step], offset) for step in of["step"]], "y": of["value"], "seed": of["seed"],
            "step": [names[step] for step in of["step"]],
        }  # fmt: skip
        dots = drawing.scatter("x", "y", source=source, marker=marker, size=6, color=color, fill_alpha=0.35)
        drawing.line(
            [(names[step], offset) for step in chosen["step"]], chosen["value"], color=color, line_width=2,
            legend_label=measure,
        )  # fmt: skip
        drawing.scatter(
            [(names[step], offset) for step in chosen["step"]], chosen["value"], marker=marker, size=9, color=color,
            legend_label=measure,
        )  # fmt: skip
        add_hover(drawing, [dots], [(measure, "@y{0.000}"), ("seed", "@seed"), ("model", "@step")])
    if drawing.legend:
        drawing.legend.update(orientation="horizontal", padding=2, margin=2, label_text_font_size="11px")
        drawing.add_layout(drawing.legend[0], "above")
    return drawing


def _panel(x_range: Range1d, y_range: Range1d, *, first: bool, last: bool, label: str) -> figure:
    """One of many small figures: only the first of a row has numbers at the left, only the last row below."""
    drawing = new_figure(label if last else "", MU_LABEL if first else "", TREND_HEIGHT + HEAD_HEIGHT, x_range)
    drawing.y_range = y_range
    drawing.title.text_font_size = "12px"
    drawing.toolbar_location = None
    drawing.min_border_left = 60 if first else 8
    drawing.xaxis.visible, drawing.yaxis.visible = last, first
    if first:
        drawing.yaxis.axis_label = "μ"
    drawing.xaxis.ticker.desired_num_ticks = 4
    drawing.yaxis.ticker.desired_num_ticks = 4
    drawing.height += AXIS_HEIGHT if last else 0
    return drawing


def _draw_levels(drawing: figure, traversal: Traversal, zero_ev: float) -> None:
    share = np.linspace(0, 1, len(traversal.level))
    lines = drawing.multi_line(
        "xs", "ys", color="color", line_width=1.2,
        source={
            "xs": [traversal.energy_ev - zero_ev] * len(share),
            "ys": list(traversal.mu),
            "color": blend(LOW, MIDDLE, HIGH, share),
            "level": traversal.level,
        },
    )  # fmt: skip
    add_hover(drawing, [lines], [("level", "@level{+0.00}"), ("energy", "$x{0.00} eV"), ("μ", "$y{0.000}")])


def _say_nothing(drawing: figure, words: str) -> None:
    """Words in place of curves."""
    x, y = drawing.x_range, drawing.y_range
    drawing.text(
        [(x.start + x.end) / 2], [(y.start + y.end) / 2], text=[words], text_align="center", text_color=QUIET,
        text_font_size="12px",
    )  # fmt: skip


def _mu_range(traversals: Sequence[Traversal]) -> Range1d:
    low, high = min(float(t.mu.min()) for t in traversals), max(float(t.mu.max()) for t in traversals)
    return Range1d(*padded(low, high))


def _mapper(values: FloatArray) -> LinearColorMapper:
    """Colours from the 5th to the 95th percentile of values."""
    low, high = np.nanpercentile(values, [5, 95]) if np.isfinite(values).any() else (0.0, 1.0)
    return LinearColorMapper(PALETTE, low=float(low), high=float(max(high, low + 1e-9)), nan_color=UNKNOWN)


def _jitter(n: int) -> FloatArray:
    return np.random.default_rng(0).uniform(-JITTER, JITTER, n)


def _draw_boxes(drawing: figure, labels: FloatArray, z: FloatArray) -> None:
    classes = np.unique(labels[~np.isnan(labels)])
    cuts = np.array([np.percentile(z[labels == label], [5, 25, 50, 75, 95]) for label in classes])
    q5, q25, q50, q75, q95 = cuts.T
    line = {"line_color": QUIET, "line_width": 1.5}
    drawing.vbar(classes, BOX_WIDTH, q75, q25, fill_color=None, **line)
    drawing.segment(classes, q75, classes, q95, **line)
    drawing.segment(classes, q25, classes, q5, **line)
    drawing.segment(classes - BOX_WIDTH / 2, q50, classes + BOX_WIDTH / 2, q50, line_color=QUIET, line_width=3)
