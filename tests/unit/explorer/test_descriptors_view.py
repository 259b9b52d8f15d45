"""The Descriptors part without a browser: rows, presets, suggestion, own columns, ceilings that a job left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.analysis.ceiling import Ceiling
from engine.analysis.descriptor_correlation import descriptor_correlation
from engine.io import write_set
from engine.io.ceiling_file import write_ceilings
from engine.spectra import set_hash
from explorer.app import Explorer
from explorer.components.descriptor_table import descriptor_rows
from explorer.jobs import JobStore
from explorer.plots import descriptors as plots
from explorer.workspace import Workspace
from tests.synthetic import make_set

SPECTRA = make_set(60)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Explorer:
    """A session with the made-up set open and the Descriptors part in view."""
    monkeypatch.setenv("RANKAAE_REAL_DATA", str(tmp_path / "nothing"))
    workspace = Workspace(tmp_path / "workspace")
    workspace.sets.mkdir(parents=True)
    write_set(SPECTRA, workspace.set_path("made"))
    made = Explorer(workspace)
    made.start()
    made.descriptors.activate()
    return made


def notice(session: Explorer) -> str:
    return session.notices._column.objects[0][0].object


def test_rows_are_the_columns_of_the_set_and_then_the_rest_of_the_catalogue() -> None:
    rows = descriptor_rows(SPECTRA.descriptors.assign(CN=np.nan))
    assert [row["name"] for row in rows[:3]] == ["OS", "CN", "WAVE"]
    assert [row["here"] for row in rows[:4]] == [True, False, True, False]
    assert rows[0]["range"] == "1 to 3"
    assert rows[1]["known"] == "0 of 60"
    assert "−" in str(rows[2]["range"])
    assert {"MOOD", "NOISE"} <= {row["name"] for row in rows[3:]}
    assert next(row for row in rows if row["name"] == "NNRS")["unit"] == "Å"


def test_the_set_of_the_next_training_is_one_for_both_parts(session: Explorer) -> None:
    assert session.state.descriptors == ["OS", "CN", "WAVE"] == session.descriptors.table.chosen
    session.descriptors.table.chosen = ["WAVE", "OS", "PGSO", "WAVE"]
    assert session.state.descriptors == ["WAVE", "OS"]
    assert session.train._descriptors.value == ["WAVE", "OS"]
    session.train._descriptors.value = ["OS", "CN"]
    assert session.descriptors.table.chosen == ["OS", "CN"]
    session.descriptors._take_preset("initial")
    assert session.state.descriptors == ["OS", "CN"]
    write_set(SPECTRA, session.store.workspace.set_path("another"))
    session.state.dataset = "another"
    assert session.state.descriptors == ["OS", "CN"] == session.train._descriptors.value
    assert "CN2, NNAS, PGSO" in notice(session)


def test_a_suggestion_leaves_out_noise_and_what_is_no_better(session: Explorer) -> None:
    known = session.descriptors._known
    assert known is not None
    assert known.correlation.names == ("OS", "CN", "WAVE", "NOISE")
    path = session.store.ceilings_path(set_hash(SPECTRA))
    path.parent.mkdir(parents=True)
    scores = {"OS": 0.6, "CN": 0.9, "WAVE": 0.1, "NOISE": 0.2}
    write_ceilings(path, set_hash(SPECTRA), {name: Ceiling(score, 40, 10) for name, score in scores.items()})
    session.descriptors._follow()
    session.descriptors._suggest()
    assert session.state.descriptors == ["CN", "OS"]
    assert list(session.descriptors._bars.data["name"]) == ["CN", "OS", "NOISE", "WAVE"]
    assert not session.descriptors._compute.visible


def test_own_descriptors_start_an_import_with_the_open_set_as_its_source(
    session: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[Path, str, tuple[str, ...]]] = []
    monkeypatch.setattr(JobStore, "start_import", lambda _, *given: started.append(given))
    for text, words in {"OS/CN": "need NAME=EXPRESSION", "CN=OS/CN": "has a descriptor CN already"}.items():
        session.descriptors._expression.value = text
        session.descriptors._add_expression()
        assert words in notice(session)
    session.descriptors._expression.value = "RATIO = OS/CN"
    session.descriptors._add_expression()
    source = session.store.workspace.set_path("made")
    assert started == [(source, "made with RATIO", ("--first-shell", "any", "--expression", "RATIO = OS/CN"))]


def test_cells_and_bars_say_what_is_not_known() -> None:
    table = SPECTRA.descriptors.assign(CN=np.nan)
    cells = plots.correlation_data(descriptor_correlation(table))
    assert len(cells["rho"]) == 9
    place = list(zip(cells["x"], cells["y"], strict=True)).index(("CN", "OS"))
    assert np.isnan(cells["rho"][place])
    assert cells["text"][place] == "–"
    assert cells["n"][place] == 0
    assert "not defined" in cells["what"][place]
    bars = plots.ceiling_data(
        {"A": Ceiling(0.2, 9, 9), "B": Ceiling(float("nan"), 0, 0), "C": Ceiling(0.8, 9, 9)}, ["A"]
    )
    assert bars["name"] == ["C", "A"]
    assert bars["color"][0] != bars["color"][1]
