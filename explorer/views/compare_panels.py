"""What the Compare part shows of the chosen members: trends, differentials, scores, test sites.

A panel states on the page's events a ``question``: a function that is called beside them, figures and all, and whose
result ``answer`` puts on the page when that can be changed. Figures that come and go are put into Panel's own rows and
columns, and all at once: the rows and columns of Material UI measure figures that are not laid out yet, and lose them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui
from bokeh.plotting import figure

from engine.analysis.comparison import PlacedSites, Trends, compare_scores, overlap_between, same_grid
from engine.analysis.traversal import cosine_overlap
from engine.spectra import SPECTRAL_DESCRIPTORS
from explorer.columns import Answers, Column, axis_names, differences_told, gather, provenance, with_provenance
from explorer.library import Library
from explorer.messages import tidy
from explorer.plots import compare as plots
from explorer.views.compare_tables import STYLE, score_table_html, words_html

Trended = list[tuple[Column, Trends]]
LEVEL_WORDS = (
    "Mean decoded spectra from the 5th (blue) over the middle (grey) to the 95th percentile (orange) of each axis over "
    "the test part: 20 levels, 300 Gaussian draws of the other axes, the same at all levels."
)
COLUMN_WIDTH, WIDE = 170, 320


@dataclass(frozen=True, eq=False)
class Figures:
    """Figures in rows, those that stretch at least ``width`` wide."""

    rows: plots.Grid
    width: int


@dataclass(frozen=True, eq=False)
class Content:
    """What a panel shows: lines of words, figures and tables (as HTML) below each other, the table to download."""

    lines: Sequence[str]
    parts: Sequence[Figures | str] = ()
    table: pd.DataFrame | None = None


Question = Callable[[], Any]


class Panel:
    """Words, a place for figures, and a table to download."""

    title = ""

    def __init__(self, answers: Answers, refresh: Callable[[], None], library: Library, *widgets: Any) -> None:
        """``refresh`` asks the panel anew; it is called when one of its ``widgets`` changes."""
        self._answers, self._refresh, self._library = answers, refresh, library
        self._table: pd.DataFrame | None = None
        self._csv = pmui.FileDownload(
            label="CSV", callback=self._download, filename=f"{self.title.lower()}.csv", width=110, margin=(6, 10),
            description="The numbers with run, seed and hash of the training set in every row", visible=False,
        )  # fmt: skip
        self._csv.variant = "outlined"
        self._place = pn.Column(sizing_mode="stretch_width", margin=0)
        self.layout = pn.Column(
            pn.Row(*widgets, self._csv, margin=0), self._place, sizing_mode="stretch_width", margin=0
        )

    def question(self, columns: list[Column]) -> Question:
        """What is to be worked out about the columns, at least two."""
        raise NotImplementedError

    def answer(self, found: Any) -> None:
        """Shows what the question gave: Content, where a panel does not say otherwise."""
        self.show(found)

    def show(self, content: Content) -> None:
        """Puts the content into the place of that before."""
        text = words_html([tidy(line, *self._library.roots) for line in content.lines])
        parts = [_html(part) if isinstance(part, str) else grid(part.rows, part.width) for part in content.parts]
        self._place.objects = [pn.Column(_html(text), *parts, sizing_mode="stretch_width", margin=0)]
        self._table, self._csv.visible = content.table, content.table is not None

    def _download(self) -> io.StringIO | None:
        return None if self._table is None else io.StringIO(self._table.to_csv(index=False, float_format="%.8g"))


def _html(text: str) -> pn.pane.HTML:
    return pn.pane.HTML(text, stylesheets=[STYLE], sizing_mode="stretch_width", margin=(4, 10, 8, 10))


def grid(rows: plots.Grid, width: int) -> pn.Column:
    """Rows of figures, those that stretch at least ``width`` wide.

    Where a row is too wide it scrolls within the page; figures of fixed size go to a new line.
    """
    most = max(map(len, rows))
    lines = []
    for row in rows:
        panes: list[Any] = [_pane(one, width) for one in row]
        if any(one.sizing_mode for one in row):
            panes += [pn.Spacer(sizing_mode="stretch_width", min_width=width) for _ in range(most - len(row))]
            least = width * most
            lines.append(pn.Row(*panes, sizing_mode="stretch_width", min_width=least, margin=0))
        else:
            lines.append(pn.Row(*panes, styles={"flex-wrap": "wrap"}, margin=0))
    return pn.Column(*lines, sizing_mode="stretch_width", margin=(0, 10, 8, 0), styles={"overflow-x": "auto"})


def _pane(drawing: figure, width: int) -> pn.pane.Bokeh:
    if drawing.sizing_mode:
        return pn.pane.Bokeh(drawing, sizing_mode="stretch_width", min_width=width, margin=0)
    return pn.pane.Bokeh(drawing, width=drawing.width, margin=0)


def ask_trends(answers: Answers, columns: Sequence[Column]) -> tuple[Trended, list[str]]:
    """The trends of the columns that have some, and a line for each other one."""
    return gather(columns, answers.trends, lambda column: column.name)


def trend_table(found: Trended) -> pd.DataFrame:
    """Every traversal as rows of energies, one column per level, with provenance."""
    parts = []
    for column, trends in found:
        for axis, traversal in trends.traversals.items():
            levels = {f"mu_level_{i + 1}": mu for i, mu in enumerate(traversal.mu)}
            part = pd.DataFrame({"energy_ev": traversal.energy_ev, "differential": traversal.differential, **levels})
            part.insert(0, "level_high", traversal.level[-1])
            part.insert(0, "level_low", traversal.level[0])
            part.insert(0, "axis", axis)
            parts.append(with_provenance(column, part))
    return pd.concat(parts, ignore_index=True)


class TrendsPanel(Panel):
    """Traversals as small multiples."""

    title = "Traversals"

    def question(self, columns: list[Column]) -> Question:
        def ask() -> Content:
            found, notes = ask_trends(self._answers, columns)
            if not found:
                return Content(notes)
            drawn = plots.trend_grid(found, axis_names([column for column, _ in found]))
            return Content([LEVEL_WORDS, *notes], [Figures(drawn, COLUMN_WIDTH)], trend_table(found))

        return ask


class OverlapPanel(Panel):
    """Differential spectra per axis over each other, and how far they overlap between members and within each."""

    title = "Differentials"

    def question(self, columns: list[Column]) -> Question:
        def ask() -> Content:
            found, notes = ask_trends(self._answers, columns)
            if not found:
                return Content(notes)
            parts = [Figures([row], WIDE) for row in overlap_rows(found)]
            return Content([*overlap_words(found), *notes], parts, overlap_table(found))

        return ask


def overlap_rows(found: Trended) -> plots.Grid:
    """Per axis the differentials and their overlaps, in the end the overlaps within each member."""
    columns = [column for column, _ in found]
    own_edge = len({column.facts.element for column in columns}) > 1
    rows = []
    for axis in axis_names(columns):
        there = [(c, t) for c, t in found if axis in t.traversals]
        row = [plots.differential_figure(found, axis, own_edge=own_edge)]
        if len(there) > 1:
            overlap = overlap_between([t.traversals[axis] for _, t in there])
            row.append(plots.overlap_figure(f"{axis}: cosine overlap", [c.letter for c, _ in there], overlap, 230))
        rows.append(row)
    within = [plots.overlap_figure(f"{c.name}: between axes", list(t.traversals), _within(t), 300) for c, t in found]
    return [*rows, within]


def _within(trends: Trends) -> Any:
    return cosine_overlap(np.stack([traversal.differential for traversal in trends.traversals.values()]))


def overlap_words(found: Trended) -> list[str]:
    """What the overlaps mean, and between which members there is none and why."""
    lines = [
        "Differential: spectrum at the 95th minus spectrum at the 5th percentile of an axis. Overlap: cosine of the "
        "angle between two of them, 1 for the same shape. A free axis has no direction of its own: its sign is chance."
    ]
    others = [c.letter for c, t in found if not same_grid(t.energy_ev, found[0][1].energy_ev)]
    if others:
        lines.append(
            f"{', '.join(others)}: other energies than {found[0][0].letter}. Nothing is interpolated, so overlap is "
            "given only between members with the same energies."
        )
    if len({column.facts.element for column, _ in found}) > 1:
        lines.append(edge_words(found))
    return lines


def edge_words(found: Trended) -> str:
    """Where each member's energies begin to count."""
    edges = [f"{c.letter} {t.edge_ev:.1f} eV ({t.edge_rule})" for c, t in found]
    return f"E₀ is the edge of each model's own spectrum at the origin of its latent space: {', '.join(edges)}."


