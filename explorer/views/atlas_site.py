"""What was clicked on a map, or dropped onto it: nearest spectra, labels, and the cluster around the site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource

from engine.analysis.scores import FloatArray
from engine.atlas.measured import PlacedSpectrum
from explorer.components.structure import StructureScene, atoms_json
from explorer.maps import NEAREST, OpenMap, Rows
from explorer.messages import as_html
from explorer.plots import atlas as plots
from explorer.plots.trends import site_colors
from explorer.views.context import CLICK, NO_SITE, look_around
from explorer.views.drawing import Drawing
from explorer.views.nearest import label
from explorer.views.style import TABLE_STYLE

HEIGHT = 210
LABELS = ("OS", "CN", "BL_MEAN", "OCN")
DOT_STYLE = ".dot {display: inline-block; width: 10px; height: 10px; border-radius: 5px}"
NO_STRUCTURES = "Where the structures of this map's sites are is not known, so there is no cluster to show."


@dataclass(frozen=True, eq=False)
class _Looked:
    """A site of a map, what it is in words, and its nearest ones, also as a table (HTML)."""

    opened: OpenMap
    what: str
    own: FloatArray
    rows: Rows
    distance: FloatArray
    name: str
    table: str
    around: Any = None


def look_at_site(opened: OpenMap, row: int) -> _Looked:
    """A site with its nearest spectra and its surroundings, where the map's structures are known."""
    site = opened.site(row)
    rows, distance = opened.nearest(row)
    path = opened.structures
    around = look_around(path, site) if path is not None and path.is_file() else None
    what = f"{opened.symbol(row)} in {opened.formula(row) or opened.material(row)}"
    table = near_html(opened, rows.tolist(), distance)
    return _Looked(opened, what, opened.atlas.table.mu[row], rows, distance, site, table, around)


def look_at_placed(opened: OpenMap, placed: PlacedSpectrum) -> _Looked:
    """A measured spectrum with the nearest ones of the map."""
    found = placed.placement
    what = f"{placed.element}, measured"
    rows, distance = found.neighbours[0][:NEAREST], found.distance[0][:NEAREST]
    table = near_html(opened, rows.tolist(), distance)
    return _Looked(opened, what, placed.mu, rows, distance, placed.name, table)


class SiteView(pn.viewable.Viewer):
    """Shows one site or one measured spectrum at a time."""

    def __init__(self, drawing: Drawing) -> None:
        super().__init__()
        self._drawing = drawing
        self._head = pn.pane.HTML("", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", margin=(4, 10))
        self._lines = ColumnDataSource(plots.NO_LINES)
        self._figure = plots.near_figure(self._lines, HEIGHT)
        self._table = pn.pane.HTML(
            "",
            stylesheets=[TABLE_STYLE, DOT_STYLE],
            sizing_mode="stretch_width",
            margin=(0, 10),
            css_classes=["near-sites"],
        )
        self.scene = StructureScene(sizing_mode="stretch_width", margin=(0, 10))
        self._around = pmui.Column(self.scene, sizing_mode="stretch_width", margin=0)
        self._layout = pn.FlexBox(
            pmui.Column(
                self._head, pn.pane.Bokeh(self._figure, sizing_mode="stretch_width", height=HEIGHT, margin=0),
                styles={"flex": "2 1 340px", "min-width": "0"}, margin=0,
            ),
            pmui.Column(self._table, styles={"flex": "2 1 320px", "min-width": "0"}, margin=0),
            pmui.Column(self._around, styles={"flex": "1 1 240px", "min-width": "0"}, margin=0),
            sizing_mode="stretch_width", margin=0, visible=False,
        )  # fmt: skip

    def __panel__(self) -> pn.FlexBox:
        return self._layout

    def show(self, found: _Looked) -> None:
        """Draws what was looked up, in the page's turn."""
        opened, table = found.opened, found.opened.atlas.table
        others = [
            (opened.site(row), opened.symbol(row), float(apart), table.mu[row])
            for row, apart in zip(found.rows.tolist(), found.distance, strict=True)
        ]
        lines = plots.near_data(table.relative_ev, (found.name, found.what, found.own), others)
        plots.fit_near(self._figure, lines)
        self._lines.data = lines
        self._head.object = f"<p><b>{as_html(found.what)}</b> · {as_html(found.name)}</p>"
        self._table.object = found.table
        self._layout.visible = True
        self._around.visible = found.name in opened.atlas.table.sites["site_id"].to_numpy()
        if found.around is not None:
            self.scene.param.update(atoms=atoms_json(found.around, found.name), words=CLICK)
        else:
            there = opened.structures is not None and opened.structures.is_file()
            self.scene.param.update(atoms={}, words=NO_SITE if there else NO_STRUCTURES)


def near_html(opened: OpenMap, rows: Sequence[int], distance: FloatArray) -> str:
    """The nearest spectra as a table, each with the colour of its line."""
    descriptors = opened.atlas.table.descriptors
    names = [name for name in LABELS if name in descriptors][:3]
    head = ["", "Nearest spectra", "Distance", *names]
    top = "".join(f"<th{' class=number' if i > 1 else ''}>{as_html(cell)}</th>" for i, cell in enumerate(head))
    body = ""
    for row, apart, color in zip(rows, distance, site_colors(len(rows)), strict=True):
        formula = opened.formula(row) or opened.material(row)
        cells = [f"{apart:.3f}", *(label(float(descriptors[name].iloc[row])) for name in names)]
        dot = f'<i class="dot" style="background: {color}"></i>'
        what = f'<span title="{as_html(opened.site(row))}">{as_html(opened.symbol(row))} in {as_html(formula)}</span>'
        body += f"<tr><td>{dot}</td><td>{what}</td>{''.join(f'<td class=number>{as_html(c)}</td>' for c in cells)}</tr>"
    return f"<table><tr>{top}</tr>{body}</table>"


def placed_html(placed: Sequence[PlacedSpectrum], opened: OpenMap) -> str:
    """Measured spectra with where they landed, how far that is, and what that means."""
    rows = []
    for one in placed:
        near, found = int(one.placement.neighbours[0, 0]), one.placement
        share = np.floor(float(found.percentile[0]))
        rows.append(
            f"<tr><td>{as_html(one.name)} ({as_html(one.element)})</td>"
            f"<td>{as_html(opened.symbol(near))}, {as_html(opened.site(near))}</td>"
            f"<td class=number>{found.distance[0, 0]:.3f}</td><td>{share:.0f} % of the map's spectra have a nearer "
            f"neighbour: {as_html(one.verdict)}</td></tr>"
        )
    head = "<tr><th>Measured</th><th>Nearest spectrum</th><th class=number>Distance</th><th>How like the map</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>" if rows else ""
