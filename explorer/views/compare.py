"""The Compare part: two to six members of any runs side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import panel as pn
import panel_material_ui as pmui

from engine.errors import EngineError
from engine.model.run import Run
from explorer.columns import LETTERS, Answers, Column, RunFacts, read_columns, read_facts
from explorer.jobs import JobStore
from explorer.plots.style import CATEGORICAL
from explorer.runs import read_members
from explorer.state import ExplorerState
from explorer.views.choices import offer
from explorer.views.compare_panels import LatentPanel, OverlapPanel, Panel, ScoresPanel, TrendsPanel
from explorer.views.compare_runs import ChainsPanel, ElementsPanel, SeedsPanel
from explorer.views.compare_tables import STYLE, words_html
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices

NOTHING = (
    "No finished training yet. When one has finished, its seeds can be compared here, and with those of other runs."
)
LEAST = "Choose at least two members: a run and a member above, then Add."
MOST_LETTERS = 46
T = TypeVar("T")


class Examiner(Answers, Protocol):
    """Answers questions about models, and does so beside the page's events; see ``explorer.examine``."""

    def beside(self, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None: ...


class CompareView(pn.viewable.Viewer):
    """Chooses ``state.columns`` and shows what ``examiner`` says of them, or of two that suggest themselves."""

    def __init__(
        self, state: ExplorerState, store: JobStore, notices: Notices, drawing: Drawing, examiner: Examiner
    ) -> None:
        super().__init__()
        self._state, self._library, self._notices = state, store.library, notices
        self._drawing, self._examiner = drawing, examiner
        self._active = False
        self._asked = 0
        self._suggested: list[str] = []
        self._run = pmui.Select(label="Run", options={}, size="small", sizing_mode="stretch_width")
        self._member = pmui.Select(label="Member", options={}, size="small", width=200)
        self._add = pmui.Button(label="Add", variant="contained", size="small", width=90, margin=(10, 10))
        self._add.on_click(lambda _: self._add_column())
        self._chosen = pmui.FlexBox(margin=(0, 6), gap="6px")
        self._notes = pn.pane.HTML("", stylesheets=[STYLE], sizing_mode="stretch_width", margin=(4, 10))
        about: tuple[Any, ...] = (examiner, self._refresh, store.library)
        of_runs: tuple[Any, ...] = (*about, state)
        panels: list[Panel] = [
            TrendsPanel(*about), OverlapPanel(*about), ScoresPanel(*about), LatentPanel(*about),
            SeedsPanel(*of_runs), ElementsPanel(*of_runs), ChainsPanel(*of_runs),
        ]  # fmt: skip
        self._panels = {panel.title: panel for panel in panels}
        self._which = pmui.RadioButtonGroup(
            options=list(self._panels), value=panels[0].title, size="small", margin=(6, 10)
        )
        self._bar = pmui.LinearProgress(value=0, variant="determinate", sizing_mode="stretch_width", margin=(0, 10))
        self._place = pn.Column(sizing_mode="stretch_width", margin=0, min_height=200)
        self._empty = pn.pane.HTML(words_html([NOTHING]), stylesheets=[STYLE], margin=(24, 10))
        self._content = pmui.Column(
            pmui.Row(self._run, self._member, self._add, sizing_mode="stretch_width", margin=(6, 0, 0, 0)),
            self._chosen, self._which, self._bar, self._notes, self._place,
            sizing_mode="stretch_width", margin=0, visible=False,
        )  # fmt: skip
        self._layout = pmui.Column(self._empty, self._content, sizing_mode="stretch_width", margin=0)
        self._run.param.watch(lambda _: self._list_members(), "value")
        self._which.param.watch(lambda _: self._refresh(), "value")
        state.param.watch(lambda _: self._list_runs(), "runs")
        state.param.watch(lambda _: self._refresh(), "columns")
        self._list_runs()

    def __panel__(self) -> pmui.Column:
        return self._layout

    def activate(self) -> None:
        """Called when this part comes into view: only then is anything worked out."""
        self._active = True
        with self._notices.guard():
            self._suggested = self._first_columns()
        self._refresh()

    def _list_runs(self) -> None:
        runs: dict[str, str] = self._state.runs
        self._empty.visible, self._content.visible = not runs, bool(runs)
        if runs:
            value = self._run.value if self._run.value in runs else next(iter(runs))
            offer(self._run, runs, value)
            self._refresh()

    def _list_members(self) -> None:
        run = self._run.value
        if run not in self._state.runs:
            return
        with self._notices.guard():
            members = read_members(Run(self._library.run_path(run)))
            best = next(member.index for member in members if member.selected)
            names = {f"seed {m.seed}{' (selected)' if m.selected else ''}": m.index for m in members}
            self._member.param.update(options=names, value=best)

    def _first_columns(self) -> list[str]:
        """The member that is looked at, and that of a run that it compares with, or another seed, or any other run."""
        runs: dict[str, str] = self._state.runs
        facts = []
        for run, title in runs.items():
            try:
                facts.append(read_facts(self._library, run, title))
            except EngineError:
                continue
        first = next((one for one in facts if one.run == self._state.run), next(iter(facts), None))
        if first is None:
            return []
        index = self._state.member if first.run == self._state.run else first.selected
        own = [f"{first.run}/{other}" for other in (first.worst, *range(len(first.members))) if other != index]
        same = [f"{one.run}/{one.selected}" for one in facts if _same_set(one, first)]
        rest = [f"{one.run}/{one.selected}" for one in facts if one.run != first.run]
        return [f"{first.run}/{index}", *[*same, *own, *rest][:1]]

    def _add_column(self) -> None:
        key = f"{self._run.value}/{self._member.value}"
        with self._notices.guard():
            there, _ = self._columns()
            if key in [column.key for column in there]:
                self._notices.show("This member is among the chosen ones already.", "info")
            elif len(there) == len(LETTERS):
                self._notices.show(f"{len(LETTERS)} members are the most that fit; take one away first.", "info")
            else:
                self._state.columns = [*[column.key for column in there], key]

    def _remove(self, key: str) -> None:
        self._state.columns = [column.key for column in self._columns()[0] if column.key != key]

    def _columns(self) -> tuple[list[Column], list[str]]:
        return read_columns(self._library, self._state.runs, self._state.columns or self._suggested)

    def _refresh(self) -> None:
        """Asks the panel in view about the columns, when the page can be changed: what it shows then comes in order."""
        if self._active and self._state.runs:
            self._drawing.change("compare", self._ask)

    def _ask(self) -> None:
        columns, notes = self._columns()
        self._chosen.objects = [self._chip(column) for column in columns]
        panel = self._panels[self._which.value]
        self._asked += 1
        asked = self._asked
        if len(columns) < 2 or self._place.objects != [panel.layout]:
            self._place.objects = []
        self._works(len(columns) > 1)
        self._notes.object = words_html(notes if len(columns) > 1 else [*notes, LEAST])
        if len(columns) > 1:
            question = panel.question(columns)

            def take(result: Callable[[], Any]) -> None:
                if asked == self._asked:  # answers may come in another order than their questions
                    self._drawing.change("compare answer", lambda: self._show(asked, panel, result))

            self._examiner.beside(lambda: question() if asked == self._asked else None, take)

    def _show(self, asked: int, panel: Panel, result: Callable[[], Any]) -> None:
        """Shows an answer, unless a newer question has been asked."""
        if asked != self._asked:
            return
        self._works(False)
        panel.answer(result())
        if self._place.objects != [panel.layout]:
            self._place.objects = [panel.layout]

    def _works(self, busy: bool) -> None:
        """Whether something is being worked out; what is shown stays until then."""
        self._bar.variant = "indeterminate" if busy else "determinate"

    def _chip(self, column: Column) -> pmui.Button:
        """One chosen member, which a click takes away."""
        place = LETTERS.index(column.letter)
        chip = pmui.Button(
            label=f"{column.letter} · {_short(column.facts.title)} · seed {column.member.seed}  ✕",
            variant="outlined", size="small", margin=2,
            sx={"borderLeft": f"6px solid {CATEGORICAL[place]}", "textTransform": "none"},
        )  # fmt: skip
        chip.on_click(lambda _: self._remove(column.key))
        return chip


def _short(title: str) -> str:
    """A title, cut to 46 characters."""
    return title if len(title) <= MOST_LETTERS else f"{title[: MOST_LETTERS - 1]}…"


def _same_set(one: RunFacts, first: RunFacts) -> bool:
    """Whether another run's scores compare with those of the first one."""
    return one.run != first.run and one.footing.compares_with(first.footing)
