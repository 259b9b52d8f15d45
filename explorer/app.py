"""Assembles the page: one state, its views, and what touches them all; the one place that opens a model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
from panel.util import edit_readonly

from engine.embedded.manifest import Embedded, data_folder, read_embedded
from engine.model.run import Run
from explorer.components.member import Member, open_member
from explorer.examine import Examiner
from explorer.frame import Frame
from explorer.jobs import Job, JobStore, Status
from explorer.library import Library, is_embedded
from explorer.measuring import Measuring
from explorer.messages import as_html
from explorer.state import ExplorerState
from explorer.turns import beside
from explorer.views.atlas import AtlasView
from explorer.views.compare import CompareView
from explorer.views.context import WIDTH as CONTEXT_WIDTH
from explorer.views.data import DataView
from explorer.views.descriptors import DescriptorsView
from explorer.views.drawing import Drawing
from explorer.views.experiment import ExperimentView
from explorer.views.latent import LatentView, Opened
from explorer.views.notices import Notices
from explorer.views.overlays import WIDTH as OVERLAYS_WIDTH
from explorer.views.place import PlaceView
from explorer.views.train import WORDS, TrainView
from explorer.workspace import REAL_SET, Workspace, real_data_file, workspace_from_environment

TITLE = "RankAAE Explorer"
PERIOD_MS = 500
MODELS_KEPT = 32
TRAIN_TAB, LATENT_TAB, COMPARE_TAB = 2, 3, 4
WHAT = {"import": "Import of", "train": "Training", "ceiling": "Ceilings of", "map": "Map of",
        "suggest": "Candidates for", "report": "Report of"}  # fmt: skip
FOOTER = {
    "position": "fixed",
    "inset": "auto 0 0 0",
    "width": "100%",
    "padding": "5px 16px",
    "font-size": "13px",
    "background": "var(--mui-palette-background-paper, var(--panel-surface-color))",
    "border-top": "1px solid rgba(128, 128, 128, 0.35)",
    "z-index": "1200",
}


_LOADER = ThreadPoolExecutor(1, "open-model")
_LOADED: set[tuple[Path, int]] = set()


@functools.cache
def _store(workspace: Workspace, embedded: Embedded | None) -> JobStore:
    """The one store of a workspace in this server: it holds the processes that it has started."""
    return JobStore(Library(workspace, embedded))


@functools.lru_cache(MODELS_KEPT)
def _load_member(folder: Path, member: int) -> Member:
    """A member of the finished run in ``folder``; torch is imported here alone, and uses one thread."""
    import torch

    from engine.model.latent_model import load_member

    torch.set_num_threads(1)
    run = Run(folder)
    opened = open_member(load_member(run, member), run, member)
    _LOADED.add((folder, member))
    return opened


def _make_export(folder: Path, member: int, what: str, latent: list[float], axis: str, form: str) -> tuple[str, bytes]:
    """Name and content of a file with what is asked for of a member; torch is imported here as well."""
    model = _load_member(folder, member).model

    from engine.io.exported import content_of
    from engine.model.export import export_result

    exported = export_result(Run(folder), model, what, latent, axis)
    return f"{exported.name}.{form}", content_of(exported, form)


class Explorer:
    """One session: its state, its views and what goes on between them."""

    def __init__(self, workspace: Workspace, data: Path | None = None) -> None:
        """``data`` is the folder of embedded sets and models; one without a manifest offers none."""
        self.notices = Notices(workspace.root, *((data,) if data else ()))
        embedded = None
        with self.notices.guard():
            embedded = read_embedded(data) if data else None
        self.store = _store(workspace, embedded)
        self.library = self.store.library
        self._connected = pn.state.curdoc is None  # changes made before the browser has connected do not reach it
        self.state = ExplorerState()
        self.drawing = Drawing(self.notices)
        self.state.param.watch(self._open_set, "dataset")
        seen = (self.state, self.store, self.notices, self.drawing)
        self._seen, self._examiner = seen, Examiner()
        self._before: dict[str, str] = {}
        self.train = TrainView(*seen)
        self.latent = LatentView(*seen, self._examiner, self._open_member)
        self.parts: dict[str, Callable[[], pn.viewable.Viewer]] = {
            "Data": lambda: self.data,
            "Descriptors": lambda: self.descriptors,
            "Train": lambda: self.train,
            "Latent": lambda: self.latent,
            "Compare": lambda: self.compare,
            "Atlas": lambda: self.atlas,
            "Experiment": lambda: self.experiment,
        }
        places = {name: pn.Column(sizing_mode="stretch_width", margin=0) for name in self.parts}
        self.tabs = pmui.Tabs(*places.items(), sizing_mode="stretch_width", margin=0)
        self.tabs.param.watch(self._tab_changed, "active")
        self.place = PlaceView(self.state, self.store, self.notices)
        self.frame = Frame(self.state, self.store, self.notices, self.drawing, self.tabs, _make_export)
        self.jobs_line = pn.pane.HTML("", margin=0, css_classes=["jobs-line"], styles=FOOTER)
        self.state.param.watch(self._say_jobs, "jobs")

    # parts that are made when they are first looked at: they take two thirds of the time in which a page is made

    @functools.cached_property
    def data(self) -> DataView:
        return DataView(*self._seen)

    @functools.cached_property
    def descriptors(self) -> DescriptorsView:
        return DescriptorsView(*self._seen, self._put_beside, self._before)

    @functools.cached_property
    def compare(self) -> CompareView:
        return CompareView(*self._seen, self._examiner)

    @functools.cached_property
    def atlas(self) -> AtlasView:
        return AtlasView(*self._seen, self._open_member, lambda: self.tabs.param.update(active=TRAIN_TAB))

    @functools.cached_property
    def experiment(self) -> ExperimentView:
        return ExperimentView(*self._seen, Measuring(), self._open_member)

    def start(self) -> None:
        """Finds what the workspace holds, opens the first set, and keeps looking."""
        with self.notices.guard():
            self.state.look(self.store)
            wanted, notes = self.frame.wanted()
            if wanted.get("dataset") not in self.state.sets:
                self._open_first()
            self.frame.say([*notes, *self.frame.apply(wanted)])
        run, member = self.state.run, self.state.member
        at_hand = run and self._member_key(run, member) in _LOADED
        if at_hand and self.tabs.active == LATENT_TAB and not self._connected:
            self._activate()  # the page comes with the model: a round trip less until its spectrum is there
        self.frame.begin()
        self._say_jobs()
        if not self._connected:
            pn.state.onload(self._keep_looking)

    def _keep_looking(self) -> None:
        """Bokeh's own timer: Panel's would report "busy" to the browser twice a tick."""
        self.drawing.live(pn.state.curdoc)
        self._connected = True
        self._activate()
        pn.state.curdoc.add_periodic_callback(self.look, PERIOD_MS)

    def look(self) -> None:
        """Takes in what the jobs have done since the last look, and says what has ended."""
        with self.notices.guard():
            self.frame.looking = True
            changed = self.state.look(self.store)
            self.frame.looking = False
            for job_id, (_, now) in changed.items():
                self._announce(self.state.jobs[job_id][0], now)
            self.notices.expire()
            self.frame.look()
            if not self.state.dataset and self.state.sets and not self._importing():
                self.state.dataset = next(iter(self.state.sets))

    def page(self) -> pmui.Page:
        """The whole page."""
        self._fill()
        page = pmui.Page(
            title=TITLE,
            header=[self.place, self.frame.toolbar],
            sidebar=[self.frame.overlays],
            sidebar_width=OVERLAYS_WIDTH,
            sidebar_open=False,
            sidebar_resizable=False,
            contextbar=[self.frame.context],
            contextbar_width=CONTEXT_WIDTH,
            contextbar_variant="persistent",
            main=[
                pmui.Column(self.notices, self.tabs, self.jobs_line, sizing_mode="stretch_width", margin=(0, 0, 40, 0))
            ],
            busy_indicator=None,
            sx={"overflow": "clip"},  # a closed drawer lies beyond the right edge; nobody is to scroll to it
            sizing_mode="stretch_width",
        )
        page.param.watch(lambda event: self.frame.context.opened(event.new), "contextbar_open")
        with edit_readonly(page):
            # Else it follows the server's, which searches the whole page at every event, and which keeps every page.
            page.busy = self.tabs.param.loading
        return page

    def _open_first(self) -> None:
        """The user's own sets come first, then an embedded one with its model in view, then the drop zone.

        Without embedded sets the real Cu set is imported where it is found.
        """
        sets, first = self.state.sets, self.library.first_embedded_set()
        source = real_data_file()
        _, status = self.state.jobs.get(REAL_SET, (None, None))
        there = REAL_SET in sets or (status is not None and status.active)
        if not first and source is not None and not there:
            self.store.start_import(source, REAL_SET, job_id=REAL_SET)
            self.state.look(self.store)
        elif REAL_SET in sets:
            self.state.dataset = REAL_SET
        elif sets and not is_embedded(next(iter(sets))):
            self.state.dataset = next(iter(sets))
        elif first:
            self.state.dataset = first
            if self.state.run:
                self.tabs.active = LATENT_TAB
                # Begins before the browser has connected, and is asked for again when it has.
                _LOADER.submit(_load_member, *self._member_key(self.state.run, self.state.member))

    def _importing(self) -> bool:
        return any(job.kind == "import" and status.active for job, status in self.state.jobs.values())

    def _open_set(self, event: Any) -> None:
        with self.notices.guard():
            self.state.param.update(spectra=None, site="", selected=[], compared=[])
            if event.new:
                self.state.spectra = self.library.spectra(event.new)
                if not self.frame.restoring:
                    self._choose_model_of(event.new)

    def _choose_model_of(self, dataset: str) -> None:
        """Takes the newest model that was trained on a set; without one, the model stays."""
        for run in self.state.runs:
            source = self.library.set_of_model(run) if is_embedded(run) else self.state.jobs[run][0].source
            if source == dataset:
                self.place.choose(run)
                return

    def _member_key(self, run: str, member: int) -> tuple[Path, int]:
        return self.library.run_path(run), member

    def _open_member(self, run: str, member: int, then: Callable[[Opened], None]) -> None:
        """Hands a member over: loaded beside the page's events, or at once while the page is still being made."""
        key = self._member_key(run, member)
        if self._connected:
            beside(_LOADER, lambda: _load_member(*key), lambda got: self.frame.opened(lambda: then(got)))
        else:
            self.frame.opened(lambda: then(lambda: _load_member(*key)))

    def _tab_changed(self, _: Any) -> None:
        if self._connected:
            self._fill()
            self._activate()

    def _in_view(self) -> pn.viewable.Viewer:
        return list(self.parts.values())[self.tabs.active]()

    def _fill(self) -> None:
        """Puts the part that is in view onto the page: most of what a page costs is in parts nobody looks at yet."""
        place = self.tabs[self.tabs.active]
        if not place.objects:
            place.objects = [self._in_view()]

    def _activate(self) -> None:
        """Some parts do their work only once they are in view."""
        activate = getattr(self._in_view(), "activate", None)
        if activate is not None:
            activate()

    def _announce(self, job: Job, now: Status) -> None:
        what = f"{WHAT[job.kind]} {job.title}"
        if job.kind == "report" and not now.active:
            self.frame.report_ended(job, now.state == "done")
        if now.state == "failed":
            self.notices.show(f"{what} failed: {now.message}", "error")
        elif now.state == "interrupted":
            self.notices.show(f"{what} was interrupted: {now.message}", "warning")
        elif now.state == "done":
            if job.kind == "import":
                self.state.dataset = job.id
            elif job.kind == "map":
                self.notices.show(f"{what} has been made; look at it under Atlas.", "success")
            elif job.kind == "train":
                self.notices.show(f"{what} has finished; move its axes under Latent.", "success")
                before = self._before.pop(job.id, "")
                if job.source == self.state.dataset and self.tabs.active != LATENT_TAB:
                    self.place.choose(job.id)
                if before:
                    self._put_beside(before, job.id)

    def _put_beside(self, before: str, after: str) -> None:
        """Goes to Compare with the selected members of two runs."""
        with self.notices.guard():
            runs = [(run, Run(self.library.run_path(run))) for run in (before, after)]
            self.state.columns = [f"{name}/{run.selected()}" for name, run in runs]
            self.tabs.active = COMPARE_TAB

    def _say_jobs(self, *_: Any) -> None:
        lines = []
        for job, status in self.state.jobs.values():
            if not status.active or status.state == "queued":
                continue
            what = f"{job.title} · {WORDS[status.state]}" if job.kind == "train" else f"{WHAT[job.kind]} {job.title}"
            if status.epochs:
                what += f" · epoch {status.epoch} of {status.epochs}"
            if status.best is not None:
                what += f" · best validation score {status.best:.3f}"
            lines.append(what)
        waiting = len(self.state.queue())
        if waiting:
            lines.append(f"{waiting} training{'s' * (waiting > 1)} waiting")
        self.jobs_line.object = as_html(f"Jobs: {'; '.join(lines)}" if lines else "Jobs: none running")


def build() -> pmui.Page:
    """The page of one new session."""
    pn.extension("filedropper", notifications=False)
    explorer = Explorer(workspace_from_environment(), data_folder())
    explorer.start()
    return explorer.page()
