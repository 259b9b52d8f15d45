"""Which descriptor to try next with the model in view: a ranking, trainings with it, and before beside after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource

from engine.errors import ConfigError, EngineError
from engine.model.config import TrainConfig, make_config
from engine.model.run import Run
from explorer.jobs import JobStore, job_about
from explorer.library import Library, is_embedded
from explorer.plots import candidates as plots
from explorer.state import ExplorerState
from explorer.views.compare_tables import STYLE, number, table_html, words_html
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices
from explorer.workspace import safe_name

NO_MODEL = "No model is in view. Train one, or choose one in the header; then this ranks what it could take in next."
NOT_ASKED = (
    "Every descriptor of its set that it does not use is held against what the model leaves over on validation data: "
    "what its free axes hold, and what its reconstruction misses. NOISE, random numbers, is ranked along as a control. "
    "Columns of your own are tried where the open set has them, and what else the catalogue tells of structures where "
    "the model's set has some. This takes from some seconds to several minutes."
)
WORKING = "Ranking the candidates, beside the page …"
HEAD = ("", "Candidate", "Explains (rms Δμ)", "Partial |ρ| with the free axis", "of free axis", "of residual", "p",
        "Ceiling |SRCC|", "Redundant", "Most like", "Instead of")  # fmt: skip
MEANING = (
    "★: worth a try, p at most 0.01 after correction for the number of candidates, and a ceiling above chance. "
    "Explains: change of μ that it accounts for on the free axes and in the residual, beyond the used descriptors and "
    "chance; the shares are of the variance of each. Ceiling: what ExtraTrees reach from spectra. Redundant: share of "
    "its ranks that the used descriptors tell. Instead of: the used one that it could replace, and what spectra gain."
)
ORIGINS = {"set": "", "own": " (own)", "computed": " (from structures)"}
USED_HEAD = ("Used", "|SRCC|", "Ceiling", "Only it explains")
NONE_FOUND = "Nothing here is worth a try: what is left over goes with no descriptor of this set more than by chance."

ACTIVE = "active"

Found = Mapping[str, Any]
"""What ``rankaae suggest --json`` prints."""


class NextDescriptorView(pn.viewable.Viewer):
    """Ranks candidates for ``state.run`` as a job, and trains it again with one of them."""

    def __init__(
        self,
        state: ExplorerState,
        store: JobStore,
        notices: Notices,
        drawing: Drawing,
        compare: Callable[[str, str], None],
        begun: dict[str, str],
    ) -> None:
        """``compare(before, after)`` puts two runs side by side.

        ``begun`` takes the run before, by the id of each training that is started here.
        """
        super().__init__()
        self._state, self._store, self._notices, self._drawing = state, store, notices, drawing
        self._compare_runs, self._begun = compare, begun
        self._found: Found | None = None
        self._told = ""
        self._trainings: list[tuple[str, str]] = []
        small: dict[str, Any] = {"size": "small", "margin": (4, 8, 4, 0)}
        self._ask = pmui.Button(label="Rank candidates", variant="contained", **small)
        self._stop = pmui.Button(label="Cancel", color="error", variant="outlined", visible=False, **small)
        self._words = pn.pane.HTML("", stylesheets=[STYLE], sizing_mode="stretch_width", margin=(4, 10))
        self._bar = pmui.LinearProgress(variant="indeterminate", sizing_mode="stretch_width", visible=False)
        self._table = pn.pane.HTML("", stylesheets=[STYLE], sizing_mode="stretch_width", margin=(0, 10))
        self._used = pn.pane.HTML("", stylesheets=[STYLE], sizing_mode="stretch_width", margin=(4, 10))
        self._bars = ColumnDataSource(plots.NO_CANDIDATES)
        self._figure = plots.candidate_figure(self._bars, plots.height(0))
        self._pane = pn.pane.Bokeh(self._figure, sizing_mode="stretch_width", height=plots.height(0), margin=0)
        self._which = pmui.Select(label="Candidate", options=[], size="small", width=180, margin=(8, 8, 4, 10))
        self._add = pmui.Button(label="Train with it", variant="contained", size="small", margin=(14, 8, 4, 0))
        self._swap = pmui.Button(label="Train", variant="outlined", size="small", margin=(14, 8, 4, 0))
        self._ask.on_click(lambda _: self._start())
        self._stop.on_click(lambda _: self._cancel())
        self._which.param.watch(lambda _: self._show_actions(), "value")
        self._add.on_click(lambda _: self._go(""))
        self._swap.on_click(lambda _: self._go(self._out()))
        left = pn.Column(self._used, sizing_mode="stretch_width", styles={"flex": "1 1 360px"}, margin=0)
        right = pn.Column(self._pane, sizing_mode="stretch_width", styles={"flex": "2 1 480px"}, margin=0)
        self._results = pn.Column(
            pn.FlexBox(self._which, self._add, self._swap, sizing_mode="stretch_width", margin=0),
            self._table,
            pn.FlexBox(right, left, sizing_mode="stretch_width", gap="12px", margin=(8, 0)),
            sizing_mode="stretch_width",
            margin=0,
            visible=False,
        )
        self._layout = pn.Column(
            pn.FlexBox(self._ask, self._stop, sizing_mode="stretch_width", margin=(4, 10, 0, 10)),
            self._words,
            self._bar,
            self._results,
            sizing_mode="stretch_width",
            margin=0,
        )
        state.param.watch(lambda *_: self._follow(), ["run", "runs", "jobs"])
        self._follow()

    def __panel__(self) -> pn.Column:
        return self._layout

    # the ranking

    def _start(self) -> None:
        state, store = self._state, self._store
        run, title, dataset = state.run, self._title(), state.dataset

        def begin(own: Path | None) -> None:
            store.start_suggestion(run, title, own)
            state.look(store)

        with self._notices.guard():
            source = self._source()
            self._drawing.prepare("own columns", lambda: own_columns(store.library, source, dataset), begin)

    def _cancel(self) -> None:
        job, _ = self._job()
        with self._notices.guard():
            if job is not None:
                self._store.cancel(job)
        self._state.look(self._store)

    def _job(self) -> tuple[Any, Any]:
        """The job that ranks candidates for the model in view, and its status, or (None, None)."""
        return self._state.jobs.get(job_about("suggest", self._state.run), (None, None))

    def _title(self) -> str:
        return str(self._state.runs.get(self._state.run, self._state.run))

    def _follow(self) -> None:
        """Shows where the ranking of the model in view stands, and its result once it is there."""
        run = self._state.run
        job, status = self._job()
        going = status is not None and status.active
        told = f"{run} {job.started} {status.state}" if job is not None else run
        if told != self._told:
            self._told, self._found = told, None
            if run and not going:
                with self._notices.guard():
                    self._found = self._store.suggestion(run)
            label, variant = ("Rank again", "outlined") if self._found else ("Rank candidates", "contained")
            self._ask.param.update(visible=not going, disabled=not run, label=label, variant=variant)
            self._stop.visible = self._bar.visible = going
            lines = [f"For {self._title()}."] if run else [NO_MODEL]
            if run and self._found is None:
                lines.append(WORKING if going else NOT_ASKED)
            self._words.object = words_html(lines if self._found is None else lines + self._verdict(self._found))
            self._drawing.change("candidates", self._draw)
        trainings = [(job.id, status.state) for job, status in self._state.trainings()]
        if trainings != self._trainings:
            self._trainings = trainings
            self._show_actions()

    def _verdict(self, found: Found) -> list[str]:
        many = f"{found['members']} member{'s' if found['members'] > 1 else ''}"
        best = ", ".join(found["proposed"])
        lines = [f"On {found['validation_sites']:,} validation sites, {many}. "
                 + (f"Worth a try, the most telling first: {best}." if best else NONE_FOUND)]  # fmt: skip
        unknown = [one["name"] for one in found["candidates"] if one["p"] is None]
        if unknown:
            lines.append(
                f"Not ranked, as copies of used ones, constant or known at too few sites: {', '.join(unknown)}."
            )
        return [*lines, *(f"{note[0].upper()}{note[1:]}." for note in found["notes"])]

    def _draw(self) -> None:
        found = self._found
        self._results.visible = found is not None
        if found is None:
            return
        ranked = [one for one in found["candidates"] if one["p"] is not None]
        data = plots.candidate_data(ranked)
        self._pane.height = self._figure.height = plots.height(len(ranked))
        plots.fit_candidates(self._figure, data)
        self._bars.data = data
        names = [one["name"] for one in ranked if one["name"] != plots.CONTROL]
        first = next(iter([*found["proposed"], *names]), None)
        self._which.param.update(options=names, value=first)
        chosen = [i for i, one in enumerate(ranked) if one["proposed"]]
        self._table.object = table_html(HEAD, [candidate_cells(one) for one in ranked], chosen, words=2) + words_html(
            [MEANING]
        )
        self._used.object = table_html(USED_HEAD, [used_cells(one) for one in found["used"]]) if found["used"] else ""
        self._show_actions()

    # training with a candidate

    def _row(self) -> Found:
        """What was found of the chosen candidate."""
        rows = self._found["candidates"] if self._found else []
        return next((one for one in rows if one["name"] == self._which.value), {"swap": None, "origin": "set"})

    def _out(self) -> str:
        """The used descriptor that the chosen candidate could replace, or ""."""
        swap = self._row()["swap"]
        return str(swap["out"]) if swap else ""

    def _show_actions(self) -> None:
        """What the buttons do for the chosen candidate: train, or compare where that has been done."""
        name, out = str(self._which.value or ""), self._out()
        self._add.visible, self._swap.visible = bool(name), bool(out)
        if self._found is None or not name:
            return
        with self._notices.guard():
            for button, words, taken in ((self._add, name, ""), (self._swap, f"{name} instead of {out}", out)):
                if button.visible:
                    tried = self._tried(changed(self._config().descriptors, name, taken))
                    label = {"": f"Train with {words}", ACTIVE: f"Training with {words} …"}
                    label_now = label.get(tried, f"Compare before and after {words}")
                    button.param.update(label=label_now, disabled=tried == ACTIVE)

    def _config(self) -> TrainConfig:
        return Run(self._store.library.run_path(self._state.run)).config()

    def _tried(self, descriptors: Sequence[str]) -> str:
        """Id of a finished run that differs from the model in view in nothing but these descriptors; else "".

        ACTIVE while one is trained.
        """
        source, alike = self._place(), replace(self._config(), descriptors=())
        for job, status in self._state.trainings():
            if job.source == source and (status.active or job.id in self._state.runs):
                try:
                    config = TrainConfig.from_toml(_settings_of(self._store, job.id))
                except EngineError:
                    continue
                if set(config.descriptors) == set(descriptors) and replace(config, descriptors=()) == alike:
                    return ACTIVE if status.active else job.id
        return ""

    def _source(self) -> str:
        """The set that the model in view was trained on."""
        run = self._state.run
        if is_embedded(run):
            return self._store.library.set_of_model(run)
        job, _ = self._state.jobs.get(run, (None, None))
        return str(job.source) if job is not None else ""

    def _place(self) -> str:
        """The set to train on with the chosen candidate: that of the model, or one with all that was tried as well."""
        source = self._source()
        if self._found is None or not source or self._row()["origin"] == "set":
            return source
        return f"{safe_name(self._set_title(source))[:50]}-with-candidates-{self._found['set_hash'][:8]}"

    def _set_title(self, source: str) -> str:
        return str(self._state.sets.get(source, Path(source).name))

    def _go(self, out: str) -> None:
        """Trains the model in view anew, all settings the same, with the chosen candidate; or compares, once done."""
        with self._notices.guard():
            state, config = self._state, self._config()
            descriptors = changed(config.descriptors, str(self._which.value), out)
            tried = self._tried(descriptors)
            if tried:
                if tried != ACTIVE:
                    self._compare_runs(state.run, tried)
                return
            source = self._source()
            if not source:
                raise ConfigError(f"{self._title()}: the set that it was trained on is not known; train it again")
            settings = {**asdict(config), "descriptors": list(descriptors)}
            make_config(**settings)
            seeds = len(config.seeds)
            axes = ", ".join([*descriptors, f"{config.free_axes} free"])
            title = f"{self._set_title(source)}: {axes} · {seeds} seed{'s' * (seeds > 1)} · {config.preset}"
            self._train(self._place(), settings, title)

    def _train(self, place: str, settings: dict[str, Any], title: str) -> None:
        """Trains on the set ``place``, which is made first where the model's own lacks the candidate."""
        state, store, run = self._state, self._store, self._state.run

        def begin(_: None = None) -> None:
            job = store.start_training(place, settings, title)
            self._begun[job.id] = run
            state.look(store)

        if place == self._source():
            begin()
        else:
            self._drawing.prepare("set with candidates", lambda: store.put_candidates(run, place), begin)


