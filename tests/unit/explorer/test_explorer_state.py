"""The session's state, the messages and the drawings, without a browser."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
import pytest

from engine.errors import DataError
from engine.io import write_set
from engine.spectra import SpectraSet
from explorer.app import LATENT_TAB, Explorer
from explorer.jobs import JobStore
from explorer.library import Library
from explorer.messages import UNFORESEEN, as_html, message_of
from explorer.plots import training
from explorer.plots.style import padded
from explorer.runs import MemberInfo
from explorer.state import ExplorerState
from explorer.views.data import descriptors_html, report_html
from explorer.views.train import scores_html
from explorer.workspace import Workspace

HOSTILE = "<img src=x>"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with one set, whose descriptor has a hostile name; no real data is found."""
    monkeypatch.setenv("RANKAAE_REAL_DATA", str(tmp_path / "nothing"))
    made = Workspace(tmp_path / "workspace")
    made.sets.mkdir(parents=True)
    n = 12
    energy = np.linspace(8980.0, 9030.0, 40)
    mu = 1 / (1 + np.exp(-(energy[None, :] - 8990.0 - np.arange(n)[:, None] / 4)))
    ids = [f"mp-{i}_000" for i in range(n)]
    descriptors = pd.DataFrame({"CN": np.arange(n) % 3, HOSTILE: np.linspace(0, 1, n)})
    spectra = SpectraSet(energy, mu, descriptors, np.array(ids), np.array(ids), np.array(["Cu"] * n))
    write_set(spectra, made.set_path("first"))
    return made


def test_a_session_opens_the_set_that_is_there(workspace: Workspace) -> None:
    session = Explorer(workspace)
    session.start()
    assert session.state.dataset == "first"
    assert len(session.state.spectra) == 12
    assert session.train._descriptors.options == ["CN", HOSTILE]
    assert not session.train._start.disabled
    assert "&lt;img" in session.data._details.object
    assert HOSTILE not in session.data._details.object


def test_a_link_to_the_latent_part_opens_where_there_is_no_model(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[Any] = []
    monkeypatch.setattr(type(pn.state), "onload", lambda _, how: waiting.append(how))
    session = Explorer(workspace)
    session._connected = False
    session.tabs.active = LATENT_TAB
    session.start()
    session.page()
    assert waiting == [session._keep_looking]
    assert session.latent._empty.visible
    assert session.notices._column.objects == []


def test_nothing_keeps_a_page_that_nobody_looks_at(workspace: Workspace) -> None:
    session = Explorer(workspace)
    session.start()
    page = session.page()
    kept = [weakref.ref(page), weakref.ref(session), weakref.ref(session.state)]
    del page, session
    gc.collect()
    assert [one() for one in kept] == [None, None, None]


def test_a_set_that_cannot_be_read_becomes_a_message(workspace: Workspace) -> None:
    workspace.set_path("broken").write_bytes(b"PAR1 no")
    session = Explorer(workspace)
    session.start()
    session.state.dataset = "broken"
    assert session.state.spectra is None
    assert session.train._start.disabled
    assert "broken.parquet" in session.notices._column.objects[0][0].object
    session.state.dataset = "first"
    assert len(session.state.spectra) == 12


def test_nothing_to_train_is_told(workspace: Workspace) -> None:
    session = Explorer(workspace)
    session.start()
    session.train._descriptors.value, session.train._free.value = [], 0
    session.train._begin()
    assert "no latent axis" in session.notices._column.objects[0][0].object
    assert session.store.jobs() == []


def test_look_reports_each_change_once(workspace: Workspace) -> None:
    store = JobStore(Library(workspace))
    state = ExplorerState()
    seen: list[Any] = []
    state.param.watch(lambda event: seen.append(event.name), ["sets", "jobs"])
    assert state.look(store) == {}
    assert state.look(store) == {}
    assert seen == ["sets"]
    assert state.sets == {"first": "first"}
    assert state.runs == {}


def test_curves_have_gaps_where_values_are_missing_and_stay_short() -> None:
    epochs = [{"epoch": i + 1, "loss": {"total": [i, None]}, "validation": None} for i in range(5000)]
    data = training.curve_data(epochs, "loss", "total", [3, 8])
    assert len(data["xs"][0]) <= 2 * training.MOST_POINTS
    assert data["xs"][0][-1] == 5000
    assert data["seed"] == ["seed 3", "seed 8"]
    assert np.isnan(data["ys"][1]).all()
    assert training.terms_of(epochs, "loss") == ["total"]
    assert training.head_data(data)["x"] == [5000, 5000]
    empty = training.curve_data(epochs, "validation", "score", [3])
    assert training.head_data(empty) == training.NO_HEADS


def test_a_range_is_never_empty() -> None:
    low, high = padded(1.0, 1.0)
    assert low < 1 < high


def test_messages_are_plain_text_without_server_paths(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    error = DataError(f"{tmp_path}/runs/a: stopped;\n --resume goes on")
    assert message_of(error, tmp_path) == "runs/a: stopped; press Resume to go on"
    assert message_of(ValueError("secret"), tmp_path) == UNFORESEEN
    assert "secret" in caplog.text
    assert as_html(HOSTILE) == "&lt;img src=x&gt;"


def test_tables_escape_what_came_from_files() -> None:
    report = {"format": HOSTILE, "refused": [{"count": 1, "reason": HOSTILE, "examples": []}], "warnings": [HOSTILE]}
    about = {"known": 1, "min": 0.0, "max": 1.0, "classes": None}
    member = MemberInfo(
        0,
        0,
        True,
        {"reconstruction_rmse": 1, f"{HOSTILE} srcc": 1, "free_axis_correlation_max": 0, "selection_score": 0},
    )
    for text in (report_html(report), descriptors_html({HOSTILE: about}), scores_html([member])):
        assert "&lt;img" in text
        assert "<img" not in text


def test_the_server_starts_without_torch() -> None:
    code = "import sys, explorer.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
