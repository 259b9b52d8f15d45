"""The Latent part: one slider per axis, the spectrum that the model decodes there, and its difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource

from engine.analysis.scores import FloatArray
from engine.analysis.traversal import traverse
from engine.model.run import Run
from explorer.jobs import JobStore
from explorer.messages import as_html
from explorer.plots import latent as plots
from explorer.plots.style import energy_ends, padded, set_range
from explorer.runs import MemberInfo, read_members
from explorer.state import ExplorerState
from explorer.views.choices import offer
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices

NOTHING = "No finished training yet. When one has finished, its model can be explored here."
NOW_MINUS_BASELINE = "Decoded now − baseline (all axes at 0)"
SAMPLES = 2000
PROBES = 400
HEIGHT, DIFFERENCE_HEIGHT = 285, 205


class Model(Protocol):
    """What this part needs of a trained member; see ``engine.model.LatentModel``."""

    @property
    def axis_names(self) -> tuple[str, ...]: ...

    @property
    def energy_ev(self) -> FloatArray: ...

    def decode(self, z: FloatArray) -> FloatArray:
        """Spectra (n, m) of latent points (n, k)."""

    def percentile(self, axis: str, q: int) -> float:
        """The q-th percentile of an axis over the encoded test part."""


Opened = Callable[[], Model]
OpenMember = Callable[[str, int, Callable[[Opened], None]], None]


class LatentView(pn.viewable.Viewer):
    """Chooses ``state.run`` and ``state.member``, whose model ``open_member`` gives, and moves ``state.latent``."""

    def __init__(
        self,
        state: ExplorerState,
        store: JobStore,
        notices: Notices,
        drawing: Drawing,
        open_member: OpenMember,
    ) -> None:
        """``open_member(run, member, then)`` calls ``then(opened)`` once; ``opened()`` gives the model or raises."""
        super().__init__()
        self._state, self._store, self._notices = state, store, notices
        self._drawing, self._open_member = drawing, open_member
        self._model: Model | None = None
        self._opened: tuple[str, int] | None = None
        self._quiet = self._active = False
        self._ends: dict[str, FloatArray] = {}
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "size": "small"}
        self._run = pmui.Select(label="Run", options={}, **wide)
        self._member = pmui.Select(label="Member", options={}, **wide)
        self._reset = pmui.Button(label="Reset all to 0", variant="outlined", size="small", margin=(4, 10))
        self._sliders = pmui.Column(sizing_mode="stretch_width", margin=0)
        self._difference = pmui.Select(label="Differential spectrum", options=[NOW_MINUS_BASELINE], **wide)
        self._decoded_source = ColumnDataSource(plots.NO_DECODED)
        self._difference_source = ColumnDataSource(plots.NO_DIFFERENCE)
        self._decoded = plots.decoded_figure(self._decoded_source, HEIGHT)
        self._differential = plots.difference_figure(self._difference_source, self._decoded.x_range, DIFFERENCE_HEIGHT)
        self._empty = pn.pane.HTML(f"<p>{as_html(NOTHING)}</p>", margin=(24, 10))
        self._content = pmui.Row(
            pmui.Column(
                self._run,
                pmui.Row(self._member, self._reset, sizing_mode="stretch_width", margin=0, align="center"),
                self._sliders,
                width=360,
                margin=(8, 8),
            ),
            pmui.Column(
                pn.pane.Bokeh(self._decoded, sizing_mode="stretch_width", height=HEIGHT),
                self._difference,
                pn.pane.Bokeh(self._differential, sizing_mode="stretch_width", height=DIFFERENCE_HEIGHT),
                sizing_mode="stretch_width",
                margin=(8, 8),
                min_width=400,
            ),
            sizing_mode="stretch_width",
            visible=False,
        )
        self._layout = pmui.Column(self._empty, self._content, sizing_mode="stretch_width", margin=0)
        self._run.param.watch(self._run_chosen, "value")
        self._member.param.watch(self._member_chosen, "value")
        self._reset.on_click(lambda _: self._move_to([0.0] * len(self._state.latent)))
        self._difference.param.watch(lambda _: self._draw(), "value")
        state.param.watch(self._list_runs, "runs")
        state.param.watch(self._reopen, ["run", "member"])
        state.param.watch(lambda _: self._draw(), "latent")
        self._list_runs()

    def __panel__(self) -> pmui.Column:
        return self._layout

    def activate(self) -> None:
        """Called when this part comes into view: only then is the model loaded."""
        self._active = True
        self._reopen()

    def choose(self, run: str) -> None:
        """Takes the model ``run``, which must be one of ``state.runs``."""
        self._run.value = run

    def _list_runs(self, *_: Any) -> None:
        titles: dict[str, str] = self._state.runs
        self._empty.visible, self._content.visible = not titles, bool(titles)
        offer(self._run, titles, self._state.run if self._state.run in titles else next(iter(titles), None))

    def _run_chosen(self, event: Any) -> None:
        if not event.new or event.new not in self._state.runs:
            return
        with self._notices.guard():
            members = read_members(Run(self._store.library.run_path(event.new)))
            best = next(member.index for member in members if member.selected)
            self._quiet = True
            self._member.param.update(
                options={f"seed {m.seed}{' (selected)' if m.selected else ''}": m.index for m in members}, value=best
            )
            self._quiet = False
            self._state.param.update(run=event.new, member=best)

    def _member_chosen(self, event: Any) -> None:
        if event.new is not None and not self._quiet:
            self._state.member = event.new

    def _reopen(self, *_: Any) -> None:
        """Loads the member that the state names, once this part is in view."""
        wanted = (self._state.run, self._state.member)
        if not self._active or not wanted[0] or wanted == self._opened:
            return
        self._opened = wanted
        self._content.loading = True
        self._open_member(*wanted, lambda opened: self._take_if(wanted, opened))

    def _take_if(self, wanted: tuple[str, int], opened: Opened) -> None:
        """Shows the model that was opened, unless another has been chosen in the meantime."""
        if self._opened != wanted:
            return
        with self._notices.guard():
            self._take(opened(), read_members(Run(self._store.library.run_path(wanted[0])))[wanted[1]])
        self._content.loading = False

    def _take(self, model: Model, member: MemberInfo) -> None:
        """Sliders and figures for a new model; the latent point stays where it was when the axes are the same."""
        same = self._model is not None and self._model.axis_names == model.axis_names
        k = len(model.axis_names)
        self._model, self._ends = model, {}
        point = list(self._state.latent) if same and len(self._state.latent) == k else [0.0] * k
        limits = [slider_limits(model.percentile(name, 0), model.percentile(name, 100)) for name in model.axis_names]
        point = [min(max(value, low), high) for value, (low, high) in zip(point, limits, strict=True)]
        self._sliders.objects = [
            self._slider(i, name, low, high, point[i], member)
            for i, (name, (low, high)) in enumerate(zip(model.axis_names, limits, strict=True))
        ]
        choices = {NOW_MINUS_BASELINE: ""} | {f"{n}: 95th − 5th percentile": n for n in model.axis_names}
        kept = self._difference.value if self._difference.value in choices.values() else ""
        self._difference.param.update(options=choices, value=kept)
        self._drawing.change("axes", lambda: self._fit_axes(model, limits))
        self._state.latent = point
        self._draw()

    def _slider(
        self, place: int, name: str, low: float, high: float, value: float, member: MemberInfo
    ) -> pmui.FloatSlider:
        assert self._model is not None
        marks = [{"value": round(self._model.percentile(name, q), 2), "label": f"{q} %"} for q in (5, 95)]
        slider = pmui.FloatSlider(
            label=axis_label(name, member), start=low, end=high, step=0.01, value=value, marks=marks, format="0.00",
            size="small", sizing_mode="stretch_width", margin=(2, 24, 2, 16),
        )  # fmt: skip
        slider.param.watch(lambda event: self._moved(place, event.new), "value")
        return slider

    def _fit_axes(self, model: Model, limits: Sequence[tuple[float, float]]) -> None:
        """Axes that hold every spectrum that the sliders can reach, as far as random points tell."""
        low, high = np.array(limits).T
        random = np.random.default_rng(0).normal(size=(PROBES, len(limits))).clip(low, high)
        ends = np.concatenate([np.diag(low), np.diag(high), np.zeros((1, len(limits)))])
        decoded = model.decode(np.concatenate([random, ends]))
        set_range(self._decoded.x_range, *energy_ends(model.energy_ev))
        set_range(self._decoded.y_range, *padded(float(decoded.min()), float(decoded.max())))
        largest = 1.1 * float(np.abs(decoded[len(random) :] - decoded[-1]).max()) + 1e-3
        set_range(self._differential.y_range, -largest, largest)

    def _moved(self, place: int, value: float) -> None:
        if self._quiet or place >= len(self._state.latent):
            return
        point = list(self._state.latent)
        point[place] = float(value)
        self._state.latent = point

    def _move_to(self, point: list[float]) -> None:
        self._quiet = True
        for slider, value in zip(self._sliders.objects, point, strict=True):
            slider.value = value
        self._quiet = False
        self._state.latent = point

    def _draw(self) -> None:
        if self._model is not None:
            self._drawing.change("latent", self._fill)

    def _fill(self) -> None:
        """Decodes the point and the baseline and puts both, and the chosen difference, into the figures."""
        model = self._model
        assert model is not None
        k = len(model.axis_names)
        point = list(self._state.latent) if len(self._state.latent) == k else [0.0] * k
        now, baseline = model.decode(np.array([point, [0.0] * k]))
        self._decoded_source.data = plots.decoded_data(model.energy_ev, now, baseline)
        axis = self._difference.value
        difference = self._along(axis) if axis in model.axis_names else now - baseline
        self._difference_source.data = plots.difference_data(model.energy_ev, difference)

    def _along(self, axis: str) -> FloatArray:
        """The traversal's differential of one axis, averaged over draws of the other axes; computed once."""
        model = self._model
        assert model is not None
        if axis not in self._ends:
            low, high = model.percentile(axis, 5), model.percentile(axis, 95)
            moved = traverse(
                model.decode, model.axis_names, axis, low, high, model.energy_ev, levels=2, samples=SAMPLES
            )
            self._ends[axis] = moved.differential
        return self._ends[axis]


def slider_limits(low: float, high: float) -> tuple[float, float]:
    """Ends of a slider, in steps of 0.01, that hold ``low`` to ``high`` and 0."""
    return float(np.floor(100 * min(low, -0.5)) / 100), float(np.ceil(100 * max(high, 0.5)) / 100)


def axis_label(name: str, member: MemberInfo) -> str:
    """An axis by its descriptor and how well it follows it on the test part; a free axis by what it still shares."""
    score = member.scores.get(f"{name} srcc")
    if score is not None:
        return f"{name} (|SRCC| {score:.2f})"
    return f"{name} (largest |correlation| {member.scores.get('free_axis_correlation_max', float('nan')):.2f})"
