"""The Experiment part in Chromium against a real server: files dropped, read with a model, laid over its sliders."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.model.config import make_config
from tests.synthetic import fill_workspace, make_set

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a set that is large enough to calibrate on, and a run."""
    runs = {"made": make_config("default", descriptors=("OS", "CN"), seeds=(0,), epochs=5, hidden=16)}
    return fill_workspace(tmp_path_factory.mktemp("workspace"), make_set(240), runs)


@pytest.fixture
def opened(start_server: Callable[..., Any], open_tab: Callable[..., Any], workspace: Path) -> tuple[Any, Any]:
    """A server on the workspace, and a tab with the Experiment part ready for files."""
    server = start_server(workspace)
    tab = open_tab(server)
    tab.part("Experiment")
    tab.see("48 energies")
    return server, tab


def drop(tab: Any, files: dict[str, bytes]) -> None:
    zone = tab.page.locator("input.filepond--browser").last
    zone.set_input_files([{"name": n, "mimeType": "application/octet-stream", "buffer": c} for n, c in files.items()])


def measured(oxidation: float) -> bytes:
    """Columns of text: what the made-up family would measure, far enough before and behind the edge to normalise."""
    energy = np.arange(8900.0, 9200.0, 0.5)
    x = energy - 8990 - 2.0 * oxidation
    mu = 0.5 + np.arctan(x / 1.5) / np.pi + 0.5 * np.exp(-(((x - 4) / 2.5) ** 2))
    return ("# energy mu\n" + "\n".join(f"{e:.2f} {m:.6f}" for e, m in zip(energy, mu, strict=True))).encode()


def test_opened_files_are_corrected_one_by_one_forgotten_on_request_and_found_again(opened: tuple[Any, Any]) -> None:
    server, tab = opened
    rows = measured(1).splitlines()[1:]
    numbered = b"\n".join(b"%d " % i + row for i, row in enumerate(rows, start=2))  # what looks like energies is not
    files = {"plain.dat": measured(2), "one.dat": numbered, "two.dat": numbered + b"\n", "three.dat": measured(3)}
    drop(tab, files)
    tab.see("2 spectra prepared, 2 refused")

    def choose(name: str) -> None:
        tab.page.get_by_role("combobox", name="Files opened").click()
        tab.page.get_by_role("menuitem", name=name, exact=True).click()

    def kept() -> list[str]:
        return [f"{file['name']} {file.get('columns', '')}" for file in tab.saved(server)["experiment"]["files"]]

    choose("one.dat")
    tab.page.get_by_text("Columns", exact=True).click()
    tab.see("It has: 1, 2, 3.")
    tab.fill("Columns of this file", "energy=2,mu=3")
    tab.see("3 spectra prepared, 1 refused")
    tab.page.get_by_text("Use for 1 other of this layout").click()
    tab.see("4 spectra prepared, 0 refused")
    choose("three.dat")
    tab.page.get_by_text("Take away").click()
    tab.see("3 spectra prepared, 0 refused")
    tab.wait(lambda: len(kept()) == 3)
    tab.page.get_by_text("Files kept", exact=True).click()
    tab.page.get_by_text("Forget files", exact=True).click()
    tab.see("/ open on no page: .*three.dat/")
    tab.page.get_by_text("Forget them").click()
    tab.see("/Forgot .*three.dat/")
    tab.page.get_by_role("button", name="Undo", exact=True).click()
    tab.see("/not in this workspace: three.dat/")
    assert sorted(kept()) == ["one.dat energy=2,mu=3", "plain.dat ", "two.dat energy=2,mu=3"]

    tab.page.reload()
    tab.see("3 spectra prepared, 0 refused")
    assert tab.errors == []
    assert server.complaints() == []


def test_measured_spectra_are_prepared_predicted_and_laid_over_the_sliders(opened: tuple[Any, Any]) -> None:
    server, tab = opened
    files = {f"film_{100 * i}K.dat": measured(1 + i / 3) for i in range(1, 7)} | {"note.dat": b"no numbers here"}
    drop(tab, files)
    tab.see("6 spectra prepared, 1 refused")
    tab.see("note.dat: no columns of numbers found")
    tab.see("E0 899")

    def section(name: str, words: str) -> None:
        tab.page.get_by_role("button", name=name, exact=True).click()
        tab.see(words)

    section("Predictions", "validation materials, hold of")
    tab.wait(lambda: len(tab.data("low", beside="value")) == 6)
    tab.page.get_by_text("Standards", exact=True).click()
    known = tab.page.get_by_label("Name, then what is known")
    known.fill("film_100K OS=1.33\nfilm_60K OS=3")
    known.press("Tab")
    tab.see("'film_60K OS=3'; begins with the name of no spectrum")
    known.fill("film_100K OS=1.33\nfilm_600K OS=3")
    known.press("Tab")
    tab.see("film_600K 3 (said")
    tab.see("OS by standards")
    tab.page.get_by_text("Series", exact=True).click()
    tab.page.get_by_role("combobox", name="What orders the series").click()
    tab.page.get_by_role("menuitem", name="numbers in names").click()
    tab.wait(lambda: sorted(tab.data("x", beside="value")) == [100, 200, 300, 400, 500, 600])
    section("Axes", "where the training sites lie")
    section("Reconstruction", "Best together")
    section("Domain map", "Not mapped yet")
    tab.page.get_by_role("button", name="Map the series").click()
    tab.see("Mean weight", 90)
    tab.wait(lambda: len(tab.data("weight")) == 6)
    with tab.page.expect_download() as download:
        tab.page.get_by_role("button", name="All predictions with").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [row["SERIES"] for row in rows] == ["100", "200", "300", "400", "500", "600"]
    assert float(rows[0]["mapped OS low"]) < float(rows[0]["mapped OS high"])
    assert [float(rows[i]["OS by standards"]) for i in (0, 5)] == pytest.approx([1.33, 3.0], abs=1e-4)

    tab.page.get_by_text("Sliders there").click()
    tab.part("Latent")
    tab.wait(lambda: len(tab.curve("now")) == 48)
    assert len(tab.curve("measured")) == 0
    tab.page.locator("header button").first.click()  # the drawer at the left
    tab.page.get_by_label("Measured").check()
    tab.wait(lambda: len(tab.curve("measured")) == 48)
    assert tab.errors == []
    assert server.complaints() == []
