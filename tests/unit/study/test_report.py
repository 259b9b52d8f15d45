"""The report of a small run: its numbers are those of `score`, its figures are sound, nothing comes from outside."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import RunError
from engine.io import write_set
from engine.model.config import make_config
from engine.model.report import score_run
from engine.model.run import Run
from engine.model.training import train
from engine.study.report import report_page
from engine.study.reproduce import reproduce
from engine.study.svg import Curve, line_figure, matrix_figure, point_figure, ramp
from tests.command import rankaae
from tests.synthetic import make_set

NASTY = "<b>&"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("report")
    spectra = make_set(150, 40)
    spectra = replace(spectra, descriptors=spectra.descriptors.rename(columns={"WAVE": NASTY}), origin="<script>")
    write_set(spectra, folder / "set.parquet")
    config = make_config("default", descriptors=("OS", NASTY), seeds=(0, 1), epochs=4, hidden=16)
    return train(spectra, folder / "set.parquet", config, folder / "run")


@pytest.fixture(scope="module")
def page(run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("page") / "report.html"
    rankaae("report", run.path, "--out", out)
    return out.read_text(encoding="utf-8")


def test_numbers_are_those_of_score(run: Run, page: str) -> None:
    scores = score_run(run)
    stored = re.search(r'<script type="application/json" id="scores">(.*?)</script>', page)
    assert stored is not None
    assert json.loads(stored[1]) == scores
    cells = re.findall(r"<td>(.*?)</td>", page)
    for member in scores["members"]:
        place = cells.index(f"seed {member['seed']}")
        assert cells[place + 1] == f"{member['reconstruction_rmse']:.4f}"
        assert cells[place + 3] == f"{member['descriptors']['OS']['srcc']:.4f}"
    trees = scores["baselines"]["extra_trees"]
    assert f"{trees['OS']['srcc']:.4f}" in cells


def test_the_page_says_which_figures_of_the_paper_it_has(page: str) -> None:
    listed = dict(re.findall(r"<tr><td>Figs?\. ([^<]*)</td><td>[^<]*</td><td>([^<]*)</td></tr>", page))
    here = {number: place.removeprefix("under ") for number, place in listed.items() if place.startswith("under ")}
    assert list(here) == ["6a", "6c", "7", "S1", "S10", "S12"]
    assert all(f"<h2>{heading}</h2>" in page for heading in here.values())
    assert listed["6b"].startswith("not drawn: give --with a run")
    assert "1 to 5, S2, S5 to S9, S11" in listed


def test_the_page_needs_nothing_else_and_text_stays_text(page: str) -> None:
    assert "://" not in page
    assert "src=" not in page
    assert page.count("<script") == 1
    assert NASTY not in page
    assert "&lt;b&gt;&amp;" in page
    assert "/tmp" not in page
    assert "rankaae reproduce run" in page
    for figure in re.findall(r"<svg.*?</svg>", page):
        ET.fromstring(figure)
    for title in ("Data", "Settings", "Scores", "Trends", "Validity of decoded spectra", "Method", "To repeat it"):
        assert f"<h2>{title}</h2>" in page


def test_figures_put_values_where_they_belong() -> None:
    x = np.linspace(0, 10, 11)
    figure = ET.fromstring(line_figure("t", ("x", "y"), x, [Curve(2 * x, "#000", "twice")]))
    path = next(one for one in figure.iter("path") if one.get("stroke") == "#000")
    points = np.array([[float(v) for v in pair.split()] for pair in path.get("d", "")[1:].split("L")])
    np.testing.assert_allclose(np.diff(points[:, 0]), np.diff(points[:, 0])[0], atol=0.11)
    assert (np.diff(points[:, 1]) < 0).all()
    circles = ET.fromstring(point_figure("t", ("x", "y"), x, x, np.r_[np.nan, x[1:]], ["a"] * 11)).iter("circle")
    colors = [one.get("fill") for one in circles]
    assert (colors[0], colors[1], colors[-1]) == (ramp(0.5), ramp(0.0), ramp(1.0))
    assert "0.50" in matrix_figure("t", ["a", "b"], np.array([[1, 0.5], [0.5, 1]]))


def test_a_run_is_reproduced_from_its_folder(run: Run, tmp_path: Path) -> None:
    found = reproduce(run, tmp_path / "again")
    assert found.members == 2
    assert found.largest < 1e-6
    table = run.scores()
    changed = Run(tmp_path / "again")
    changed.write_table("scores.parquet", table.assign(reconstruction_rmse=table["reconstruction_rmse"] + 0.1))
    failed = rankaae("reproduce", changed.path, "--threads", 1, code=1)
    assert "not reproduced, reconstruction_rmse differs by 0.1" in failed.stderr


def test_other_runs_appear_where_they_fit(run: Run, tmp_path: Path) -> None:
    tiny = {"seeds": (0,), "epochs": 2, "hidden": 8}
    copper = run.spectra()
    set_path = run.path.parent / "set.parquet"
    train(copper, set_path, make_config("default", descriptors=("OS",), **tiny), tmp_path / "runs" / "first")
    train(copper, set_path, make_config("autoencoder", free_axes=2, **tiny), tmp_path / "runs" / "plain")
    page = report_page(run, [tmp_path / "runs"])
    assert "<h2>Across elements</h2>" not in page
    assert "<td>Fig. 8</td><td>a descriptor across elements</td><td>not drawn: give --with runs on other" in page
    nickel = replace(copper, energy_ev=copper.energy_ev - 646, element=np.full(len(copper), "Ni"))
    write_set(nickel, tmp_path / "nickel.parquet")
    config = make_config("default", descriptors=("OS",), **tiny)
    train(nickel, tmp_path / "nickel.parquet", config, tmp_path / "runs" / "nickel")
    page = report_page(run, [tmp_path / "runs"])
    assert "Descriptors added one by one (Fig. S4)" in page
    assert "<td>+ &lt;b&gt;&amp;</td>" in page
    assert "<td>plain (preset autoencoder)</td>" in page
    assert "<td>Fig. 8</td><td>a descriptor across elements</td><td>under Across elements</td>" in page
    before = page.partition("<h2>Trends of the first descriptors</h2>")[2].partition("<h2>")[0]
    scores = Run(tmp_path / "runs" / "first").scores().iloc[0]
    assert before.count("<svg") == 2
    assert f"OS, |SRCC| {scores['OS srcc']:.3f}</text>" in before
    edges = re.findall(r"</span> (Cu|Ni) \(E₀ ([0-9.]+) eV", page)
    assert [element for element, _ in edges] == ["Cu", "Ni"]
    assert float(edges[0][1]) - float(edges[1][1]) == pytest.approx(646, abs=3)
    with pytest.raises(RunError, match="neither a finished run folder"):
        report_page(run, [tmp_path / "nowhere"])


def test_an_unfinished_run_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(run.config().to_toml())
    with pytest.raises(RunError, match="train it to its end"):
        report_page(Run(tmp_path))
    with pytest.raises(RunError, match="train it to its end"):
        reproduce(Run(tmp_path), tmp_path / "again")
