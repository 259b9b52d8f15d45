"""The Compare part without a browser: what it chooses, works out, says and hands over, against the runs' own files."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest

from engine.io import read_set, write_set
from engine.model.config import make_config
from engine.model.run import Run
from engine.model.training import train
from explorer.columns import LETTERS, differences_told, read_columns, read_facts
from explorer.examine import Examiner
from explorer.jobs import JobStore
from explorer.library import Library
from explorer.plots import compare as plots
from explorer.state import ExplorerState
from explorer.views.compare import CompareView
from explorer.views.compare_runs import chains_of
from explorer.views.drawing import Drawing
from explorer.views.notices import Notices
from explorer.workspace import Workspace
from tests.synthetic import make_set
from tests.turns import Turns

HOSTILE = "<img src=x>"
T = TypeVar("T")
PROVENANCE = ["run", "seed", "set_hash"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three runs on one set, whose descriptors are a chain and a swap, and one on another absorber's set."""
    made = Workspace(tmp_path_factory.mktemp("compare"))
    made.sets.mkdir()
    copper = make_set(120, 40)
    copper = replace(copper, descriptors=copper.descriptors.rename(columns={"WAVE": HOSTILE}))
    nickel = replace(copper, energy_ev=copper.energy_ev - 646.0, element=np.full(120, "Ni"))
    runs = {"one": (copper, ("OS",)), "two": (copper, ("OS", "CN")), "swap": (copper, ("OS", HOSTILE))}
    for run, (spectra, descriptors) in (runs | {"nickel": (nickel, ("OS",))}).items():
        path = made.set_path("nickel" if spectra is nickel else "copper")
        write_set(spectra, path)
        config = make_config("default", descriptors=descriptors, seeds=(4, 7), epochs=2, hidden=16)
        train(spectra, path, config, made.run_path(run))
    return made


@pytest.fixture
def view(workspace: Workspace) -> Iterator[CompareView]:
    state, store, notices = ExplorerState(), JobStore(Library(workspace)), Notices(workspace.root)
    state.look(store)
    made = CompareView(state, store, notices, Drawing(notices), Examiner())
    made.activate()
    yield made
    assert said(made) == []


def said(view: CompareView) -> list[str]:
    return [pane.object for alert in view._notices._column.objects for pane in alert.objects]


def shown(view: CompareView, title: str, columns: list[str]) -> tuple[str, pd.DataFrame | None]:
    """The words and tables of a panel as HTML, and its table as read from the file that it hands over."""
    view._state.columns = columns
    view._which.value = title
    panel = view._panels[title]
    assert view._place.objects == [panel.layout]
    html = " ".join(str(pane.object) for pane in panel.layout.select(lambda p: type(p).__name__ == "HTML"))
    file = panel._download()
    return html, None if file is None else pd.read_csv(io.StringIO(file.getvalue()))


def test_it_begins_with_the_model_in_view_and_another_on_the_same_set(view: CompareView) -> None:
    columns, notes = view._columns()
    assert notes == []
    assert [column.letter for column in columns] == ["A", "B"]
    assert columns[0].facts.set_hash == columns[1].facts.set_hash or columns[0].facts.run == columns[1].facts.run


