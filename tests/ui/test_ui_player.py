"""The latent player in Chromium against a real server: mouse, keyboard, overlays; nothing asked of anybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from engine.model.config import make_config
from tests.synthetic import fill_workspace, make_set

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a set, one of whose descriptors has a hostile name, and a run on it with two members."""
    made = make_set()
    spectra = replace(made, descriptors=made.descriptors.rename(columns={"WAVE": HOSTILE}))
    config = make_config("default", descriptors=("OS", "CN", HOSTILE), seeds=(0, 1), epochs=30, hidden=32)
    return fill_workspace(tmp_path_factory.mktemp("workspace"), spectra, {"made": config})


@pytest.fixture
def player(start_server: Callable[..., Any], open_tab: Callable[..., Any], workspace: Path) -> Iterator[Any]:
    """The Latent part of the app, drawn; afterwards nothing must have gone wrong on either side."""
    server = start_server(workspace)
    tab = open_tab(server)
    tab.sent = []
    tab.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: tab.sent.append(frame)))
    tab.page.reload()
    tab.part("Latent")
    tab.see("/.SRCC. \\d/")
    tab.wait(lambda: len(tab.curve("now")) == 48)
    yield tab
    assert tab.page.evaluate("window.hacked") is None
    assert tab.errors == []
    hosts = {urlsplit(url).hostname for url in tab.requests if urlsplit(url).scheme not in ("data", "blob")}
    assert hosts == {"127.0.0.1"}
    assert server.complaints() == []


PARAMETERS = """Bokeh.documents.flatMap(document => Array.from(document.all_models))
    .find(model => model.class_name === "LatentPlayer").data"""


def told(tab: Any, name: str) -> Any:
    """A parameter of the player as the browser holds it."""
    return tab.page.evaluate(f"name => {PARAMETERS}[name]", name)


def tell(tab: Any, name: str, value: Any) -> None:
    """Sets a parameter of the player, as the server would."""
    tab.page.evaluate(f"([name, value]) => {{ {PARAMETERS}[name] = value }}", [name, value])


def quiet(tab: Any) -> None:
    """Waits until the page has told the server nothing for a second: figures do while they are drawn first."""
    before = -1
    while before != len(tab.sent):
        before = len(tab.sent)
        tab.page.wait_for_timeout(1000)


def test_dragging_moves_the_spectrum_without_asking_the_server(player: Any) -> None:
    before, flat = player.curve("now"), player.curve("difference")
    edge = player.page.locator(".readouts .reading").first
    edge_before = edge.inner_text()
    mouse = player.page.mouse
    thumb = player.page.get_by_role("slider").first.bounding_box()
    y = thumb["y"] + thumb["height"] / 2
    start = thumb["x"] + thumb["width"] / 2
    quiet(player)
    mouse.move(start, y)
    mouse.down()
    player.sent.clear()
    seen = []
    for step in range(1, 11):
        mouse.move(start + 8 * step, y)
        player.page.wait_for_timeout(40)
        seen.append(player.curve("now"))
    assert player.sent == []
    assert all(np.abs(a - b).max() > 0.2 for a, b in pairwise(seen))
    mouse.up()
    player.wait(lambda: len(player.sent) > 0)
    assert np.abs(player.curve("now") - before).max() > 2
    assert np.abs(player.curve("difference") - flat).max() > 2
    assert np.array_equal(player.curve("baseline"), before)
    assert edge.inner_text() != edge_before
    assert edge.inner_text().endswith(" eV")
    player.wait(lambda: told(player, "check")["latent"] == told(player, "latent") != [0, 0, 0, 0])
    player.wait(lambda: 0 < told(player, "disagreement") < 1e-5)


def test_a_point_from_the_server_moves_the_sliders_and_its_spectrum_prevails(player: Any) -> None:
    before = player.curve("now")
    tell(player, "latent", [0.5, 0, -0.25, 0])
    player.wait(lambda: np.abs(player.curve("now") - before).max() > 1)
    values = player.page.locator(".axis .value")
    assert [values.nth(i).inner_text() for i in range(4)] == ["0.50", "0.00", "−0.25", "0.00"]
    player.wait(lambda: told(player, "check")["latent"] == [0.5, 0, -0.25, 0])
    own, found = player.curve("now"), told(player, "check")
    tell(player, "check", {**found, "mu": [value + 0.2 for value in found["mu"]]})
    player.see("Server and browser differ by 0.20")
    assert (player.curve("now")[:, 1] < own[:, 1] - 2).all()
    player.wait(lambda: abs(told(player, "disagreement") - 0.2) < 1e-5)


