"""The Data part: choose or drop a set, see what was read, kept and refused, and what its spectra look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource
from markdown_it import MarkdownIt

from engine.errors import DataError
from engine.spectra import SpectraSet, set_info
from explorer.jobs import JobStore
from explorer.library import is_embedded
from explorer.messages import as_html
from explorer.plots import elements as plots
from explorer.state import ExplorerState
from explorer.views.choices import offer
from explorer.views.drawing import Drawing
from explorer.views.dropping import fresh_drop_zone
from explorer.views.notices import Notices
from explorer.views.spectra import SpectraFigures
from explorer.views.style import TABLE_STYLE
from explorer.workspace import MAX_UPLOAD_MB, REAL_SET, real_data_file

FIRST_SHELL = {"Oxygen only": "O", "Any": "any"}
ELEMENTS_HEIGHT = 190
_CARD = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
NOTHING = "No set is open. Choose one, or drop a file at the left."
ACCEPTED = f"RankAAE CSV, zip of FEFF runs, or Parquet; up to {MAX_UPLOAD_MB} MB"


class DataView(pn.viewable.Viewer):
    """Chooses ``state.dataset`` and shows ``state.spectra``."""

    def __init__(self, state: ExplorerState, store: JobStore, notices: Notices, drawing: Drawing) -> None:
        super().__init__()
        self._state, self._store, self._notices, self._drawing = state, store, notices, drawing
        self._choice = pmui.Select(label="Set", options={}, sizing_mode="stretch_width", size="small")
        self._element = pmui.TextInput(label="Absorber", placeholder="any", sizing_mode="stretch_width", size="small")
        self._shell = pmui.Select(
            label="First shell", options=FIRST_SHELL, value="O", sizing_mode="stretch_width", size="small"
        )
        self._real = pmui.Button(label=f"Import {REAL_SET}", variant="outlined", size="small", visible=False)
        self._real.on_click(lambda _: self._import_real_set())
        self._drop = pmui.Column(sizing_mode="stretch_width", margin=0)
        self._working = pmui.Column(sizing_mode="stretch_width", margin=0)
        self._summary = pn.pane.HTML("", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width")
        self._details = pn.pane.HTML("", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width")
        self.figures = SpectraFigures(state, notices, drawing)
        self._cells = ColumnDataSource(plots.NO_ELEMENTS)
        table = pn.pane.Bokeh(
            plots.element_figure(self._cells, ELEMENTS_HEIGHT),
            sizing_mode="stretch_width",
            height=ELEMENTS_HEIGHT,
            margin=(6, 10),
        )
        self._elements = pmui.Column(table, sizing_mode="stretch_width", margin=0, visible=False)
        self._cells.selected.on_change("indices", lambda _attr, _old, new: self._tapped_element(new))
        self._empty = pn.pane.HTML(f"<p>{as_html(NOTHING)}</p>", sizing_mode="stretch_width", margin=(24, 10))
        self._layout = self._arrange()
        self._renew_drop()
        self._choice.param.watch(self._chosen, "value")
        state.param.watch(self._list_sets, ["sets", "dataset"])
        state.param.watch(self._list_imports, "jobs")
        state.param.watch(self._show, "spectra")
        self._list_sets()
        self._list_imports()
        self._show()

    def _arrange(self) -> pmui.Row:
        left = pmui.Column(
            self._choice,
            self._drop,
            pmui.Row(self._element, self._shell, sizing_mode="stretch_width", margin=0),
            self._real,
            self._working,
            self._summary,
            self._elements,
            width=360,
            margin=(8, 8),
        )
        right = pmui.Column(
            self._empty, self.figures, self._details, sizing_mode="stretch_width", margin=(8, 8), min_width=400
        )
        return pmui.Row(left, right, sizing_mode="stretch_width")

    def __panel__(self) -> pmui.Row:
        return self._layout

    def activate(self) -> None:
        """Called when this part comes into view."""
        self.figures.activate()

    def _renew_drop(self) -> None:
        self._drop.objects = fresh_drop_zone(ACCEPTED, self._dropped)

    def _dropped(self, event: Any) -> None:
        if not event.new:
            return
        name, content = next(iter(event.new.items()))
        with self._notices.guard():
            options = self._options()
            path = self._store.workspace.save_upload(name, content if isinstance(content, bytes) else content.encode())
            self._store.start_import(path, name, options)
        self._renew_drop()
        self._state.look(self._store)

    def _options(self) -> tuple[str, ...]:
        element = self._element.value.strip()
        if element and not re.fullmatch(r"[A-Z][a-z]?", element):
            raise DataError(f"the absorber is '{element}'; need a chemical symbol such as Cu, or nothing")
        return ("--first-shell", self._shell.value, *(("--element", element) if element else ()))

    def _chosen(self, event: Any) -> None:
        if event.new and event.new in self._state.sets:
            self._state.dataset = event.new

    def _list_sets(self, *_: Any) -> None:
        titles: dict[str, str] = self._state.sets
        value = self._state.dataset if self._state.dataset in titles else ""
        offer(self._choice, titles if value else {"": "none open", **titles}, value)
        self._offer_real_set()

    def _list_imports(self, *_: Any) -> None:
        running = [job for job, status in self._state.jobs.values() if job.kind == "import" and status.active]
        shown = []
        for job in running:
            stop = pmui.Button(label="Cancel", size="small", variant="outlined", margin=(2, 4))
            stop.on_click(lambda _, job=job: self._cancel(job))
            words = pn.pane.HTML(f"<p>Importing {as_html(job.title)} …</p>", sizing_mode="stretch_width")
            bar = pmui.LinearProgress(variant="indeterminate", sizing_mode="stretch_width", margin=(0, 10))
            shown += [pmui.Row(words, stop, sizing_mode="stretch_width", margin=0), bar]
        if shown or self._working.objects:
            self._working.objects = shown
        self._offer_real_set()

    def _offer_real_set(self) -> None:
        """Shows the button that imports the real Cu set while that is found and neither there nor on its way."""
        _, status = self._state.jobs.get(REAL_SET, (None, None))
        there = REAL_SET in self._state.sets or (status is not None and status.active)
        self._real.visible = not there and real_data_file() is not None

    def _import_real_set(self) -> None:
        source = real_data_file()
        if source is not None:
            with self._notices.guard():
                self._store.start_import(source, REAL_SET, job_id=REAL_SET)
            self._state.look(self._store)

    def _cancel(self, job: Any) -> None:
        with self._notices.guard():
            self._store.cancel(job)
        self._state.look(self._store)

    def _show(self, *_: Any) -> None:
        spectra: SpectraSet | None = self._state.spectra
        self._empty.visible = spectra is None
        self._drawing.change("elements", self._draw_elements)
        if spectra is None:
            self._summary.object = self._details.object = ""
            return
        info: Mapping[str, Any] = set_info(spectra)
        self._summary.object = summary_html(info)
        dataset, library = self._state.dataset, self._store.library
        report = None if is_embedded(dataset) else self._store.report(dataset)
        table = descriptors_html(info["descriptors"])
        self._details.object = card_html(library.card(dataset)) + table + report_html(report)

    def _offered_elements(self) -> dict[str, str]:
        """What to say of each element: those of the open set, and those that the same embedded set also offers."""
        spectra: SpectraSet | None = self._state.spectra
        if spectra is None:
            return {}
        symbols, counts = np.unique(spectra.element, return_counts=True)
        offered = dict.fromkeys(self._store.library.elements_of(self._state.dataset), "click to open")
        return offered | {str(el): f"{count} sites" for el, count in zip(symbols, counts, strict=True)}

    def _draw_elements(self) -> None:
        offered = self._offered_elements()
        self._elements.visible = len(offered) > 1
        if len(offered) > 1:
            open_ones = set(self._state.spectra.element.tolist())
            self._cells.data = plots.element_data(offered, open_ones if len(open_ones) == 1 else set())

    def _tapped_element(self, indices: list[int]) -> None:
        """Opens the embedded set's other element, or selects the sites of an element of a mixed set."""
        if not indices:
            return
        symbol = self._cells.data["symbol"][indices[0]]
        self._cells.selected.indices = []  # so that the same one can be tapped again
        others = self._store.library.elements_of(self._state.dataset)
        spectra: SpectraSet = self._state.spectra
        if symbol in others:
            self._state.dataset = others[symbol]
        elif symbol in spectra.element:
            self._state.selected = spectra.site_id[spectra.element == symbol].tolist()


