"""What is chosen on a map: mean spectra, difference, elements, a descriptor's histogram, and a training on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource

from engine.analysis.groups import Group, group_difference, group_of
from explorer.maps import Mask, OpenMap
from explorer.messages import as_html
from explorer.plots import atlas as plots
from explorer.plots import selection as groups
from explorer.plots.style import Columns
from explorer.views.drawing import Drawing
from explorer.views.style import TABLE_STYLE

MEANS_HEIGHT, DIFFERENCE_HEIGHT, SHARES_HEIGHT, HISTOGRAM_HEIGHT = 190, 150, 150, 190
HINT = "Nothing is chosen: draw an outline on the map (lasso, or the box in its tools). Into A or B is chosen above it."
HALF = {"flex": "1 1 420px", "min-width": "0"}


@dataclass(frozen=True, eq=False)
class _Found:
    """What two selections of a map add up to."""

    a: Group | None
    b: Group | None
    shares: Columns
    words: str


def _look(opened: OpenMap, a: Mask, b: Mask) -> _Found:
    of_a, of_b = (group_of(opened.atlas.table.mu, rows) if rows.any() else None for rows in (a, b))
    counts = [np.bincount(opened.element[rows], minlength=len(opened.symbols)) for rows in (a, b)]
    shares = plots.share_data(opened.symbols, *(part.tolist() for part in counts))
    parts = []
    for name, rows, count in (("A", a, counts[0]), ("B", b, counts[1])):
        if rows.any():
            n, materials = int(rows.sum()), opened.atlas.table.sites["material_id"][rows].nunique()
            elements = int((count > 0).sum())
            parts.append(f"{name}: {n:,} sites of {materials:,} materials and {elements} element{'s' * (elements > 1)}")
    if of_a is not None and of_b is not None:
        change, error = group_difference(of_a, of_b)
        most = int(np.abs(change).argmax())
        where = f"A − B is largest {opened.atlas.table.relative_ev[most]:.1f} eV above the first energy"
        parts.append(f"{where}: {change[most]:+.3f} ± {2 * error[most]:.3f} (2 s.e.)".replace("-", "−"))
    return _Found(of_a, of_b, shares, " · ".join(parts) or HINT)


class RegionView(pn.viewable.Viewer):
    """Shows selections A and B of a map; ``train(element)`` is called to train on A."""

    def __init__(self, drawing: Drawing, train: Callable[[str], None]) -> None:
        super().__init__()
        self._drawing = drawing
        self._chosen: tuple[OpenMap, Mask, Mask] | None = None
        self._words = pn.pane.HTML(
            f"<p>{as_html(HINT)}</p>", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", margin=(6, 10),
            css_classes=["region-words"],
        )  # fmt: skip
        self._descriptor = pmui.Select(label="Histogram of", options=[], size="small", width=180, margin=(8, 10))
        self._element = pmui.Select(label="Train on A's sites of", options={}, size="small", width=190, margin=(8, 10))
        go = pmui.Button(label="Train on this region", variant="outlined", size="small", margin=(14, 10))
        go.on_click(lambda _: train(self._element.value))
        self._a, self._b, self._change = (ColumnDataSource(groups.NO_GROUP) for _ in range(3))
        self._shares, self._bars = ColumnDataSource(plots.NO_SHARES), ColumnDataSource(groups.NO_BARS)
        self._means = groups.groups_figure(self._a, self._b, MEANS_HEIGHT)
        self._difference = groups.difference_figure(self._change, DIFFERENCE_HEIGHT)
        self._share_figure = plots.share_figure(self._shares, SHARES_HEIGHT)
        self._histogram = groups.histogram_figure(self._bars, HISTOGRAM_HEIGHT)
        for drawn in (self._means, self._difference):
            drawn.xaxis.axis_label = plots.ENERGY_ABOVE
        self._below = pmui.Column(_pane(self._difference, DIFFERENCE_HEIGHT), margin=0, visible=False)
        self._figures = pn.FlexBox(
            pmui.Column(_pane(self._means, MEANS_HEIGHT), self._below, styles=HALF, margin=0),
            pmui.Column(
                _pane(self._share_figure, SHARES_HEIGHT), _pane(self._histogram, HISTOGRAM_HEIGHT), styles=HALF,
                margin=0,
            ),
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self._tools = pn.FlexBox(self._descriptor, self._element, go, sizing_mode="stretch_width", margin=0)
        self._content = pmui.Column(self._tools, self._figures, sizing_mode="stretch_width", margin=0, visible=False)
        self._layout = pmui.Column(self._words, self._content, sizing_mode="stretch_width", margin=0)
        self._descriptor.param.watch(lambda _: self._drawing.change("region bars", self._draw_bars), "value")

    def __panel__(self) -> pmui.Column:
        return self._layout

    def show(self, opened: OpenMap, a: Mask, b: Mask) -> None:
        """Works out what the selections add up to, beside the page's events, and shows it."""
        self._chosen = (opened, a, b)
        self._drawing.prepare("region", lambda: _look(opened, a, b), self._draw)

    def _draw(self, found: _Found) -> None:
        assert self._chosen is not None
        opened, a, _ = self._chosen
        self._words.object = f"<p>{as_html(found.words)}</p>"
        self._content.visible = found.a is not None or found.b is not None
        energy = opened.atlas.table.relative_ev
        first, second = (groups.group_data(group, energy) for group in (found.a, found.b))
        change = groups.difference_data(found.a, found.b, energy)
        groups.fit_groups(self._means, first, second)
        groups.fit_groups(self._difference, change)
        self._below.visible = found.a is not None and found.b is not None
        plots.fit_shares(self._share_figure, found.shares)
        self._a.data, self._b.data, self._change.data, self._shares.data = first, second, change, found.shares
        self._offer(opened, a)
        self._draw_bars()

    def _offer(self, opened: OpenMap, a: Mask) -> None:
        names = [str(name) for name in opened.atlas.table.descriptors]
        if names != self._descriptor.options:
            first = next((name for name in ("CN", "OS") if name in names), next(iter(names), None))
            self._descriptor.param.update(options=names, value=first)
        count = np.bincount(opened.element[a], minlength=len(opened.symbols))
        order = [int(i) for i in np.argsort(-count, kind="stable") if count[i]]
        options = {f"{opened.symbols[i]} ({count[i]:,})": opened.symbols[i] for i in order}
        self._element.param.update(options=options, value=next(iter(options.values()), None))

    def _draw_bars(self) -> None:
        if self._chosen is None or not self._descriptor.value:
            self._bars.data = groups.NO_BARS
            return
        opened, a, b = self._chosen
        values = opened.atlas.table.descriptors[self._descriptor.value].to_numpy()
        bars = groups.histogram_data(values[a | b], values[a], values[b])  # of all sites, few chosen ones would vanish
        groups.fit_histogram(self._histogram, bars, self._descriptor.value)
        self._bars.data = bars


def _pane(drawing: Any, height: int) -> pn.pane.Bokeh:
    return pn.pane.Bokeh(drawing, sizing_mode="stretch_width", height=height, margin=0)
