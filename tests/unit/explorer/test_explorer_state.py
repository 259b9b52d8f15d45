"""The session's state, the messages and the drawings, without a browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.errors import DataError
from engine.io import write_set
from engine.spectra import SpectraSet
from explorer.app import Explorer
from explorer.jobs import JobStore
from explorer.library import Library
from explorer.messages import UNFORESEEN, as_html, message_of
from explorer.plots import latent, training
from explorer.plots.style import padded
from explorer.runs import MemberInfo
from explorer.state import ExplorerState
from explorer.views.data import descriptors_html, report_html
from explorer.views.drawing import Drawing
from explorer.views.latent import LatentView, slider_limits
from explorer.views.notices import Notices
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


class Straight:
    """A model with a linear decoder: mu = 1 + z @ slopes."""

    axis_names = ("CN", "free 1")
    energy_ev = np.linspace(8980.0, 9030.0, 5)
    slopes = np.array([[0.0, 1, 2, 1, 0], [1, 0, 0, 0, 1]])

    def decode(self, z: Any) -> Any:
        return 1 + np.asarray(z) @ self.slopes

    def percentile(self, axis: str, q: int) -> float:
        return {0: -2.0, 5: -1.5, 95: 1.0, 100: 2.5}[q]


def test_moving_a_slider_moves_the_spectrum_by_the_models_slope(workspace: Workspace) -> None:
    state = ExplorerState()
    notices = Notices(workspace.root)
    view = LatentView(state, JobStore(Library(workspace)), notices, Drawing(notices), lambda run, member, then: None)
    member = MemberInfo(0, 4, True, {"CN srcc": 0.9, "free_axis_correlation_max": 0.1})
    view._take(Straight(), member)
    labels = [slider.label for slider in view._sliders.objects]
    assert labels == ["CN (|SRCC| 0.90)", "free 1 (largest |correlation| 0.10)"]
    marks = [mark["value"] for mark in view._sliders.objects[0].marks]
    assert marks == [-1.5, 1.0]
    view._sliders.objects[0].value = 0.5
    assert state.latent == [0.5, 0.0]
    assert np.allclose(view._decoded_source.data["now"], [1, 1.5, 2, 1.5, 1])
    assert np.allclose(view._difference_source.data["difference"], [0, 0.5, 1, 0.5, 0])
    view._difference.value = "free 1"
    assert np.allclose(view._difference_source.data["difference"], [2.5, 0, 0, 0, 2.5])
    view._move_to([0.0, 0.0])
    assert view._sliders.objects[0].value == 0
    assert np.allclose(view._decoded_source.data["now"], 1)
    bounds = view._decoded.y_range
    for slider in view._sliders.objects:
        for value in (slider.start, slider.end):
            slider.value = value
            assert bounds.start <= min(view._decoded_source.data["now"])
            assert bounds.end >= max(view._decoded_source.data["now"])
        slider.value = 0


def test_sliders_always_hold_zero_and_some_room() -> None:
    assert slider_limits(-2.001, 3.0) == (-2.01, 3.0)
    assert slider_limits(0.2, 0.3) == (-0.5, 0.5)


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


def test_a_difference_is_split_at_zero() -> None:
    data = latent.difference_data(np.array([1.0, 2, 3]), np.array([-1.0, 0, 2]))
    assert data["above"].tolist() == [0, 0, 2]
    assert data["below"].tolist() == [-1, 0, 0]
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
