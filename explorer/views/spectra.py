"""The figures of the Data part: spectra coloured and sorted by a descriptor, its histogram, and selections A and B."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import panel as pn
import panel_material_ui as pmui
from bokeh.events import SelectionGeometry
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from engine.analysis.groups import (
    Group,
    SortedSpectra,
    group_difference,
    group_of,
    passing_through,
    sort_spectra,
)
from engine.analysis.scores import FloatArray
from engine.spectra import SpectraSet
from explorer.components.descriptor_table import words_of
from explorer.messages import as_html
from explorer.plots import selection as groups
from explorer.plots import spectra as plots
from explorer.plots.style import Columns
from explorer.state import ExplorerState
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices

HEIGHT, MEANS_HEIGHT, DIFFERENCE_HEIGHT = 256, 170, 130
HINT = "Nothing is selected: drag a box over spectra, bars or sorted sites, or tap one."
WIDE, NARROW = {"flex": "3 1 420px", "min-width": "0"}, {"flex": "2 1 320px", "min-width": "0"}
Geometry = dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What the figures show of a set, by one descriptor."""

    spectra: SpectraSet
    values: FloatArray
    label: str
    sample: Columns
    summary: Columns
    sorted: SortedSpectra


def _prepare(spectra: SpectraSet, name: str) -> _Prepared:
    values = spectra.descriptors[name].to_numpy() if name else np.full(len(spectra), np.nan)
    symbol, unit = words_of(name) if name else ("", "")
    label = f"{symbol} ({unit})" if unit else symbol
    sample, summary = plots.sample_data(spectra, values), plots.summary_data(spectra)
    return _Prepared(spectra, values, label, sample, summary, sort_spectra(spectra.mu, values, plots.BLOCKS))


