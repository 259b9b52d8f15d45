"""The next descriptor to try, without a browser: what a ranking says, trainings with a candidate, before and after."""

from __future__ import annotations

import json
import os
import time
import tomllib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.io import read_set, write_set
from engine.model.config import TrainConfig, make_config
from explorer.app import COMPARE_TAB, Explorer
from explorer.jobs import Job, JobStore, Status, job_about
from explorer.plots import candidates as plots
from explorer.views.next_descriptor import NONE_FOUND, NOT_ASKED, candidate_cells, changed, own_columns
from explorer.workspace import Workspace
from tests.synthetic import fill_workspace, make_set

HOSTILE = "<b>X</b>"
UNKNOWN = dict.fromkeys(("free_rho", "free_share", "residual_share", "explained_mu", "p", "redundancy", "ceiling"))
RANKED: dict[str, Any] = {
    "validation_sites": 1240,
    "members": 2,
    "used": [{"name": "OS", "srcc": 0.91, "ceiling": 0.95, "only_share": 0.1234}],
    "candidates": [
        {"name": "CN", "n": 90, "free_rho": 0.62, "free_share": 0.3, "residual_share": 0.05, "explained_mu": 0.0123,
         "p": 0.0002, "redundancy": 0.08, "nearest": "OS", "nearest_rho": -0.29, "origin": "set", "ceiling": 0.88,
         "proposed": True, "swap": {"out": "OS", "gain": 0.0155}},
        {"name": "NOISE", "n": 90, "free_rho": 0.03, "free_share": 0.0, "residual_share": 0.0, "explained_mu": 0.0,
         "p": 1.0, "redundancy": 0.0, "nearest": "OS", "nearest_rho": 0.02, "origin": "set", "ceiling": 0.01,
         "proposed": False, "swap": None},
        {"name": HOSTILE, "n": 3, **UNKNOWN, "nearest": "", "nearest_rho": None, "origin": "own", "proposed": False,
         "swap": None},
    ],
    "proposed": ["CN"],
    "swaps": [{"out": "OS", "in": "CN"}],
    "notes": ["not tried, as the set has no structures beside it: GII"],
    "set_hash": "0123456789abcdef",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a run that knows OS alone, and one that knows OS and CN."""
    runs = {
        "first": make_config("default", descriptors=("OS",), seeds=(0, 1), epochs=2, hidden=8),
        "both": make_config("default", descriptors=("OS", "CN"), seeds=(0, 1), epochs=2, hidden=8),
    }
    return fill_workspace(tmp_path_factory.mktemp("next"), make_set(90, 32), runs)


def ranked(folder: Path, found: dict[str, Any], age: float = 0.0) -> None:
    """Leaves what a job would that has ranked candidates for the run ``first`` so many seconds ago."""
    name = job_about("suggest", "first")
    job = Job(name, "suggest", "first", "first", ("suggest",), pid=0, started=time.time() - age)
    path = folder / "jobs" / name
    path.mkdir(parents=True, exist_ok=True)
    (path / "job.json").write_text(json.dumps(asdict(job)))
    (path / "output.json").write_text(json.dumps(found))


@pytest.fixture
def session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Explorer:
    monkeypatch.setenv("RANKAAE_REAL_DATA", str(folder / "nothing"))
    ranked(folder, RANKED)
    made = Explorer(Workspace(folder))
    made.start()
    made.state.param.update(run="first", member=0)
    return made


def test_the_ranking_of_the_model_in_view_is_shown_with_its_control(session: Explorer) -> None:
    view = session.descriptors.next
    assert view._results.visible
    assert "1,240 validation sites" in view._words.object
    assert "Worth a try, the most telling first: CN." in view._words.object
    assert "&lt;b&gt;X&lt;/b&gt;" in view._words.object
    assert HOSTILE not in view._words.object + view._table.object
    assert "NOISE (control)" in view._table.object
    assert view._which.options == ["CN"]
    assert list(view._bars.data["explains"]) == [0.0123, 0.0]
    assert view._bars.data["color"][1] == plots.CONTROL_COLOR
    cells = ["★", "CN", "0.0123", "0.62", "30.0 %", "5.0 %", "0.0002", "0.88", "8.0 %", "OS −0.29", "OS: +1.55 %"]
    assert candidate_cells(RANKED["candidates"][0]) == cells
    assert candidate_cells({**RANKED["candidates"][0], "origin": "computed"})[1] == "CN (from structures)"
    assert "Not tried, as the set has no structures beside it: GII." in view._words.object
    session.state.run = "both"
    assert not view._results.visible
    assert NOT_ASKED[:40] in view._words.object


def test_what_has_been_trained_already_is_compared_and_the_rest_is_trained(
    session: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, store = session.descriptors.next, session.store
    assert view._add.label == "Compare before and after CN"
    view._go("")
    assert session.tabs.active == COMPARE_TAB
    assert [key.partition("/")[0] for key in session.state.columns] == ["first", "both"]

    queued: list[Job] = []
    monkeypatch.setattr(JobStore, "_queue", lambda _, job: queued.append(job) or job)
    assert view._swap.label == "Train with CN instead of OS"
    view._go("OS")
    [job] = queued
    settings = Path(job.arguments[job.arguments.index("--config") + 1])
    config = TrainConfig.from_toml(settings)
    before = view._config()
    assert config == replace(before, descriptors=("CN",))
    assert job.title == "made: CN, 1 free · 2 seeds · default"
    assert tomllib.loads(settings.read_text())["descriptors"] == ["CN"]
    assert session._before == {job.id: "first"}

    session._before = {"both": "first"}
    session.tabs.active, session.state.columns = 0, []
    session._announce(session.state.jobs["both"][0], Status("done"))
    assert session.tabs.active == COMPARE_TAB
    assert session.state.columns
    assert store.suggestion("first") == RANKED


def test_own_columns_of_the_open_set_are_ranked_along(
    session: Explorer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, made = session.store, make_set(90, 32)
    mine = replace(made, descriptors=made.descriptors.assign(MINE=1.0, EMPTY=np.nan))
    write_set(mine, store.workspace.set_path("mine"))
    write_set(
        replace(mine, site_id=np.char.add("x", mine.site_id)),
        store.workspace.set_path("strangers"),
    )
    path = store.workspace.set_path("mine")
    assert own_columns(store.library, "made", "mine") == path
    assert [own_columns(store.library, "made", other) for other in ("made", "strangers", "")] == [None] * 3
    assert own_columns(store.library, "mine", "made") is None

    launched: list[Job] = []
    monkeypatch.setattr(JobStore, "_launch_once", lambda _, job: launched.append(job))
    view = session.descriptors.next
    view._start()
    session.state.look(store)
    session.state.dataset = "mine"
    assert session.state.run == "first"
    view._start()
    assert ["--columns" in job.arguments for job in launched] == [False, True]
    assert launched[1].arguments[-2:] == ("--columns", str(path))


def test_what_the_set_lacks_is_trained_on_a_set_that_has_it(
    session: Explorer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, made = session.store, make_set(90, 32)
    rows = [{**RANKED["candidates"][0], "name": "BVS", "origin": "computed"}]
    ranked(folder, {**RANKED, "candidates": rows, "proposed": ["BVS"]}, age=-2)
    session.state.look(store)
    view = session.descriptors.next
    assert view._add.label == "Train with BVS"
    queued: list[Job] = []
    monkeypatch.setattr(JobStore, "_queue", lambda _, job: queued.append(job) or job)
    view._go("")
    assert queued == []
    assert "rank the candidates again" in session.notices._column.objects[0][0].object
    more = replace(made, descriptors=made.descriptors.assign(BVS=2.0))
    write_set(more, folder / "jobs" / job_about("suggest", "first") / "candidates.parquet")
    view._go("OS")
    [job] = queued
    assert job.source == "made-with-candidates-01234567"
    assert read_set(store.workspace.set_path(job.source)).descriptors["BVS"].eq(2).all()
    assert TrainConfig.from_toml(Path(job.arguments[job.arguments.index("--config") + 1])).descriptors == ("BVS",)
    assert job.title == "made: BVS, 1 free · 2 seeds · default"


def test_a_ranking_older_than_the_weights_counts_no_more(session: Explorer, folder: Path) -> None:
    assert session.store.suggestion("first") == RANKED
    weights = folder / "runs" / "first" / "weights.safetensors"
    later = time.time() + 60
    os.utime(weights, (later, later))
    assert session.store.suggestion("first") is None
    os.utime(weights, (0, 0))


def test_nothing_worth_a_try_is_said_and_a_candidate_can_be_tried_all_the_same(session: Explorer, folder: Path) -> None:
    rows = [{**row, "proposed": False} for row in RANKED["candidates"]]
    ranked(folder, {**RANKED, "candidates": rows, "proposed": []}, age=-1)
    session.state.look(session.store)
    view = session.descriptors.next
    assert NONE_FOUND in view._words.object
    assert view._which.value == "CN"


def test_the_set_of_a_trial() -> None:
    assert changed(["OS", "PGSO"], "MOOD", "") == ["OS", "PGSO", "MOOD"]
    assert changed(["PGSO", "OS"], "MOOD", "PGSO") == ["MOOD", "OS"]
