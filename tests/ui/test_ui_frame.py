"""The frame of the page in Chromium: undo, link, session, autosave, export, keyboard, tour, and the 3-D cluster."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import h5py
import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from engine.cli import app
from engine.io import structures_path, write_set, write_structures
from engine.model.config import make_config
from engine.model.training import train
from tests.synthetic import make_set

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1>"
ROCK_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.26), ["Cu", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets, one with structures and a run of two members on it."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "sets").mkdir()
    spectra = make_set(120)
    write_set(spectra, folder / "sets" / "other.parquet")
    path = folder / "sets" / "made.parquet"
    write_set(spectra, path)
    structures = {str(material): ROCK_SALT for material in spectra.material_id}
    write_structures(structures, spectra, structures_path(path))
    config = make_config("default", descriptors=("OS", "CN"), seeds=(0, 1), epochs=20, hidden=32)
    train(spectra, path, config, folder / "runs" / "made")
    return folder


@pytest.fixture(scope="module")
def server(start_server: Callable[..., Any], workspace: Path) -> Any:
    return start_server(workspace)


@pytest.fixture
def tab(open_tab: Callable[..., Any], server: Any) -> Any:
    """The Latent part of the app, with a model in view."""
    tab = open_tab(server)
    tab.part("Latent")
    tab.wait(lambda: len(tab.curve("now")) == 48)
    return tab


def clean(tab: Any, server: Any) -> None:
    """Nothing went wrong on either side, and nobody else was asked for anything."""
    assert tab.page.evaluate("window.hacked") is None
    assert tab.errors == []
    hosts = {urlsplit(url).hostname for url in tab.requests if urlsplit(url).scheme not in ("data", "blob")}
    assert hosts == {"127.0.0.1"}
    assert server.complaints() == []


def slider(tab: Any, place: int = 0) -> Any:
    return tab.page.get_by_role("slider").nth(place)


def values(tab: Any) -> list[float]:
    return [float(one.input_value()) for one in tab.page.get_by_role("slider").all()]


def move(tab: Any, server: Any, place: int, presses: int) -> None:
    """Moves a slider by its keyboard and waits until the server has the point, as a step that can be undone."""
    for _ in range(presses):
        slider(tab, place).press("ArrowRight")
    tab.wait(lambda: tab.saved(server).get("latent") == values(tab))
    assert tab.page.get_by_role("button", name="Undo").is_enabled()


def choose(tab: Any, label: str, option: str) -> None:
    tab.page.get_by_role("combobox", name=label).first.click()
    tab.page.get_by_role("option", name=option).or_(tab.page.get_by_role("menuitem", name=option)).first.click()


def press(tab: Any, name: str) -> None:
    tab.page.get_by_role("button", name=name, exact=True).click()


def saved(tab: Any, action: Callable[[], None]) -> tuple[str, bytes]:
    """Name and content of the file that an action downloads."""
    with tab.page.expect_download(timeout=60_000) as download:
        action()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_undo_and_redo_go_back_and_forth_and_keys_choose_parts(tab: Any, server: Any) -> None:
    start = values(tab)
    move(tab, server, 0, 4)
    moved, drawn = values(tab), tab.curve("now")
    assert moved[0] > start[0]
    here = tab.page.get_by_role("combobox", name="Member").inner_text()
    choose(tab, "Member", "seed 1" if "seed 0" in here else "seed 0")
    tab.wait(lambda: tab.page.get_by_role("combobox", name="Member").inner_text() != here)
    tab.wait(lambda: not np.array_equal(tab.curve("now"), drawn))
    press(tab, "Undo")
    tab.wait(lambda: tab.page.get_by_role("combobox", name="Member").inner_text() == here)
    assert values(tab) == moved
    tab.page.keyboard.press("Control+z")
    tab.wait(lambda: values(tab) == start)
    press(tab, "Redo")
    tab.wait(lambda: values(tab) == moved)

    page = tab.page
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Help")
    dialog.wait_for()
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    assert page.get_by_role("tab", name="Latent").get_attribute("aria-selected") == "true"
    page.keyboard.press("1")
    tab.wait(lambda: page.get_by_role("tab", name="Data").get_attribute("aria-selected") == "true")
    clean(tab, server)


def test_a_link_opens_the_same_view_and_bad_parameters_fall_away_one_by_one(
    tab: Any, server: Any, open_tab: Callable[..., Any]
) -> None:
    move(tab, server, 1, 5)
    point = values(tab)
    press(tab, "Share")
    field = tab.page.get_by_label("Link to this view")
    tab.wait(lambda: field.input_value() != "")
    link = field.input_value()
    tab.page.keyboard.press("Escape")
    assert link.startswith(server.url + "?")

    other = open_tab(server)
    other.page.goto(link)
    other.wait(lambda: len(other.curve("now")) == 48)
    other.wait(lambda: values(other) == point)
    assert np.array_equal(other.curve("now"), tab.curve("now"))

    bad = link.replace("member=", "member=9").replace("tab=Latent", f"tab={HOSTILE}") + "&evil=1"
    other.page.goto(bad)
    other.see("/Left out: .*evil: not a parameter.*tab = .*no such part.*member = 9.*need a number/")
    other.part("Latent")
    other.wait(lambda: len(other.curve("now")) == 48)
    other.wait(lambda: values(other) == point)
    clean(other, server)


def test_a_session_file_and_a_reload_bring_back_point_journal_and_notes(
    tab: Any, server: Any, open_tab: Callable[..., Any]
) -> None:
    move(tab, server, 0, 3)
    point = values(tab)
    tab.page.get_by_label("Open contextbar").click()
    notes = tab.page.get_by_label("Notes")
    notes.fill(f"? 1 2 {HOSTILE}")
    notes.press("Tab")
    tab.see("/Moved to OS/")
    assert values(tab) == point  # neither ? nor the numbers were taken as keys while writing
    press(tab, "Export")
    name, content = saved(tab, lambda: press(tab, "Save session"))
    assert name == "session.rankaae.json"
    session = json.loads(content)
    assert session["state"]["latent"] == point
    assert session["notes"] == f"? 1 2 {HOSTILE}"
    name, script = saved(tab, lambda: press(tab, "Save journal as Python script"))
    compile(script, name, "exec")
    assert b"load_member(run, " in script
    tab.page.keyboard.press("Escape")
    tab.wait(lambda: tab.saved(server)["latent"] == point and HOSTILE in tab.saved(server)["notes"])
    tab.page.reload()
    tab.wait(lambda: len(tab.curve("now")) == 48)
    tab.wait(lambda: values(tab) == point)
    tab.page.get_by_label("Open contextbar").click()
    tab.wait(lambda: HOSTILE in notes.input_value())

    other = open_tab(server)
    session["state"] |= {"run": "made", "spectra": "x"}
    other.page.get_by_role("button", name="Export").click()
    other.page.get_by_label("Session file").set_input_files(
        {"name": "s.json", "mimeType": "application/json", "buffer": json.dumps(session).encode()}
    )
    other.see("/Left out: spectra: not part of a session/")
    other.wait(lambda: len(other.curve("now")) == 48)
    other.wait(lambda: values(other) == point)
    clean(tab, server)
    clean(other, server)


def test_exports_hold_the_numbers_of_the_command_and_of_the_drawing(tab: Any, server: Any, tmp_path: Path) -> None:
    press(tab, "Export")
    tab.page.get_by_label("Numbers").select_option("traversal")
    tab.page.get_by_label("Axis", exact=True).select_option("CN")
    name, content = saved(tab, lambda: press(tab, "Download"))
    assert name.startswith("traversal-CN")
    out = tmp_path / "cn.csv"
    seed = int(name.removesuffix(".csv").rpartition("-")[2])
    run = server.workspace / "runs" / "made"
    CliRunner().invoke(app, ["traverse", str(run), "--axis", "CN", "--member", str(seed), "--out", str(out)])
    mine, command = (pd.read_csv(source, comment="#") for source in (io.BytesIO(content), out))
    assert np.array_equal(mine.to_numpy(), command.to_numpy())
    tab.page.get_by_label("Numbers").select_option("spectrum")
    tab.page.get_by_label("Format").select_option("h5")
    _, content = saved(tab, lambda: press(tab, "Download"))
    with h5py.File(io.BytesIO(content)) as file:
        assert file["mu"].shape == (48,)
        assert file.attrs["run"] == "made"
    figures = tab.page.locator(".figures .row")
    assert figures.count() >= 2
    _, drawing = saved(tab, lambda: figures.first.get_by_text("SVG").click())
    assert drawing.startswith(b"<svg")
    assert b"Energy" in drawing
    _, picture = saved(tab, lambda: figures.first.get_by_text("PNG").click())
    assert picture.startswith(b"\x89PNG")
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("1")
    tab.see("Absorber")
    press(tab, "Export")
    _, drawing = saved(tab, lambda: figures.first.get_by_text("SVG").click())
    assert b"<svg" in drawing[:200]
    clean(tab, server)


def test_a_site_shows_its_cluster_and_sets_without_structures_say_so(tab: Any, server: Any) -> None:
    page = tab.page
    assert not any("plotly" in url for url in tab.requests)
    page.get_by_label("Open contextbar").click()
    tab.wait(lambda: page.locator(".js-plotly-plot").count() == 1)
    drawn = """() => {
      const find = root => [...root.querySelectorAll("*")].reduce((found, element) => found ??
        (element.matches(".js-plotly-plot") ? element : element.shadowRoot && find(element.shadowRoot)), null)
      return find(document).data.map(trace => [trace.type, trace.name ?? "", trace.x.length])
    }"""
    tab.wait(lambda: len(page.evaluate(drawn)) == 6)
    traces = {name: (kind, count) for kind, name, count in page.evaluate(drawn)}
    assert traces["Cu, absorber"] == ("scatter3d", 1)
    assert traces["O, first shell"] == ("scatter3d", 6)
    assert traces["Cu, beyond"] == ("scatter3d", 12)
    assert traces["O, beyond"] == ("scatter3d", 8)
    assert traces["polyhedron"][0] == "mesh3d"
    page.evaluate(
        """() => {
      const find = root => [...root.querySelectorAll("*")].reduce((found, element) => found ??
        (element.matches(".js-plotly-plot") ? element : element.shadowRoot && find(element.shadowRoot)), null)
      const plot = find(document)
      const trace = plot.data.find(({name}) => name === "O, first shell")
      plot.emit("plotly_click", {points: [{customdata: trace.customdata[0]}]})
    }"""
    )
    tab.see("O, first shell, 2.130 Å from the absorber")
    choose(tab, "Set", "other")
    tab.see("came without crystal structures")
    clean(tab, server)


def test_the_tour_of_a_first_visit_can_be_taken_once(chromium: Any, server: Any) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    try:
        page.goto(server.url)
        page.get_by_role("tab", name="Latent").click()
        card = page.get_by_role("dialog", name="Tour")
        card.wait_for(timeout=60_000)
        for _ in range(4):
            card.get_by_role("button", name="Next").click()
        card.get_by_role("button", name="Done").click()
        assert not card.is_visible()
        page.reload()
        page.get_by_role("slider").first.wait_for(timeout=60_000)
        page.wait_for_timeout(1500)
        assert not card.is_visible()
    finally:
        page.close()
