"""The Descriptors part: the catalogue, the set that a training takes, and what can be known of it before training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource

from engine.analysis.ceiling import Ceiling
from engine.analysis.descriptor_correlation import (
    PAPER_SETS,
    DescriptorCorrelation,
    descriptor_correlation,
    suggest_descriptors,
)
from engine.errors import DataError
from engine.io.ceiling_file import read_ceilings
from engine.spectra import SpectraSet, set_hash
from explorer.components.descriptor_table import DescriptorTable, descriptor_rows
from explorer.jobs import JobStore
from explorer.messages import as_html
from explorer.plots import descriptors as plots
from explorer.state import ExplorerState
from explorer.views.drawing import Drawing
from explorer.views.dropping import fresh_drop_zone
from explorer.views.next_descriptor import NextDescriptorView
from explorer.views.notices import Notices
from explorer.views.style import TABLE_STYLE

CORRELATION_HEIGHT, CEILING_HEIGHT = plots.heights(0)
NO_CEILINGS = "How well could any model know a descriptor from spectra? Not computed for this set yet."
CEILING_WORDS = (
    "Dashed: 19 in 20 unrelated columns stay below. A latent axis is not expected to pass its descriptor's bar."
)
CSV_HINT = "CSV with site_id (or MPID and SITE) and columns of numbers: makes a new set"
CATALOGUE_PAGE, NEXT_PAGE = "Catalogue and set", "Next descriptor to try"
PRESETS = {"initial": "Paper: initial (Fig. 6b)", "final": "Paper: final (Fig. 6c)"}


@dataclass(frozen=True, eq=False)
class _Known:
    """What the page says of the descriptors of a set."""

    set_hash: str
    rows: list[dict[str, object]]
    correlation: DescriptorCorrelation


def _examine(spectra: SpectraSet) -> _Known:
    """Rows and correlation of a set, the random control among them; takes a second or so."""
    from engine.structures import with_noise

    known = spectra.descriptors.dropna(axis="columns", how="all")
    table = with_noise(known, spectra.site_id.tolist())
    return _Known(set_hash(spectra), descriptor_rows(spectra.descriptors), descriptor_correlation(table))


class DescriptorsView(pn.viewable.Viewer):
    """Chooses ``state.descriptors`` among those of ``state.spectra``."""

    def __init__(
        self,
        state: ExplorerState,
        store: JobStore,
        notices: Notices,
        drawing: Drawing,
        compare: Callable[[str, str], None],
        begun: dict[str, str],
    ) -> None:
        """``compare`` and ``begun`` as of NextDescriptorView."""
        super().__init__()
        self._state, self._store, self._notices, self._drawing = state, store, notices, drawing
        self._active = False
        self._examined: SpectraSet | None = None
        self._known: _Known | None = None
        self._ceilings: dict[str, Ceiling] = {}
        self.table = DescriptorTable(sizing_mode="stretch_width", margin=0)
        self._cells, self._bars = ColumnDataSource(plots.NO_CELLS), ColumnDataSource(plots.NO_BARS)
        self._correlation = plots.correlation_figure(self._cells, CORRELATION_HEIGHT)
        self._ceiling = plots.ceiling_figure(self._bars, CEILING_HEIGHT)
        self.next = NextDescriptorView(state, store, notices, drawing, compare, begun)
        self._page = pmui.RadioButtonGroup(
            options=[CATALOGUE_PAGE, NEXT_PAGE], value=CATALOGUE_PAGE, size="small", margin=(8, 10, 0, 10),
            sx={"& .MuiToggleButton-root": {"whiteSpace": "nowrap"}},
        )  # fmt: skip
        catalogue = pn.FlexBox(self._left(), self._right(), sizing_mode="stretch_width", gap="16px", margin=(8, 10))
        self._place = pn.Column(catalogue, sizing_mode="stretch_width", margin=0)
        pages = {CATALOGUE_PAGE: catalogue, NEXT_PAGE: self.next}
        self._page.param.watch(lambda event: self._place.param.update(objects=[pages[event.new]]), "value")
        self._layout = pn.Column(self._page, self._place, sizing_mode="stretch_width", margin=0)
        self.table.param.watch(self._chosen, "chosen")
        state.param.watch(lambda _: self._renew(), "spectra")
        state.param.watch(lambda _: self._show_chosen(), "descriptors")
        state.param.watch(lambda _: self._follow(), "jobs")

    def __panel__(self) -> pn.Column:
        return self._layout

    def activate(self) -> None:
        """Called when this part comes into view: only then is the set examined."""
        self._active = True
        self._renew()

    def _left(self) -> pmui.Column:
        small: dict[str, Any] = {"variant": "outlined", "size": "small", "margin": (0, 8, 8, 0)}
        presets = [pmui.Button(label=label, **small) for label in PRESETS.values()]
        for button, which in zip(presets, PRESETS, strict=True):
            button.on_click(lambda _, which=which: self._take_preset(which))
        suggest, clear = pmui.Button(label="Suggest", **small), pmui.Button(label="Clear", **small)
        suggest.on_click(lambda _: self._suggest())
        clear.on_click(lambda _: self._state.param.update(descriptors=[]))
        self._expression = pmui.TextInput(
            label="Own descriptor from others", placeholder="RATIO=OS/CN", size="small", sizing_mode="stretch_width"
        )
        make = pmui.Button(label="Make a new set", variant="outlined", size="small", margin=(10, 10), width=140)
        make.on_click(lambda _: self._add_expression())
        self._drop = pmui.Column(sizing_mode="stretch_width", margin=0)
        self._renew_drop()
        return pmui.Column(
            pn.FlexBox(*presets, suggest, clear, sizing_mode="stretch_width", margin=0),
            self.table,
            pmui.Row(self._expression, make, sizing_mode="stretch_width", margin=(8, 0, 0, 0)),
            self._drop,
            styles={"flex": "1 1 520px", "min-width": "0"},
            sizing_mode="stretch_width",
            margin=0,
        )

    def _right(self) -> pmui.Column:
        self._compute = pmui.Button(label="Compute ceilings", variant="outlined", size="small")
        self._compute.on_click(lambda _: self._start())
        self._stop = pmui.Button(label="Cancel", color="error", variant="outlined", size="small", visible=False)
        self._stop.on_click(lambda _: self._cancel())
        self._words = pn.pane.HTML("", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", margin=(8, 10))
        self._bar = pmui.LinearProgress(value=0, variant="determinate", sizing_mode="stretch_width", visible=False)
        self._ceiling_pane = pn.pane.Bokeh(self._ceiling, sizing_mode="stretch_width", height=CEILING_HEIGHT, margin=0)
        self._bars_pane = pmui.Column(self._ceiling_pane, sizing_mode="stretch_width", margin=0, visible=False)
        self._correlation_pane = pn.pane.Bokeh(
            self._correlation, sizing_mode="stretch_width", height=CORRELATION_HEIGHT, margin=0
        )
        return pmui.Column(
            self._correlation_pane,
            pmui.Row(self._compute, self._stop, self._words, sizing_mode="stretch_width", margin=(8, 0, 0, 0)),
            self._bar,
            self._bars_pane,
            styles={"flex": "1 1 440px", "min-width": "0"},
            sizing_mode="stretch_width",
            margin=0,
        )

    def _renew(self) -> None:
        """Examines the open set, once this part is in view."""
        spectra: SpectraSet | None = self._state.spectra
        if spectra is None:
            self._known = self._examined = None
            self._drawing.change("descriptors", self._draw)
        elif self._active and spectra is not self._examined:
            self._examined = spectra
            self._drawing.prepare("descriptors", lambda: _examine(spectra), self._take)

    def _take(self, known: _Known) -> None:
        if self._examined is None:
            return
        self._known = known
        self._drawing.change("descriptors", self._draw)
        self._ceilings = {}
        self._follow()

    def _draw(self) -> None:
        """Rows and correlation of what is known now: one set may be closed and the next examined within one turn."""
        self.table.param.update(rows=self._known.rows if self._known else [], chosen=list(self._state.descriptors))
        if self._known is not None:
            heights = plots.heights(len(self._known.correlation.names))
            for pane, drawing, height in zip(
                (self._correlation_pane, self._ceiling_pane), (self._correlation, self._ceiling), heights, strict=True
            ):
                pane.height = drawing.height = height
            plots.fit_correlation(self._correlation, self._known.correlation.names)
            self._cells.data = plots.correlation_data(self._known.correlation)

    def _chosen(self, event: Any) -> None:
        """A click in the table; names that are not text cannot come from it."""
        if self._known is not None and list(event.new) != self._state.descriptors:
            there = {row["name"] for row in self._known.rows if row["here"]}
            self._state.descriptors = [name for name in dict.fromkeys(event.new) if name in there]

    def _show_chosen(self) -> None:
        self.table.chosen = list(self._state.descriptors)
        self._drawing.change("ceilings", self._draw_ceilings)

    def _take_preset(self, which: str) -> None:
        if self._known is None:
            return
        there = {row["name"] for row in self._known.rows if row["here"]}
        missing = [name for name in PAPER_SETS[which] if name not in there]
        self._state.descriptors = [name for name in PAPER_SETS[which] if name in there]
        if missing:
            self._notices.show(f"The set does not hold {', '.join(missing)}; the others were taken.", "warning")

    def _suggest(self) -> None:
        """The best by ceiling where it is known, none of them a copy of another, and nothing that is chance."""
        if self._known is None or self._examined is None:
            return
        chance = self._ceilings.get(plots.CONTROL)
        ceilings = {
            name: one.srcc if chance is None or not one.srcc <= chance.srcc else math.nan
            for name, one in self._ceilings.items()
        }
        names = suggest_descriptors(self._known.correlation, len(self._examined), {**ceilings, plots.CONTROL: math.nan})
        self._state.descriptors = list(names)

    def _start(self) -> None:
        if self._known is not None:
            with self._notices.guard():
                title = self._state.sets.get(self._state.dataset, self._state.dataset)
                self._store.start_ceilings(self._state.dataset, self._known.set_hash, title)
            self._state.look(self._store)

    def _cancel(self) -> None:
        job, _ = self._job()
        if job is not None:
            with self._notices.guard():
                self._store.cancel(job)
            self._state.look(self._store)

    def _job(self) -> tuple[Any, Any]:
        """The job that computes the ceilings of the open set, and its status, or (None, None)."""
        wanted = f"ceiling-{self._known.set_hash}" if self._known is not None else ""
        return self._state.jobs.get(wanted, (None, None))

    def _follow(self) -> None:
        """Brings ceilings and progress up to date with the file that the job writes."""
        if self._known is None:
            return
        names = self._known.correlation.names
        _, status = self._job()
        running = status is not None and status.active
        found = read_ceilings(self._store.ceilings_path(self._known.set_hash), self._known.set_hash)
        done = sum(name in found for name in names)
        self._compute.visible, self._stop.visible = not running and done < len(names), running
        self._bar.param.update(visible=running, value=round(100 * done / len(names)))
        if running:
            text = f"{done} of {len(names)} descriptors"
        elif found:
            text = CEILING_WORDS
        else:
            text = NO_CEILINGS
        if self._words.object != f"<p>{as_html(text)}</p>":
            self._words.object = f"<p>{as_html(text)}</p>"
        if found.keys() != self._ceilings.keys() or not self._bars.data["name"]:
            self._ceilings = found
            self._bars_pane.visible = bool(found)
            self._drawing.change("ceilings", self._draw_ceilings)

    def _draw_ceilings(self) -> None:
        data = plots.ceiling_data(self._ceilings, self._state.descriptors)
        plots.fit_ceilings(self._ceiling, data)
        self._bars.data = data

    def _renew_drop(self) -> None:
        self._drop.objects = fresh_drop_zone(CSV_HINT, self._dropped)

    def _dropped(self, event: Any) -> None:
        if not event.new:
            return
        name, content = next(iter(event.new.items()))
        with self._notices.guard():
            path = self._store.workspace.save_upload(name, content if isinstance(content, bytes) else content.encode())
            self._extend(f"with {name}", ("--columns", str(path)))
        self._renew_drop()

    def _add_expression(self) -> None:
        text = self._expression.value.strip()
        with self._notices.guard():
            name, found, _ = (part.strip() for part in text.partition("="))
            if not (found and name.isidentifier()):
                raise DataError(f"own descriptor '{text}': need NAME=EXPRESSION, such as RATIO=OS/CN")
            if self._known is not None and any(row["name"] == name and row["known"] for row in self._known.rows):
                raise DataError(f"the set has a descriptor {name} already; give yours another name")
            self._extend(f"with {name}", ("--expression", text))
            self._expression.value = ""

    def _extend(self, what: str, options: tuple[str, ...]) -> None:
        """Imports the open set again, with more columns, as a new set; the open one stays as it is."""
        state = self._state
        if state.spectra is None:
            raise DataError("no set is open to which a descriptor could be added")
        source, element = self._store.library.source_of(state.dataset)
        chosen = ("--element", element) if element else ()
        title = f"{state.sets.get(state.dataset, Path(source).name)} {what}"
        self._store.start_import(source, title, ("--first-shell", "any", *chosen, *options))
        state.look(self._store)