class BackwardExaminer(Examiner):
    """Answers when told to, the last question first."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def beside(self, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None:
        self.waiting.insert(0, lambda: then(work))

    def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            one()


def test_an_answer_that_comes_after_that_of_a_newer_question_is_left_out(view: CompareView) -> None:
    page, examiner = Turns(), BackwardExaminer()
    view._examiner = examiner
    view._drawing.live(page)  # type: ignore[arg-type]
    for title in ("Scores", "Elements"):
        view._which.value = title
        page.turn()
    page.turn()  # of what Elements offers to choose from
    examiner.answer()
    page.turn()
    assert view._place.objects == [view._panels["Elements"].layout]
    assert view._bar.variant == "determinate"


def test_scores_are_those_of_the_runs_and_differences_are_to_the_first(view: CompareView, workspace: Workspace) -> None:
    html, table = shown(view, "Scores", ["one/0", "two/1", "nickel/0"])
    first, second = (Run(workspace.run_path(run)).scores().iloc[i] for run, i in (("one", 0), ("two", 1)))
    assert table is not None
    assert list(table.columns[:3]) == PROVENANCE
    row = table[(table["run"] == "two") & (table["descriptor"] == "OS") & (table["measure"] == "|SRCC|")].iloc[0]
    assert row["seed"] == 7
    assert row["set_hash"] == Run(workspace.run_path("two")).data()["hash"]
    assert row["value"] == pytest.approx(second["OS srcc"], rel=1e-6)
    assert row["difference"] == pytest.approx(second["OS srcc"] - first["OS srcc"], abs=1e-6)
    assert "C was trained on another set than A, split alike" in html
    assert "▲" in html
    assert "▼" in html


def test_overlap_is_there_within_one_grid_and_its_absence_is_said(view: CompareView) -> None:
    html, table = shown(view, "Differentials", ["two/0", "two/1", "nickel/0"])
    assert table is not None
    between = table[(table["axis"] == "OS") & (table["other_axis"] == "OS")].set_index(["run", "other_run"])
    assert -1 <= between.loc[("two", "two"), "cosine_overlap"] <= 1
    assert np.isnan(between.loc[("two", "nickel"), "cosine_overlap"]).all()
    assert "C: other energies than A" in html
    assert "Nothing is interpolated" in html


def test_traversals_say_which_axis_a_member_lacks(view: CompareView) -> None:
    _, table = shown(view, "Traversals", ["one/0", "two/0"])
    assert table is not None
    assert set(table.loc[table["run"] == "one", "axis"]) == {"OS", "free 1"}
    spectrum = table[(table["run"] == "two") & (table["axis"] == "CN")]
    np.testing.assert_allclose(spectrum["differential"], spectrum["mu_level_20"] - spectrum["mu_level_1"], atol=1e-6)
    panel = view._panels["Traversals"]
    figures = [p.object for p in panel.layout.select(lambda p: type(p).__name__ == "Bokeh")]
    texts = [r.data_source.data["text"] for f in figures for r in f.renderers if "text" in r.data_source.data]
    assert texts == [["A has no axis CN"]]
    assert len(figures) == 6


def test_test_sites_are_the_test_part_and_a_lost_set_is_said(view: CompareView, workspace: Workspace) -> None:
    html, table = shown(view, "Latent", ["two/0", "swap/0"])
    run = Run(workspace.run_path("two"))
    assert table is not None
    ids = run.spectra().site_id[run.split().test].tolist()
    assert table.loc[table["run"] == "two", "site_id"].tolist() == ids
    assert "Boxes" in html
    data = run.data()
    run.write_text("data.json", json.dumps({**data, "path": "/gone", "relative_path": "gone"}))
    weights = run.path / "weights.safetensors"
    weights.touch()
    try:
        html, table = shown(view, "Latent", ["two/1", "swap/0"])
        assert "the training set" in html
        assert "is gone" in html
        assert table is not None
        assert set(table["run"]) == {"swap"}
        html, table = shown(view, "Seeds", ["two/1", "swap/0"])
        assert "need the validation part" in html
        assert table is not None
        assert "sum" in table
    finally:
        run.write_json("data.json", data)


def test_the_choice_of_the_seed_is_taken_apart(view: CompareView, workspace: Workspace) -> None:
    view._panels["Seeds"]._run.value = None
    html, table = shown(view, "Seeds", ["swap/0", "one/0"])
    assert table is not None
    stored = Run(workspace.run_path("swap")).scores()
    np.testing.assert_allclose(table["sum"], stored["selection_score"], atol=1e-5)
    assert table["selected"].tolist() == (stored["selection_score"] == stored["selection_score"].max()).tolist()
    assert "&lt;img" in html
    assert HOSTILE not in html


def test_elements_are_compared_from_their_own_edges(view: CompareView) -> None:
    html, table = shown(view, "Elements", ["one/0", "two/0"])
    assert table is not None
    edges = table.set_index("element")["edge_ev"]
    assert set(edges.index) == {"Cu", "Ni"}
    assert edges["Cu"] - edges["Ni"] == pytest.approx(646.0, abs=3.0)
    assert "no overlap between them" in html


def test_chains_are_found_and_their_absence_says_what_to_train(view: CompareView, workspace: Workspace) -> None:
    _, table = shown(view, "Chains", ["one/0", "two/0"])
    options = view._panels["Chains"]._chain.options
    assert sorted(name.split(",")[0] for name in options) == ["Added one by one"] * 2 + ["Swapped one by one"]
    assert table is not None
    assert set(table["measure"]) >= {"OS |SRCC|", "free axis amplitude"}
    assert table["value"].notna().all()
    only = {"nickel": "nickel", "one": "one"}
    view._state.runs = only
    html, table = shown(view, "Chains", ["nickel/0", "one/1"])
    assert "No two models" in html
    assert table is None


def test_a_chain_goes_on_where_a_candidate_was_put_beside_the_descriptors_of_a_set(workspace: Workspace) -> None:
    path = workspace.set_path("copper-with-candidates-01234567")
    more = read_set(workspace.set_path("copper"))
    more = replace(more, descriptors=more.descriptors.assign(BVS=np.arange(len(more)) % 7), steps=("from structures",))
    write_set(more, path)
    config = make_config("default", descriptors=("OS", "BVS"), seeds=(4, 7), epochs=2, hidden=16)
    train(more, path, config, workspace.run_path("extended"))
    library = Library(workspace)
    every = [read_facts(library, run, run) for run in ("one", "nickel", "extended")]
    assert every[0].set_hash != every[2].set_hash
    assert [[facts.run for facts in steps.runs] for steps in chains_of(every)] == [["one", "extended"]]
    columns, _ = read_columns(library, {"one": "one", "extended": "extended"}, ["one/0", "extended/0"])
    assert [line.partition(" ")[0] for line in differences_told(columns)] == ["Selection"]
    shutil.rmtree(workspace.run_path("extended"))


def test_what_cannot_be_chosen_is_said_and_the_rest_stays(view: CompareView) -> None:
    view._state.columns = ["two/0", "nothing/0", "two/9", "../x/0", HOSTILE, "one/1"]
    assert [column.key for column in view._columns()[0]] == ["two/0", "one/1"]
    assert "&lt;img" in view._notes.object
    assert "is not among the models" in view._notes.object
    view._state.columns = ["two/0"]
    assert "at least two" in view._notes.object
    assert view._place.objects == []


def test_no_more_than_six_fit(workspace: Workspace) -> None:
    titles = {run: run for run in workspace.run_ids()}
    keys = [f"{run}/{i}" for run in titles for i in (0, 1)]
    columns, notes = read_columns(Library(workspace), titles, keys)
    assert "".join(column.letter for column in columns) == LETTERS
    assert len(notes) == 2


def test_colours_go_from_low_over_middle_to_high() -> None:
    assert plots.blend("#000000", "#808080", "#ffffff", np.array([0, 0.25, 0.5, 1, np.nan])) == [
        "#000000", "#404040", "#808080", "#ffffff", plots.UNKNOWN,
    ]  # fmt: skip


def test_a_matrix_shows_its_numbers_and_a_dash_where_there_is_none() -> None:
    drawn: Any = plots.overlap_figure("x", ["A", "B"], np.array([[1.0, -0.5], [-0.5, np.nan]]), 200)
    source = drawn.renderers[0].data_source.data
    assert source["text"] == ["1.00", "−0.50", "−0.50", "–"]
    assert list(drawn.y_range.factors) == ["B", "A"]
