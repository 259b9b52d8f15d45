"""Milliseconds from a slider's input to the painted frame in Chromium, alone and beside a training.

    python -m tests.benchmarks.slider_latency --moves 300

The page is that of a real server, the network has the default size. Counted is from the time stamp of the input event
to the task after the frame that shows it.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from engine.io import write_set
from engine.model.config import make_config
from engine.model.training import train
from explorer.jobs import JobStore
from explorer.library import Library
from explorer.workspace import Workspace
from tests.benchmarks.numbers import Rows, add_json, keep
from tests.browser import CHROMIUM, FLAGS, launch
from tests.synthetic import make_set

ENDLESS = {"descriptors": ["OS", "CN", "WAVE"], "seeds": list(range(8)), "epochs": 100_000}
MEASURE = """() => {
    window.redraws = []
    window.addEventListener("input", event => {
        requestAnimationFrame(() => {
            const {port1, port2} = new MessageChannel()
            port1.onmessage = () => window.redraws.push(performance.now() - event.timeStamp)
            port2.postMessage(null)
        })
    }, true)
}"""


def prepare(folder: Path, seeds: int) -> None:
    """A workspace with a set and a finished run of the default network on it."""
    (folder / "sets").mkdir(parents=True)
    spectra, path = make_set(900, points=256), folder / "sets" / "made.parquet"
    write_set(spectra, path)
    config = make_config("default", descriptors=("OS", "CN", "WAVE"), free_axes=3, seeds=range(seeds), epochs=3)
    train(spectra, path, config, folder / "runs" / "made")


def drag(page: Any, moves: int) -> np.ndarray:
    """Redraw times (n,) while the first slider is dragged to and fro with the mouse."""
    box = page.get_by_role("slider").first.bounding_box()
    y, middle, reach = box["y"] + box["height"] / 2, box["x"] + box["width"] / 2, 0.3 * box["width"]
    page.mouse.move(middle, y)
    page.mouse.down()
    page.evaluate("window.redraws.length = 0")
    for i in range(moves):
        page.mouse.move(middle + reach * np.sin(i / 12), y)
    page.mouse.up()
    page.wait_for_timeout(300)
    return np.array(page.evaluate("window.redraws"))


def say(rows: Rows, what: str, times: np.ndarray) -> None:
    rows[what] = {"n": len(times), "median ms": float(np.median(times)), "p95 ms": float(np.quantile(times, 0.95))}
    print(f"{what:34s} n {len(times):4d}  median {np.median(times):5.1f} ms  p95 {np.quantile(times, 0.95):5.1f} ms")


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=300, help="mouse moves per measurement")
    parser.add_argument("--seeds", type=int, default=8, help="members of the run, for the band")
    add_json(parser)
    arguments = parser.parse_args()
    rows: Rows = {}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        prepare(folder / "workspace", arguments.seeds)
        server = launch(folder, folder / "workspace")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(server.url)
        page.get_by_role("tab", name="Latent").click()
        page.get_by_role("slider").first.wait_for(timeout=60_000)
        page.wait_for_timeout(1500)
        page.evaluate(MEASURE)
        say(rows, "one spectrum", drag(page, arguments.moves))
        page.get_by_label("other seeds").check()
        page.wait_for_timeout(1500)
        say(rows, f"band of {arguments.seeds - 1} other seeds", drag(page, arguments.moves))
        store = JobStore(Library(Workspace(folder / "workspace")))
        training = store.start_training("made", ENDLESS, "beside the page")
        while store.status(training).state == "starting":
            time.sleep(0.2)
        page.wait_for_timeout(3000)
        say(rows, f"band of {arguments.seeds - 1}, training beside it", drag(page, arguments.moves))
        page.get_by_label("other seeds").uncheck()
        say(rows, "one spectrum, training beside it", drag(page, arguments.moves))
        assert store.status(training).active, "the training ended before the measurement"
        os.killpg(training.pid, signal.SIGKILL)
        browser.close()
        server.stop()
    keep({"slider to painted frame": rows}, arguments.json)


if __name__ == "__main__":
    main()
