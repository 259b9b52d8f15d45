"""Assembles the page: one state, its views, and what touches them all; the one place that opens a model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import panel as pn
import panel_material_ui as pmui

from explorer.jobs import Job, JobStore, Status
from explorer.messages import as_html
from explorer.state import ExplorerState
from explorer.views.data import DataView
from explorer.views.drawing import Drawing
from explorer.views.latent import LatentView, Model, Opened
from explorer.views.notices import Notices
from explorer.views.train import WORDS, TrainView
from explorer.workspace import Workspace, real_data_file, workspace_from_environment

TITLE = "RankAAE Explorer"
FIRST_SET = "cu_feff"
PERIOD_MS = 500
MODELS_KEPT = 32
LATENT_TAB = 2
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


@functools.cache
def _store(workspace: Workspace) -> JobStore:
    """The one store of a workspace in this server: it holds the processes that it has started."""
    return JobStore(workspace)


@functools.lru_cache(MODELS_KEPT)
def _load_member(workspace: Workspace, run: str, member: int) -> Model:
    """A member of a finished run; torch is imported here and nowhere else, and uses one thread beside a training."""
    import torch

    from engine.model.latent_model import load_member
    from engine.model.run import Run

    torch.set_num_threads(1)
    return load_member(Run(workspace.run_path(run)), member)


class Explorer:
    """One session: its state, its views and what goes on between them."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.store = workspace, _store(workspace)
        self.state = ExplorerState()
        self.notices = Notices(workspace.root)
        self.drawing = Drawing(self.notices)
        self.state.param.watch(self._open_set, "dataset")
        self.data = DataView(self.state, self.store, self.notices, self.drawing)
        self.train = TrainView(self.state, self.store, self.notices, self.drawing)
        self.latent = LatentView(self.state, self.store, self.notices, self.drawing, self._open_member)
        self.tabs = pmui.Tabs(
            ("Data", self.data), ("Train", self.train), ("Latent", self.latent), sizing_mode="stretch_width", margin=0
        )
        self.tabs.param.watch(self._tab_changed, "active")
        self.place = pn.pane.HTML("", margin=(0, 24), styles={"color": "white"}, css_classes=["place"])
        self.jobs_line = pn.pane.HTML("", margin=0, css_classes=["jobs-line"], styles=FOOTER)
        self.state.param.watch(self._say_place, ["dataset", "run", "member", "sets", "jobs"])
        self.state.param.watch(self._say_jobs, "jobs")

    def start(self) -> None:
        """Finds what the workspace holds, opens the first set, and keeps looking."""
        with self.notices.guard():
            self.state.look(self.store)
            self._open_first()
        self._say_place()
        self._say_jobs()
        if pn.state.curdoc is not None:  # changes made before the browser has connected would not reach it
            pn.state.onload(self._keep_looking)

    def _keep_looking(self) -> None:
        """Bokeh's own timer: Panel's would report "busy" to the browser twice a tick."""
        self.drawing.live(pn.state.curdoc)
        pn.state.curdoc.add_periodic_callback(self.look, PERIOD_MS)

    def look(self) -> None:
        """Takes in what the jobs have done since the last look, and says what has ended."""
        with self.notices.guard():
            for job_id, (_, now) in self.state.look(self.store).items():
                self._announce(self.state.jobs[job_id][0], now)
            self.notices.expire()
            if not self.state.dataset and self.state.sets and not self._importing():
                self.state.dataset = next(iter(self.state.sets))

    def page(self) -> pmui.Page:
        """The whole page."""
        return pmui.Page(
            title=TITLE,
            header=[self.place],
            main=[
                pmui.Column(self.notices, self.tabs, self.jobs_line, sizing_mode="stretch_width", margin=(0, 0, 40, 0))
            ],
            busy_indicator=None,
            sizing_mode="stretch_width",
        )

    def _open_first(self) -> None:
        """The real Cu set where it is found, imported once; else the newest set; else the drop zone."""
        source = real_data_file()
        _, status = self.state.jobs.get(FIRST_SET, (None, None))
        there = FIRST_SET in self.state.sets or (status is not None and status.active)
        if source is not None and not there:
            self.store.start_import(source, FIRST_SET, job_id=FIRST_SET)
            self.state.look(self.store)
        elif FIRST_SET in self.state.sets:
            self.state.dataset = FIRST_SET
        elif self.state.sets:
            self.state.dataset = next(iter(self.state.sets))

    def _importing(self) -> bool:
        return any(job.kind == "import" and status.active for job, status in self.state.jobs.values())

    def _open_set(self, event: Any) -> None:
        from engine.io import read_set

        with self.notices.guard():
            self.state.spectra = None
            if event.new:
                self.state.spectra = read_set(self.workspace.set_path(event.new))

    def _open_member(self, run: str, member: int, then: Callable[[Opened], None]) -> None:
        """Loads a member beside the page's events, and hands it over when the page can be changed again."""
        doc = pn.state.curdoc

        def hand_over(future: Future[Model]) -> None:
            doc.add_next_tick_callback(lambda: then(future.result))

        future = _LOADER.submit(_load_member, self.workspace, run, member)
        if doc is None:
            then(future.result)
        else:
            future.add_done_callback(hand_over)

    def _tab_changed(self, event: Any) -> None:
        if event.new == LATENT_TAB:
            self.latent.activate()

    def _announce(self, job: Job, now: Status) -> None:
        what = f"Import of {job.title}" if job.kind == "import" else f"Training {job.title}"
        if now.state == "failed":
            self.notices.show(f"{what} failed: {now.message}", "error")
        elif now.state == "interrupted":
            self.notices.show(f"{what} was interrupted: {now.message}", "warning")
        elif now.state == "done":
            if job.kind == "import":
                self.state.dataset = job.id
            else:
                self.notices.show(f"{what} has finished; move its axes under Latent.", "success")

    def _say_place(self, *_: Any) -> None:
        state = self.state
        job = state.jobs.get(state.run, (None,))[0]
        parts = {"Set": state.sets.get(state.dataset), "Model": job.title if job else None}
        self.place.object = as_html("   |   ".join(f"{what}: {name}" for what, name in parts.items() if name))

    def _say_jobs(self, *_: Any) -> None:
        lines = []
        for job, status in self.state.jobs.values():
            if not status.active:
                continue
            what = f"importing {job.title}" if job.kind == "import" else f"{job.title} · {WORDS[status.state]}"
            if status.epochs:
                what += f" · epoch {status.epoch} of {status.epochs}"
            if status.best is not None:
                what += f" · best validation score {status.best:.3f}"
            lines.append(what)
        self.jobs_line.object = as_html(f"Jobs: {'; '.join(lines)}" if lines else "Jobs: none running")


def build() -> pmui.Page:
    """The page of one new session."""
    pn.extension("filedropper", notifications=False)
    explorer = Explorer(workspace_from_environment())
    explorer.start()
    return explorer.page()
