"""The Atlas part in Chromium: outlines, colours, search, a measured spectrum, a region as a set; a picture of many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.made_maps import EDGES_EV, made_map, put_map
from tests.measured_files import energies, raw, step_spectrum, write_xdi

pytestmark = pytest.mark.browser

FRAME = """() => {
    const models = Bokeh.documents.flatMap(document => Array.from(document.all_models))
    const model = models.find(({type, output_backend}) => type === "Figure" && output_backend === "webgl")
    const view = Bokeh.index.find_one(model)
    const {left, top} = view.el.getBoundingClientRect()
    const {x0, y0, width, height} = view.frame.bbox
    const {x_range, y_range} = model
    return [left + x0, top + y0, width, height, x_range.start, x_range.end, y_range.start, y_range.end]
}"""

PICTURE = """() => Bokeh.documents.flatMap(document => Array.from(document.all_models)).some(
    ({type, data}) => type === "ColumnDataSource" && (data.dw ?? []).length === 1)"""


def pixel(tab: Any, x: float, y: float) -> tuple[float, float]:
    """Where a place of the map is on the screen."""
    left, top, width, height, x0, x1, y0, y1 = tab.page.evaluate(FRAME)
    return left + (x - x0) / (x1 - x0) * width, top + (y1 - y) / (y1 - y0) * height


def lasso(tab: Any, corners: list[tuple[float, float]], words: str) -> None:
    """Draws an outline with the mouse, and once more where the page was still being laid out, until it says so."""
    mouse, found = tab.page.mouse, tab.page.locator(f"text={words} >> visible=true")

    def drawn() -> bool:
        mouse.move(*pixel(tab, *corners[0]))
        mouse.down()
        for corner in corners[1:]:
            mouse.move(*pixel(tab, *corner), steps=4)
        mouse.up()
        tab.page.wait_for_timeout(3000)
        return bool(found.count())

    tab.wait(drawn)


LEFT = [(-0.08, -0.02), (1.3, -0.02), (1.3, 1.0), (-0.08, 1.0)]
RIGHT = [(2.7, -0.02), (4.05, -0.02), (4.05, 1.0), (2.7, 1.0)]


def open_map(tab: Any) -> None:
    tab.page.get_by_role("tab", name="Data").wait_for(timeout=60_000)
    tab.part("Atlas")
    tab.see("/sites of 2 elements/")
    seen: list[list[float]] = [[]]

    def still() -> bool:
        seen.append(tab.page.evaluate(FRAME))
        tab.page.wait_for_timeout(300)
        return seen[-1][2] > 100 and seen[-1] == seen[-2]

    tab.wait(still)


def choose(tab: Any, label: str, option: str) -> None:
    tab.page.get_by_label(label, exact=True).first.click()
    tab.page.get_by_role("menuitem", name=option, exact=True).click()


def test_a_map_is_asked_with_outlines_colours_names_and_a_measured_spectrum(
    start_server: Callable[..., Any], open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    atlas = made_map()
    put_map(workspace, "made", atlas)
    server = start_server(workspace)
    tab = open_tab(server)
    open_map(tab)
    tab.wait(lambda: len(tab.data("value", beside="y")) == 100)

    lasso(tab, LEFT, "A: 60 sites of 30 materials and 1 element")
    tab.page.get_by_role("button", name="B", exact=True).click()
    lasso(tab, RIGHT, "/A: 60 sites.*B: 40 sites of 20 materials/")
    tab.see("/A − B is largest/")

    choose(tab, "Colour by", "Oxidation state")
    tab.see("0 (metal)")
    tab.see("not known")
    states = atlas.table.descriptors["OS"].to_numpy()
    known = ~np.isnan(states)

    def coloured() -> bool:
        return np.array_equal(np.array(tab.data("value", beside="y"), dtype=float)[known], states[known])

    tab.wait(coloured)
    tab.wait(lambda: tab.saved(server).get("colour") == "OS")
    tab.page.get_by_role("button", name="Undo").click()
    tab.wait(lambda: tab.page.locator("text=0 (metal) >> visible=true").count() == 0)
    tab.page.get_by_role("button", name="Redo").click()
    tab.see("0 (metal)")

    tab.page.mouse.move(*pixel(tab, 3.5, 0.5))
    tab.see("m-Ni10_000")
    tab.see("/Ni in NiO/")
    tab.page.mouse.move(*pixel(tab, 2.0, 0.2))
    tab.fill("Find material, site or formula", "cu7_")
    tab.see("2 found")
    tab.see("/m-Cu7_000/")
    tab.fill("Find material, site or formula", "O6Ni4")
    tab.see("20 found")
    tab.see("/Ni in Ni2O3/")
    tab.see("Nearest spectra")

    energy = energies(EDGES_EV["Cu"])
    mu = raw(energy, step_spectrum(energy, EDGES_EV["Cu"] + 0.46))
    path = write_xdi(tmp_path / "foil.xdi", energy, mu)
    zone = tab.page.locator(".filepond--root >> visible=true").first
    zone.locator("input.filepond--browser").set_input_files(path)
    tab.see("/of the map.s spectra have a nearer neighbour/")

    choose(tab, "Beside it", "principal components")
    tab.wait(lambda: tab.page.locator("text=0 (metal) >> visible=true").count() == 2)
    tab.page.get_by_role("button", name="Train on this region").click()
    tab.see("Start training")
    tab.see("made, region of Cu")
    tab.part("Data")
    tab.see("60 sites of 30 materials")
    assert tab.errors == []
    assert server.complaints() == []


def test_many_sites_are_drawn_as_a_picture_and_chosen_all_the_same(
    start_server: Callable[..., Any], open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    put_map(workspace, "many", made_map(1000, 500, copies=80))
    server = start_server(workspace)
    tab = open_tab(server)
    open_map(tab)
    tab.wait(lambda: tab.page.evaluate(PICTURE))
    lasso(tab, LEFT, "A: 80,000 sites")
    tab.page.mouse.move(*pixel(tab, 3.5, 0.5))
    tab.see("/m-Ni/")
    assert tab.errors == []
    assert server.complaints() == []
