"""Figures as SVG text for a page without scripts: lines, points, histograms, bars and a matrix.

Colours can be told apart with any colour vision; text takes the colour of the page around it, light or dark. Every
label is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from engine.analysis.scores import FloatArray
from engine.analysis.traversal import Traversal

ENERGY, MU, CHANGE = "Energy (eV)", "μ (edge-normalised)", "Δμ"
SHOWN_LEVELS = 9
LOW, MIDDLE, HIGH = "#0072B2", "#999999", "#D55E00"
WIDTH, HEIGHT = 340, 230
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 26, 42


@dataclass(frozen=True, eq=False)
class Curve:
    """A line y (m,) with its colour, a name to show at the pointer, its width in pixels and whether it is dashed.

    x (m,) is that of the figure unless given.
    """

    y: FloatArray
    color: str
    name: str
    width: float = 1.4
    dashed: bool = False
    x: FloatArray | None = None


def ramp(share: float) -> str:
    """A colour from blue (0) over grey to orange (1)."""
    a, b, t = (LOW, MIDDLE, 2 * share) if share < 0.5 else (MIDDLE, HIGH, 2 * share - 1)
    mixed = [round((1 - t) * int(a[i : i + 2], 16) + t * int(b[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in mixed)


def line_figure(
    title: str,
    labels: tuple[str, str],
    x: FloatArray,
    curves: Sequence[Curve],
    bands: Sequence[tuple[FloatArray, FloatArray]] = (),
    marks: Sequence[float] = (),
) -> str:
    """Curves over x (m,), grey bands behind them, each between two more, and dotted vertical lines at ``marks``."""
    every = [curve.y for curve in curves] + [edge for band in bands for edge in band]
    across = [x if curve.x is None else curve.x for curve in curves]
    frame = _Frame(title, labels, _ends(np.concatenate([x, *across]), 0.0), _ends(np.concatenate(every), 0.06))
    parts = []
    for band in bands:
        outline = [*zip(x, band[0], strict=True), *zip(x[::-1], band[1][::-1], strict=True)]
        parts.append(f'<path d="{frame.path(outline)}Z" fill="{MIDDLE}" opacity="0.35"/>')
    for mark in marks:
        parts.append(f'<path d="M{frame.x(mark):.1f} {TOP}V{HEIGHT - BOTTOM}" class="mark"/>')
    for curve, at in zip(curves, across, strict=True):
        line = frame.path(list(zip(at, curve.y, strict=True)))
        parts.append(f'<path d="{line}" {_stroke(curve)}><title>{escape(curve.name)}</title></path>')
    return frame.drawn(parts)


def traversal_figure(title: str, one: Traversal, bands: Sequence[tuple[FloatArray, FloatArray]] = ()) -> str:
    """Nine levels of a traversal over its energies (m,), the lowest blue, the highest orange."""
    last = len(one.level) - 1
    curves = [
        Curve(one.mu[i], ramp(i / last), f"{one.axis} {one.level[i]:.2f}")
        for i in np.linspace(0, last, SHOWN_LEVELS).round().astype(int)
    ]
    return line_figure(title, (ENERGY, MU), one.energy_ev, curves, bands)


def point_figure(
    title: str, labels: tuple[str, str], x: FloatArray, y: FloatArray, shade: FloatArray, names: Sequence[str]
) -> str:
    """Points (n,) coloured by ``shade`` from its 5th percentile (blue) to its 95th (orange), NaN grey; named."""
    frame = _Frame(title, labels, _ends(x, 0.05), _ends(y, 0.05))
    known = shade[np.isfinite(shade)]
    low, high = np.percentile(known, [5, 95]) if known.size else (0.0, 1.0)
    share = np.clip((shade - low) / max(float(high - low), 1e-12), 0, 1)
    parts = [
        f'<circle cx="{frame.x(a):.1f}" cy="{frame.y(b):.1f}" r="2.2" opacity="0.75" '
        f'fill="{ramp(float(s)) if np.isfinite(s) else MIDDLE}"><title>{escape(name)}</title></circle>'
        for a, b, s, name in zip(x, y, share, names, strict=True)
    ]
    return frame.drawn(parts)


def bar_figure(title: str, label: str, names: Sequence[str], values: FloatArray, reference: float) -> str:
    """Horizontal bars with their values, and a dashed line at ``reference``."""
    height = TOP + 24 * len(names) + BOTTOM
    most = 1.15 * max(float(values.max()), reference, 1e-9)
    left = 96

    def across(value: float) -> float:
        return left + (WIDTH - left - 50) * value / most

    parts = [f'<text x="{left}" y="16" class="title">{escape(title)}</text>']
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        y = TOP + 24 * i
        parts.append(f'<text x="{left - 6}" y="{y + 15}" text-anchor="end">{escape(_short(name))}</text>')
        parts.append(
            f'<rect x="{left}" y="{y + 3}" width="{across(value) - left:.1f}" height="16" fill="{LOW}">'
            f"<title>{escape(name)} {value:.4f}</title></rect>"
            f'<text x="{across(value) + 4:.1f}" y="{y + 15}">{value:.3f}</text>'
        )
    end = height - BOTTOM
    parts.append(f'<path d="M{across(reference):.1f} {TOP}V{end}" class="mark"/>')
    parts.append(f'<text x="{left}" y="{end + 18}">{escape(label)}</text>')
    return _svg(WIDTH, height, parts)


def histogram_figure(
    title: str, label: str, edges: FloatArray, samples: Sequence[Curve], over: Sequence[Curve] = ()
) -> str:
    """Shares in % of samples, the values ``y`` of curves, between edges (b + 1,); lines in the same unit over them.

    The first sample is filled, the others are outlines. Values outside of the edges are counted in 100 %, not shown.
    Edges halfway between whole numbers have ticks at whole numbers alone.
    """
    shares = [100 * np.histogram(one.y, edges)[0] / len(one.y) for one in samples]
    most = max(float(np.max(share)) for share in [*shares, *(one.y for one in over)])
    whole = 1.0 if np.array_equal(edges % 1, np.full(len(edges), 0.5)) else 0.0
    frame = _Frame(title, (label, "Sites (%)"), _ends(edges, 0.0), (0.0, 1.06 * max(most, 1e-9)), whole)
    across = np.repeat(edges, 2)
    parts = []
    for i, (one, share) in enumerate(zip(samples, shares, strict=True)):
        look = f'fill="{one.color}" opacity="0.3"' if i == 0 else _stroke(one)
        outline = list(zip(across.tolist(), [0.0, *np.repeat(share, 2).tolist(), 0.0], strict=True))
        parts.append(f'<path d="{frame.path(outline)}" {look}><title>{escape(one.name)}</title></path>')
    for one in over:
        line = list(zip(edges if one.x is None else one.x, one.y, strict=True))
        parts.append(f'<path d="{frame.path(line)}" {_stroke(one)}><title>{escape(one.name)}</title></path>')
    return frame.drawn(parts)


def matrix_figure(title: str, names: Sequence[str], values: FloatArray, columns: Sequence[str] | None = None) -> str:
    """Numbers (r, c) from -1 (blue) to 1 (orange), each written in its cell, a dash for NaN.

    ``names`` are those of the rows, and of the columns unless these have their own.
    """
    columns = names if columns is None else columns
    cell, left, top = 42, 84, 84
    parts = [f'<text x="{left}" y="16" class="title">{escape(title)}</text>']
    for j, name in enumerate(columns):
        x = left + cell * j + cell / 2
        parts.append(
            f'<text x="{x:.0f}" y="{top - 6}" transform="rotate(-45 {x:.0f} {top - 6})">{escape(_short(name))}</text>'
        )
    for i, name in enumerate(names):
        at = cell * i + cell / 2
        parts.append(f'<text x="{left - 6}" y="{top + at + 4:.0f}" text-anchor="end">{escape(_short(name))}</text>')
        for j, other in enumerate(columns):
            value = float(values[i, j])
            told, written = ("unknown", "–") if np.isnan(value) else (f"{value:.3f}", f"{round(value, 2) + 0.0:.2f}")
            parts.append(
                f'<rect x="{left + cell * j}" y="{top + cell * i}" width="{cell - 2}" height="{cell - 2}" '
                f'fill="{HIGH if value > 0 else LOW}" fill-opacity="{0.65 * np.nan_to_num(abs(value)):.2f}">'
                f"<title>{escape(name)} and {escape(other)}: {told}</title></rect>"
                f'<text x="{left + cell * j + cell / 2 - 1:.0f}" y="{top + cell * i + 25}" text-anchor="middle">'
                f"{written}</text>"
            )
    return _svg(left + cell * len(columns) + 30, top + cell * len(names) + 8, parts)


class _Frame:
    """Axes with ticks and labels, and where data points go in it."""

    def __init__(
        self,
        title: str,
        labels: tuple[str, str],
        x_ends: tuple[float, float],
        y_ends: tuple[float, float],
        x_step: float = 0.0,
    ) -> None:
        """Ticks of the x axis are ``x_step`` or more apart."""
        self.title, self.labels, self.x_ends, self.y_ends, self.x_step = title, labels, x_ends, y_ends, x_step

    def x(self, value: float) -> float:
        low, high = self.x_ends
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)

    def y(self, value: float) -> float:
        low, high = self.y_ends
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{self.x(a):.1f} {self.y(b):.1f}" for a, b in points)

    def drawn(self, parts: Sequence[str]) -> str:
        floor = HEIGHT - BOTTOM
        axes = [f'<text x="{LEFT}" y="16" class="title">{escape(_short(self.title, 34))}</text>']
        for value in _ticks(*self.x_ends, self.x_step):
            at = self.x(value)
            axes.append(f'<path d="M{at:.1f} {floor}v4" class="axis"/>')
            axes.append(f'<text x="{at:.1f}" y="{floor + 16}" text-anchor="middle">{value:g}</text>')
        for value in _ticks(*self.y_ends):
            at = self.y(value)
            axes.append(f'<path d="M{LEFT} {at:.1f}h-4" class="axis"/>')
            axes.append(f'<text x="{LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{value:g}</text>')
        axes.append(f'<path d="M{LEFT} {TOP}V{floor}H{WIDTH - RIGHT}" class="axis"/>')
        middle = (LEFT + WIDTH - RIGHT) / 2
        axes.append(
            f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(_short(self.labels[0], 42))}</text>'
        )
        up = (TOP + floor) / 2
        axes.append(
            f'<text x="13" y="{up:.0f}" text-anchor="middle" transform="rotate(-90 13 {up:.0f})">'
            f"{escape(_short(self.labels[1], 26))}</text>"
        )
        return _svg(WIDTH, HEIGHT, [*parts, *axes])


def _stroke(curve: Curve) -> str:
    dash = ' stroke-dasharray="5 3"' if curve.dashed else ""
    return f'fill="none" stroke="{curve.color}" stroke-width="{curve.width}"{dash}'


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">{"".join(parts)}</svg>'


def _ends(values: FloatArray, room: float) -> tuple[float, float]:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    extra = room * (high - low) if high > low else 0.5
    return low - extra, high + extra


def _ticks(low: float, high: float, least: float = 0.0) -> list[float]:
    """Two to seven round numbers between two ends, ``least`` or more apart."""
    rough = max((high - low) / 6, least)
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(next(power * m for m in (1, 2, 5, 10) if power * m >= rough))
    return [round(float(v), 10) + 0.0 for v in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step]


def _short(text: str, most: int = 12) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
