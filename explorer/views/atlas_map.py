"""One map on the page: points or a picture, marks above them, what is under the pointer, outlines and taps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import panel as pn
from bokeh.events import SelectionGeometry, Tap
from bokeh.models import ColumnDataSource
from scipy.spatial import cKDTree

from engine.analysis.scores import FloatArray
from engine.atlas.region import inside
from explorer.maps import Mask, OpenMap
from explorer.messages import as_html
from explorer.plots import atlas as plots
from explorer.plots.colouring import Colouring, by_choice, legend_html
from explorer.plots.shading import chosen_above, shade
from explorer.plots.style import Columns
from explorer.views.drawing import Drawing

HEIGHT = 430
MOST_POINTS = 100_000
"""More sites than these are drawn as a picture, which the server makes for the part in view."""
MOST_MARKED = 20_000
FADED_PICTURE = 0.3
PICTURE = (1000, HEIGHT)
REACH = 0.025
MARKS = ("a", "b", "found", "near", "site", "placed")
MOST_LABELS = 6
LEGEND_STYLE = """
.legend {display: flex; flex-wrap: wrap; gap: 2px 12px; font-size: 13px; line-height: 1.5; align-items: center}
.legend span {white-space: nowrap} .legend small {opacity: 0.75}
.legend i {display: inline-block; width: 11px; height: 11px; border-radius: 6px; margin-right: 4px}
.legend i.bar {width: 150px; border-radius: 3px; margin: 0}
"""
TIP_STYLE = """
.tip {background: var(--mui-palette-background-paper, var(--panel-surface-color, #fff)); font-size: 12px;
  color: var(--mui-palette-text-primary, inherit); border: 1px solid rgba(128, 128, 128, 0.6); border-radius: 4px;
  padding: 5px 8px; width: 194px; line-height: 1.35; overflow-wrap: anywhere; box-shadow: 0 1px 5px rgba(0, 0, 0, 0.25)}
.tip svg {display: block}
"""
SHOWN = {"display": "block", "position": "absolute", "pointer-events": "none", "z-index": "20"}
TIP_WIDTH, TIP_ROOM = 216, 190


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a map shows: n sites with their colours, the ``rows`` (n,) that are in view, a tree over these."""

    opened: OpenMap
    colouring: Colouring
    rows: Mask
    index: Any
    tree: Any

    @property
    def as_picture(self) -> bool:
        """Whether there are too many sites for points."""
        return len(self.opened) > MOST_POINTS

    def picture(
        self, x_ends: tuple[float, float], y_ends: tuple[float, float], a: Mask | None = None, b: Mask | None = None
    ) -> Columns:
        """The sites between the ends of both axes as ``map_figure`` takes them; those of A and B (n,) stand out."""
        xy = self.opened.atlas.xy
        image = shade(xy, self.colouring, self.rows, x_ends, y_ends, PICTURE)
        if a is not None and b is not None and (a.any() or b.any()):
            chosen = shade(xy, by_choice(a, b), a | b, x_ends, y_ends, PICTURE)
            image = chosen_above(image, chosen, FADED_PICTURE)
        (x0, x1), (y0, y1) = x_ends, y_ends
        return {"image": [image], "x": [x0], "y": [y0], "dw": [x1 - x0], "dh": [y1 - y0]}


def prepare(opened: OpenMap, colouring: Colouring, rows: Mask) -> Prepared:
    """Everything about a map that takes longer than a redraw."""
    index = np.flatnonzero(rows)
    return Prepared(opened, colouring, rows, index, cKDTree(opened.atlas.xy[index]) if index.size else None)


class MapPanel(pn.viewable.Viewer):
    """Shows what is ``prepare``d; ``outlined(rows)`` and ``tapped(row)`` are called with sites of its map."""

    def __init__(
        self, name: str, drawing: Drawing, outlined: Callable[[Mask], None], tapped: Callable[[int], None]
    ) -> None:
        super().__init__()
        self._name, self._drawing, self._outlined, self._tapped = name, drawing, outlined, tapped
        self._shown: Prepared | None = None
        self._under: int | None = None
        self._chosen: tuple[Mask, ...] = ()
        self._points, self._picture = ColumnDataSource(plots.NO_POINTS), ColumnDataSource(plots.NO_PICTURE)
        self._marks = {name: ColumnDataSource(plots.NO_MARKS) for name in MARKS}
        self._figure = plots.map_figure(self._points, self._picture, self._marks, HEIGHT)
        pointer = ColumnDataSource({"x": [], "y": [], "sx": [], "sy": []})
        view = ColumnDataSource({"x0": [], "x1": [], "y0": [], "y1": []})
        plots.report(self._figure, pointer, view)
        pointer.on_change("data", lambda _attr, _old, new: self._pointed(new))
        view.on_change("data", lambda _attr, _old, new: self._moved(new))
        self._figure.on_event(Tap, self._on_tap)
        self._figure.on_event(SelectionGeometry, self._on_outline)
        pane = pn.pane.Bokeh(self._figure, sizing_mode="stretch_width", height=HEIGHT, margin=0)
        self._tip = pn.pane.HTML("", stylesheets=[TIP_STYLE], margin=0, styles={"display": "none"})
        self._legend = pn.pane.HTML(
            "", stylesheets=[LEGEND_STYLE], sizing_mode="stretch_width", margin=(0, 10, 4, 10), css_classes=["legend"]
        )
        self._layout = pn.Column(
            pn.Column(pane, self._tip, sizing_mode="stretch_width", margin=0, styles={"position": "relative"}),
            self._legend,
            sizing_mode="stretch_width",
            margin=0,
        )

    def __panel__(self) -> pn.Column:
        return self._layout

    def show(self, made: Prepared) -> None:
        """Draws a map in the page's next turn."""
        fresh = self._shown is None or self._shown.opened is not made.opened
        self._shown = made
        self._drawing.change(f"map {self._name}", lambda: self._draw(made, fresh=fresh))

    def mark(self, masks: dict[str, Mask], placed: FloatArray) -> None:
        """Marks sites (n,) by what they are, and where measured spectra (q, 2) were placed; A and B stand out."""
        made = self._shown
        if made is None or len(masks["a"]) != len(made.opened):
            return
        xy, self._chosen = made.opened.atlas.xy, (masks["a"], masks["b"])
        for name, mask in masks.items():
            shown = xy[:0] if made.as_picture and name in "ab" else xy[mask]
            self._marks[name].data = plots.mark_data(shown[:: max(1, -(-len(shown) // MOST_MARKED))])
        self._marks["placed"].data = plots.mark_data(placed)
        self._fade()
        if made.as_picture:
            self._repaint(made)

    def _fade(self) -> None:
        """Makes points faint where chosen sites are to stand out."""
        faded = any(mask.any() for mask in self._chosen)
        self._figure.select_one({"name": "sites"}).glyph.fill_alpha = plots.FADED if faded else plots.SOLID

    def _draw(self, made: Prepared, *, fresh: bool) -> None:
        xy = made.opened.atlas.xy
        if fresh:
            self._chosen = ()
            plots.fit_map(self._figure, xy, made.opened.atlas.how.method)
        plots.color_map(self._figure, made.colouring, made.index.size)
        self._fade()
        if made.as_picture:
            self._points.data = plots.NO_POINTS
            self._repaint(made)
        else:
            self._picture.data = plots.NO_PICTURE
            shown = xy[made.index]
            self._points.data = {"x": shown[:, 0], "y": shown[:, 1], "value": made.colouring.values[made.index]}
        self._legend.object = legend_html(made.colouring, made.rows)

    def _ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        x, y = self._figure.x_range, self._figure.y_range
        return (x.start, x.end), (y.start, y.end)

    def _repaint(self, made: Prepared) -> None:
        ends, chosen = self._ends(), self._chosen
        self._drawing.prepare(f"picture {self._name}", lambda: made.picture(*ends, *chosen), self._take_picture)

    def _take_picture(self, picture: Columns) -> None:
        self._picture.data = picture

    def _moved(self, view: Columns) -> None:
        if self._shown is not None and self._shown.as_picture and view["x0"]:
            self._repaint(self._shown)

    def _at(self, x: float, y: float) -> int | None:
        """The row of the site at a place, or None where none is near."""
        made = self._shown
        if made is None or made.tree is None:
            return None
        (x0, x1), (y0, y1) = self._ends()
        _, found = made.tree.query((x, y))
        row = int(made.index[found])
        dx, dy = (made.opened.atlas.xy[row] - (x, y)) / (x1 - x0, y1 - y0)
        return row if max(abs(dx), abs(dy)) < REACH else None

    def _on_tap(self, event: Tap) -> None:
        row = self._at(event.x, event.y)
        if row is not None:
            self._tapped(row)

    def _on_outline(self, event: SelectionGeometry) -> None:
        made, shape = self._shown, event.geometry
        if made is None or not event.final or shape.get("type") not in ("poly", "rect"):
            return
        if shape["type"] == "rect":
            x0, x1, y0, y1 = (shape[name] for name in ("x0", "x1", "y0", "y1"))
            shape = {"x": [x0, x1, x1, x0], "y": [y0, y0, y1, y1]}
        if len(shape["x"]) > 2:
            self._outlined(inside(made.opened.atlas.xy, shape["x"], shape["y"]) & made.rows)

    def _pointed(self, pointer: Columns) -> None:
        made, there = self._shown, bool(len(pointer["x"]))
        row = self._under = self._at(pointer["x"][0], pointer["y"][0]) if there else None
        if made is None or row is None:
            self._tip.styles = {"display": "none"}
            return
        right, low = pointer["sx"][0], pointer["sy"][0]
        left = right + 14 if right < TIP_WIDTH + 30 else right - TIP_WIDTH
        place = {"left": f"{left:.0f}px", "top": f"{min(low + 12, HEIGHT - TIP_ROOM):.0f}px"}
        self._drawing.prepare(
            f"tip {self._name}",
            lambda: tip_html(made.opened, made.colouring, row),
            lambda html: self._tell(html, place),
        )

    def _tell(self, html: str, place: dict[str, str]) -> None:
        self._tip.object = html
        self._tip.styles = {**SHOWN, **place}


def tip_html(opened: OpenMap, colouring: Colouring, row: int) -> str:
    """A site in a few lines with its spectrum, for the tip at the pointer."""
    site = opened.site(row)
    formula = opened.formula(row)
    values = opened.atlas.table.descriptors.iloc[row].dropna()
    labels = [f"{name} {value:.3g}".replace("-", "−") for name, value in values.items()][:MOST_LABELS]
    value = colouring.values[row]
    if np.isnan(value):
        shown = "not known"
    else:
        shown = colouring.classes[int(value)] if colouring.classes else f"{value:.4g}".replace("-", "−")
    lines = [
        f"<b>{as_html(opened.symbol(row))}</b>{f' in {as_html(formula)}' if formula else ', formula not known'}",
        as_html(site),
        *([as_html(" · ".join(labels))] if labels else []),
        f"{as_html(colouring.title)}: {as_html(shown)}",
    ]
    return f'<div class="tip">{"<br>".join(lines)}{plots.spark_svg(opened.atlas.table.mu[row])}</div>'
