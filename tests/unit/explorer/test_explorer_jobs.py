"""Jobs as processes: started, followed, cancelled, resumed, found again; a stand-in plays the engine's command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import ConfigError, DataError
from engine.model.run import Run
from explorer import jobs
from explorer.jobs import Job, JobStore, process_lives
from explorer.library import Library
from explorer.runs import RunEvents, read_members
from explorer.state import ExplorerState
from explorer.workspace import Workspace, safe_name
from tests.conftest import REPOSITORY

STAND_IN = """
import json, os, sys, time
from pathlib import Path
command, source, *rest = sys.argv[1:]
out = Path(rest[rest.index("--out") + 1])
if command == "import":
    if "bad" in source:
        sys.exit("error: " + Path(source).name + ": no spectra in it")
    time.sleep(60 if "slow" in source else 0)
    out.write_bytes(b"set")
    print(json.dumps({"n_read": 3, "n_kept": 3}))
    sys.exit()
settings = Path(rest[rest.index("--config") + 1]).read_text()
if "refuse" in settings:
    sys.exit("error: descriptor XX is not in the set")
if "crash" in settings:
    raise MemoryError("too large")
time.sleep(60 if "late" in settings else 0)
out.mkdir(exist_ok=True)
(out / "config.toml").write_text(settings)
(out / "data.json").write_text(json.dumps({"path": source}))
def emit(**event):
    with (out / "events.jsonl").open("a") as log:
        log.write(json.dumps({"time": time.time(), **event}) + "\\n")
first = 3 if "--resume" in rest else 0
epochs = 5 if "--resume" in rest or "short" in settings else 10_000
emit(event="start", epoch=first, epochs=epochs, seeds=[0, 1], axes=["CN"], pid=os.getpid())
for epoch in range(first + 1, epochs + 1):
    score = [epoch / 10, None] if epoch % 2 == 0 else None
    emit(event="epoch", epoch=epoch, epochs=epochs, loss={"total": [1.0, 2.0]}, validation=score and {"score": score})
    time.sleep(0.02)
    if (out / "stop").exists():
        (out / "stop").unlink()
        emit(event="end", status="cancelled", message=f"{out}: stopped after epoch {epoch}; --resume goes on")
        sys.exit(130)
(out / "weights.safetensors").write_bytes(b"")
(out / "scores.parquet").write_bytes(b"")
emit(event="end", status="done", message="")
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobStore]:
    """A store of an empty workspace whose command is the stand-in; whatever still runs in the end is killed."""
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    monkeypatch.setattr(jobs, "COMMAND", (sys.executable, str(script)))
    made = JobStore(Library(Workspace(tmp_path / "workspace")))
    yield made
    for job in made.jobs():
        made.cancel(job)
        if job.pid:
            with suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)


def wait(true: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.02)


def wait_state(store: JobStore, job: Job, state: str) -> None:
    wait(lambda: store.status(job).state == state)


def test_an_import_ends_with_a_set_and_its_report(store: JobStore) -> None:
    job = store.start_import(Path("/data/cu.csv"), "my set")
    wait_state(store, job, "done")
    assert store.workspace.set_ids() == [job.id]
    assert store.report(job.id) == {"n_read": 3, "n_kept": 3}
    assert [found.title for found in store.jobs()] == ["my set"]


def test_a_failed_import_tells_the_line_of_the_command_with_the_users_name(store: JobStore) -> None:
    job = store.start_import(Path("/data/bad_1.csv"), "<b>bad 1</b>.csv")
    wait_state(store, job, "failed")
    assert store.status(job).message == "<b>bad 1</b>.csv: no spectra in it"
    assert store.workspace.set_ids() == []


def test_an_import_is_cancelled_by_ending_its_process(store: JobStore) -> None:
    job = store.start_import(Path("/data/slow.csv"), "slow")
    assert store.status(job).active
    store.cancel(job)
    wait(lambda: not store.status(store.jobs()[0]).active)
    assert store.status(store.jobs()[0]).state == "cancelled"
    assert not process_lives(job.pid, job.started)


