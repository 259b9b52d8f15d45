"""The Train part: settings of a new training, and the curves, state and scores of the one that is followed."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource

from engine.analysis.descriptor_correlation import PAPER_SETS
from engine.model.config import PRESETS, make_config
from engine.model.run import Run
from explorer.jobs import Job, JobStore, Status
from explorer.messages import as_html
from explorer.plots import training as plots
from explorer.runs import MemberInfo, read_members
from explorer.state import ExplorerState
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices
from explorer.views.settings import SettingsView
from explorer.views.style import TABLE_STYLE

SPLITS = {"By material: none on two sides": "material", "Random, as published": "random"}
WORDS = {
    "queued": "Waiting for its turn",
    "starting": "Starting …",
    "running": "Training",
    "cancelling": "Stopping after this epoch …",
    "done": "Finished",
    "cancelled": "Cancelled",
    "failed": "Failed",
    "interrupted": "Interrupted",
}
HEIGHT = 270
FIRST = {"loss": "total", "validation": "score"}
PARTS = {"loss": "Loss (no unit)", "validation": "Validation (no unit)"}


class _Curves:
    """One plot of a followed training: a choice of term, and lines that grow as epochs come in."""

    def __init__(self, part: str, drawing: Drawing) -> None:
        self._part, self._drawing = part, drawing
        self._epochs: list[dict[str, Any]] = []
        self._seeds: list[int] = []
        self._total = 0
        self._curves, self._heads = ColumnDataSource(plots.NO_CURVES), ColumnDataSource(plots.NO_HEADS)
        self._figure = plots.curve_figure(self._curves, self._heads, height=HEIGHT)
        self._term = pmui.Select(
            label=PARTS[part], options=[FIRST[part]], value=FIRST[part], width=230, size="small", margin=(14, 8, 4, 8)
        )
        self._term.param.watch(lambda _: self._redraw(), "value")
        self.layout = pmui.Column(
            self._term,
            pn.pane.Bokeh(self._figure, sizing_mode="stretch_width", height=HEIGHT),
            sizing_mode="stretch_width",
            margin=0,
            min_width=260,
        )

    def show(self, epochs: list[dict[str, Any]], seeds: list[int], total: int) -> None:
        """Draws the epochs of a training of ``total`` epochs so far."""
        self._epochs, self._seeds, self._total = epochs, seeds, total
        terms = plots.terms_of(epochs, self._part)
        if terms and terms != self._term.options:
            self._term.param.update(options=terms, value=self._term.value if self._term.value in terms else terms[0])
        self._redraw()

    def _redraw(self) -> None:
        self._drawing.change(self._part, self._draw)

    def _draw(self) -> None:
        term = self._term.value or ""
        data = plots.curve_data(self._epochs, self._part, term, self._seeds)
        plots.fit_curves(self._figure, data, self._total, term)
        self._curves.data, self._heads.data = data, plots.head_data(data)


class TrainView(pn.viewable.Viewer):
    """Starts, follows, cancels and resumes trainings on ``state.spectra``."""

    def __init__(self, state: ExplorerState, store: JobStore, notices: Notices, drawing: Drawing) -> None:
        super().__init__()
        self._state, self._store, self._notices = state, store, notices
        self._first: list[str] = []
        self._make_form()
        self._followed = pmui.Select(label="Training", options={}, sizing_mode="stretch_width", size="small")
        self._words = pn.pane.HTML("", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", css_classes=["status"])
        self._bar = pmui.LinearProgress(value=0, variant="determinate", sizing_mode="stretch_width", margin=(0, 10))
        self._cancel = pmui.Button(label="Cancel", color="error", variant="outlined", size="small", visible=False)
        self._resume = pmui.Button(label="Resume", variant="outlined", size="small", visible=False)
        self._losses, self._validation = _Curves("loss", drawing), _Curves("validation", drawing)
        self._scores = pn.pane.HTML("", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width")
        self._empty = pn.pane.HTML(
            "<p>No training yet. Choose descriptors on the left and press Start.</p>", stylesheets=[TABLE_STYLE]
        )
        self._right = self._arrange_right()
        self._layout = pmui.Row(self._form, self._empty, self._right, sizing_mode="stretch_width")
        self._shown: tuple[str, int, int, int] | None = None
        self._scored = ""
        self._queued: list[str] = []
        self._cancel.on_click(lambda _: self._act(self._store.cancel))
        self._resume.on_click(lambda _: self._act(self._store.resume))
        self._followed.param.watch(lambda _: self._follow(), "value")
        state.param.watch(lambda _: self._offer_descriptors(), "spectra")
        state.param.watch(lambda _: self._show_descriptors(), "descriptors")
        self._descriptors.param.watch(self._descriptors_chosen, "value")
        state.param.watch(lambda _: self._list_trainings(), "jobs")
        self._list_trainings()

    def _make_form(self) -> None:
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "size": "small"}
        self._descriptors = pmui.MultiChoice(
            label="Descriptors, one axis each", options=[], sizing_mode="stretch_width"
        )
        self._free = pmui.IntInput(label="Free axes", value=1, start=0, end=8, **wide)
        self._seeds = pmui.IntInput(label="Seeds", value=8, start=1, end=64, **wide)
        self._preset = pmui.Select(label="Preset", options=list(PRESETS), value="default", **wide)
        self._epochs = pmui.IntInput(label="Epochs, 0: preset's", value=0, start=0, end=100_000, step=10, **wide)
        self._split = pmui.Select(label="Split", options=SPLITS, value="material", **wide)
        self._start = pmui.Button(label="Start training", variant="contained", disabled=True, **wide)
        self._start.on_click(lambda _: self._begin())
        self._advanced = SettingsView()
        self._preset.param.watch(lambda event: self._advanced.show_preset(event.new), "value")
        self._waiting = pmui.Column(sizing_mode="stretch_width", margin=(8, 0))
        self._form = pmui.Column(
            self._descriptors,
            pmui.Row(self._free, self._seeds, sizing_mode="stretch_width", margin=0),
            pmui.Row(self._preset, self._epochs, sizing_mode="stretch_width", margin=0),
            self._split,
            self._advanced,
            self._start,
            self._waiting,
            width=340,
            margin=(8, 8),
        )

    def _arrange_right(self) -> pmui.Column:
        return pmui.Column(
            pmui.Row(self._followed, self._cancel, self._resume, sizing_mode="stretch_width", margin=0, height=50),
            self._words,
            self._bar,
            pmui.Row(self._losses.layout, self._validation.layout, sizing_mode="stretch_width", margin=0),
            self._scores,
            sizing_mode="stretch_width",
            margin=(8, 8),
            visible=False,
        )

    def __panel__(self) -> pmui.Row:
        return self._layout

    def _offer_descriptors(self) -> None:
        """Offers those of the open set; a choice stays as far as the set has it, one that nobody has made does not."""
        spectra = self._state.spectra
        self._start.disabled = spectra is None
        if spectra is None:
            self._descriptors.param.update(options=[], value=[])
            return
        names = [str(name) for name in spectra.descriptors.columns]
        chosen = self._state.descriptors if self._state.descriptors != self._first else []
        final = [name for name in PAPER_SETS["final"] if name in names]
        self._first = final if len(final) == len(PAPER_SETS["final"]) else names[:5]
        value = [name for name in chosen if name in names] or self._first
        self._descriptors.param.update(options=names, value=value)
        self._state.descriptors = list(value)

    def _descriptors_chosen(self, event: Any) -> None:
        if self._state.spectra is not None:
            self._state.descriptors = list(event.new)

    def _show_descriptors(self) -> None:
        self._descriptors.value = [name for name in self._state.descriptors if name in self._descriptors.options]

    def _begin(self) -> None:
        with self._notices.guard():
            state = self._state
            names = list(self._descriptors.value)
            settings: dict[str, Any] = {
                **self._advanced.changes,
                "preset": self._preset.value,
                "descriptors": names,
                "free_axes": self._free.value or 0,
                "seeds": list(range(self._seeds.value or 1)),
                "split": self._split.value,
            }
            if self._epochs.value:
                settings["epochs"] = self._epochs.value
            make_config(**settings)
            axes = ", ".join([*names, f"{self._free.value or 0} free"])
            seeds = len(settings["seeds"])
            title = f"{state.sets[state.dataset]}: {axes} · {seeds} seed{'s' * (seeds > 1)} · {settings['preset']}"
            job = self._store.start_training(state.dataset, settings, title)
            state.look(self._store)
            self._followed.value = job.id

    def _act(self, action: Any) -> None:
        """Cancel or Resume for the training that is followed."""
        job, _ = self._state.jobs.get(self._followed.value, (None, None))
        if job is not None:
            self._act_on(job, action)

    def _act_on(self, job: Job, action: Any) -> None:
        with self._notices.guard():
            action(job)
        self._state.look(self._store)

    def _list_waiting(self) -> None:
        """The queue in its order, each with a way out of it."""
        queue = self._state.queue()
        if [job.id for job in queue] == self._queued:
            return
        self._queued = [job.id for job in queue]
        rows: list[Any] = [pn.pane.HTML("<p>Waiting for their turn, next first</p>", stylesheets=[TABLE_STYLE])]
        for place, job in enumerate(queue, 1):
            words = pn.pane.HTML(
                f"<p>{place}. {as_html(job.title)}</p>", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width"
            )
            leave = pmui.Button(label="Cancel", size="small", variant="outlined", margin=(2, 10), width=80)
            leave.on_click(lambda _, job=job: self._act_on(job, self._store.cancel))
            rows.append(pmui.Row(words, leave, sizing_mode="stretch_width", margin=0))
        self._waiting.objects = rows if queue else []

    def _list_trainings(self) -> None:
        trainings = self._state.trainings()
        self._list_waiting()
        self._empty.visible, self._right.visible = not trainings, bool(trainings)
        titles = [job.title for job, _ in trainings]
        options = {
            job.title if titles.count(job.title) == 1 else f"{job.title} · {job.id.removeprefix('run-')}": job.id
            for job, _ in trainings
        }
        value = self._followed.value
        if value not in options.values():
            going = [job.id for job, status in trainings if status.active and status.state != "queued"]
            value = next(iter([*going, *options.values()]), None)
        if options != self._followed.options:
            self._followed.param.update(options=options, value=value)
        self._follow()

    def _follow(self) -> None:
        """Brings status, curves and scores of the followed training up to date."""
        job, status = self._state.jobs.get(self._followed.value, (None, None))
        if job is None:
            return
        self._show_status(job, status)
        events = self._store.events(job.id)
        seeds = [int(seed) for seed in (events.start or {}).get("seeds", [])]
        shown = (job.id, events.generation, len(seeds), len(events.epochs))
        if shown != self._shown:
            self._shown = shown
            for curves in (self._losses, self._validation):
                curves.show(events.epochs, seeds, status.epochs)
        self._show_scores(job, status)

    def _show_status(self, job: Job, status: Status) -> None:
        parts = [WORDS[status.state]]
        if job.id in self._queued:
            parts.append(f"{self._queued.index(job.id) + 1} of {len(self._queued)} in the queue")
        if status.epochs:
            parts.append(f"epoch {status.epoch} of {status.epochs}")
        if status.best is not None:
            parts.append(f"best validation score {status.best:.3f}")
        if status.message:
            parts.append(status.message)
        failed = self._store.events(job.id).failed_seeds
        parts += [f"seed {seed}: {reason}" for seed, reason in failed.items()]
        text = f"<p>{as_html(' · '.join(parts))}</p>"
        if text != self._words.object:
            self._words.object = text
        self._bar.variant = "indeterminate" if status.state == "starting" else "determinate"
        self._bar.value = round(100 * status.epoch / status.epochs) if status.epochs else 0
        self._cancel.visible = status.active
        self._cancel.disabled = status.state == "cancelling"
        self._resume.visible = status.state in ("interrupted", "cancelled")

    def _show_scores(self, job: Job, status: Status) -> None:
        key = f"{job.id} {status.state}"
        if key == self._scored:
            return
        self._scored = key
        self._scores.object = ""
        folder = self._store.workspace.run_path(job.id)
        if status.state == "done" and Run(folder).finished:
            with self._notices.guard():
                self._scores.object = scores_html(read_members(Run(folder)))


def scores_html(members: list[MemberInfo]) -> str:
    """The test scores of every member as a table; the one that Eq. 2 selects is marked."""
    names = [column.removesuffix(" srcc") for column in members[0].scores if column.endswith(" srcc")]
    head = ["Member", "RMSE (μ)", *(f"|SRCC| {name}" for name in names), "Free axis: largest |correlation|", "Eq. 2"]
    rows = []
    for member in members:
        values = [member.scores["reconstruction_rmse"], *(member.scores[f"{name} srcc"] for name in names)]
        values += [member.scores["free_axis_correlation_max"], member.scores["selection_score"]]
        digits = ["{:.4f}", *["{:.3f}"] * (len(values) - 1)]
        cells = [pattern.format(value) for pattern, value in zip(digits, values, strict=True)]
        rows.append([f"seed {member.seed}{' (selected)' if member.selected else ''}", *cells])
    top = "".join(f"<th{_side(place)}>{as_html(cell)}</th>" for place, cell in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{_side(place)}>{as_html(cell)}</td>" for place, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<p>Scores on the test part</p><table><tr>{top}</tr>{body}</table>"


def _side(place: int) -> str:
    """The attribute that puts every column but the first to the right."""
    return ' class="number"' if place else ""
