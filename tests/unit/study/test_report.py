"""The report of a small run: its numbers are those of `score`, its figures are sound, nothing comes from outside."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from engine.errors import RunError
from engine.io import write_set
from engine.model.config import make_config
from engine.model.latent_model import load_member
from engine.model.report import score_run
from engine.model.run import Run
from engine.model.training import train
from engine.study.distributions import bin_edges
from engine.study.page import without_noise
from engine.study.report import report_page
from engine.study.reproduce import reproduce
from engine.study.svg import Curve, histogram_figure, line_figure, matrix_figure, point_figure, ramp
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
    titles = ("Data", "Settings", "Scores", "Trends", "Latent axes", "Validity of decoded spectra", "Method")
    for title in (*titles, "To repeat it"):
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


def drawn_path(figure: str, name: str) -> np.ndarray:
    """Points (n, 2) of the path with a name, in pixels."""
    path = next(one for one in ET.fromstring(figure).iter("path") if name == "".join(one.itertext()))
    return np.array([[float(v) for v in pair.split()] for pair in path.get("d", "")[1:].split("L")])


def test_a_histogram_is_as_high_as_the_shares_of_its_samples() -> None:
    edges = bin_edges(np.array([1.0, 2, 4]))
    np.testing.assert_array_equal(edges, [0.5, 1.5, 2.5, 3.5, 4.5])
    filled, outline = Curve(np.array([1.0, 1, 2, 4]), "#000", "first"), Curve(np.array([2.0, 9]), "#111", "second")
    line = Curve(np.array([0.0, 50]), "#222", "line", x=edges[[0, -1]])
    figure = histogram_figure("t", "x", edges, [filled, outline], [line])
    base, unit = 188, 162 / (1.06 * 50)  # pixels of the lowest value and of a percent
    heights = (base - drawn_path(figure, "first")[1:-1:2, 1]) / unit
    np.testing.assert_allclose(heights, [50, 25, 0, 25], atol=0.1)
    np.testing.assert_allclose((base - drawn_path(figure, "second")[1:-1:2, 1]) / unit, [0, 50, 0, 0], atol=0.1)
    np.testing.assert_allclose((base - drawn_path(figure, "line")[:, 1]) / unit, [0, 50], atol=0.1)
    assert len(bin_edges(np.array([0.0, 0.5, 100]))) == 31
    np.testing.assert_array_equal(bin_edges(np.array([0.3, 0.3])), [-0.2, 0.8])
    ticks = re.findall(r'text-anchor="middle">([0-9.]+)</text>', figure)
    assert ticks == ["1", "2", "3", "4"]
    long = histogram_figure("n" * 200, "x" * 200, edges, [filled])
    assert max(len(text.text or "") for text in ET.fromstring(long).iter("text")) <= 42


def test_a_matrix_has_a_dash_where_nothing_is_known() -> None:
    figure = matrix_figure("t", ["a"], np.array([[np.nan, -0.25]]), ["b", "c"])
    assert re.findall(r">([^<]*)</title>", figure) == ["a and b: unknown", "a and c: -0.250"]
    assert "nan" not in figure
    assert without_noise([1.6e-16, 0.06, -0.4]) == [0, 0.06, -0.4]


def test_distributions_and_rank_correlations_are_those_of_the_set_and_of_the_axes(run: Run, page: str) -> None:
    spectra, split = run.spectra(), run.split()
    labels = {name: spectra.descriptors[name].to_numpy() for name in ("OS", NASTY)}
    nasty = escape(NASTY)
    assert f"OS and {nasty}: {spearmanr(labels['OS'], labels[NASTY]).statistic:.3f}<" in page
    data, _, others = page.partition("<h2>Settings</h2>")
    for part in ("train", "validation", "test"):
        assert data.count(f"<title>{part} part: {len(getattr(split, part))} sites</title>") == 2
    assert others.count(f"<title>test part: {len(split.test)} sites</title>") == 3
    z = load_member(run).encode(spectra.mu[split.test])
    for i, axis in enumerate(("OS", nasty, "free 1")):
        assert f"axis {axis}: mean {z[:, i].mean():.2f}, σ {z[:, i].std():.2f}" in page
        for name, values in labels.items():
            rho = spearmanr(z[:, i], values[split.test]).statistic
            assert f"axis {axis} and {escape(name)}: {rho:.3f}<" in page
    assert f"axis OS and axis free 1: {spearmanr(z[:, 0], z[:, 2]).statistic:.3f}<" in page
    assert f"stays below {1.96 / np.sqrt(len(split.test) - 1):.2f} in 19 of 20" in page


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
    plain = train(copper, set_path, make_config("autoencoder", free_axes=2, **tiny), tmp_path / "runs" / "plain")
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
    alone = report_page(plain)
    assert "<h2>Latent axes</h2>" in alone
    assert "Axes with descriptors" not in alone
    assert "<td>Fig. 7</td><td>axes against descriptors</td><td>not drawn: the run has no descriptors</td>" in alone
    with pytest.raises(RunError, match="neither a finished run folder"):
        report_page(run, [tmp_path / "nowhere"])


def test_an_unfinished_run_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(run.config().to_toml())
    with pytest.raises(RunError, match="train it to its end"):
        report_page(Run(tmp_path))
    with pytest.raises(RunError, match="train it to its end"):
        reproduce(Run(tmp_path), tmp_path / "again")
