"""From a model to the next one in Chromium: candidates ranked, one trained, before beside after, and a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.model.config import make_config
from tests.synthetic import fill_workspace, make_set

pytestmark = pytest.mark.browser


def test_a_candidate_is_trained_and_put_beside_the_model_it_came_from(
    start_server: Callable[..., Any], open_tab: Callable[..., Any], tmp_path: Path
) -> None:
    config = make_config("default", descriptors=("OS",), seeds=(0, 1), epochs=4, hidden=16)
    server = start_server(fill_workspace(tmp_path, make_set(240), {"first": config}))
    tab = open_tab(server)
    tab.part("Descriptors")
    tab.page.get_by_role("button", name="Next descriptor to try").click()
    tab.see("NOISE, random numbers, is ranked along")
    tab.page.get_by_role("button", name="Rank candidates").click()
    tab.see("/On \\d+ validation sites, 2 members/", 240)
    tab.see("NOISE (control)")
    assert len(tab.data("explains")) == 3

    tab.page.get_by_label("Candidate").last.click()
    tab.page.get_by_role("menuitem", name="CN").click()
    tab.page.get_by_role("button", name="Train with CN", exact=True).click()
    tab.see("Mean decoded spectra", 240)
    chips = tab.page.get_by_role("button", name="✕")
    tab.wait(lambda: len(chips.all()) == 2)
    assert "A · first" in chips.first.inner_text()
    assert "B · made: OS, CN, 1 free" in chips.last.inner_text()

    tab.page.get_by_role("button", name="Export").click()
    with tab.page.expect_download(timeout=240_000) as waited:
        tab.page.get_by_role("button", name="Make report").click()
        tab.page.keyboard.press("Escape")
    page = Path(waited.value.path()).read_text(encoding="utf-8")
    assert waited.value.suggested_filename.startswith("report-run-")
    assert "Descriptors added one by one (Fig. S4)" in page
    assert tab.errors == []
    assert server.complaints() == []
