"""The Latent part: a member's axes in the latent player, the nearest training sites, what every axis does."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from engine.analysis.scores import FloatArray
from engine.spectra import SpectraSet
from explorer.components.member import Member
from explorer.components.player import LatentPlayer, member_json, weights_json
from explorer.components.teaching import teaching_page
from explorer.jobs import JobStore
from explorer.measurement import Chosen
from explorer.messages import as_html
from explorer.state import ExplorerState
from explorer.views.drawing import Drawing
from explorer.views.nearest import NearestView, label
from explorer.views.notices import Notices
from explorer.views.trends import Examiner, TrendsView

NOTHING = "No finished training yet. When one has finished, its model can be explored here."

Opened = Callable[[], Member]
OpenMember = Callable[[str, int, Callable[[Opened], None]], None]


class LatentView(pn.viewable.Viewer):
    """Shows ``state.member`` of ``state.run``, whose model ``open_member`` gives, and moves ``state.latent``."""

    def __init__(
        self,
        state: ExplorerState,
        store: JobStore,
        notices: Notices,
        drawing: Drawing,
        examiner: Examiner,
        open_member: OpenMember,
    ) -> None:
        """``open_member(run, member, then)`` calls ``then(opened)`` once; ``opened()`` gives the member or raises."""
        super().__init__()
        self._state, self._store, self._notices, self._open_member = state, store, notices, open_member
        self._member: Member | None = None
        self._opened: tuple[str, int] | None = None
        self._active = False
        self._export = pmui.FileDownload(
            label="Teaching page",
            callback=self._teaching_page,
            filename="rankaae.html",
            description="One HTML file with this model in it: works from disk, without a server or a network",
            width=190,
        )
        self._export.variant = "outlined"
        self.player = LatentPlayer(sizing_mode="stretch_width", margin=(4, 10, 0, 10))
        self.nearest = NearestView(state, notices, drawing)
        self.trends = TrendsView(state, store.library, notices, drawing, examiner)
        self._empty = pn.pane.HTML(f"<p>{as_html(NOTHING)}</p>", margin=(24, 10))
        self._below = pn.Column(sizing_mode="stretch_width", margin=0)
        self._content = pmui.Column(
            pmui.Row(self._export, sizing_mode="stretch_width", margin=(6, 0, 0, 0), align="center"),
            self.player,
            self._below,
            sizing_mode="stretch_width",
            margin=0,
            visible=False,
        )
        self._layout = pmui.Column(self._empty, self._content, sizing_mode="stretch_width", margin=0)
        self.player.param.watch(self._released, "latent")
        self.player.param.watch(lambda _: self._show_overlays(), "settings")
        state.param.watch(self._list_runs, "runs")
        state.param.watch(self._reopen, ["run", "member"])
        state.param.watch(lambda _: self._show_point(), "latent")
        state.param.watch(lambda *_: self._show_overlays(), ["shown", "selected", "compared", "spectra", "measured"])
        self._list_runs()

    def __panel__(self) -> pmui.Column:
        return self._layout

    def activate(self) -> None:
        """Called when this part comes into view: only then is the model loaded."""
        self._active = True
        self._reopen()
        pn.state.onload(self._lay_below)  # the player is painted first

    def _lay_below(self) -> None:
        if not self._below.objects:
            self._below.objects = [self.nearest, self.trends]

    def _list_runs(self, *_: Any) -> None:
        self._empty.visible, self._content.visible = not self._state.runs, bool(self._state.runs)

    def _reopen(self, *_: Any) -> None:
        """Loads the member that the state names, once this part is in view."""
        wanted = (self._state.run, self._state.member)
        if not self._active or not wanted[0] or wanted == self._opened:
            return
        self._opened = wanted
        self._content.loading = True
        self._open_member(*wanted, lambda opened: self._take_if(wanted, opened))

    def _take_if(self, wanted: tuple[str, int], opened: Opened) -> None:
        """Shows the member that was opened, unless another has been chosen in the meantime."""
        if self._opened != wanted:
            return
        with self._notices.guard():
            self._take(opened())
        self._content.loading = False

    def _take(self, member: Member) -> None:
        """Gives the player a new member; the latent point stays where it was when the axes are the same."""
        before, self._member = self._member, member
        same = before is None or before.model.axis_names == member.model.axis_names
        point = self._clipped(self._state.latent if same and self._fits() else [0.0] * len(member.axes))
        baseline = self.player.baseline if same else []
        self.player.param.update(
            member=member_json(member), latent=point, baseline=baseline, others=[], reference={}, check={}
        )
        self._export.filename = f"{re.sub('[^A-Za-z0-9_-]+', '-', '-'.join(member.model.axis_names))[:60]}.html"
        self.nearest.open(member)
        self._state.latent = point
        self._show_point()
        self._show_overlays()
        self.trends.open(member)

    def _fits(self) -> bool:
        return self._member is not None and len(self._state.latent) == len(self._member.axes)

    def _clipped(self, point: list[Any]) -> list[float]:
        """``point`` as the sliders can show it."""
        assert self._member is not None
        axes = self._member.axes
        return [min(max(float(value), axis.low), axis.high) for value, axis in zip(point, axes, strict=True)]

    def _released(self, event: Any) -> None:
        """A slider was let go, a sweep has ended, or a button has moved the point."""
        if self._member is not None and len(event.new) == len(self._member.axes):
            self._state.latent = [float(value) for value in event.new]

    def _show_point(self) -> None:
        """Tells the player where the point is and what the model itself decodes there."""
        if self._member is None or not self._fits():
            return
        with self._notices.guard():
            point = list(self._state.latent)
            mu = self._member.model.decode(np.array([point]))[0]
            self.player.param.update(latent=point, check={"latent": point, "mu": mu.tolist()})
            self._show_nearest()
            self.nearest.show(np.array(point), mu)

    def _teaching_page(self) -> io.StringIO | None:
        """The page to hand out; None while there is no member."""
        if self._member is None:
            return None
        with self._notices.guard():
            title = self._state.runs.get(self._state.run, self._state.run)
            return io.StringIO(teaching_page(self._member, title))
        return None

    def _show_overlays(self) -> None:
        member = self._member
        if member is None:
            return
        if self.player.settings.get("band") and not self.player.others:
            self.player.others = [weights_json(w) for i, w in enumerate(member.decoders) if i != member.index]
        state, energy_ev = self._state, member.model.energy_ev
        means = {"a": state.selected, "b": state.compared}
        asked = {"a": "selected" in state.shown, "b": "compared" in state.shown}
        self.player.overlays = {
            "model": "model" in state.shown,
            **{name: mean_on(state.spectra, means[name], energy_ev) for name in means if asked[name]},
            **({"measured": measured_on(state.measured, energy_ev)} if "measured" in state.shown else {}),
        }
        self._show_nearest()

    def _show_nearest(self) -> None:
        """The spectrum of the training site nearest to the point, where it is asked for."""
        sites = self._member.sites if self._member is not None else None
        if sites is None or not self.player.settings.get("nearest"):
            return
        [(row, distance)] = sites.nearest(np.array(self._state.latent), 1)
        known = zip(self._member.axes, sites.labels[row], strict=False)
        words = [f"{axis.symbol} {label(value)}{f' {axis.unit}' if axis.unit else ''}" for axis, value in known]
        told = f"Nearest training site: {sites.site_id[row]} ({', '.join(words)}), {distance:.2f} away."
        self.player.reference = {"label": told, "mu": sites.mu[row].tolist()}


def measured_on(measured: Chosen | None, energy_ev: FloatArray) -> list[float]:
    """The measured spectrum (m,) that is looked at; empty without one, and where it was prepared for another model."""
    if measured is None or not np.array_equal(measured.energy_ev, energy_ev):
        return []
    mu: list[float] = measured.mu.tolist()
    return mu


def mean_on(spectra: SpectraSet | None, sites: list[str], energy_ev: FloatArray) -> list[float]:
    """Mean spectrum (m,) of ``sites``; empty without any, and where the set is not on the model's energies."""
    if spectra is None or not sites or not np.array_equal(spectra.energy_ev, energy_ev):
        return []
    rows = np.isin(spectra.site_id, sites)
    mean: list[float] = spectra.mu[rows].mean(axis=0).tolist() if rows.any() else []
    return mean
