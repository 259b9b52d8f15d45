"""The main job in the browser: drop a set, train, move an axis; cancel; restart; files that are no sets."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.browser


def start_training(tab: Any, seeds: int, epochs: int) -> None:
    tab.part("Train")
    tab.fill("Seeds", seeds)
    tab.fill("Epochs", epochs)
    tab.page.get_by_role("button", name="Start training").click()


def test_from_a_dropped_file_to_a_moving_spectrum(
    start_server: Callable[..., Any], open_tab: Callable[..., Any], small_set: bytes
) -> None:
    server = start_server()
    tab = open_tab(server)
    tab.drop("copper.csv.gz", gzip.compress(small_set))
    tab.see("120 sites of 40 materials")
    tab.see("read 120, kept 120")
    start_training(tab, seeds=2, epochs=40)
    tab.wait(lambda: [len(curve) >= 2 for curve in tab.data("ys", beside="seed")] == [True, True], 180)
    tab.see("/epoch \\d+ of 40/")
    tab.see("has finished", 180)
    tab.see("Scores on the test part")
    losses = np.array(tab.data("ys", beside="seed"))
    assert losses.shape == (2, 40)
    assert (losses[:, -1] < losses[:, 0]).all()

    tab.part("Latent")
    tab.see("/.SRCC. \\d/")
    tab.wait(lambda: len(tab.curve("now")) == 64)
    before = tab.curve("now")
    assert np.array_equal(before, tab.curve("baseline"))
    assert np.ptp(tab.curve("difference")[:, 1]) == 0
    slider = tab.page.get_by_role("slider").first
    slider.focus()
    for _ in range(12):
        slider.press("ArrowRight")
    tab.wait(lambda: tab.page.locator(".axis .value").first.inner_text() == "0.60")
    tab.wait(lambda: np.abs(tab.curve("now") - before).max() > 1)
    assert np.ptp(tab.curve("difference")[:, 1]) > 1
    assert np.array_equal(tab.curve("baseline"), before)

    tab.page.get_by_role("button", name="Reset all to 0").click()
    tab.wait(lambda: np.array_equal(tab.curve("now"), before))
    assert tab.errors == []
    assert server.complaints() == []


def test_a_training_outlives_reload_and_restart_and_can_be_cancelled_and_resumed(
    start_server: Callable[..., Any], open_tab: Callable[..., Any], stand_in: Path
) -> None:
    first = start_server(real_data=stand_in)
    tab = open_tab(first)
    tab.see("120 sites of 40 materials")
    start_training(tab, seeds=1, epochs=100_000)
    tab.see("/Training · epoch \\d+ of 100000/", 180)
    for waiting in ("1 training waiting", "2 trainings waiting"):
        tab.page.get_by_role("button", name="Start training").click()
        tab.see(waiting)
    tab.see("/Waiting for its turn · 2 of 2 in the queue/")
    tab.page.reload()
    tab.see("/Jobs: .* 2 trainings waiting/")
    tab.page.close()
    first.stop()

    second = start_server(first.workspace, stand_in)
    tab = open_tab(second)
    tab.part("Train")
    tab.see("/Training · epoch \\d+ of 100000/", 180)
    tab.see("Waiting for their turn, next first")
    cancel = tab.page.get_by_role("button", name="Cancel")
    for there, left in ((3, "Jobs: .* 1 training waiting"), (2, "Jobs: [^;]*$")):
        tab.wait(lambda there=there: cancel.count() == there)
        cancel.first.click()
        tab.see(f"/{left}/")
    tab.wait(lambda: cancel.count() == 1)
    cancel.click()
    tab.see("/Cancelled · epoch \\d+ of 100000/")
    tab.see("Jobs: none running")
    tab.page.get_by_role("button", name="Resume").click()
    tab.see("/Training · epoch \\d+ of 100000/", 180)
    records = [json.loads(path.read_text()) for path in (second.workspace / "jobs").glob("run-*/job.json")]
    os.kill(next(record["pid"] for record in records if record["pid"]), signal.SIGKILL)
    tab.see("/Interrupted · epoch \\d+ of 100000/")
    tab.see("was interrupted")
    assert tab.page.get_by_role("button", name="Resume").is_visible()
    assert tab.errors == []
    assert first.complaints() + second.complaints() == []


def test_wrong_files_and_html_in_a_name_are_told_as_text(
    start_server: Callable[..., Any], open_tab: Callable[..., Any], small_set: bytes
) -> None:
    hostile = "<img src=x onerror=window.hacked=1>.csv"
    server = start_server()
    tab = open_tab(server)
    tab.drop(hostile, b"not,a,spectrum\n1,2,3\n")
    tab.see(f"Import of {hostile} failed")
    tab.drop("../../empty.csv", b"")
    tab.see("the file is empty")
    tab.drop(hostile, small_set)
    tab.see("120 sites of 40 materials")
    assert tab.page.get_by_role("combobox", name="Set").first.inner_text() == hostile
    assert tab.page.evaluate("window.hacked") is None
    assert tab.page.locator("img[src=x]").count() == 0
    kept = [path.relative_to(server.workspace) for path in server.workspace.rglob("*")]
    assert kept
    assert all(re.fullmatch(r"[A-Za-z0-9._/-]+", str(path)) for path in kept)
    tab.part("Train")
    tab.see("No training yet")
    assert tab.errors == []
    assert server.complaints() == []
