"""Looking at a set and choosing descriptors in the browser: select sites, click a set, ceilings, an own column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def draw_box(tab: Any, figure: int, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drags from ``start`` to ``end`` (shares of width and height) in one of the figures that can be seen."""
    shown = [place.bounding_box() for place in tab.page.locator(".bk-Figure").all() if place.is_visible()]
    at = shown[figure]
    ends = [(at["x"] + x * at["width"], at["y"] + y * at["height"]) for x, y in (start, end)]
    tab.page.mouse.move(*ends[0])
    tab.page.mouse.down()
    tab.page.mouse.move(*ends[1], steps=5)
    tab.page.mouse.up()


def test_from_selected_sites_to_a_set_of_descriptors_with_an_own_one(
    start_server: Callable[..., Any], open_tab: Callable[..., Any], small_set: bytes
) -> None:
    server = start_server()
    tab = open_tab(server)
    tab.drop("copper.csv", small_set)
    tab.see("120 sites of 40 materials", 120)
    tab.see("Nothing is selected")
    tab.wait(lambda: sum(tab.data("count", beside="what")) == 120)
    draw_box(tab, 1, (0.3, 0.2), (0.5, 0.6))
    tab.see("/A: \\d+ sites of \\d+ materials/")
    tab.page.get_by_role("button", name="B", exact=True).click()
    draw_box(tab, 0, (0.3, 0.02), (0.75, 0.7))
    tab.see("A − B is largest at")

    tab.part("Descriptors")
    tab.see("in this set only")
    tab.wait(lambda: len(tab.data("rho")) == 9)
    tab.page.get_by_role("button", name="Take OS out of the set").click()
    tab.page.get_by_label("Filter").fill("coordination first shell")
    assert tab.page.get_by_role("button", name="Take CN out of the set").is_visible()
    assert not tab.page.get_by_role("button", name="Take OS into the set").is_visible()
    tab.fill("Own descriptor from others", "RATIO=OS/CN")
    tab.page.get_by_role("button", name="Make a new set").click()
    tab.wait(lambda: len(tab.data("rho")) == 16, 240)
    tab.page.get_by_label("Filter").fill("")
    tab.page.get_by_role("button", name="Take RATIO into the set").click()
    tab.page.get_by_role("button", name="Compute ceilings").click()
    tab.wait(lambda: len(tab.data("srcc")) == 4, 180)
    tab.part("Train")
    chosen = tab.page.locator(".MuiChip-label >> visible=true")
    tab.wait(lambda: chosen.all_text_contents() == ["CN", "RATIO"])
    assert len(list((server.workspace / "sets").glob("*.parquet"))) == 2
    assert list((server.workspace / "sets").glob(".*")) == []
    assert tab.errors == []
    assert server.complaints() == []