def own_columns(library: Library, source: str, dataset: str) -> Path | None:
    """File of the set ``dataset`` where it has columns for sites of the set ``source`` that this lacks; else None."""
    if not source or not dataset or dataset == source:
        return None
    model, open_set = library.spectra(source), library.spectra(dataset)
    rows = np.isin(open_set.site_id, model.site_id) & np.isin(open_set.element, model.element)
    known = set(model.descriptors.columns[model.descriptors.notna().any()])
    more = set(open_set.descriptors.columns[open_set.descriptors[rows].notna().any()]) - known
    return library.source_of(dataset)[0] if more else None


def changed(used: Sequence[str], name: str, out: str) -> list[str]:
    """The descriptors ``used`` with ``name`` in the place of ``out``, or after them all where ``out`` is ""."""
    return [name if one == out else one for one in used] if out else [*used, name]


def candidate_cells(one: Found) -> list[str]:
    """A row of the table, texts under ``HEAD``."""
    swap = one["swap"]
    near = f"{one['nearest']} {_number(one['nearest_rho'], 2, sign=True)}" if one["nearest"] else "–"
    return [
        "★" if one["proposed"] else "",
        f"{one['name']} (control)" if one["name"] == plots.CONTROL else f"{one['name']}{ORIGINS[one['origin']]}",
        _number(one["explained_mu"], 4),
        _number(one["free_rho"], 2),
        _percent(one["free_share"]),
        _percent(one["residual_share"]),
        _number(one["p"], 4),
        _number(one["ceiling"], 2),
        _percent(one["redundancy"]),
        near,
        f"{swap['out']}: {_percent(swap['gain'], 2, sign=True)}" if swap else "–",
    ]


def used_cells(one: Found) -> list[str]:
    """A row of the table of used descriptors, texts under ``USED_HEAD``."""
    return [one["name"], _number(one["srcc"], 3), _number(one["ceiling"], 3), _percent(one["only_share"], 2)]


def _number(value: float | None, digits: int, *, sign: bool = False) -> str:
    return "–" if value is None else number(value, digits, sign=sign)


def _percent(share: float | None, digits: int = 1, *, sign: bool = False) -> str:
    return "–" if share is None else f"{number(100 * share, digits, sign=sign)} %"


def _settings_of(store: JobStore, run: str) -> Path:
    """The settings of a run, or those that it was asked for with while its turn has not come."""
    stored = store.workspace.run_path(run) / "config.toml"
    return stored if stored.is_file() else store.workspace.job_path(run) / "settings.toml"
