"""What surrounds the parts of the page: undo, link, session, journal, export, the drawers and the header's buttons."""

from __future__ import annotations

import base64
import time
import tomllib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui

from engine.errors import ConfigError, EngineError, RunError
from engine.model.run import Run
from explorer.columns import read_facts
from explorer.components.toolbar import Toolbar
from explorer.history import History, Snapshot
from explorer.jobs import Job, JobStore
from explorer.journal import MOST, Entry, entry, script
from explorer.kept import keep_for_link, restored
from explorer.library import Library, is_embedded
from explorer.link import query_of, values_of
from explorer.restoring import FIELDS, Known, Values, place, within
from explorer.runs import read_members
from explorer.session_file import MOST_BYTES, Autosave, read_session, session_json
from explorer.state import ExplorerState
from explorer.turns import beside
from explorer.views.context import ContextView
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices
from explorer.views.overlays import OverlaysView
from explorer.workspace import safe_name

COOKIE = "rankaae-session"
SAME_MOVE_SECONDS = 5.0
TYPES = {"csv": "text/csv", "h5": "application/x-hdf5", "json": "application/json", "py": "text/x-python",
         "html": "text/html"}  # fmt: skip
MOST_NOTES = 6
PLACED = ("run", "member", "latent", "columns", "map", "colour", "experiment")

Export = Callable[[Path, int, str, list[float], str, str], tuple[str, bytes]]
"""Name and content of an export: run folder, member, what, latent point, axis, format."""

_WRITER = ThreadPoolExecutor(1, "autosave")
_EXPORTER = ThreadPoolExecutor(1, "export")


