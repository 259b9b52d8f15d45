"""Long work as its own process: starts commands of the engine, follows them through their folders, cancels, resumes.

Nothing is kept in memory that the folders do not hold as well, so running and finished jobs are found again after a
reload or a restart of the server; a process that is gone without a last word is "interrupted".
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import tomli_w

from engine.errors import EngineError, RunError
from engine.io.ceiling_file import read_ceilings
from engine.io.files import atomic_target
from engine.model.run import Run
from explorer.library import Library
from explorer.messages import tidy
from explorer.runs import RunEvents
from explorer.workspace import make_folder, new_id

Kind = Literal["import", "train", "ceiling"]
State = Literal["starting", "running", "cancelling", "done", "cancelled", "failed", "interrupted"]
ACTIVE: tuple[State, ...] = ("starting", "running", "cancelling")
COMMAND = (sys.executable, "-m", "engine.cli")
REPOSITORY = Path(__file__).resolve().parents[1]
NICENESS = 10


@dataclass(frozen=True)
class Job:
    """One command: it makes the set, the run or the ceilings of the same id.

    title      what the user calls it · source  the set it trains on, or the file it imports
    arguments  of the command · pid, started  of its latest process, in seconds since 1970
    cancelled  whether the user stopped that process before it could listen to a stop file
    """

    id: str
    kind: Kind
    title: str
    source: str
    arguments: tuple[str, ...]
    pid: int = 0
    started: float = 0.0
    cancelled: bool = False


@dataclass(frozen=True)
class Status:
    """Where a job stands: its state, the epochs of a training, its best validation score, why it ended."""

    state: State
    epoch: int = 0
    epochs: int = 0
    best: float | None = None
    message: str = ""

    @property
    def active(self) -> bool:
        """Whether its process lives."""
        return self.state in ACTIVE


class JobStore:
    """The jobs of one workspace, and the library they draw on; one store serves all sessions of a server."""

    def __init__(self, library: Library) -> None:
        self.library, self.workspace = library, library.workspace
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._events: dict[str, RunEvents] = {}

    def start_import(self, source: Path, title: str, options: tuple[str, ...] = (), job_id: str = "") -> Job:
        """Imports ``source`` into a new set; ``options`` go to the command. RunError when it cannot be started."""
        job_id = job_id or new_id("set")
        target, cache = self.workspace.set_path(job_id), self.workspace.root / "cache"
        make_folder(target.parent)
        arguments = ("import", str(source), "--out", str(target), "--cache", str(cache), "--json", *options)
        return self._launch(Job(job_id, "import", title, source.name, arguments))

    def start_training(self, set_id: str, settings: dict[str, Any], title: str) -> Job:
        """Trains on the set ``set_id`` with ``settings`` (names of TrainConfig) into a new run."""
        job_id = new_id("run")
        make_folder(self.workspace.runs)
        given = self.workspace.job_path(job_id) / "settings.toml"
        make_folder(given.parent)
        _write(given, tomli_w.dumps(settings))
        return self._launch(Job(job_id, "train", title, set_id, self._train(job_id, set_id, given)))

    def start_ceilings(self, set_id: str, set_hash: str, title: str) -> Job:
        """Computes the supervised ceilings of a set that are not known yet; one process per set at a time."""
        job_id = f"ceiling-{set_hash}"
        going = self.job(job_id)
        if going is not None and self.status(going).active:
            return going
        out = self.ceilings_path(set_hash)
        make_folder(out.parent)
        spectra, element = self.library.source_of(set_id)
        only = ("--element", element) if element else ()
        arguments = ("ceiling", str(spectra), *only, "--out", str(out), "--json")
        return self._launch(Job(job_id, "ceiling", title, set_id, arguments))

    def ceilings_path(self, set_hash: str) -> Path:
        """Where the ceilings of the set with this hash are or will be, for whoever opens the set."""
        return self.workspace.root / "cache" / "ceilings" / f"{set_hash}.json"

    def resume(self, job: Job) -> Job:
        """Starts the process of an interrupted or cancelled job again; a training goes on where it was saved last."""
        if self.status(job).active:
            return job
        if job.kind != "train":
            return self._launch(job)
        run = self.workspace.run_path(job.id)
        Run(run).stop_file.unlink(missing_ok=True)
        stored = run / "config.toml"
        given = stored if stored.is_file() else self.workspace.job_path(job.id) / "settings.toml"
        arguments = self._train(job.id, job.source, given)
        return self._launch(replace(job, arguments=(*arguments, "--resume")))

    def cancel(self, job: Job) -> None:
        """Stops a job: a training within one epoch through its stop file, anything else by ending its process."""
        if not self.status(job).active:
            return
        run = self.workspace.run_path(job.id)
        if job.kind == "train" and (run / "config.toml").is_file():
            stop_file = Run(run).stop_file
            try:
                stop_file.touch()
            except OSError as error:
                raise RunError(f"{stop_file}: cannot be written ({error.strerror or error})") from error
            return
        self._record(replace(job, cancelled=True))
        if job.pid > 0:
            _end_group(job.pid)

    def jobs(self) -> list[Job]:
        """Every job that has a record, and every run that the command line made here; newest first."""
        try:
            known = {path.parent.name for path in self.workspace.jobs.glob("*/job.json")}
        except OSError:
            known = set()
        found = [job for name in known if (job := self._read(name))]
        ids = {job.id for job in found}
        found += [self._from_run(run_id) for run_id in self.workspace.run_ids() if run_id not in ids]
        return sorted(found, key=lambda job: (-job.started, job.id))

    def job(self, job_id: str) -> Job | None:
        """The job called ``job_id``, or None."""
        return next((job for job in self.jobs() if job.id == job_id), None)

    def events(self, run_id: str) -> RunEvents:
        """What the run's events add up to now."""
        followed = self._events.get(run_id)
        if followed is None:
            followed = self._events[run_id] = RunEvents(self.workspace.run_path(run_id))
        followed.read()
        return followed

    def status(self, job: Job) -> Status:
        """Where ``job`` stands, from its process, its folder and its log."""
        if job.kind == "ceiling":
            return self._ceiling_status(job)
        return self._import_status(job) if job.kind == "import" else self._train_status(job)

    def report(self, job_id: str) -> dict[str, Any] | None:
        """What the command of an import or of ceilings has reported, where it has ended well."""
        try:
            content = json.loads((self.workspace.job_path(job_id) / "output.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def _import_status(self, job: Job) -> Status:
        if self._alive(job):
            return Status("running")
        if self.workspace.set_path(job.id).is_file():
            return Status("done")
        return self._ended_early(job, Status("interrupted"))

    def _ceiling_status(self, job: Job) -> Status:
        """``epoch`` counts the descriptors that are done."""
        if self._alive(job):
            set_hash = job.id.removeprefix("ceiling-")
            return Status("running", len(read_ceilings(self.ceilings_path(set_hash), set_hash)))
        return Status("done") if self.report(job.id) else self._ended_early(job, Status("interrupted"))

    def _train_status(self, job: Job) -> Status:
        events = self.events(job.id)
        run = self.workspace.run_path(job.id)
        epochs = int(events.start["epochs"]) if events.start else 0
        now = Status("interrupted", _epoch_of(events), epochs, events.best_validation())
        answered = events.start is not None and events.start["time"] >= job.started
        ended = events.end if answered else None
        if ended is not None and ended["status"] == "done":
            return replace(now, state="done")
        if self._alive(job):
            if Run(run).stop_file.exists() or job.cancelled:
                return replace(now, state="cancelling")
            return replace(now, state="running" if answered else "starting")
        if ended is not None:
            state: State = "cancelled" if ended["status"] == "cancelled" else "failed"
            return replace(now, state=state, message=tidy(str(ended["message"]), *self.library.roots))
        if Run(run).finished:
            return replace(now, state="done")
        return self._ended_early(job, now)

    def _ended_early(self, job: Job, now: Status) -> Status:
        """``now`` as cancelled or failed where record or log say so."""
        if job.cancelled:
            return replace(now, state="cancelled", message="stopped before it had begun")
        complaint = _complaint(self.workspace.job_path(job.id) / "log.txt")
        if complaint:
            return replace(now, state="failed", message=tidy(self._named(job, complaint), *self.library.roots))
        return replace(now, message="its process is gone")

    def _named(self, job: Job, complaint: str) -> str:
        """A message with the name the user knows in place of the one the file was kept under."""
        return complaint.replace(job.source, job.title) if job.kind == "import" else complaint

    def _train(self, job_id: str, source: str, settings: Path) -> tuple[str, ...]:
        spectra, element = self.library.source_of(source)
        only = ("--element", element) if element else ()
        out = self.workspace.run_path(job_id)
        return ("train", str(spectra), *only, "--config", str(settings), "--out", str(out), "--json")

    def _launch(self, job: Job) -> Job:
        folder = self.workspace.job_path(job.id)
        make_folder(folder)
        job = replace(job, started=time.time(), cancelled=False)
        try:
            with (folder / "log.txt").open("wb") as log, (folder / "output.json").open("wb") as output:
                process = subprocess.Popen(
                    [*COMMAND, *job.arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=log,
                    cwd=REPOSITORY,
                    start_new_session=True,
                )
        except OSError as error:
            raise RunError(f"the command cannot be started ({error.strerror or error})") from error
        self._processes[process.pid] = process
        _yield_to_the_page(process.pid)
        job = replace(job, pid=process.pid)
        self._record(job)
        return job

    def _record(self, job: Job) -> None:
        _write(self.workspace.job_path(job.id) / "job.json", json.dumps(asdict(job), indent=1))

    def _read(self, job_id: str) -> Job | None:
        try:
            content = json.loads((self.workspace.job_path(job_id) / "job.json").read_text(encoding="utf-8"))
            job = Job(**{**content, "arguments": tuple(map(str, content["arguments"]))})
            pid, started = int(job.pid), float(job.started)
        except (OSError, ValueError, KeyError, TypeError, EngineError):
            return None
        return replace(job, id=job_id, pid=pid, started=started) if job.kind in get_args(Kind) else None

    def _from_run(self, run_id: str) -> Job:
        """The job behind a run that has no record here: its process is the one that its events name."""
        folder = self.workspace.run_path(run_id)
        start = self.events(run_id).start or {}
        try:
            data = Run(folder).data()
            source = self.library.id_of(str(data["path"]), data.get("element"))
        except (RunError, KeyError):
            source = ""
        return Job(run_id, "train", run_id, source, (), int(start.get("pid", 0)), float(start.get("time", 0.0)))

    def _alive(self, job: Job) -> bool:
        process = self._processes.get(job.pid)
        if process is not None:
            return process.poll() is None
        return job.pid > 0 and process_lives(job.pid, job.started)


def process_lives(pid: int, since: float) -> bool:
    """Whether process ``pid`` runs and is the one that ran at ``since``: a later process may have got its number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        boot = next(
            int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime")
        )
    except (OSError, StopIteration, ValueError):
        return True
    state, began = fields[0], boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return state not in ("Z", "X") and began <= since + 2


def _yield_to_the_page(pid: int) -> None:
    """Lets a job have what browsers and the server leave over; Linux may weigh whole sessions, so that is set too."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS), encoding="ascii")


def _end_group(pid: int) -> None:
    """Asks a job's process, which leads its own group, and its helpers to end."""
    try:
        os.killpg(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except OSError as error:
        raise RunError(f"process {pid} cannot be stopped ({error.strerror or error})") from error


def _epoch_of(events: RunEvents) -> int:
    if events.epochs:
        return int(events.epochs[-1]["epoch"])
    return int(events.start.get("epoch", 0)) if events.start else 0


def _complaint(log: Path) -> str:
    """The one-line error at the end of a command's log, or the last line of a traceback; "" without either."""
    try:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    for line in reversed(lines):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
    return lines[-1] if any(line.startswith("Traceback ") for line in lines) else ""


def _write(path: Path, text: str) -> None:
    with atomic_target(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
