"""The Atlas part without a browser: outlines, colours, pictures, elements, search, measured spectra, regions, jobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh.events import SelectionGeometry, Tap

from engine.atlas.store import write_atlas
from engine.errors import DataError
from engine.io import load_set
from explorer.jobs import Job, JobStore
from explorer.library import Library
from explorer.maps import latent_on, link, open_map
from explorer.plots import colouring as colours
from explorer.plots.atlas import share_data
from explorer.plots.shading import CELL, shade
from explorer.plots.style import UNKNOWN
from explorer.state import ExplorerState
from explorer.views import atlas_map
from explorer.views.atlas import AtlasView
from explorer.views.atlas_colours import DENSITY, ELEMENT, colour
from explorer.views.atlas_map import tip_html
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices
from explorer.workspace import Workspace
from tests.made_maps import EDGES_EV, made_map, put_map
from tests.measured_files import energies, raw, step_spectrum, write_xdi

LEFT = {"type": "poly", "x": [-0.5, 1.5, 1.5, -0.5], "y": [-0.5, -0.5, 1.5, 1.5]}


@pytest.fixture
def view(tmp_path: Path) -> AtlasView:
    """A view of a workspace with one map, in view."""
    put_map(tmp_path, "made", made_map())
    store, state, notices = JobStore(Library(Workspace(tmp_path))), ExplorerState(), Notices(tmp_path)
    state.look(store)
    made = AtlasView(state, store, notices, Drawing(notices), lambda *_: None, lambda: None)
    made.activate()
    assert said(made) == []
    return made


def said(view: AtlasView) -> list[str]:
    """The messages that a person reads."""
    return [alert.objects[0].object for alert in view._notices._column.objects]


def outline(view: AtlasView, panel: int = 0, **shape: Any) -> None:
    """What the browser sends when a lasso has been drawn."""
    drawing = view._panels[panel]._figure
    drawing._trigger_event(SelectionGeometry(drawing, geometry=shape or LEFT, final=True))


def test_map_and_colour_follow_the_state_and_tell_it(view: AtlasView, tmp_path: Path) -> None:
    state = view._state
    assert (state.map, state.colour, view._map.value) == ("", "", "made")
    view._color.value = DENSITY
    assert state.colour == DENSITY
    put_map(tmp_path, "newer", made_map(10, 10))
    state.look(view._store)
    assert (view._map.value, state.map) == ("made", "")
    view._map.value = "newer"
    assert (state.map, state.colour, len(view._opened)) == ("newer", "", 20)
    state.colour = "not of this map"
    assert view._color.value == ELEMENT
    state.param.update(map="", colour=DENSITY)
    assert (view._map.value, view._color.value, len(view._opened)) == ("made", DENSITY, 100)
    assert said(view) == []


def test_an_outline_chooses_its_sites_and_says_what_they_are(view: AtlasView) -> None:
    outline(view)
    assert view._a.sum() == 60
    view._into.value = "B"
    outline(view, type="rect", x0=2.5, x1=4.5, y0=-0.5, y1=1.5)
    assert view._b.sum() == 40
    words = view.region._words.object
    assert "A: 60 sites of 30 materials and 1 element ·" in words
    assert "B: 40 sites of 20 materials and 1 element ·" in words
    atlas = view._opened.atlas
    np.testing.assert_allclose(view.region._a.data["mean"], atlas.table.mu[:60].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(
        view.region._change.data["mean"], atlas.table.mu[:60].mean(axis=0) - atlas.table.mu[60:].mean(axis=0), atol=1e-6
    )
    assert view.region._shares.data["element"] == ["Ni", "Cu"]
    assert sum(view.region._bars.data["a"]) == 60
    view._clear.clicks += 1
    assert not view._a.any()
    assert not view.region._content.visible


def test_the_periodic_table_shows_an_element_alone_then_adds_and_hides(view: AtlasView) -> None:
    def tap(symbol: str) -> None:
        view._tapped_element([view._cells.data["symbol"].index(symbol)])

    tap("Ni")
    assert view._rows().tolist() == [False] * 60 + [True] * 40
    outline(view)
    assert not view._a.any()
    tap("Cu")
    assert view._rows().all()
    tap("He")
    assert view._rows().all()


def test_two_embeddings_of_one_set_are_linked(view: AtlasView) -> None:
    view._beside.value = "principal components"
    assert view._second is not None
    xy = view._second.atlas.xy
    low, high = xy[:, 0].min(), np.median(xy[:, 0])
    outline(view, 1, type="rect", x0=float(low) - 1, x1=float(high), y0=-99.0, y1=99.0)
    np.testing.assert_array_equal(view._a, xy[:, 0] < high)
    np.testing.assert_allclose(view._panels[0]._marks["a"].data["x"], view._opened.atlas.xy[view._a, 0])


def test_a_map_of_other_sites_is_linked_where_it_has_the_same(tmp_path: Path) -> None:
    whole, part = made_map(60, 40), made_map(10, 40)
    first, second = (open_map(put_map(tmp_path, str(i), one), None) for i, one in enumerate((whole, part)))
    assert link(first, second).tolist() == [*range(10), *range(60, 100)]
    assert (link(second, first) >= 0).sum() == 50


def test_a_click_names_the_site_and_its_nearest_spectra(view: AtlasView) -> None:
    drawing = view._panels[0]._figure
    xy = view._opened.atlas.xy[70]
    drawing._trigger_event(Tap(drawing, x=float(xy[0]), y=float(xy[1])))
    assert "m-Ni5_000" in view.site._head.object
    apart = np.linalg.norm(view._opened.atlas.table.mu - view._opened.atlas.table.mu[70], axis=1)
    assert view._near.tolist() == np.argsort(apart, kind="stable")[1:9].tolist()
    drawing._trigger_event(Tap(drawing, x=2.0, y=0.5))
    assert view._row == 70


def test_a_material_is_found_by_a_part_of_its_name(view: AtlasView) -> None:
    view._search.value = "M-ni12"
    assert np.flatnonzero(view._found).tolist() == [84, 85]
    assert view._row == 84
    view._search.value = "<b>gold</b>"
    assert "&lt;b&gt;gold" in said(view)[0]


def test_sites_are_found_by_formula_in_any_order_and_multiple(view: AtlasView) -> None:
    assert "in Cu2O3" in tip_html(view._opened, colour(view._opened, ELEMENT, None, None), 2)
    for text in ("Ni2O3", "O3Ni2", "Ni4O6", " O6 Ni4 "):
        view._search.value = text
        assert np.flatnonzero(view._found).tolist() == [60 + i for i in range(40) if i // 2 % 2]
    assert (view._row, "Ni in Ni2O3" in view.site._head.object) == (62, True)
    view._search.value = "NiO2"
    assert not view._found.any()
    assert "&#x27;NiO2&#x27; in its name, and none is of this formula" in said(view)[0]
    view._search.value = ""
    assert len(said(view)) == 1


def test_a_map_whose_set_has_no_formulas_says_so(view: AtlasView, tmp_path: Path) -> None:
    put_map(tmp_path, "plain", replace(made_map(), formula=()))
    view._state.look(view._store)
    view._map.value = "plain"
    view._search.value = "NiO"
    assert "no structures beside it and no column of formulas" in said(view)[0]
    assert "<b>Cu</b>, formula not known" in tip_html(view._opened, colour(view._opened, ELEMENT, None, None), 2)


def test_formulas_come_from_the_set_where_the_map_has_none(tmp_path: Path) -> None:
    source = tmp_path / "set.parquet"
    plain = replace(made_map(), formula=())
    write_atlas(made_map(), source)  # a table with a column of formulas
    opened = open_map(put_map(tmp_path, "plain", plain), source)
    assert tuple(opened.formulas) == made_map().formula
    assert opened.found("Cu2O3").sum() == 30
    assert opened.at_principal_components().formula(2) == "Cu2O3"


def test_a_measured_spectrum_lands_beside_the_spectrum_that_it_is_of(view: AtlasView, tmp_path: Path) -> None:
    energy = energies(EDGES_EV["Cu"])
    mu = step_spectrum(energy, EDGES_EV["Cu"] + 0.4 * 2 + 0.002 * 30)
    path = write_xdi(tmp_path / "foil.xdi", energy, raw(energy, mu))
    view._dropped(type("Event", (), {"new": {"foil.xdi": path.read_bytes()}}))
    placed = view._placed[0]
    assert placed.element == "Cu"
    assert placed.placement.neighbours[0, 0] % 4 == 2
    np.testing.assert_allclose(placed.placement.xy[0], view._opened.atlas.xy[30], atol=0.3)
    assert "foil" in view._landed.object
    nearest = placed.placement.distance[0, 0]
    view._shift.value = 6.0
    assert view._placed[0].placement.distance[0, 0] > 5 * nearest
    assert view._placed[0].verdict.startswith("nothing on the map is like it")


def test_what_cannot_be_placed_is_refused_by_name(view: AtlasView) -> None:
    view._dropped(type("Event", (), {"new": {"notes.txt": b"no numbers here"}}))
    assert "notes.txt" in said(view)[0]
    assert view._measured == []


def test_a_region_becomes_a_set_of_one_element(view: AtlasView, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[Path, str]] = []
    monkeypatch.setattr(JobStore, "start_import", lambda _s, path, title, _o: started.append((path, title)))
    view._train("Ni")
    assert "Choose sites as A first" in said(view)[0]
    outline(view)
    assert view.region._element.value == "Cu"
    view._train("Cu")
    spectra = load_set(started[0][0])
    assert len(spectra) == 60
    assert set(spectra.element) == {"Cu"}
    np.testing.assert_allclose(spectra.energy_ev, EDGES_EV["Cu"] - 8.0 + np.linspace(0, 35, 200))
    np.testing.assert_array_equal(spectra.mu, view._opened.atlas.table.mu[:60])


def test_oxidation_states_have_zero_and_unknown_of_their_own() -> None:
    found = colours.by_oxidation(np.array([0.0, 2.1, -1.0, np.nan, 2.0]))
    assert found.classes == ("−1", "0 (metal)", "+2")
    assert found.palette == (colours.NEGATIVE[0], colours.METAL_ZERO, colours.POSITIVE[1])
    assert found.counts(np.ones(5, dtype=bool)) == [1, 1, 2, 1]
    html = colours.legend_html(found, np.ones(5, dtype=bool))
    assert "not known <small>1</small>" in html


def test_a_picture_holds_what_lies_in_its_cells() -> None:
    rng = np.random.default_rng(0)
    xy, values = rng.random((300, 2)), rng.random(300)
    values[::3] = np.nan
    made = colours.by_number("x", values)
    width, height = 8, 6
    picture = shade(xy, made, np.ones(300, dtype=bool), (0.2, 0.8), (0.1, 0.9), (CELL * width, CELL * height))
    channels = picture.view(np.uint8).reshape(height, width, 4)
    for row in range(height):
        for column in range(width):
            x, y = (xy[:, 0] - 0.2) / 0.6 * width, (xy[:, 1] - 0.1) / 0.8 * height
            inside = (np.floor(x) == column) & (np.floor(y) == row)
            known = values[inside & ~np.isnan(values)]
            assert (channels[row, column, 3] > 0) == inside.any()
            share = np.clip((known.mean() - made.low) / (made.high - made.low), 0, 1) if known.size else 0
            color = made.palette[round(share * (len(made.palette) - 1))] if known.size else UNKNOWN
            if inside.any():
                assert channels[row, column, :3].tolist() == pytest.approx(
                    [int(color[i : i + 2], 16) for i in (1, 3, 5)], abs=3
                )


def test_many_sites_are_a_picture_that_outlines_and_taps_see_through(
    view: AtlasView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atlas_map, "MOST_POINTS", 50)
    view._recolour()
    panel = view._panels[0]
    assert len(panel._picture.data["image"]) == 1
    assert len(panel._points.data["x"]) == 0
    outline(view)
    assert view._a.sum() == 60
    panel._moved({"x0": [0.0], "x1": [1.0], "y0": [0.0], "y1": [1.0]})
    assert said(view) == []


def test_shares_are_of_each_selection_with_the_largest_first() -> None:
    found = share_data(("Ti", "Cu", "Zn"), [1, 3, 0], [0, 0, 0])
    assert found["element"] == ["Cu", "Ti"]
    assert found["a"].tolist() == [75.0, 25.0]


class Doubling:
    """A model of one axis: the mean of a spectrum."""

    axis_names = ("mean",)

    def __init__(self, energy_ev: np.ndarray) -> None:
        self.energy_ev = energy_ev

    def encode(self, mu: np.ndarray) -> np.ndarray:
        return np.asarray(mu).mean(axis=1, keepdims=True)


def test_a_model_colours_its_own_element_where_the_energies_reach(tmp_path: Path) -> None:
    opened = open_map(put_map(tmp_path, "made", made_map()), None)
    start = EDGES_EV["Ni"] - 8.0
    latent = latent_on(opened, Doubling(start + np.linspace(0, 35, 200)), "Ni", None)
    assert np.isnan(latent[:60]).all()
    np.testing.assert_allclose(latent[60:, 0], opened.atlas.table.mu[60:].mean(axis=1), atol=1e-6)
    with pytest.raises(DataError, match="the map's of Ni from"):
        latent_on(opened, Doubling(np.linspace(start, start + 70, 50)), "Ni", None)
    with pytest.raises(DataError, match="Zn, which is not on this map"):
        latent_on(opened, Doubling(np.linspace(9600, 9620, 9)), "Zn", None)
    with pytest.raises(KeyError):
        colour(opened, "no such column", None, None)


def test_a_map_is_a_job_with_stages_that_ends_when_its_file_is_there(tmp_path: Path) -> None:
    store = JobStore(Library(Workspace(tmp_path)))
    job = Job("map-1", "map", "made", "set-1", (), pid=0)
    folder = tmp_path / "jobs" / "map-1"
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("0 of 4: reading\n2 of 4: embedding\n")
    store._alive = lambda _job: True  # type: ignore[method-assign]
    status = store.status(job)
    assert (status.state, status.epoch, status.epochs, status.message) == ("running", 2, 4, "embedding")
    store._alive = lambda _job: False  # type: ignore[method-assign]
    assert store.status(job).state == "interrupted"
    assert store.status(replace(job, cancelled=True)).state == "cancelled"
    put_map(tmp_path, "map-1", made_map())
    assert store.status(job).state == "done"
