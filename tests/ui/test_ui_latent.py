"""Below the latent player in Chromium: nearest sites follow the sliders, a row marks its site, trends are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from engine.model.config import make_config
from engine.model.run import Run
from tests.synthetic import fill_workspace, make_set

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.hacked=1>"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a set, one of whose descriptors and all of whose materials have hostile names, and a run."""
    made = make_set(150)
    names = made.descriptors.rename(columns={"WAVE": HOSTILE})
    material = np.array([f"{HOSTILE}{name}" for name in made.material_id])
    spectra = replace(made, descriptors=names, material_id=material)
    config = make_config("default", descriptors=("OS", HOSTILE), seeds=(0, 1), epochs=10, hidden=16)
    return fill_workspace(tmp_path_factory.mktemp("workspace"), spectra, {"made": config})


def test_nearest_sites_follow_a_slider_and_a_row_marks_its_site(
    start_server: Callable[..., Any], open_tab: Callable[..., Any], workspace: Path
) -> None:
    server = start_server(workspace)
    tab = open_tab(server)
    tab.part("Latent")
    rows = tab.page.locator(".site-table tbody tr")
    tab.wait(lambda: rows.count() == 6)

    def sites() -> list[str]:
        return tab.page.locator(".site-table tbody td:nth-child(2)").all_inner_texts()

    before, spectra = sites(), tab.data("ys", beside="distance")
    slider = tab.page.get_by_role("slider").first
    slider.focus()
    slider.press("End")
    tab.wait(lambda: sites() != before and len(sites()) == 6, 10)
    tab.wait(lambda: tab.data("ys", beside="distance") != spectra, 10)
    distances = [float(text) for text in tab.page.locator(".site-table tbody td:nth-child(3)").all_inner_texts()]
    assert distances == sorted(distances)
    assert HOSTILE in rows.first.inner_text()
    train_part = Run(workspace / "runs" / "made").split().train
    assert set(sites()) <= set(make_set(150).site_id[train_part])

    chosen = sites()[2]
    rows.nth(2).click()
    tab.wait(lambda: rows.nth(2).get_attribute("class") == "marked", 10)
    tab.wait(lambda: np.argmax(tab.data("width", beside="distance")) == 2, 10)
    tab.part("Data")
    tab.see("/A: 1 site of 1 material/")
    tab.part("Latent")
    tab.page.get_by_role("button", name=f"Mark {chosen}").press("Enter")
    tab.wait(lambda: rows.nth(2).get_attribute("class") == "", 10)
    tab.page.get_by_role("button", name="12", exact=True).click()
    tab.wait(lambda: rows.count() == 12, 10)

    tab.see("/Noise level \\d/")
    assert len(tab.data("level")) == 20
    assert len(tab.data("amplitude")) == 3
    assert tab.page.evaluate("window.hacked") is None
    assert tab.errors == []
    assert {urlsplit(url).hostname for url in tab.requests if urlsplit(url).scheme not in ("data", "blob")} == {
        "127.0.0.1"
    }
    assert server.complaints() == []
