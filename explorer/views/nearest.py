"""Beside the decoded spectrum the real sites whose latent points lie nearest: a table, and their spectra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource
from scipy.spatial.distance import cdist

from engine.analysis.scores import FloatArray
from explorer.components.member import Axis, Member, Sites
from explorer.components.player import landmarks
from explorer.components.site_table import SiteTable
from explorer.messages import as_html
from explorer.plots import trends as plots
from explorer.state import ExplorerState
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices
from explorer.views.style import TABLE_STYLE

HEIGHT = 330
COUNTS, COUNT = [3, 6, 12], 6
GONE = "The set that this model was trained on is gone or has changed, so its sites cannot be shown."
FAR = "No training spectra near here: the model extrapolates. These sites are the nearest there are."
WIDE, NARROW = {"flex": "3 1 520px", "min-width": "0"}, {"flex": "2 1 380px", "min-width": "0"}


class NearestView(pn.viewable.Viewer):
    """Shows the training sites nearest to a latent point; a click on one puts it into ``state.selected``."""

    def __init__(self, state: ExplorerState, notices: Notices, drawing: Drawing) -> None:
        super().__init__()
        self._state, self._notices, self._drawing = state, notices, drawing
        self._member: Member | None = None
        self._landmarks: tuple[FloatArray, float] | None = None
        self._point: FloatArray = np.empty(0)
        self._mu: FloatArray = np.empty(0)
        self._count = pmui.RadioButtonGroup(options=COUNTS, value=COUNT, size="small", margin=(8, 10))
        self._words = pn.pane.HTML(
            "", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", margin=(2, 10), css_classes=["nearest-words"]
        )
        self.table = SiteTable(sizing_mode="stretch_width", margin=(0, 10))
        self._lines, self._now = ColumnDataSource(plots.NO_SITES), ColumnDataSource(plots.NO_SPECTRUM)
        self._figure = plots.nearest_figure(self._now, self._lines, HEIGHT)
        pane = pn.pane.Bokeh(self._figure, sizing_mode="stretch_width", height=HEIGHT, margin=0)
        self._layout = pmui.Column(
            pn.FlexBox(heading("Nearest training sites"), self._count, align_items="center", margin=0),
            self._words,
            pn.FlexBox(
                pmui.Column(self.table, styles=WIDE, margin=0),
                pmui.Column(pane, styles=NARROW, margin=0),
                sizing_mode="stretch_width",
                margin=0,
            ),
            sizing_mode="stretch_width",
            margin=0,
        )
        self._count.param.watch(lambda _: self._drawing.change("nearest", self._draw), "value")
        self.table.param.watch(self._clicked, "marked")
        state.param.watch(lambda _: self._drawing.change("nearest", self._draw), "selected")

    def __panel__(self) -> pmui.Column:
        return self._layout

    def open(self, member: Member) -> None:
        """Takes the member whose sites are shown from the next point on."""
        self._member = member
        self._landmarks = landmarks(member.sites) if member.sites is not None else None

    def show(self, point: FloatArray, mu: FloatArray) -> None:
        """Shows the sites nearest to ``point`` (k,), where the model decodes ``mu`` (m,), in the page's next turn."""
        self._point, self._mu = point, mu
        self._drawing.change("nearest", self._draw)

    def _draw(self) -> None:
        member = self._member
        if member is None or len(self._point) != len(member.axes):
            return
        sites, marked = member.sites, self._state.selected
        energy = member.model.energy_ev
        now = {"energy": energy, "mu": self._mu}
        found = [] if sites is None else sites.nearest(self._point, self._count.value)
        lines = plots.NO_SITES if sites is None else plots.site_data(sites, found, energy, marked)
        rows = [] if sites is None else site_rows(sites, found, len(sites.labels.T))
        self.table.param.update(columns=column_heads(member.axes), rows=rows, marked=marked)
        self._words.object = f"<p>{as_html(self._say(sites, found))}</p>"
        self._lines.data, self._now.data = dict(lines), now
        plots.fit_nearest(self._figure, lines, now, member.mu_range)

    def _say(self, sites: Sites | None, found: Sequence[tuple[int, float]]) -> str:
        if sites is None or self._landmarks is None:
            return GONE
        some, near = self._landmarks
        if cdist(some, self._point[None]).min() > near:
            return FAR
        return (
            f"Of {len(sites.site_id)} training sites, by the distance of their latent points to where the sliders are: "
            f"{found[0][1]:.2f} to {found[-1][1]:.2f} away. Click a row to mark the site everywhere."
        )

    def _clicked(self, event: Any) -> None:
        """Marks what was clicked, provided that the open set has it; it is the one whose surroundings are shown."""
        if event.new == self._state.selected:
            return
        spectra = self._state.spectra
        added = [site for site in event.new if site not in event.old]
        if added and (spectra is None or added[0] not in spectra.site_id):
            self._notices.show(f"{added[0]} is not in the open set; open the set of this model to mark it.", "info")
            self.table.marked = self._state.selected
            return
        self._state.param.update(selected=list(event.new), **({"site": added[0]} if added else {}))


def heading(text: str) -> pn.pane.HTML:
    """The head of a section of this part."""
    return pn.pane.HTML(
        f"<h3>{as_html(text)}</h3>", stylesheets=["h3 {margin: 0; font-size: 17px; font-weight: 600}"], margin=(10, 10)
    )


def column_heads(axes: Sequence[Axis]) -> list[str]:
    """Heads of the table: what every site has, and the descriptors with their units."""
    known = [f"{axis.symbol} ({axis.unit})" if axis.unit else axis.symbol for axis in axes if not axis.free]
    return ["Site", "Distance", "Material", "Absorber", *known]


def site_rows(sites: Sites, found: Sequence[tuple[int, float]], descriptors: int) -> list[dict[str, object]]:
    """Rows of the table; a dash for a label that is not known."""
    rows = []
    for (row, distance), color in zip(found, plots.site_colors(len(found)), strict=True):
        labels = [label(value) for value in sites.labels[row, :descriptors]]
        cells = [str(sites.site_id[row]), f"{distance:.2f}", str(sites.material_id[row]), str(sites.element[row])]
        rows.append({"site": cells[0], "color": color, "cells": [*cells, *labels]})
    return rows


def label(value: float) -> str:
    """A descriptor's value in a few characters."""
    return "–" if np.isnan(value) else f"{value:.4g}".replace("-", "−")
