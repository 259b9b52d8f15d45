"""The page comes up: drawn, quiet in both logs, and asking nobody but its own server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser


SIDEWAYS = """() => {
  const every = root => [...root.querySelectorAll("*")].flatMap(e => [e, ...(e.shadowRoot ? every(e.shadowRoot) : [])])
  const wide = every(document).filter(e => e.clientWidth > 900 && !e.matches(".MuiLinearProgress-root"))
  return wide.filter(e => { e.scrollLeft = 500; return e.scrollLeft > 0 })
    .map(e => e.className)
}"""
"""What as wide as the page can be scrolled sideways."""


def test_opens_on_the_real_set_where_it_is_found(
    start_server: Callable[..., Any], open_tab: Callable[..., Any], stand_in: Path
) -> None:
    server = start_server(real_data=stand_in)
    tab = open_tab(server)
    tab.see("120 sites of 40 materials")
    tab.wait(lambda: len(tab.data("median")) == 64)
    for part, words in {
        "Train": "No training yet",
        "Latent": "No finished training yet",
        "Data": "First shell",
    }.items():
        tab.part(part)
        tab.see(words)
    tab.wait(lambda: tab.saved(server).get("tab") == "Data")
    tab.page.reload()
    tab.see("120 sites of 40 materials")
    assert tab.page.evaluate(SIDEWAYS) == []
    assert tab.errors == []
    local = [url for url in tab.requests if urlsplit(url).scheme not in ("data", "blob")]
    assert {urlsplit(url).hostname for url in local} == {"127.0.0.1"}
    tab.page.close()
    assert server.complaints() == []


def test_opens_on_the_drop_zone_where_there_is_no_data(
    start_server: Callable[..., Any], open_tab: Callable[..., Any]
) -> None:
    server = start_server()
    tab = open_tab(server)
    tab.see("No set is open")
    tab.see("Drag & Drop")
    tab.part("Train")
    assert tab.page.get_by_role("button", name="Start training").is_disabled()
    assert tab.errors == []
    assert server.complaints() == []
