"""A first visit with embedded data: something alive at once, sets to choose, trainings beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.embedded.manifest import read_embedded
from tests.embedded_data import make_embedded

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_embedded(tmp_path_factory.mktemp("embedded") / "data")


def choose_set(tab: Any, name: str) -> None:
    tab.part("Data")
    tab.see("First shell")
    tab.page.get_by_role("combobox").first.click()
    tab.page.get_by_role("menuitem", name=name).click()


def test_the_page_opens_on_an_embedded_model_and_trains_on_an_embedded_set(
    start_server: Callable[..., Any], open_tab: Callable[..., Any], data: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    server = start_server(data=data)
    tab = open_tab(server)
    tab.see("oxides-3d Cu: OS, CN, 1 free")
    tab.see("/.SRCC. \\d/")
    tab.wait(lambda: len(tab.curve("now")) == 48)
    still = tab.curve("now")
    slider = tab.page.get_by_role("slider").first
    slider.focus()
    for _ in range(12):
        slider.press("ArrowRight")
    tab.wait(lambda: np.abs(tab.curve("now") - still).max() > 0.1)

    choose_set(tab, "periodic-47 Na")
    tab.see("3 sites of 3 materials")
    choose_set(tab, "oxides-3d Ni")
    tab.see("Ni 90, K edge")
    tab.part("Train")
    tab.fill("Seeds", 1)
    tab.fill("Epochs", 4)
    tab.page.get_by_role("button", name="Start training").click()
    tab.see("has finished", 180)
    tab.see("oxides-3d Ni: OS, CN, WAVE, 1 free")
    assert len(list((server.workspace / "runs").iterdir())) == 1
    assert not (server.workspace / "sets").exists()
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
    embedded = read_embedded(data)
    assert embedded is not None
    for file in embedded.files:
        file.check()
    later = open_tab(server)  # a second visit: the model is in memory, and nothing was done yet
    later.wait(lambda: len(later.curve("now")) == 48)
    later.page.wait_for_timeout(1500)
    assert later.page.get_by_role("button", name="Undo").first.is_disabled()
    assert tab.errors == later.errors == []
    assert server.complaints() == []
    assert all(url.startswith((server.url.removesuffix("/explorer"), "data:", "blob:")) for url in tab.requests)