def overlap_table(found: Trended) -> pd.DataFrame:
    """Every overlap between two members along one axis, and between two axes of one member, with provenance of both."""
    rows: list[dict[str, Any]] = []
    for axis in axis_names([column for column, _ in found]):
        there = [(c, t) for c, t in found if axis in t.traversals]
        overlap = overlap_between([t.traversals[axis] for _, t in there])
        rows += [
            _overlap_row(there[i][0], axis, there[j][0], axis, overlap[i, j])
            for i in range(len(there))
            for j in range(i + 1, len(there))
        ]
    for column, trends in found:
        names, overlap = list(trends.traversals), _within(trends)
        rows += [
            _overlap_row(column, names[i], column, names[j], overlap[i, j])
            for i in range(len(names))
            for j in range(i + 1, len(names))
        ]
    return pd.DataFrame(rows)


def _overlap_row(first: Column, axis: str, second: Column, other: str, overlap: float) -> dict[str, Any]:
    beside = {f"other_{name}": value for name, value in provenance(second).items()}
    return {**provenance(first), "axis": axis, **beside, "other_axis": other, "cosine_overlap": overlap}


class ScoresPanel(Panel):
    """The score tables of the members, each beside the first."""

    title = "Scores"

    def question(self, columns: list[Column]) -> Question:
        def ask() -> Content:
            table = compare_scores([column.member.scores for column in columns])
            lines = [
                "Scores on the test part. Behind each score its difference to A: ▲ better, ▼ worse, = the same. RMSE "
                "and MAE in units of the edge step; the correlation of a free axis with the others is best at 0.",
                *differences_told(columns),
            ]
            return Content(lines, [score_table_html(columns, table)], score_csv(columns, table))

        return ask


