"""What every axis of the member does to the spectrum: traversals, differentials, their overlap, amplitude and noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
import panel as pn
import panel_material_ui as pmui

from engine.analysis.comparison import Trends
from engine.analysis.differentials import Differentials, differentials_of
from engine.analysis.stability import Stability
from engine.errors import RunError
from explorer.columns import Column, read_columns
from explorer.components.member import Axis, Member
from explorer.library import Library
from explorer.plots import compare
from explorer.plots import trends as plots
from explorer.state import ExplorerState
from explorer.views.compare_panels import LEVEL_WORDS, grid
from explorer.views.compare_tables import STYLE, number, table_html, words_html
from explorer.views.drawing import Drawing
from explorer.views.nearest import heading
from explorer.views.notices import Notices

T = TypeVar("T")
MEMBERS = "Agreement of the members"
COMPARING = "Working out the trends of all members …"
AGREEMENT_WORDS = (
    "Purple: the middle 90 % of the members' differentials; points: energies at which spectra do not change along the "
    "axis in at least half of the members. Cosine: of the angle between the differentials of two members, 1 for the "
    "same shape; free axes of the others are put in the order and direction of this member's."
)
ONE_MEMBER = "This model has one member, so there is nothing that could agree with it."
CARD_WIDTH, MATRIX_SIZE = 300, 380
WORKING = "Working out what each axis does …"
BELOW_WORDS = (
    "Below each: its differential, highest less lowest level; the grey band is the noise level to both sides of 0."
)


class Examiner(Protocol):
    """Answers questions about models beside the page's events, and keeps the answers; see ``explorer.examine``."""

    def trends(self, column: Column) -> Trends: ...
    def stability(self, column: Column) -> Mapping[str, Stability]: ...
    def beside(self, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None: ...


class TrendsView(pn.viewable.Viewer):
    """Shows the trends of a member that is opened."""

    def __init__(
        self, state: ExplorerState, library: Library, notices: Notices, drawing: Drawing, examiner: Examiner
    ) -> None:
        super().__init__()
        self._state, self._library, self._notices = state, library, notices
        self._drawing, self._examiner = drawing, examiner
        self._asked = 0
        self.found: Differentials | None = None
        self._agreement: dict[str, plots.Agreement] = {}
        self._members = pmui.Checkbox(label=MEMBERS, value=False, size="small", margin=(0, 10))
        self._members.param.watch(lambda _: self._ask_members(), "value")
        self._agreed = pn.pane.HTML("", stylesheets=[STYLE], sizing_mode="stretch_width", margin=(4, 10))
        self._words = pn.pane.HTML("", stylesheets=[STYLE], sizing_mode="stretch_width", margin=(2, 10))
        self._place = pn.Column(sizing_mode="stretch_width", margin=0, min_height=200)
        self._layout = pn.Column(
            pn.FlexBox(heading("Trends along the axes"), self._members, align_items="center", margin=0),
            self._words,
            self._place,
            sizing_mode="stretch_width",
            margin=(10, 0, 0, 0),
        )

    def __panel__(self) -> pn.Column:
        return self._layout

    def open(self, member: Member) -> None:
        """Works out the trends of ``member``, the one that the state names, and shows them unless another comes."""
        self._asked += 1
        asked, column = self._asked, self._column()
        self._words.object, self._place.loading = words_html([WORKING]), True
        self._agreement = {}

        def work() -> Trends:
            return self._examiner.trends(column())

        def take(result: Callable[[], Trends]) -> None:
            if asked == self._asked:
                self._drawing.change("trends", lambda: self._draw(member, result))

        # What comes beside a page's events reaches it only once a browser has connected.
        pn.state.onload(lambda: self._examiner.beside(work, take))

    def _column(self) -> Callable[[], Column]:
        """Reads the member that the state names now; RunError when it is gone."""
        runs, key = dict(self._state.runs), f"{self._state.run}/{self._state.member}"

        def read() -> Column:
            columns, notes = read_columns(self._library, runs, [key])
            if not columns:
                raise RunError(notes[0])
            return columns[0]

        return read

    def _ask_members(self) -> None:
        """Works out how far the members agree with the one in view, where that is asked for."""
        if not self._agreement:
            return
        if not self._members.value:
            self._drawing.change("agreement", lambda: self._draw_agreement({}))
            return
        asked, column = self._asked, self._column()
        self._agreed.object = words_html([COMPARING])

        def take(result: Callable[[], Mapping[str, Stability]]) -> None:
            if asked == self._asked and self._members.value:
                self._drawing.change("agreement", lambda: self._draw_agreement(result()))

        self._examiner.beside(lambda: self._examiner.stability(column()), take)

    def _draw_agreement(self, found: Mapping[str, Stability]) -> None:
        """Bands, points and the table of cosines; none of them where nothing is found."""
        self._agreed.object = ""
        for axis, sources in self._agreement.items():
            sources.band.data = plots.band_data(found[axis]) if axis in found else plots.NO_BAND
            sources.points.data = plots.point_data(found[axis]) if axis in found else plots.NO_POINTS
        if found:
            self._agreed.object = agreement_html(found)

    def _draw(self, member: Member, result: Callable[[], Trends]) -> None:
        self._words.object, self._place.objects, self._place.loading = "", [], False
        traversals = result().traversals
        self.found = differentials_of(traversals, member.info.scores.get("reconstruction_rmse", np.nan))
        axes = member.axes
        size = max(MATRIX_SIZE, 46 * len(axes) + 60)
        self._agreement, self._agreed.object = {axis.name: plots.no_agreement() for axis in axes}, ""
        matrix = compare.overlap_figure(
            "Cosine overlap of the differentials", [axis.symbol for axis in axes], self.found.overlap, size
        )
        bars = plots.amplitude_figure(axes, self.found, size)
        self._words.object = words_html([LEVEL_WORDS, BELOW_WORDS])
        verdict = pn.pane.HTML(
            words_html(noise_words(axes, self.found)), stylesheets=[STYLE], sizing_mode="stretch_width", margin=(4, 10)
        )
        self._place.objects = [
            grid(plots.trend_cards(axes, traversals, self.found, self._agreement), CARD_WIDTH),
            self._agreed,
            verdict,
            pn.Row(
                pn.pane.Bokeh(matrix, width=size, margin=0),
                pn.pane.Bokeh(bars, sizing_mode="stretch_width", min_width=300, margin=0),
                sizing_mode="stretch_width",
                margin=(0, 10),
            ),
        ]
        if self._members.value:  # sources of figures that are on their way to the browser are left alone
            self._ask_members()


def agreement_html(found: Mapping[str, Stability]) -> str:
    """Per axis the cosines between members and the isosbestic points, as a table, and what they mean."""
    members = len(next(iter(found.values())).cosine)
    if members < 2:
        return words_html([ONE_MEMBER])
    rows = []
    for axis, one in found.items():
        mean, least = one.agreement
        points = [f"{p.energy_ev:.1f} ± {p.spread_ev:.1f} eV ({100 * p.confidence:.0f} %)" for p in one.isosbestic]
        rows.append([axis, ", ".join(points) or "–", number(mean), number(least)])
    head = ["Axis", "Spectra cross at (share of the members)", f"Cosine between {members} members, mean", "least"]
    return table_html(head, rows, words=2) + words_html([AGREEMENT_WORDS])


def noise_words(axes: Sequence[Axis], found: Differentials) -> list[str]:
    """What the amplitude of each free axis says when it is held against the noise level."""
    free = [axis.name for axis in axes if axis.free]
    if not free:
        return ["This model has no free axis: what its descriptors do not explain is lost."]
    if not np.isfinite(found.noise_level):
        return ["The run does not tell how well this member reconstructs spectra, so no noise level is known."]
    lines = [
        f"Noise level {found.noise_level:.3f}: by this much (rms over the energies) two decoded spectra differ through "
        "the model's own errors alone, √2 times its reconstruction RMSE on the test part."
    ]
    for name in free:
        size = float(found.amplitude[found.axes.index(name)])
        times = size / found.noise_level
        verdict = (
            "it still holds something that the descriptors leave out; look at its differential"
            if times > 1
            else "what it still holds cannot be told from the model's errors"
        )
        lines.append(f"{name}: amplitude {size:.3f}, {times:.1f} times the noise level, so {verdict}.")
    return lines
