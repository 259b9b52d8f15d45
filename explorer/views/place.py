"""Where the session is, in the header: the open set, the model that is looked at and its member, each a choice."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from engine.model.run import Run
from explorer.jobs import JobStore
from explorer.runs import read_members
from explorer.state import ExplorerState
from explorer.views.choices import offer
from explorer.views.notices import Notices

ON_BAR = """
.MuiInputBase-root, .MuiSvgIcon-root {color: #fff !important; font-size: 13px !important}
.MuiSvgIcon-root {font-size: 20px !important}
.MuiSelect-select {padding-top: 7px !important; padding-bottom: 7px !important}
.MuiInputLabel-root {color: rgba(255, 255, 255, 0.85) !important; font-size: 13px !important}
.MuiOutlinedInput-notchedOutline {border-color: rgba(255, 255, 255, 0.45) !important; font-size: 13px !important}
"""
NO_MEMBER: dict[str, Any] = {"options": {"none": -1}, "value": -1}


class PlaceView(pn.viewable.Viewer):
    """Chooses ``state.dataset``, ``state.run`` and ``state.member``, and follows them."""

    def __init__(self, state: ExplorerState, store: JobStore, notices: Notices) -> None:
        super().__init__()
        self._state, self._store, self._notices = state, store, notices
        common: dict[str, Any] = {"size": "small", "options": {}, "stylesheets": [ON_BAR], "margin": (6, 4, 0, 4)}
        self._set = pmui.Select(label="Set", width=180, **common)
        self._run = pmui.Select(label="Model", width=250, **common)
        self._member = pmui.Select(label="Member", width=150, **common | NO_MEMBER)
        self._layout = pmui.Row(self._set, self._run, self._member, margin=(0, 0, 0, 16), css_classes=["place"])
        self._quiet = False
        self._members_of: str | None = None
        self._set.param.watch(self._set_chosen, "value")
        self._run.param.watch(self._run_chosen, "value")
        self._member.param.watch(self._member_chosen, "value")
        state.param.watch(self._follow, ["sets", "runs", "dataset", "run", "member"])
        self._follow()

    def __panel__(self) -> pmui.Row:
        return self._layout

    def choose(self, run: str) -> None:
        """Takes the model ``run``, which must be one of ``state.runs``, and its selected member."""
        with self._notices.guard():
            members = read_members(Run(self._store.library.run_path(run)))
            self._state.param.update(run=run, member=next(m.index for m in members if m.selected))

    def _follow(self, *_: Any) -> None:
        """Shows what the state says; takes the first model where none is chosen."""
        state = self._state
        if state.runs and state.run not in state.runs:
            self.choose(next(iter(state.runs)))
            return
        self._quiet = True
        try:
            _show(self._set, state.sets, state.dataset)
            _show(self._run, state.runs, state.run)
            with self._notices.guard():
                self._list_members()
        finally:
            self._quiet = False

    def _list_members(self) -> None:
        run, member = self._state.run, self._state.member
        if run != self._members_of:
            members = read_members(Run(self._store.library.run_path(run))) if run else []
            names = {f"seed {m.seed}{' (selected)' if m.selected else ''}": m.index for m in members}
            self._members_of = run
            if names:
                self._member.param.update(options=names, value=member if member < len(members) else None)
            else:
                self._member.param.update(**NO_MEMBER)
        elif run and self._member.value != member:
            self._member.value = member

    def _set_chosen(self, event: Any) -> None:
        if not self._quiet and event.new in self._state.sets:
            self._state.dataset = event.new

    def _run_chosen(self, event: Any) -> None:
        if not self._quiet and event.new in self._state.runs:
            self.choose(event.new)

    def _member_chosen(self, event: Any) -> None:
        if not self._quiet and event.new is not None and event.new >= 0:
            self._state.member = event.new


def _show(choice: pmui.Select, titles: dict[str, str], value: str) -> None:
    """Offers ``titles`` and shows the one that is chosen; the first entry says that there is none."""
    known = value if value in titles else ""
    offer(choice, titles if known else {"": "none", **titles}, known)