class SpectraFigures(pn.viewable.Viewer):
    """Shows ``state.spectra``; boxes and taps write ``state.selected`` (A) or ``state.compared`` (B)."""

    def __init__(self, state: ExplorerState, notices: Notices, drawing: Drawing) -> None:
        super().__init__()
        self._state, self._notices, self._drawing = state, notices, drawing
        self._active = False
        self._shown: tuple[SpectraSet, str] | None = None
        self._prepared: _Prepared | None = None
        self._by = pmui.Select(label="Colour and sort by", options=[], size="small", width=200, margin=(10, 10))
        self._into = pmui.RadioButtonGroup(options=["A", "B"], value="A", size="small", margin=(10, 4))
        self._words = pn.pane.HTML("", sizing_mode="stretch_width", margin=(0, 10, 4, 10), css_classes=["selection"])
        self._sample, self._summary = ColumnDataSource(plots.NO_SAMPLE), ColumnDataSource(plots.NO_SUMMARY)
        self._map, self._bars = ColumnDataSource(plots.NO_MAP), ColumnDataSource(groups.NO_BARS)
        self._a, self._b, self._change = (ColumnDataSource(groups.NO_GROUP) for _ in range(3))
        self._overlay = plots.overlay_figure(self._sample, self._summary, HEIGHT)
        self._laid = groups.lay_means(self._overlay, self._a, self._b)
        self._heat_map = plots.heat_map_figure(self._map, HEIGHT)
        self._histogram = groups.histogram_figure(self._bars, HEIGHT)
        self._means = groups.groups_figure(self._a, self._b, MEANS_HEIGHT)
        self._difference = groups.difference_figure(self._change, DIFFERENCE_HEIGHT)
        self._layout = self._arrange()
        self._listen()
        self._offer()

    def __panel__(self) -> pmui.Column:
        return self._layout

    def activate(self) -> None:
        """Called when this part comes into view: only then are its figures made."""
        self._active = True
        self._renew()

    def _arrange(self) -> pmui.Column:
        small: dict[str, Any] = {"size": "small", "variant": "outlined", "margin": (10, 4)}
        swap, clear = pmui.Button(label="Swap", **small), pmui.Button(label="Clear", **small)
        swap.on_click(lambda _: self._state.param.update(selected=self._state.compared, compared=self._state.selected))
        clear.on_click(lambda _: self._state.param.update(selected=[], compared=[]))
        into = pn.pane.HTML("Select into", margin=(18, 4, 0, 10))
        self._groups = pmui.Column(_pane(self._means, MEANS_HEIGHT), margin=0, visible=False)
        self._both = pmui.Column(_pane(self._difference, DIFFERENCE_HEIGHT), margin=0, visible=False)
        return pmui.Column(
            pn.FlexBox(self._by, into, self._into, swap, clear, sizing_mode="stretch_width", margin=0),
            self._words,
            pn.FlexBox(
                pmui.Column(_pane(self._overlay, HEIGHT), styles=WIDE),
                pmui.Column(_pane(self._histogram, HEIGHT), styles=NARROW),
                pmui.Column(_pane(self._heat_map, HEIGHT), styles=WIDE),
                pmui.Column(self._groups, self._both, styles=NARROW),
                sizing_mode="stretch_width",
                margin=0,
            ),
            sizing_mode="stretch_width",
            margin=0,
            visible=False,
        )

    def _listen(self) -> None:
        state = self._state
        self._by.param.watch(lambda _: self._renew(), "value")
        state.param.watch(lambda _: self._offer(), "spectra")
        chosen = ["selected", "compared", "shown"]
        state.param.watch(lambda *_: self._drawing.change("selection", self._draw_selection), chosen)
        self._sample.selected.on_change("indices", lambda _attr, _old, new: self._tapped_spectra(new))
        self._bars.selected.on_change("indices", lambda _attr, _old, new: self._tapped_bars(new))
        for drawing, chosen in (
            (self._overlay, self._in_overlay),
            (self._histogram, self._in_histogram),
            (self._heat_map, self._in_order),
        ):
            drawing.on_event(SelectionGeometry, lambda event, chosen=chosen: self._boxed(event, chosen))

    def _offer(self) -> None:
        """A set was opened or closed: offers its descriptors."""
        spectra: SpectraSet | None = self._state.spectra
        self._layout.visible = spectra is not None
        self._prepared = None
        if spectra is None:
            return
        names = [str(name) for name in spectra.descriptors.columns]
        self._by.param.update(
            options=names, value=self._by.value if self._by.value in names else next(iter(names), None)
        )
        self._renew()

    def _renew(self) -> None:
        """Prepares the figures of the open set, once this part is in view."""
        spectra: SpectraSet | None = self._state.spectra
        if spectra is None or not self._active:
            return
        wanted = (spectra, self._by.value or "")
        if self._shown is None or self._shown[0] is not spectra or self._shown[1] != wanted[1]:
            self._shown = wanted
            self._drawing.prepare("spectra", lambda: _prepare(*wanted), self._take)

    def _take(self, made: _Prepared) -> None:
        if made.spectra is self._state.spectra:
            self._prepared = made
            self._drawing.change("overlay", self._draw)

    def _draw(self) -> None:
        made = self._prepared
        if made is None:
            return
        energy = made.spectra.energy_ev
        plots.fit_overlay(self._overlay, made.sample, made.summary, made.values, made.label)
        plots.fit_heat_map(self._heat_map, made.sorted, energy, made.values, made.label)
        self._sample.data, self._summary.data = made.sample, made.summary
        self._map.data = plots.map_data(made.sorted, energy)
        self._draw_selection()

    def _draw_selection(self) -> None:
        made = self._prepared
        if made is None:
            return
        a, b = (np.isin(made.spectra.site_id, ids) for ids in (self._state.selected, self._state.compared))
        bars = groups.histogram_data(made.values, made.values[a], made.values[b])
        groups.fit_histogram(self._histogram, bars, made.label)
        self._bars.data = bars
        of_a, of_b = (group_of(made.spectra.mu, rows) if rows.any() else None for rows in (a, b))
        energy = made.spectra.energy_ev
        first, second = (groups.group_data(group, energy) for group in (of_a, of_b))
        change = groups.difference_data(of_a, of_b, energy)
        groups.fit_groups(self._means, first, second)
        groups.fit_groups(self._difference, change)
        self._a.data, self._b.data, self._change.data = first, second, change
        for line, name in zip(self._laid, ("selected", "compared"), strict=True):
            line.visible = name in self._state.shown
        self._groups.visible, self._both.visible = bool(a.any() or b.any()), bool(a.any() and b.any())
        self._words.object = as_html(selection_words(made.spectra, a, b, of_a, of_b))

    def _tapped_spectra(self, indices: list[int]) -> None:
        made = self._prepared
        if made is not None and indices:
            self._choose(np.isin(made.spectra.site_id, [made.sample["site"][i] for i in indices]))
            self._sample.selected.indices = []  # so that the same one can be tapped again

    def _tapped_bars(self, indices: list[int]) -> None:
        made = self._prepared
        if made is not None and indices:
            bars = self._bars.data
            ends = [(bars["left"][i], bars["right"][i]) for i in indices]
            self._choose(np.any([(made.values >= low) & (made.values <= high) for low, high in ends], axis=0))
            self._bars.selected.indices = []

    def _boxed(self, event: SelectionGeometry, chosen: Callable[[_Prepared, Geometry], npt.NDArray[np.bool_]]) -> None:
        """A box was drawn in a figure (a tap gives no box)."""
        made, box = self._prepared, event.geometry
        if made is not None and event.final and box.get("type") == "rect":
            with self._notices.guard():
                self._choose(chosen(made, box))

    def _in_overlay(self, made: _Prepared, box: Geometry) -> npt.NDArray[np.bool_]:
        spectra = made.spectra
        return passing_through(spectra.energy_ev, spectra.mu, (box["x0"], box["x1"]), (box["y0"], box["y1"]))

    def _in_histogram(self, made: _Prepared, box: Geometry) -> npt.NDArray[np.bool_]:
        low, high = sorted((box["x0"], box["x1"]))
        return (made.values >= low) & (made.values <= high)

    def _in_order(self, made: _Prepared, box: Geometry) -> npt.NDArray[np.bool_]:
        low, high = (max(0, round(end)) for end in sorted((box["y0"], box["y1"])))
        mask = np.zeros(len(made.spectra), dtype=np.bool_)
        mask[made.sorted.order[low:high]] = True
        return mask

    def _choose(self, mask: npt.NDArray[np.bool_]) -> None:
        """Takes the sites of ``mask`` as selection A or B; a single one is looked at as well."""
        ids = self._state.spectra.site_id[mask].tolist()
        changes: dict[str, Any] = {"selected" if self._into.value == "A" else "compared": ids}
        if len(ids) == 1:
            changes["site"] = ids[0]
        self._state.param.update(**changes)


def selection_words(
    spectra: SpectraSet, a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_], of_a: Group | None, of_b: Group | None
) -> str:
    """Sizes of both selections, and where their mean spectra differ most."""
    parts = []
    for name, rows in (("A", a), ("B", b)):
        if rows.any():
            n, materials = int(rows.sum()), np.unique(spectra.material_id[rows]).size
            parts.append(f"{name}: {n} site{'s' * (n > 1)} of {materials} material{'s' * (materials > 1)}")
    if of_a is not None and of_b is not None:
        change, error = group_difference(of_a, of_b)
        most = int(np.abs(change).argmax())
        where = f"A − B is largest at {spectra.energy_ev[most]:.1f} eV"
        parts.append(f"{where}: {change[most]:+.3f} ± {2 * error[most]:.3f} (2 s.e.)".replace("-", "−"))
    return " · ".join(parts) or HINT


def _pane(drawing: figure, height: int) -> pn.pane.Bokeh:
    return pn.pane.Bokeh(drawing, sizing_mode="stretch_width", height=height, margin=0)
