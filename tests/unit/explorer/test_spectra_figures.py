"""The figures of the Data part without a browser: colours, bars, order, boxes and taps that select sites."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bokeh.events import SelectionGeometry

from engine.analysis.groups import sort_spectra
from explorer.library import Library
from explorer.plots import elements, selection, spectra
from explorer.plots.style import CATEGORICAL, UNKNOWN
from explorer.state import ExplorerState
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices
from explorer.views.spectra import HINT, SpectraFigures
from tests.synthetic import make_set

SPECTRA = make_set(90)


@pytest.fixture
def figures() -> SpectraFigures:
    """The figures of a made-up set, in view."""
    state, notices = ExplorerState(), Notices()
    made = SpectraFigures(state, notices, Drawing(notices))
    state.spectra = SPECTRA
    made.activate()
    return made


def box(drawing: Any, **geometry: float) -> None:
    """What the browser sends when a box has been drawn."""
    drawing._trigger_event(SelectionGeometry(drawing, geometry={"type": "rect", **geometry}, final=True))


def ids(mask: np.ndarray) -> list[str]:
    return SPECTRA.site_id[mask].tolist()


def test_classes_have_a_colour_each_and_values_a_scale() -> None:
    classes = np.array([4.0, 6.0, np.nan, 5.0, 4.0])
    assert spectra.colors_of(classes, classes) == [
        *[CATEGORICAL[i] for i in (0, 2)],
        UNKNOWN,
        CATEGORICAL[1],
        CATEGORICAL[0],
    ]
    assert spectra.color_scale(classes)[3] == {0.0: "4", 1.0: "5", 2.0: "6"}
    values = np.linspace(0, 1, 101)
    colors = spectra.colors_of(values, values)
    assert (colors[0], colors[-1]) == (spectra.CONTINUOUS[0], spectra.CONTINUOUS[-1])
    assert spectra.color_scale(np.full(3, np.nan))[1:3] == (0.0, 1.0)
    assert spectra.color_scale(np.full(3, 0.5))[1] < 0.5


def test_bars_count_every_site_once() -> None:
    wave = SPECTRA.descriptors["WAVE"].to_numpy()
    bars = selection.histogram_data(wave, wave[:10], wave[:0])
    assert (bars["count"].sum(), bars["a"].sum(), bars["b"].sum()) == (90, 10, 0)
    oxidation = SPECTRA.descriptors["OS"].to_numpy()
    assert selection.histogram_data(oxidation, oxidation, oxidation)["count"].tolist() == [
        int((oxidation == i).sum()) for i in (1, 2, 3)
    ]
    assert selection.histogram_data(np.full(4, np.nan), wave, wave) == selection.NO_BARS


def test_what_is_sent_stays_small() -> None:
    many = make_set(3000, points=256)
    values = many.descriptors["WAVE"].to_numpy()
    sample = spectra.sample_data(many, values)
    assert sum(array.nbytes for array in (*sample["xs"], *sample["ys"])) < 250_000
    image = spectra.map_data(sort_spectra(many.mu, values, spectra.BLOCKS), many.energy_ev)["image"][0]
    assert image.nbytes < 250_000


def test_boxes_and_taps_select_sites_of_the_whole_set(figures: SpectraFigures) -> None:
    state = figures._state
    assert figures._words.object == HINT
    box(figures._histogram, x0=1.5, x1=3.4, y0=0, y1=1)
    assert state.selected == ids(SPECTRA.descriptors["OS"].to_numpy() >= 2)
    figures._into.value = "B"
    figures._bars.selected.indices = [0]
    assert state.compared == ids(SPECTRA.descriptors["OS"].to_numpy() == 1)
    assert "A − B is largest at" in figures._words.object
    assert figures._change.data["mean"].shape == (48,)
    box(figures._heat_map, x0=0, x1=1, y0=-5, y1=3.2)
    assert len(state.compared) == 3
    assert set(SPECTRA.descriptors["OS"][np.isin(SPECTRA.site_id, state.compared)]) == {1.0}
    box(figures._overlay, x0=8980, x1=9030, y0=-1, y1=3)
    assert len(state.compared) == 90
    figures._into.value = "A"
    figures._sample.selected.indices = [7]
    assert state.selected == [figures._sample.data["site"][7]] == [state.site]
    assert "A: 1 site of 1 material ·" in figures._words.object


def test_means_of_selections_lie_over_the_spectra_where_the_overlays_ask_for_them(figures: SpectraFigures) -> None:
    state, (a, b) = figures._state, figures._laid
    state.selected = ids(SPECTRA.descriptors["OS"].to_numpy() == 2)
    assert not a.visible
    state.shown = ["model", "selected"]
    assert (a.visible, b.visible) == (True, False)
    expected = SPECTRA.mu[SPECTRA.descriptors["OS"] == 2].mean(axis=0)
    np.testing.assert_allclose(a.data_source.data["mean"], expected, rtol=1e-5)
    assert a in figures._overlay.renderers


def test_another_descriptor_recolours_and_reorders(figures: SpectraFigures) -> None:
    before = list(figures._sample.data["color"])
    figures._by.value = "WAVE"
    assert list(figures._sample.data["color"]) != before
    prepared = figures._prepared
    assert prepared is not None
    assert (np.diff(prepared.values[prepared.sorted.order]) >= 0).all()
    assert figures._heat_map.yaxis.axis_label == "sites sorted by WAVE"
    figures._state.spectra = None
    assert not figures._layout.visible


def test_the_periodic_table_places_every_element_once_and_an_embedded_set_offers_its_elements() -> None:
    assert len(set(elements.PLACES.values())) == len(elements.PLACES) == 96
    assert elements.PLACES["Fe"] == (7, 3)
    assert elements.PLACES["U"] == (5, 8)
    stored = [SimpleNamespace(name="oxides", elements=("Fe", "Cu")), SimpleNamespace(name="other", elements=("Na",))]
    library = Library(None, SimpleNamespace(sets=stored, models=(), folder=Path("/")))  # type: ignore[arg-type]
    assert library.elements_of("embedded:oxides:Fe") == {"Fe": "embedded:oxides:Fe", "Cu": "embedded:oxides:Cu"}
    assert library.elements_of("cu_feff") == {}
    data = elements.element_data({"Fe": "3 sites", "Cu": "click to open"}, {"Fe"})
    assert data["what"][data["symbol"].index("Na")] == "not in this set"