def summary_html(info: Mapping[str, Any]) -> str:
    """A set in a few lines: sites, absorbers, energies, origin, and a warning when it is not edge-normalised."""
    grid = info["grid"]
    elements = ", ".join(f"{symbol} {count}" for symbol, count in info["elements"].items())
    rows = {
        "Spectra": f"{info['n']} sites of {info['materials']} materials",
        "Absorber": f"{elements}, {info['edge']} edge",
        "Energies": f"{grid['start_ev']:.1f} to {grid['end_ev']:.1f} eV, {grid['points']} points",
        "Origin": info["origin"] or "not known",
    }
    if not info["normalised"]:
        rows["Note"] = "μ does not look edge-normalised"
    return _table([], rows.items())


def descriptors_html(descriptors: Mapping[str, Any]) -> str:
    """Every descriptor of a set with how many sites know it, its range, and its classes where it has few."""
    rows = []
    for name, about in descriptors.items():
        classes = about["classes"]
        span = "–" if about["min"] is None else f"{about['min']:.4g} to {about['max']:.4g}"
        counts = "continuous" if not classes else ", ".join(f"{label}: {count}" for label, count in classes.items())
        rows.append((name, str(about["known"]), span, counts if about["known"] else "–"))
    return _table(["Descriptor", "Known", "Range", "Sites per class"], rows) if rows else "<p>No descriptors.</p>"


def report_html(report: Mapping[str, Any] | None) -> str:
    """What the import read, kept and refused, with reasons; nothing for a set that was not imported here."""
    if not report:
        return ""
    lines = [f"Import: {report.get('format', '')}, read {report.get('n_read')}, kept {report.get('n_kept')}"]
    for refusal in report.get("refused", []):
        examples = "; ".join(f"{e['site_id']} ({e['detail']})" for e in refusal.get("examples", [])[:2])
        lines.append(f"Refused {refusal['count']}: {refusal['reason']}, such as {examples}")
    lines += [f"Note: {note}" for note in report.get("warnings", [])]
    return "<br>" + "".join(f"<p>{as_html(line)}</p>" for line in lines)


def card_html(card: str) -> str:
    """The data card (Markdown) of an embedded set, folded; HTML in it is text; nothing without one."""
    if not card:
        return ""
    summary = "Embedded set, read-only: how it was made, and what it must not be used for"
    return f'<details class="card"><summary>{as_html(summary)}</summary>{_CARD.render(card)}</details>'


def _table(head: list[str], rows: Any) -> str:
    """Text cells as an HTML table."""
    top = "".join(f"<th>{as_html(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{as_html(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>" if head else f"<table>{body}</table>"
