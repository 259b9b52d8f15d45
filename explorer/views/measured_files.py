"""The files of the Experiment part: dropped, listed, each with its columns, kept in the workspace until forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui

from explorer.jobs import JobStore
from explorer.kept import (
    Experiment,
    MeasuredFile,
    forget,
    keep,
    kept_files,
    layouts,
    named,
    read_experiment,
    size_words,
)
from explorer.measurement import Laboratory
from explorer.messages import as_html
from explorer.session_file import Autosave
from explorer.state import ExplorerState
from explorer.views.dropping import fresh_drop_zone
from explorer.views.notices import Notices
from explorer.views.style import TABLE_STYLE
from explorer.workspace import MAX_UPLOAD_MB

ACCEPTED = (
    f"XDI, columns of text or CSV, a table of a series, Athena projects (.prj), HDF5; up to {MAX_UPLOAD_MB} MB each. "
    "They stay with the page and its sessions."
)
KEPT = "Files that were opened stay in the workspace, so that sessions, links and undo find them again."
LOST = "Sessions, links and undo that lead to them will say that they are missing."
NO_COLUMNS = "Nothing in it can be named: it says itself what is what, or could not be read."
GATHER_MS = 400
MOST_COLUMNS = 10


class MeasuredFilesView(pn.viewable.Viewer):
    """Changes the files of ``state.experiment`` and follows them."""

    def __init__(self, state: ExplorerState, store: JobStore, notices: Notices, laboratory: Laboratory) -> None:
        super().__init__()
        self._state, self._store, self._notices, self._laboratory = state, store, notices, laboratory
        self._files: tuple[MeasuredFile, ...] = ()
        self._layouts: dict[str, tuple[str, ...]] = {}
        self._arrived: list[MeasuredFile] = []
        self._waiting: Any = None
        self._following = False
        common: dict[str, Any] = {"size": "small", "sizing_mode": "stretch_width"}
        self._file = pmui.Select(label="File", options=[], **common)
        self._away = pmui.Button(
            label="Take away", size="small", variant="outlined", margin=(14, 4), width=100,
            description="Leaves this file out; undo brings it back",
        )  # fmt: skip
        self._away.on_click(lambda _: self._take_away())
        self._columns = pmui.TextInput(
            label="Columns of this file", placeholder="energy=1,i0=2,transmission=3", **common
        )
        self._words = _words("")
        self._alike = pmui.Button(label="", size="small", variant="outlined", margin=(4, 10), visible=False)
        self._alike.on_click(lambda _: self._use_for_alike())
        self._forget = pmui.Button(label="Forget files", size="small", variant="outlined", margin=(4, 10))
        self._forget.on_click(lambda _: self._ask_to_forget())
        self._kept = _words(KEPT)
        self._yes = pmui.Button(label="Forget them", size="small", variant="contained", margin=(4, 10))
        self._no = pmui.Button(label="Keep them", size="small", variant="outlined", margin=(4, 4))
        self._yes.on_click(lambda _: self._forget_them())
        self._no.on_click(lambda _: self._answered(KEPT))
        self._question = pn.Row(self._yes, self._no, margin=0, visible=False)
        self._file.param.watch(lambda _: self._show_file(), "value")
        self._columns.param.watch(lambda _: self._corrected(), "value")
        self.columns = pmui.Column(self._columns, self._words, self._alike, margin=0)
        self.keeping = pmui.Column(self._kept, self._forget, self._question, margin=0)
        self._chosen = pn.Row(self._file, self._away, sizing_mode="stretch_width", margin=0, visible=False)
        self._layout = pmui.Column(
            *fresh_drop_zone(ACCEPTED, self._dropped, multiple=True), self._chosen,
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        state.param.watch(lambda *_: self._follow(), "experiment")
        self._show_file()
        self._follow()

    def __panel__(self) -> pmui.Column:
        return self._layout

    # what is opened

    def _dropped(self, event: Any) -> None:
        """Keeps what has arrived; files that come together are taken over together, as one step."""
        arrived = dict(event.new)
        event.new.clear()  # the widget would hold all of them for as long as the page is there
        for name, content in arrived.items():
            with self._notices.guard():
                data = content if isinstance(content, bytes) else content.encode()
                self._arrived.append(keep(self._store.workspace, name, data))
        document = pn.state.curdoc
        if document is None:
            self._take_arrived()
            return
        if self._waiting is not None:
            document.remove_timeout_callback(self._waiting)
        self._waiting = document.add_timeout_callback(self._take_arrived, GATHER_MS)

    def _take_arrived(self) -> None:
        self._waiting = None
        arrived, self._arrived = self._arrived, []
        every = {file.name: file for file in self._files}
        for file in arrived:
            said = every[file.name].columns if file.name in every else ""
            every[file.name] = replace(file, columns=said)
        self._tell(tuple(every.values()))

    def _take_away(self) -> None:
        self._tell(tuple(file for file in self._files if file.name != self._file.value))

    def _tell(self, files: tuple[MeasuredFile, ...]) -> None:
        with self._notices.guard():
            self._state.experiment = self._experiment().with_files(files).to_json()

    def _experiment(self) -> Experiment:
        return read_experiment(self._state.experiment)[0]

    def _follow(self) -> None:
        """Lists the files that the state has now."""
        files = self._experiment().files
        if files == self._files:
            return
        new = {file.sha256 for file in files} - set(self._layouts)
        self._files, names = files, [file.name for file in files]
        self._chosen.visible = bool(files)
        self._file.label = f"Files opened: {len(files)}"
        chosen = self._file.value if self._file.value in names else next(iter(names), None)
        self._file.param.update(options=names, value=chosen)
        self._show_file()
        if new:
            workspace = self._store.workspace
            self._laboratory.beside(lambda: layouts(workspace, files), self._take_layouts)

    def _take_layouts(self, found: Callable[[], dict[str, tuple[str, ...]]]) -> None:
        with self._notices.guard():
            self._layouts |= found()
            self._show_file()

    # the columns of one

    def _of_choice(self) -> MeasuredFile | None:
        return next((file for file in self._files if file.name == self._file.value), None)

    def _to_change(self) -> list[MeasuredFile]:
        """The files of the same layout as the chosen one whose columns are read otherwise."""
        one = self._of_choice()
        layout = self._layouts.get(one.sha256) if one else None
        if one is None or not layout:
            return []
        return [f for f in self._files if self._layouts.get(f.sha256) == layout and f.columns != one.columns]

    def _show_file(self) -> None:
        one, others = self._of_choice(), self._to_change()
        self._following = True
        try:
            self._columns.param.update(value=one.columns if one else "", disabled=one is None)
        finally:
            self._following = False
        layout = self._layouts.get(one.sha256) if one else None
        words = ""
        if layout:
            more = f" … {len(layout)} in all" if len(layout) > MOST_COLUMNS else ""
            words = f"It has: {', '.join(layout[:MOST_COLUMNS])}{more}."
        elif layout is not None:
            words = NO_COLUMNS
        self._words.object = f"<p>{as_html(words)}</p>" if words else ""
        self._alike.visible = bool(others)
        count = len(others)
        self._alike.label = f"Use for {count} other{'s' if count > 1 else ''} of this layout"

    def _corrected(self) -> None:
        one = self._of_choice()
        if self._following or one is None:
            return
        said = self._columns.value.strip()
        self._tell(tuple(replace(f, columns=said) if f is one else f for f in self._files))

    def _use_for_alike(self) -> None:
        one, others = self._of_choice(), self._to_change()
        if one is not None:
            self._tell(tuple(replace(f, columns=one.columns) if f in others else f for f in self._files))

    # what is kept

    def _unused(self) -> list[tuple[Path, int]]:
        """Kept files, with their bytes, that no open page has opened."""
        workspace = self._store.workspace
        used = {file.sha256 for file in self._files}
        for values in Autosave.of_open_pages(workspace.root):
            used |= {file.sha256 for file in read_experiment(values.get("experiment", {}))[0].files}
        return [(path, size) for path, size in kept_files(workspace) if path.parent.name not in used]

    def _ask_to_forget(self) -> None:
        unused = self._unused()
        if not unused:
            self._answered("Every measured file that is kept here is open on a page: there is nothing to forget.")
            return
        self._answered(f"{_count(unused)} open on no page: {_names(unused)}. {LOST}")
        self._question.visible, self._forget.visible = True, False

    def _forget_them(self) -> None:
        unused = self._unused()
        self._answered(KEPT)
        with self._notices.guard():
            forget([path for path, _ in unused])
            self._notices.show(f"Forgot {_count(unused)}: {_names(unused)}", "success")

    def _answered(self, words: str) -> None:
        self._kept.object = f"<p>{as_html(words)}</p>"
        self._question.visible, self._forget.visible = False, True


def _count(files: list[tuple[Path, int]]) -> str:
    size = size_words(sum(size for _, size in files))
    return f"{len(files)} measured file{'s' if len(files) > 1 else ''} ({size})"


def _names(files: list[tuple[Path, int]]) -> str:
    return named([path.name for path, _ in files])


def _words(text: str) -> pn.pane.HTML:
    return pn.pane.HTML(f"<p>{as_html(text)}</p>" if text else "", stylesheets=[TABLE_STYLE], margin=(2, 10),
                        styles={"overflow-wrap": "anywhere"}, sizing_mode="stretch_width")  # fmt: skip
