"""One session without a browser: steps and what follows from them, links, autosave, journal, what is asked for."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest

from engine.io import read_set, write_set
from engine.model.config import make_config
from engine.model.training import train
from explorer.app import Explorer
from explorer.frame import run_code, set_code
from explorer.jobs import Job, JobStore, Status
from explorer.kept import Experiment, keep, kept_path
from explorer.library import Library
from explorer.measurement import Corrections
from explorer.session_file import Autosave
from explorer.state import ExplorerState
from explorer.turns import turns_of
from explorer.views.latent import mean_on
from explorer.views.overlays import OverlaysView
from explorer.workspace import Workspace
from tests.synthetic import make_set
from tests.turns import Turns


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two sets and a run on one of them."""
    folder = tmp_path_factory.mktemp("frame")
    (folder / "sets").mkdir()
    spectra = make_set(90, 32)
    write_set(spectra, folder / "sets" / "other.parquet")
    write_set(spectra, folder / "sets" / "made.parquet")
    config = make_config("default", descriptors=("OS", "CN"), seeds=(0, 1), epochs=3, hidden=16)
    train(spectra, folder / "sets" / "made.parquet", config, folder / "runs" / "made")
    return folder


@pytest.fixture
def session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Explorer, Turns, list[Any]]:
    """A session on that workspace, its turns, and what it has sent to the browser."""
    monkeypatch.setenv("RANKAAE_REAL_DATA", str(folder / "nothing"))
    made, turns, sent = Explorer(Workspace(folder)), Turns(), []
    made.start()
    made.state.dataset = "made"
    made.frame.begin()
    made.frame.toolbar._send_msg = sent.append
    made.drawing.live(turns)  # type: ignore[arg-type]
    return made, turns, sent


def test_a_page_that_is_closed_before_a_thread_calls_has_no_next_turn() -> None:
    async def taken(closed: bool) -> list[Any]:
        turns = Turns()
        turns.session_context = SimpleNamespace(destroyed=False)
        next_turn = turns_of(turns)  # type: ignore[arg-type]
        thread = Thread(target=next_turn, args=(print,))
        thread.start()
        thread.join()  # the event loop has not had a turn since
        turns.session_context.destroyed = closed
        await asyncio.sleep(0)
        return turns.waiting

    assert asyncio.run(taken(closed=False)) == [print]
    assert asyncio.run(taken(closed=True)) == []


def ask(session: Explorer, **message: Any) -> None:
    session.frame._asked(SimpleNamespace(data=message))


def said(session: Explorer) -> list[str]:
    return [one.words for one in session.frame.journal]


def test_a_change_and_what_follows_from_it_are_one_step(session: tuple[Explorer, Turns, list[Any]]) -> None:
    made, turns, _ = session
    state, toolbar = made.state, made.frame.toolbar
    assert (toolbar.can_undo, toolbar.axes) == (False, ["OS", "CN", "free 1"])
    before = (state.dataset, state.run, state.member)
    state.selected = [str(state.spectra.site_id[3])]
    turns.turn()
    state.dataset = "other"
    state.descriptors = ["WAVE"]
    turns.turn()
    assert state.selected == []
    ask(made, do="undo")
    turns.turn()
    assert (state.dataset, state.run, state.member) == before
    assert len(state.selected) == 1
    assert state.descriptors != ["WAVE"]
    ask(made, do="undo")
    turns.turn()
    assert state.selected == []
    assert (toolbar.can_undo, toolbar.can_redo) == (False, True)
    ask(made, do="redo")
    ask(made, do="redo")
    turns.turn()
    assert (state.dataset, state.descriptors) == ("other", ["WAVE"])
    assert not toolbar.can_redo
    assert "Selected 1 site as A" in said(made)
    assert said(made).count("Opened set other") == 2


def test_a_model_that_opens_later_belongs_to_the_step_that_asked_for_it(
    session: tuple[Explorer, Turns, list[Any]],
) -> None:
    made, turns, _ = session
    state, frame = made.state, made.frame
    frame.opened(lambda: state.param.update(latent=[0.0, 0.0, 0.0]))
    turns.turn()
    assert not frame.toolbar.can_undo
    state.latent = [0.5, 0.0, 0.0]
    turns.turn()
    state.member = 1 - state.member
    frame.opened(lambda: state.param.update(latent=[0.0, 0.0, 0.0]))
    turns.turn()
    ask(made, do="undo")
    frame.opened(lambda: state.param.update(latent=[0.0, 0.0, 0.0]))
    turns.turn()
    assert state.latent == [0.5, 0.0, 0.0]
    ask(made, do="undo")
    turns.turn()
    assert state.latent == [0.0, 0.0, 0.0]
    assert "Moved to OS 0.50, all other axes 0" in said(made)


def test_a_link_is_made_of_the_view(session: tuple[Explorer, Turns, list[Any]]) -> None:
    made, turns, sent = session
    made.state.latent = [0.5, 0.25, 0.0]
    turns.turn()
    ask(made, do="part", number=4)
    ask(made, do="part", number=99)
    ask(made, do="share")
    link = sent[-1]["link"]
    for part in ("set=made", "run=made", "tab=Latent", "latent=0.5%2C0.25%2C0"):
        assert part in link


