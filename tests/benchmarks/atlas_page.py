"""Seconds from a click to a map in Chromium, and from the end of a lasso to its result, at 10,000 to 300,000 sites.

    python -m tests.benchmarks.atlas_page --sites 300000

Spectra are mixed from real ones as in ``tests.benchmarks.atlas``, without cleaning, at points drawn around those of
their principal components: what is measured is reading, drawing and choosing, not UMAP. The page is that of a real
server. A map counts as open when its picture or points have reached the browser, a lasso when its words are shown.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.atlas.embedding import Embedding, principal_components
from engine.atlas.store import Atlas, write_atlas
from engine.io import StepTable
from tests.benchmarks.atlas import mixed
from tests.browser import CHROMIUM, FLAGS, Server, launch

DRAWN = """() => Bokeh.documents.flatMap(document => Array.from(document.all_models)).some(({type, data}) =>
    type === "ColumnDataSource" && ((data.dw ?? []).length === 1 || "x" in data && (data.value ?? []).length > 0))"""
MAP_PANE = ".bk-Canvas >> visible=true"


def write_map(n: int, path: Path) -> None:
    """A map of n mixed spectra."""
    raw = mixed(n)
    rng = np.random.default_rng(0)
    mu = np.stack(raw.mu)
    starts = {element: float(energy[0]) for element, energy in zip(raw.element, raw.energy_ev, strict=True)}
    relative = raw.energy_ev[0] - raw.energy_ev[0][0]
    sites = pd.DataFrame({"site_id": raw.site_id, "material_id": raw.material_id, "element": raw.element})
    descriptors = pd.DataFrame({"CN": rng.integers(4, 9, n).astype(float), "BL_MEAN": rng.normal(2.0, 0.2, n)})
    xy = principal_components(mu) + rng.normal(0, 0.05, (n, 2)).astype(np.float32)
    table = StepTable(sites, descriptors, mu, relative, starts, "mixed")
    path.parent.mkdir(parents=True)
    write_atlas(Atlas(table, xy, Embedding(method="pca"), {}, {}, np.linspace(0, 1, 101)), path)


def wait(page: Any, true: Any, seconds: float = 60) -> float:
    """Seconds until something is true of the page."""
    began = time.perf_counter()
    while not true():
        assert time.perf_counter() - began < seconds, "what was waited for did not happen"
        page.wait_for_timeout(20)
    return time.perf_counter() - began


def work_of(server: Server) -> float:
    """CPU seconds that the server has used."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(page: Any, server: Server, n: int) -> None:
    page.goto(server.url, wait_until="commit")
    page.get_by_role("tab", name="Atlas").wait_for(timeout=120_000)
    page.wait_for_timeout(3000)
    before = work_of(server)
    page.get_by_role("tab", name="Atlas").click()
    opened = wait(page, lambda: page.evaluate(DRAWN))
    print(f"{n:9} sites: map open {opened:5.2f} s, server {work_of(server) - before:5.2f} s of CPU", flush=True)
    page.wait_for_timeout(2000)
    box = page.locator(MAP_PANE).first.bounding_box()
    words = page.locator("text=/^(A:|Nothing is chosen)/ >> visible=true").first
    for share in (0.12, 0.25, 0.38):
        before, used = words.inner_text(), work_of(server)
        x, y = box["x"] + 0.5 * box["width"], box["y"] + 0.45 * box["height"]
        corners = [(np.cos(a) * share * box["width"], np.sin(a) * share * box["height"]) for a in np.linspace(0, 6, 40)]
        page.mouse.move(x + corners[0][0], y + corners[0][1])
        page.mouse.down()
        for dx, dy in corners[1:]:
            page.mouse.move(x + dx, y + dy)
        page.mouse.up()
        took = wait(page, lambda before=before: words.inner_text() != before)
        used = work_of(server) - used
        print(f"{'':9} lasso {took:5.2f} s, server {used:5.2f} s of CPU: {words.inner_text()}", flush=True)
        page.wait_for_timeout(1500)


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, nargs="+", default=[10_000, 100_000, 300_000])
    given = parser.parse_args()
    for n in given.sites:
        with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
            folder = Path(name)
            write_map(n, folder / "workspace" / "maps" / "mixed" / "atlas.parquet")
            server = launch(folder, folder / "workspace")
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.add_init_script("localStorage.setItem('rankaae-tour', 'taken')")
            page.set_default_timeout(120_000)
            try:
                measure(page, server, n)
            finally:
                browser.close()
                server.stop()


if __name__ == "__main__":
    main()
