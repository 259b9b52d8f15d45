"""A real server on a free port, Chromium, and a small synthetic set in the published layout."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.frame import COOKIE
from tests.browser import CHROMIUM, FLAGS, Server, launch


def layout_csv(n: int = 120, points: int = 64) -> str:
    """Spectra in the published CSV layout: an edge that OS shifts and CN steepens, three sites per material."""
    random = np.random.default_rng(3)
    energy = np.linspace(8984.0, 9034.0, points)
    lines = ["MPID,SITE,AUX_OS,AUX_CN," + ",".join(f"ENE_{value:.3f}" for value in energy)]
    for i in range(n):
        os_value, cn = random.integers(1, 4), random.integers(2, 7)
        edge = 8989.0 + 2.0 * os_value
        mu = 0.05 + 0.95 / (1 + np.exp(-(energy - edge) / 1.5))
        mu += 0.1 * cn * np.exp(-(((energy - edge - 4.0) / 3.0) ** 2)) + random.normal(0, 0.002, points)
        lines.append(f"mp-{i // 3},{i % 3},{os_value},{cn}," + ",".join(f"{value:.5f}" for value in mu))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts servers: ``start_server(workspace=None, real_data=None, data=None)``; all are stopped in the end."""
    started: list[Server] = []

    def start(workspace: Path | None = None, real_data: Path | None = None, data: Path | None = None) -> Server:
        folder = tmp_path_factory.mktemp("server")
        server = launch(folder, workspace or folder / "workspace", real_data, data)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()
        for record in server.workspace.glob("jobs/*/job.json"):
            pid = json.loads(record.read_text())["pid"]
            with suppress(ProcessLookupError):
                if pid:
                    os.killpg(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium; tests are skipped with one line where there is none."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"Chromium not found at {CHROMIUM}")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@dataclass
class Tab:
    """A browser tab at the app, and what it asked for and complained about."""

    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def part(self, name: str) -> None:
        """Goes to a part of the page."""
        self.page.get_by_role("tab", name=name).click()

    def fill(self, label: str, value: object) -> None:
        """Types into a field and leaves it."""
        entry = self.page.get_by_label(label).first
        entry.fill(str(value))
        entry.press("Tab")

    def drop(self, name: str, content: bytes) -> None:
        """Gives a file to the drop zone."""
        self.page.locator("input.filepond--browser").first.set_input_files(
            {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        )

    def see(self, text: str, seconds: float = 60) -> Any:
        """Waits until ``text`` (or /pattern/) can be seen."""
        found = self.page.locator(f"text={text} >> visible=true").first
        found.wait_for(timeout=1000 * seconds)
        return found

    def data(self, column: str, beside: str = "") -> list[Any]:
        """A column of the data source that has it (and has ``beside``), as the browser holds it now."""
        script = """([column, beside]) => {
            const models = Bokeh.documents.flatMap(document => Array.from(document.all_models))
            const sources = models.filter(model => model.type === "ColumnDataSource")
            const found = sources.find(({data}) => column in data && (!beside || beside in data))
            if (!found) return null
            return Array.from(found.data[column]).map(v => typeof v === "number" ? v : Array.from(v))
        }"""
        found = self.page.evaluate(script, [column, beside])
        assert found is not None, f"no data source has a column {column}"
        return found

    def curve(self, name: str) -> Any:
        """Points (n, 2) in pixels of a curve of the latent player; (0, 2) while it is not drawn."""
        drawn = self.page.locator(f".player .chart path.{name}").first.get_attribute("d") or ""
        return np.array(re.findall(r"(-?[\d.]+),(-?[\d.]+)", drawn), dtype=float).reshape(-1, 2)

    def saved(self, server: Server) -> dict[str, Any]:
        """The state and the notes that the autosave of this browser holds now; empty before the first."""
        keys = [cookie["value"] for cookie in self.page.context.cookies() if cookie["name"] == COOKIE]
        path = server.workspace / "sessions" / f"{keys[0] if keys else 'none'}.json"
        if not path.is_file():
            return {}
        session = json.loads(path.read_text(encoding="utf-8"))
        return {**session["state"], "notes": session["notes"]}

    def wait(self, true: Callable[[], bool], seconds: float = 60) -> None:
        """Waits until something is true of the page."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "what was waited for did not happen"
            self.page.wait_for_timeout(100)


@pytest.fixture
def open_tab(chromium: Any) -> Iterator[Callable[[Server], Tab]]:
    """Opens the app in a new tab and waits until it is drawn."""
    pages = []

    def open_at(server: Server) -> Tab:
        page = chromium.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(60_000)
        pages.append(page)
        page.add_init_script("localStorage.setItem('rankaae-tour', 'taken')")
        tab = Tab(page)
        page.on("request", lambda request: tab.requests.append(request.url))
        page.on("console", lambda message: tab.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: tab.errors.append(str(error)))
        page.goto(server.url)
        tab.see("RankAAE Explorer")
        return tab

    yield open_at
    for page in pages:
        page.close()


@pytest.fixture(scope="session")
def small_set() -> bytes:
    """A CSV in the published layout with 120 spectra, OS and CN."""
    return layout_csv().encode()


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory, small_set: bytes) -> Path:
    """A folder that looks like the real data, with the small set in the place of the Cu set."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "cu_feff").mkdir()
    (folder / "cu_feff" / "rankaae_layout.csv.gz").write_bytes(gzip.compress(small_set))
    return folder