class Frame:
    """One session's past and surroundings; ``begin`` is called once the first view is there."""

    def __init__(
        self, state: ExplorerState, store: JobStore, notices: Notices, drawing: Drawing, tabs: pmui.Tabs, export: Export
    ) -> None:
        self._state, self._store, self._notices, self._drawing, self._tabs = state, store, notices, drawing, tabs
        self._export = export
        self.parts: list[str] = list(tabs._names)
        self.autosave = Autosave(store.workspace.root, _cookie())
        if pn.state.curdoc is not None:
            pn.state.curdoc.on_session_destroyed(lambda _: self.autosave.release())
        self.toolbar = Toolbar(parts=self.parts, session=self.autosave.key, margin=(0, 4), align="center")
        self.context = ContextView(state, store, notices, drawing)
        self.overlays = OverlaysView(state)
        self.journal: list[Entry] = []
        self.restoring = self.looking = False
        self._history = History(self._snapshot())
        self._said: Snapshot = {}
        self._moved = 0.0
        self._point: tuple[str, int, list[float]] | None = None
        self._known_jobs: set[str] = set()
        self._reports: set[str] = set()
        self._begun = self._unsaved = False
        self._saving: Future[None] | None = None
        self.toolbar.on_msg(self._asked)
        state.param.watch(lambda *_: drawing.change("step", self._commit), list(FIELDS))
        state.param.watch(lambda *_: self._take_jobs(), "jobs")
        tabs.param.watch(lambda _: self._touch(), "active")
        self.context.notes.param.watch(lambda _: self._touch(), "value")

    # the first view

    def wanted(self) -> tuple[Values, list[str]]:
        """What this visit asks for: the link's view, or the state of the visit before, journal and notes included."""
        arguments: Mapping[str, list[bytes]] = pn.state.session_args if pn.state.curdoc is not None else {}
        values, notes = values_of(arguments)
        if values or notes:
            return values, [f"In the link, {note}" for note in notes]
        session = self.autosave.read()
        if session is None:
            return {}, []
        self.journal = list(session.journal)
        self.context.notes.value = session.notes
        return session.values, list(session.left_out)

    def begin(self) -> None:
        """The view as it is now is where the history starts."""
        self._history = History(self._snapshot())
        self._known_jobs = set(self._state.jobs)
        self._begun = True
        self._note_changes()
        self._unsaved = self.autosave.moved
        self.look()

    def opened(self, take: Callable[[], None]) -> None:
        """Lets a view take a member that has been opened: what it changes belongs to the step that asked for it."""
        self._commit()
        take()
        state, point = self._state, self._point
        if point is not None and point[:2] == (state.run, state.member) and len(point[2]) == len(state.latent):
            state.latent = point[2]
            self._point = None
        self._history.amend(self._snapshot())
        self._note_changes()

    def look(self) -> None:
        """Called twice a second: saves what has changed since."""
        if self._unsaved and (self._saving is None or self._saving.done()):
            self._unsaved = False
            text = self._session_text()
            self._saving = _WRITER.submit(self._save, text)

    # changing the view

    def apply(self, given: Mapping[str, Any]) -> list[str]:
        """Takes over what can be taken of a link, session or step; returns a sentence for each value that cannot."""
        state = self._state
        known = Known(
            state.sets, state.runs, state.maps, self.parts, self._count_members, self._count_axes,
            lambda value: restored(self._store.workspace, value),
        )  # fmt: skip
        taken, notes = place(given, known, state.run)
        self.restoring = True
        try:
            if "dataset" in taken:
                state.dataset = taken["dataset"]
            place_now = {name: taken[name] for name in PLACED if name in taken}
            if "run" in taken and "member" not in taken:
                place_now["member"] = Run(self._store.library.run_path(taken["run"])).selected()
            if "latent" in taken:
                target = (taken.get("run", state.run), place_now.get("member", state.member))
                self._point = (*target, taken["latent"])
            state.param.update(**place_now)
            spectra = state.spectra
            columns = set() if spectra is None else set(map(str, spectra.descriptors.columns))
            sites = set() if spectra is None else set(spectra.site_id.tolist())
            inside, more = within(given, columns, sites)
            state.param.update(**inside)
            if "tab" in taken:
                self._tabs.active = self.parts.index(taken["tab"])
        finally:
            self.restoring = False
        return notes + more

    def say(self, notes: list[str]) -> None:
        """Shows what was left out of a link or a session."""
        if notes:
            more = [f"and {len(notes) - MOST_NOTES} more"] if len(notes) > MOST_NOTES else []
            self._notices.show(f"Left out: {'; '.join([*notes[:MOST_NOTES], *more])}", "warning")

    def _step(self, snapshot: Snapshot | None) -> None:
        if snapshot is not None:
            self.say(self.apply(snapshot))
            self._history.amend(self._snapshot())
            self._note_changes()

    def _commit(self) -> None:
        if self._begun and not self.restoring:
            self._history.record(self._snapshot())
            self._note_changes()

    def _snapshot(self) -> dict[str, Any]:
        """The fields of the state; a latent point only where it is one of the model's."""
        values = {name: getattr(self._state, name) for name in FIELDS}
        copied = {name: list(value) if isinstance(value, list) else value for name, value in values.items()}
        if len(copied["latent"]) != len(self._axes()):
            copied["latent"] = []
        return copied

    def _axes(self) -> tuple[str, ...]:
        try:
            run = self._state.run
            return self._axes_of(run) if run else ()
        except EngineError:
            return ()

    def _axes_of(self, run: str) -> tuple[str, ...]:
        return Run(self._store.library.run_path(run)).config().axis_names

    def _count_axes(self, run: str) -> int:
        return len(self._axes_of(run))

    def _count_members(self, run: str) -> int:
        return len(read_members(Run(self._store.library.run_path(run))))

    # the journal

    def _note_changes(self) -> None:
        """Puts into the journal what is different from what it said last, and brings the header up to date."""
        if not self._begun:
            return
        now, said, state = self._history.now, self._said, self._state
        with self._notices.guard():
            if now["dataset"] and now["dataset"] != said.get("dataset"):
                element = self._store.library.source_of(now["dataset"])[1]
                title = state.sets.get(now["dataset"], now["dataset"])
                self._write(entry("open_set", dataset=now["dataset"], title=title, element=element))
            model = (now["run"], now["member"])
            latent = said.get("latent")
            if now["run"] and model != (said.get("run"), said.get("member")):
                seed = read_members(Run(self._store.library.run_path(now["run"])))[now["member"]].seed
                title = state.runs.get(now["run"], now["run"])
                self._write(entry("open_model", run=now["run"], member=now["member"], title=title, seed=seed))
                latent = [0.0] * len(now["latent"])
            if now["latent"] and now["latent"] != (latent or [0.0] * len(now["latent"])):
                self._write_move(entry("move", axes=list(self._axes()), latent=now["latent"]))
            for name, which in (("selected", "A"), ("compared", "B")):
                if now[name] != said.get(name, []):
                    self._write(entry("select", which=which, count=len(now[name])))
        self._said = now
        self.toolbar.param.update(
            can_undo=self._history.can_undo, can_redo=self._history.can_redo, axes=list(self._axes())
        )
        self._touch()

    def _write(self, one: Entry) -> None:
        self.journal = [*self.journal, one][-MOST:]
        self.context.show_journal(self.journal)
        self._touch()

    def _write_move(self, one: Entry) -> None:
        """A move; those that follow one another within seconds are one entry."""
        now = time.monotonic()
        if self.journal and self.journal[-1].action == "move" and now - self._moved < SAME_MOVE_SECONDS:
            self.journal = self.journal[:-1]
        self._moved = now
        self._write(one)

    def _take_jobs(self) -> None:
        """Notes the jobs that this page has started: those of others are seen by ``Explorer.look``."""
        new = [job for job_id, (job, _) in self._state.jobs.items() if job_id not in self._known_jobs]
        self._known_jobs |= set(self._state.jobs)
        if not self._begun or self.looking:
            return
        for job in new:
            with self._notices.guard():
                if job.kind == "import":
                    self._write(entry("import", dataset=job.id, title=job.title))
                elif job.kind == "train":
                    settings, (_, element) = _settings(job), self._store.library.source_of(job.source)
                    about = {"run": job.id, "dataset": job.source, "element": element, "title": job.title}
                    self._write(entry("train", **about, settings=settings))

    # what the browser asks for

    def _asked(self, event: Any) -> None:
        message = event.data
        if not isinstance(message, dict):
            return
        try:
            self._answer(message)
        except Exception as error:
            with self._notices.guard():
                raise error
            self.toolbar._send_msg({"failed": ""})

    def _answer(self, message: dict[str, Any]) -> None:
        match message.get("do"):
            case "undo":
                self._commit()
                self._step(self._history.undo())
            case "redo":
                self._step(self._history.redo())
            case "part":
                number = message.get("number")
                if type(number) is int and 1 <= number <= len(self.parts):
                    self._tabs.active = number - 1
            case "share":
                self.toolbar._send_msg({"link": self._link()})
            case "save":
                self._send("session.rankaae.json", self._session_text().encode())
            case "script":
                library = self._store.library
                text = script(self.journal, lambda i: set_code(library, i), lambda i: run_code(library, i))
                self._send("rankaae_journal.py", text.encode())
            case "open":
                self._open(str(message.get("text"))[: MOST_BYTES + 1])
            case "report":
                self._begin_report()
            case "export":
                self._begin_export(*(str(message.get(name) or "") for name in ("what", "axis", "form")))

    def _link(self) -> str:
        """The view as a query; what was opened under Experiment is kept beside it, as it is too long for one."""
        values = {**self._snapshot(), "tab": self.parts[self._tabs.active]}
        opened = values["experiment"]
        return query_of({**values, "experiment": keep_for_link(self._store.workspace, opened) if opened else ""})

    def _open(self, text: str) -> None:
        session = read_session(text)
        self.journal = list(session.journal)
        self.context.notes.value = session.notes
        self.context.show_journal(self.journal)
        notes = self.apply(session.values)
        self._commit()
        self.say([*session.left_out, *notes])

    def _begin_report(self) -> None:
        """Starts the report of the model in view as a job, beside the workspace's runs that it compares with."""
        state, library = self._state, self._store.library
        if not state.run:
            raise RunError("no model is open")
        title = state.runs.get(state.run, state.run)
        first = read_facts(library, state.run, title).footing
        beside = []
        for run in state.runs:
            with suppress(EngineError):
                facts = read_facts(library, run, run)
                if run != state.run and not is_embedded(run) and facts.footing.compares_with(first):
                    beside.append(facts.folder)
        self._reports.add(self._store.start_report(state.run, beside, title).id)
        state.look(self._store)

    def report_ended(self, job: Job, done: bool) -> None:
        """Hands a report to the browser if it was asked for here; says there as well that it has failed."""
        if job.id not in self._reports:
            return
        self._reports.discard(job.id)
        self.toolbar._send_msg({"reported": "" if done else "It could not be made."})
        if not done:
            return
        path = self._store.report_path(job.source)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RunError(f"{path}: cannot be read ({error.strerror or error})") from error
        name = f"report-{safe_name(job.source.replace(':', '-'))}.html"
        self._write(entry("report", run=job.source, title=job.title, file=name))
        self._send(name, content)

    def _begin_export(self, what: str, axis: str, form: str) -> None:
        """Computes an export beside the page's events and hands it to the browser."""
        state = self._state
        if not state.run:
            raise RunError("no model is open")
        axes = self._axes()
        if what == "traversal" and axis not in axes:
            raise ConfigError(f"axis '{axis}' is not in the model; it has: {', '.join(axes)}")
        latent = list(state.latent) if len(state.latent) == len(axes) else [0.0] * len(axes)
        folder = self._store.library.run_path(state.run)
        member = state.member
        beside(
            _EXPORTER,
            lambda: self._export(folder, member, what, latent, axis, form),
            lambda result: self._deliver(result, what, axis),
        )

    def _deliver(self, result: Callable[[], tuple[str, bytes]], what: str, axis: str) -> None:
        with self._notices.guard():
            try:
                name, content = result()
            except Exception:
                self.toolbar._send_msg({"failed": "It could not be computed."})
                raise
            self._write(entry("export", what=what, axis=axis if what == "traversal" else "", file=name))
            self._send(name, content)

    def _send(self, name: str, content: bytes) -> None:
        kind = TYPES[name.rpartition(".")[2]]
        file = {"name": name, "type": kind, "content": base64.b64encode(content).decode("ascii")}
        self.toolbar._send_msg({"file": file})

    # autosave

    def _session_text(self) -> str:
        values = {**self._snapshot(), "tab": self.parts[self._tabs.active]}
        return session_json(values, self.journal, self.context.notes.value or "")

    def _touch(self) -> None:
        self._unsaved = self._begun

    def _save(self, text: str) -> None:
        try:
            self.autosave.write(text)
        except EngineError:
            self._unsaved = True


