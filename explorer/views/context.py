"""The drawer at the right: the cluster of a site, its labels, the journal, and the person's notes."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
import panel_material_ui as pmui

from engine.io import read_site_structure, structures_path
from engine.spectra import SpectraSet
from explorer.components.structure import StructureScene, atoms_json
from explorer.jobs import JobStore
from explorer.journal import Entry
from explorer.messages import as_html
from explorer.state import ExplorerState
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices
from explorer.views.style import TABLE_STYLE

if TYPE_CHECKING:
    from engine.structures import Surroundings

WIDTH = 330
SHOWN_ENTRIES = 60
OFFERED = 12
NO_SET = "No set is open."
NO_STRUCTURES = (
    "This set came without crystal structures, so there is no cluster to show. Sets that are imported from folders of "
    "FEFF runs or simulated from structures keep them."
)
NO_SITE = "The structures beside this set do not hold this site."
CLICK = "Drag to turn; click an atom for its element and distance."
JOURNAL_STYLE = """
ol {margin: 0; padding: 0; list-style: none; max-height: 220px; overflow-y: auto; font-size: 13px; line-height: 1.35}
li {padding: 3px 0; border-bottom: 1px solid rgba(128, 128, 128, 0.25); overflow-wrap: anywhere}
time {opacity: 0.7; margin-right: 6px; font-variant-numeric: tabular-nums}
"""


class ContextView(pn.viewable.Viewer):
    """Shows ``state.site`` (or the first that is selected, or the first of the set), journal and notes."""

    def __init__(self, state: ExplorerState, store: JobStore, notices: Notices, drawing: Drawing) -> None:
        super().__init__()
        self._state, self._store, self._notices, self._drawing = state, store, notices, drawing
        self._site = pmui.AutocompleteInput(
            label="Site", options=[], restrict=True, min_characters=0, case_sensitive=False, size="small",
            sizing_mode="stretch_width", margin=(10, 10, 4, 10),
        )  # fmt: skip
        self.scene = StructureScene(sizing_mode="stretch_width", margin=(0, 10))
        self._labels = pn.pane.HTML("", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", margin=(0, 10))
        self._journal = pn.pane.HTML("", stylesheets=[JOURNAL_STYLE], sizing_mode="stretch_width", margin=(0, 10))
        self.notes = pmui.TextAreaInput(
            label="Notes", rows=4, sizing_mode="stretch_width", margin=(8, 10), max_length=100_000, size="small"
        )
        self._layout = pmui.Column(
            self._site, self.scene, self._labels, _head("Journal"), self._journal, self.notes,
            sizing_mode="stretch_width", margin=(0, 0, 44, 0),
        )  # fmt: skip
        self._open = self._quiet = False
        self._drawn: tuple[str, str] | None = None
        self._site.param.watch(self._chosen, "value")
        state.param.watch(lambda *_: self._show(), ["spectra", "site", "selected"])
        self.show_journal(())
        self._show()

    def __panel__(self) -> pmui.Column:
        return self._layout

    def opened(self, is_open: bool) -> None:
        """Says whether the drawer is open: only then are structures read."""
        self._open = is_open
        self._show()

    def show_journal(self, journal: Sequence[Entry]) -> None:
        """Lists the latest entries, newest first."""
        self._journal.object = journal_html(journal)

    @property
    def site(self) -> str:
        """The site that is shown; "" without any."""
        spectra: SpectraSet | None = self._state.spectra
        if spectra is None or not len(spectra):
            return ""
        wanted = [self._state.site, *self._state.selected[:1]]
        return next((site for site in wanted if site and site in spectra.site_id), str(spectra.site_id[0]))

    def _chosen(self, event: Any) -> None:
        if event.new and not self._quiet:
            self._state.site = event.new

    def _show(self) -> None:
        spectra, site = self._state.spectra, self.site
        if not self._open:
            return
        self._quiet = True
        try:
            options = [] if spectra is None else spectra.site_id.tolist()
            if options != self._site.options:
                self._site.options = options
            self._site.value = site or None
        finally:
            self._quiet = False
        self._labels.object = labels_html(spectra, site) if site else ""
        if (self._state.dataset, site) == self._drawn:
            return
        self._drawn = (self._state.dataset, site)
        if not site:
            self.scene.param.update(atoms={}, words=NO_SET)
            return
        with self._notices.guard():
            path = structures_path(self._store.library.source_of(self._state.dataset)[0])
            if not path.is_file():
                self.scene.param.update(atoms={}, words=NO_STRUCTURES)
                return
            self._drawing.prepare("structure", lambda: look_around(path, site), lambda found: self._draw(site, found))

    def _draw(self, site: str, around: Surroundings | None) -> None:
        spectra: SpectraSet | None = self._state.spectra
        elements = [] if spectra is None else spectra.element[spectra.site_id == site].tolist()
        if around is None or around.symbol[0] not in elements:
            self.scene.param.update(atoms={}, words=NO_SITE)
        else:
            self.scene.param.update(atoms=atoms_json(around, site), words=CLICK)


def look_around(path: Path, site: str) -> Surroundings | None:
    """What surrounds a site; pymatgen is imported here, beside the page's events."""
    from engine.structures import surroundings

    found = read_site_structure(path, site)
    return None if found is None else surroundings(*found)


def labels_html(spectra: SpectraSet, site: str) -> str:
    """Material, absorber and every known descriptor of a site."""
    row = int(np.flatnonzero(spectra.site_id == site)[0])
    values = spectra.descriptors.iloc[row]
    cells = [("Material", str(spectra.material_id[row])), ("Absorber", str(spectra.element[row]))]
    cells += [(str(name), f"{value:.4g}") for name, value in values.items() if not np.isnan(value)]
    body = "".join(f"<tr><th>{as_html(name)}</th><td>{as_html(value)}</td></tr>" for name, value in cells)
    return f"<details><summary>Site and labels</summary><table>{body}</table></details>"


def journal_html(journal: Sequence[Entry]) -> str:
    """The latest entries of a journal, newest first, with the hour (UTC) of each."""
    if not journal:
        return "<p>Nothing has been done yet.</p>"
    items = [
        f"<li><time>{as_html(one.time[11:16])}</time>{as_html(one.words)}</li>"
        for one in reversed(journal[-SHOWN_ENTRIES:])
    ]
    return f"<ol>{''.join(items)}</ol>"


def _head(text: str) -> pn.pane.HTML:
    return pn.pane.HTML(f"<b>{html.escape(text)}</b>", margin=(10, 10, 2, 10))