def score_csv(columns: Sequence[Column], table: pd.DataFrame) -> pd.DataFrame:
    """The table with provenance in place of the member's number."""
    parts = [
        with_provenance(column, table[table["member"] == place].drop(columns="member").reset_index(drop=True))
        for place, column in enumerate(columns)
    ]
    return pd.concat(parts, ignore_index=True)


class LatentPanel(Panel):
    """Latent values of the test sites against a descriptor, coloured by a spectral descriptor."""

    title = "Latent"

    def __init__(self, answers: Answers, refresh: Callable[[], None], library: Library) -> None:
        self._descriptor = pmui.Select(label="Descriptor", options=[], size="small", width=200)
        self._feature = pmui.Select(
            label="Colour", options=list(SPECTRAL_DESCRIPTORS), value="E_edge", size="small", width=160
        )
        super().__init__(answers, refresh, library, self._descriptor, self._feature)
        for widget in (self._descriptor, self._feature):
            widget.param.watch(lambda _: self._refresh(), "value")

    def question(self, columns: list[Column]) -> Question:
        offer_names(self._descriptor, list(dict.fromkeys(n for c in columns for n in c.facts.config.descriptors)))
        descriptor, feature = self._descriptor.value or "", self._feature.value

        def ask() -> Content:
            there = [column for column in columns if descriptor in column.facts.config.descriptors]
            notes = [f"{c.letter} has no axis {descriptor}." for c in columns if c not in there]
            placed, missing = gather(there, self._answers.sites, lambda column: column.name)
            notes += missing
            if not placed:
                return Content(notes if there else ["None of the members has an axis that follows a descriptor."])
            lines = ["Sites of the test part alone, encoded. Grey: the spectrum has no such feature.", *notes]
            if any(descriptor in sites.classes for _, sites in placed):
                lines[0] += " Boxes: the middle half of a class and its median; whiskers: 5th and 95th percentile."
            drawn = plots.latent_grid(placed, descriptor, unit_of(descriptor), feature)
            return Content(lines, [Figures(drawn, WIDE)], site_table(placed, descriptor))

        return ask


def site_table(placed: Sequence[tuple[Column, PlacedSites]], descriptor: str) -> pd.DataFrame:
    """The points that are drawn, with all spectral descriptors and provenance."""
    parts = []
    for column, sites in placed:
        part = pd.DataFrame({"site_id": sites.site_id, "axis": descriptor, "descriptor": sites.descriptors[descriptor]})
        part["latent"] = sites.latent[descriptor]
        parts.append(with_provenance(column, pd.concat([part, sites.features], axis=1)))
    return pd.concat(parts, ignore_index=True)


def unit_of(descriptor: str) -> str:
    """The unit that the catalogue gives; "" for none and for a user's column."""
    from engine.structures import CATALOGUE

    return CATALOGUE[descriptor].unit if descriptor in CATALOGUE else ""


def offer_names(choice: pmui.Select, names: list[str]) -> None:
    """Puts names into a choice; what was chosen stays where it can."""
    if names != choice.options:
        value = choice.value if choice.value in names else next(iter(names), None)
        choice.param.update(options=names, value=value)