def set_code(library: Library, set_id: str) -> str:
    """Python source for the path of a set, in terms of WORKSPACE and DATA."""
    try:
        return _code(library, library.source_of(set_id)[0])
    except EngineError:
        return f"Path({set_id!a})"


def run_code(library: Library, run_id: str) -> str:
    """Python source for the path of a run, in terms of WORKSPACE and DATA."""
    try:
        return _code(library, library.run_path(run_id))
    except EngineError:
        return f"Path({run_id!a})"


def _code(library: Library, path: Path) -> str:
    roots = [("WORKSPACE", library.workspace.root)]
    if library.embedded is not None:
        roots.append(("DATA", library.embedded.folder))
    for name, root in roots:
        if path.is_relative_to(root):
            return " / ".join([name, *(ascii(part) for part in path.relative_to(root).parts)])
    return f"Path({str(path)!a})"


def _cookie() -> str | None:
    """What the browser was known by at an earlier visit."""
    return pn.state.cookies.get(COOKIE) if pn.state.curdoc is not None else None


def _settings(job: Job) -> dict[str, Any]:
    """The settings that a training was started with; ConfigError when they cannot be read."""
    try:
        path = Path(job.arguments[job.arguments.index("--config") + 1])
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ConfigError(f"the settings of {job.title} cannot be read ({error})") from error