def test_keys_move_the_focused_axis_and_it_can_be_locked_and_reset(player: Any) -> None:
    page = player.page
    slider, value = page.get_by_role("slider").nth(1), page.locator(".axis .value").nth(1)
    slider.focus()
    for key, shown in (("ArrowRight", "0.05"), ("ArrowUp", "0.10"), ("Shift+ArrowLeft", "0.09"), ("ArrowDown", "0.04")):
        slider.press(key)
        assert value.inner_text() == shown
    player.wait(lambda: told(player, "latent")[1] == 0.04)
    page.get_by_role("button", name="Lock CN").click()
    assert slider.is_disabled()
    page.get_by_role("button", name="Reset all to 0").click()
    assert value.inner_text() == "0.04"
    page.get_by_role("button", name="Unlock CN").click()
    page.get_by_role("button", name="Reset CN to 0").click()
    assert value.inner_text() == "0.00"
    player.wait(lambda: told(player, "latent")[1] == 0)


def test_an_axis_sweeps_until_it_is_paused(player: Any) -> None:
    page, value = player.page, player.page.locator(".axis .value").first
    page.get_by_role("button", name="Sweep OS").click()
    seen = set()
    for _ in range(8):
        page.wait_for_timeout(150)
        seen.add(value.inner_text())
    assert len(seen) >= 6
    page.get_by_role("button", name="Pause OS").click()
    stopped = value.inner_text()
    page.wait_for_timeout(300)
    assert value.inner_text() == stopped
    player.wait(lambda: f"{told(player, 'latent')[0]:.2f}".replace("-", "−") == stopped)


def test_baseline_band_nearest_site_and_differences_along_an_axis(player: Any) -> None:
    page = player.page
    slider = page.get_by_role("slider").first
    slider.focus()
    slider.press("End")
    page.get_by_role("button", name="Baseline = now").click()
    player.wait(lambda: np.array_equal(player.curve("baseline"), player.curve("now")))
    player.see("baseline: pinned")
    page.get_by_role("button", name="Baseline = 0").click()
    player.wait(lambda: not np.array_equal(player.curve("baseline"), player.curve("now")))
    for key, name in (("other seeds", "band"), ("nearest site", "reference")):
        assert len(player.curve(name)) == 0
        page.get_by_label(key).check()
        player.wait(lambda name=name: len(player.curve(name)) >= 48)
    player.see("/Nearest training site: m-\\d+/")
    before = player.curve("difference")
    page.get_by_role("combobox", name="Which difference").select_option(index=2)
    player.wait(lambda: np.abs(player.curve("difference") - before).max() > 1)


def test_far_from_all_training_spectra_the_player_says_so(player: Any) -> None:
    for place in range(4):
        player.page.get_by_role("slider").nth(place).press("End")
    player.see("No training spectra near here")


def test_the_exported_teaching_page_works_from_disk_without_a_network(
    player: Any, chromium: Any, tmp_path: Path
) -> None:
    with player.page.expect_download() as waiting:
        player.see("Teaching page").click()
    page_file = tmp_path / "page.html"
    waiting.value.save_as(page_file)
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    tab = type(player)(context.new_page())
    tab.page.on("request", lambda request: tab.requests.append(request.url))
    tab.page.on("console", lambda message: tab.errors.append(message.text))
    tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.page.goto(page_file.as_uri())
    tab.wait(lambda: len(tab.curve("now")) == 48)
    before, flat = tab.curve("now"), tab.curve("difference")
    thumb = tab.page.get_by_role("slider").first.bounding_box()
    x, y = thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + 60, y, steps=5)
    tab.page.mouse.up()
    tab.wait(lambda: np.abs(tab.curve("now") - before).max() > 2)
    assert np.abs(tab.curve("difference") - flat).max() > 2
    moved = tab.curve("now")
    tab.page.locator(".map svg").click(position={"x": 120, "y": 90})
    tab.wait(lambda: np.abs(tab.curve("now") - moved).max() > 2)
    assert tab.page.locator("#traversals .card").count() == 4
    answer = tab.page.locator("details p").first
    assert not answer.is_visible()
    tab.page.locator("summary").first.click()
    assert answer.is_visible()
    tab.see(HOSTILE)
    assert tab.page.evaluate("window.hacked") is None
    assert tab.errors == []
    assert {urlsplit(url).scheme for url in tab.requests} == {"file"}
    context.close()


def test_names_from_data_are_shown_as_text(player: Any) -> None:
    player.see(HOSTILE)
    assert player.page.locator("img[src=x]").count() == 0