def test_a_session_is_saved_opened_and_found_again(
    session: tuple[Explorer, Turns, list[Any]], folder: Path, tmp_path: Path
) -> None:
    made, turns, sent = session
    made.state.latent = [0.5, 0.25, 0.0]
    made.frame.context.notes.value = "mine"
    turns.turn()
    ask(made, do="save")
    file = sent[-1]["file"]
    content = json.loads(base64.b64decode(file["content"]))
    assert content["state"]["latent"] == [0.5, 0.25, 0.0]
    assert content["notes"] == "mine"
    made.frame.look()
    assert made.frame._saving is not None
    made.frame._saving.result(30)
    stored = Autosave(folder, made.frame.autosave.key).read()
    assert stored is not None
    assert stored.values["latent"] == [0.5, 0.25, 0.0]
    ask(made, do="undo")
    ask(made, do="open", text=json.dumps({**content, "evil": 1, "state": {**content["state"], "run": "gone"}}))
    turns.turn()
    assert made.frame.context.notes.value == "mine"
    words = made.notices._column.objects[0].objects[0].object
    assert "evil: not part of a session file" in words
    assert "run = gone: no such model here" in words
    ask(made, do="open", text="[")
    assert "not JSON" in made.notices._column.objects[0].objects[0].object


@pytest.mark.parametrize(
    "message",
    [{}, {"do": None}, {"do": "part", "number": "1"}, {"do": "part", "number": -1}, {"do": "exec", "code": "1"}],
)
def test_messages_that_make_no_sense_do_nothing(
    session: tuple[Explorer, Turns, list[Any]], message: dict[str, Any]
) -> None:
    made, _, sent = session
    made.frame._asked(SimpleNamespace(data=message))
    made.frame._asked(SimpleNamespace(data="text"))
    assert sent == []
    assert made.notices._column.objects == []


def test_paths_in_a_script_are_those_of_workspace_and_data(folder: Path) -> None:
    library = Library(Workspace(folder))
    assert set_code(library, "made") == "WORKSPACE / 'sets' / 'made.parquet'"
    assert run_code(library, "made") == "WORKSPACE / 'runs' / 'made'"
    assert set_code(library, "../x") == "Path('../x')"
    assert run_code(library, "embedded:x'\n") == 'Path("embedded:x\'\\n")'


def test_means_of_selections_are_laid_over_the_model(folder: Path) -> None:
    spectra = read_set(folder / "sets" / "made.parquet")
    sites = [str(site) for site in spectra.site_id[:4]]
    assert mean_on(spectra, sites, spectra.energy_ev) == pytest.approx(spectra.mu[:4].mean(axis=0).tolist())
    assert mean_on(spectra, sites, spectra.energy_ev + 1) == []
    assert mean_on(spectra, [], spectra.energy_ev) == mean_on(None, sites, spectra.energy_ev) == []
    state = ExplorerState()
    view = OverlaysView(state)
    assert (view._boxes["model"].value, view._boxes["selected"].disabled) == (True, True)
    state.selected = sites
    assert view._boxes["selected"].label == "Mean of A (4)"
    view._boxes["selected"].value = True
    view._boxes["model"].value = False
    assert state.shown == ["selected"]
    state.selected = []
    assert (view._boxes["selected"].value, state.shown) == (False, ["selected"])


def test_a_report_goes_to_the_page_that_asked_for_it(
    session: tuple[Explorer, Turns, list[Any]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _, sent = session
    begun: list[Job] = []
    monkeypatch.setattr(JobStore, "_launch", lambda _, job: begun.append(job) or job)
    shutil.copytree(folder / "runs" / "made", folder / "runs" / "twin")
    made.state.look(made.store)
    ask(made, do="report")
    [job] = begun
    out = made.store.report_path("made")
    run, twin = folder / "runs" / "made", folder / "runs" / "twin"
    assert job.arguments == ("report", str(run), "--out", str(out), "--with", str(twin))
    shutil.rmtree(twin)
    out.write_text("<!doctype html>")
    made._announce(replace(job, source="other"), Status("running"))
    assert sent == []
    made._announce(job, Status("done"))
    assert sent[0] == {"reported": ""}
    assert sent[1]["file"]["name"] == "report-made.html"
    assert base64.b64decode(sent[1]["file"]["content"]) == b"<!doctype html>"
    assert said(made)[-1] == "Made a report of made as report-made.html"
    made._announce(job, Status("done"))
    assert len(sent) == 2
    ask(made, do="report")
    made._announce(job, Status("failed", message="no set"))
    assert sent[2:] == [{"reported": "It could not be made."}]
    assert "Report of made failed: no set" in made.notices._column.objects[0].objects[0].object


def test_measured_files_come_back_by_undo_link_and_session_and_are_named_where_they_are_not(
    session: tuple[Explorer, Turns, list[Any]],
) -> None:
    made, turns, sent = session
    foil = keep(made.store.workspace, "foil <b>.xdi", b"# energy mu")
    opened = Experiment((foil,), Corrections(shift_ev="-1.5"), components=3, chosen="foil").to_json()
    made.state.experiment = opened
    turns.turn()
    ask(made, do="undo")
    assert made.state.experiment == {}
    ask(made, do="redo")
    assert made.state.experiment == opened
    ask(made, do="share")
    [name] = parse_qs(sent[-1]["link"])["measured"]
    made.state.experiment = {}
    assert made.frame.apply({"experiment": name}) == []
    assert made.state.experiment == opened
    text = made.frame._session_text()
    assert json.loads(text)["state"]["experiment"] == opened
    assert made.frame.apply({"experiment": {}}) == []
    ask(made, do="open", text=text)
    assert made.state.experiment == opened
    assert made.notices._column.objects == []
    kept_path(made.store.workspace, foil).unlink()
    ask(made, do="open", text=text)
    assert made.state.experiment == {"said": {"shift_ev": "-1.5"}, "chosen": "foil"}
    words = made.notices._column.objects[0].objects[0].object
    assert "measured spectra: not in this workspace: foil &lt;b&gt;.xdi, nor the domain map" in words