def test_jobs_leave_the_processor_to_the_page(store: JobStore) -> None:
    job = store.start_import(Path("slow.csv"), "slow")
    assert os.getpriority(os.PRIO_PROCESS, job.pid) == max(jobs.NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
    store.cancel(job)


def test_a_training_is_followed_to_its_end(store: JobStore) -> None:
    job = store.start_training("set-1", {"descriptors": ["CN, odd name"], "preset": "short"}, "short run")
    assert store.status(job).active
    wait_state(store, job, "done")
    status = store.status(job)
    assert (status.epoch, status.epochs, status.best) == (5, 5, 0.4)
    assert store.workspace.run_ids() == [job.id]
    assert "CN, odd name" in (store.workspace.run_path(job.id) / "config.toml").read_text()


def test_a_training_is_cancelled_by_its_stop_file_and_resumed(store: JobStore) -> None:
    job = store.start_training("set-1", {"free_axes": 1}, "long run")
    wait(lambda: store.status(job).epoch >= 5)
    store.cancel(job)
    assert store.status(job).state in ("cancelling", "cancelled")
    wait_state(store, job, "cancelled")
    assert "press Resume to go on" in store.status(job).message
    assert str(store.workspace.root) not in store.status(job).message
    before = store.events(job.id).generation
    resumed = store.resume(job)
    wait_state(store, resumed, "done")
    events = store.events(job.id)
    assert [event["epoch"] for event in events.epochs] == [1, 2, 3, 4, 5]
    assert events.generation == before + 1


def test_a_killed_training_is_interrupted_also_for_a_store_that_did_not_start_it(store: JobStore) -> None:
    job = store.start_training("set-1", {"free_axes": 1}, "long run")
    wait(lambda: store.status(job).epoch >= 1)
    other = JobStore(store.library)
    assert other.status(other.jobs()[0]).state == "running"
    os.kill(job.pid, signal.SIGKILL)
    wait(lambda: other.status(other.jobs()[0]).state == "interrupted")
    wait_state(store, job, "interrupted")


def test_a_stop_file_left_behind_does_not_stop_a_resumed_training(store: JobStore) -> None:
    job = store.start_training("set-1", {"free_axes": 1}, "long run")
    wait(lambda: store.status(job).epoch >= 1)
    os.kill(job.pid, signal.SIGKILL)
    wait_state(store, job, "interrupted")
    Run(store.workspace.run_path(job.id)).stop_file.touch()
    wait_state(store, store.resume(job), "done")


@pytest.mark.parametrize(
    ("preset", "message"), [("refuse", "descriptor XX is not in the set"), ("crash", "MemoryError: too large")]
)
def test_a_training_that_fails_at_once_says_why(store: JobStore, preset: str, message: str) -> None:
    job = store.start_training("set-1", {"preset": preset}, "no run")
    wait_state(store, job, "failed")
    assert store.status(job).message == message


def test_a_training_cancelled_while_it_starts_is_ended(store: JobStore) -> None:
    job = store.start_training("set-1", {"preset": "late"}, "late run")
    assert store.status(job).state == "starting"
    store.cancel(job)
    wait_state(store, store.jobs()[0], "cancelled")


def test_trainings_wait_for_their_turn_and_go_on_with_another_server(store: JobStore) -> None:
    first, _, third, _ = (store.start_training("s", {"short": 1} if i else {}, str(i)) for i in range(4))
    wait_state(store, first, "running")
    state = ExplorerState()
    state.look(store)
    assert [job.title for job in state.queue()] == ["1", "2", "3"]
    store.cancel(third)
    assert store.status(store.job(third.id)).state == "cancelled"
    assert not (store.workspace.run_path(third.id)).exists()
    again = store.resume(store.job(third.id))
    state.look(store)
    assert [job.title for job in state.queue()] == ["1", "3", "2"]
    assert [status.state for _, status in state.trainings()].count("running") == 1

    other = JobStore(store.library)  # as a restarted server would
    other.cancel(first)
    wait(lambda: all(not store.status(job).active for job in store.jobs()), 30)
    assert [store.status(job).state for job in store.jobs()] == ["done", "done", "done", "cancelled"]
    assert [job.title for job in store.jobs()] == ["2", "3", "1", "0"]
    assert again.id == third.id


def test_how_many_train_at_once_can_be_set(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jobs.AT_ONCE, "2")
    made = [store.start_training("s", {"descriptors": ["CN"]}, str(i)) for i in range(3)]
    assert [job.waiting for job in made] == [False, False, True]
    monkeypatch.setenv(jobs.AT_ONCE, "two")
    with pytest.raises(ConfigError, match="RANKAAE_TRAININGS is 'two'; need a whole number from 1 to 64"):
        store.start_training("s", {}, "x")
    assert len(store.jobs()) == 3
    for job in reversed(made):
        store.cancel(store.job(job.id))


def test_a_training_whose_command_cannot_start_leaves_the_queue(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "COMMAND", ("/nowhere/rankaae",))
    job = store.start_training("s", {}, "x")
    assert store.status(job).state == "failed"
    assert "cannot be started" in store.status(job).message


def test_runs_of_the_command_line_are_found(store: JobStore) -> None:
    folder = store.workspace.run_path("by-hand")
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("")
    (folder / "data.json").write_text(json.dumps({"path": "/data/set.parquet"}))
    start = {"time": 5.0, "event": "start", "epoch": 0, "epochs": 9, "seeds": [0], "pid": 2**22 - 3}
    (folder / "events.jsonl").write_text(json.dumps(start) + "\n")
    job = store.jobs()[0]
    assert (job.id, job.kind, job.source) == ("by-hand", "train", "/data/set.parquet")
    assert store.status(job).state == "interrupted"


def test_a_damaged_record_is_passed_over(store: JobStore) -> None:
    for name, text in {"a": "{", "b": "[]", "c": '{"kind": "train"}', "d": '{"arguments": 3}'}.items():
        folder = store.workspace.job_path(name)
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(text)
    assert store.jobs() == []


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    assert process_lives(os.getpid(), time.time())
    assert not process_lives(2**22 - 3, time.time())
    if Path("/proc/self/stat").exists():
        assert not process_lives(os.getpid(), since=1.0)


def test_events_are_read_as_they_are_written(tmp_path: Path) -> None:
    events = RunEvents(tmp_path)
    events.read()
    log = (tmp_path / "events.jsonl").open("a", buffering=1)
    with log:
        log.write('{"event": "start", "epoch": 0, "epochs": 3, "seeds": [7], "time": 1}\nnot json\n[1]\n')
        log.write('{"event": "epoch", "epoch": 1, "loss": {}, "validation": {"score": [0.5]}}\n{"event": "epo')
        log.flush()
        events.read()
        assert [event["epoch"] for event in events.epochs] == [1]
        log.write('ch", "epoch": 2, "loss": {}, "validation": null}\n')
        log.write('{"event": "seed_failed", "seed": 7, "epoch": 2, "reason": "nan"}\n')
        log.write('{"event": "end", "status": "failed", "message": "m"}\n')
        log.flush()
        events.read()
    assert [event["epoch"] for event in events.epochs] == [1, 2]
    assert events.failed_seeds == {7: "nan"}
    assert events.end is not None
    assert events.best_validation() == 0.5


def test_names_from_outside_never_leave_the_workspace(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert safe_name("../../etc/<b>pass wd</b>.csv") == "b_.csv"
    assert safe_name("..") == "file"
    for name in ("../x", "", ".hidden", "a/b", "a\x00b"):
        with pytest.raises(DataError):
            workspace.set_path(name)
    with pytest.raises(DataError, match="empty"):
        workspace.save_upload("a.csv", b"")
    kept = workspace.save_upload("../a b.csv", b"1")
    assert kept.is_relative_to(tmp_path / "uploads")
    assert kept.read_bytes() == b"1"


def test_the_page_imports_without_torch() -> None:
    program = "import sys, explorer.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=REPOSITORY).returncode == 0


def test_real_commands_fail_with_their_line(tmp_path: Path) -> None:
    store = JobStore(Library(Workspace(tmp_path)))
    job = store.start_import(tmp_path / "missing.csv", "missing.csv")
    wait(lambda: not store.status(job).active, 60)
    assert store.status(job) == replace(store.status(job), state="failed")
    assert store.status(job).message == "missing.csv: there is no such file or folder"


def test_scores_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    from engine.errors import RunError

    (tmp_path / "scores.parquet").write_bytes(b"no table")
    with pytest.raises(RunError, match="cannot be read"):
        read_members(Run(tmp_path))
