"""Long work as its own process: starts commands of the engine, follows them through their folders, cancels, resumes.

Nothing is kept in memory that the folders do not hold as well, so running and finished jobs are found again after a
reload or a restart of the server; a process that is gone without a last word is "interrupted".
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import tomli_w

from engine.errors import ConfigError, DataError, EngineError, RunError
from engine.io.ceiling_file import read_ceilings
from engine.io.files import atomic_target
from engine.io.structures import structures_path
from engine.model.run import Run
from explorer.library import Library, is_embedded
from explorer.messages import tidy
from explorer.runs import RunEvents
from explorer.turns import weights_stamp
from explorer.workspace import make_folder, new_id

Kind = Literal["import", "train", "ceiling", "map", "suggest", "report"]
State = Literal["queued", "starting", "running", "cancelling", "done", "cancelled", "failed", "interrupted"]
ACTIVE: tuple[State, ...] = ("queued", "starting", "running", "cancelling")
COMMAND = (sys.executable, "-m", "engine.cli")
REPOSITORY = Path(__file__).resolve().parents[1]
NICENESS = 10
AT_ONCE = "RANKAAE_TRAININGS"
QUEUE_SECONDS = 0.5
_STAGE = re.compile(r"(\d+) of (\d+): (.*)")


@dataclass(frozen=True)
class Job:
    """One command: it makes the set, the run, the ceilings or the map of the same id, or says something of a run.

    title      what the user calls it
    source     the set it trains on or maps, the file it imports, the run it looks for descriptors for or reports on
    arguments  of the command · pid, started  of its latest process, in seconds since 1970
    cancelled  whether the user stopped that process before it could listen to a stop file
    waiting    whether it is a training whose turn has not come: ``started`` is then when it was asked for
    """

    id: str
    kind: Kind
    title: str
    source: str
    arguments: tuple[str, ...]
    pid: int = 0
    started: float = 0.0
    cancelled: bool = False
    waiting: bool = False


@dataclass(frozen=True)
class Status:
    """Where a job stands: its state, epochs of a training or stages of a map, best validation score, why it ended."""

    state: State
    epoch: int = 0
    epochs: int = 0
    best: float | None = None
    message: str = ""

    @property
    def active(self) -> bool:
        """Whether its process lives, or will when its turn comes."""
        return self.state in ACTIVE


class JobStore:
    """The jobs of one workspace, and the library they draw on; one store serves all sessions of a server.

    Trainings wait for their turn in the order in which they were asked for; a thread begins them, with or without a
    page open, and a new store those that an earlier one has left waiting.
    """

    def __init__(self, library: Library) -> None:
        self.library, self.workspace = library, library.workspace
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._events: dict[str, RunEvents] = {}
        self._lock = threading.Lock()
        self._watched = False
        if any(job.waiting for job in self._recorded()):
            self._watch_queue()

    def start_import(self, source: Path, title: str, options: tuple[str, ...] = (), job_id: str = "") -> Job:
        """Imports ``source`` into a new set; ``options`` go to the command. RunError when it cannot be started."""
        job_id = job_id or new_id("set")
        target, cache = self.workspace.set_path(job_id), self.workspace.root / "cache"
        make_folder(target.parent)
        arguments = ("import", str(source), "--out", str(target), "--cache", str(cache), "--json", *options)
        return self._launch(Job(job_id, "import", title, source.name, arguments))

    def start_training(self, set_id: str, settings: dict[str, Any], title: str) -> Job:
        """Trains on the set ``set_id`` with ``settings`` (names of TrainConfig) into a new run, when its turn comes."""
        job_id = new_id("run")
        make_folder(self.workspace.runs)
        given = self.workspace.job_path(job_id) / "settings.toml"
        make_folder(given.parent)
        _write(given, tomli_w.dumps(settings))
        return self._queue(Job(job_id, "train", title, set_id, self._train(job_id, set_id, given)))

    def start_ceilings(self, set_id: str, set_hash: str, title: str) -> Job:
        """Computes the supervised ceilings of a set that are not known yet; one process per set at a time."""
        out = self.ceilings_path(set_hash)
        make_folder(out.parent)
        spectra, element = self.library.source_of(set_id)
        only = ("--element", element) if element else ()
        arguments = ("ceiling", str(spectra), *only, "--out", str(out), "--json")
        return self._launch_once(Job(f"ceiling-{set_hash}", "ceiling", title, set_id, arguments))

    def start_suggestion(self, run: str, title: str, own: Path | None = None) -> Job:
        """Ranks the descriptors that the run ``run`` does not use, and what the set ``own`` has more; one at a time."""
        places = ("--out", str(self._candidates(run)), "--cache", str(self.workspace.root / "cache"))
        columns = ("--columns", str(own)) if own is not None else ()
        arguments = ("suggest", str(self.library.run_path(run)), "--json", *places, *columns)
        return self._launch_once(Job(job_about("suggest", run), "suggest", title, run, arguments))

    def put_candidates(self, run: str, set_id: str) -> None:
        """Puts the set of ``run`` with all that its ranking tried among the sets as ``set_id``, unless it is there."""
        source, target = self._candidates(run), self.workspace.set_path(set_id)
        if target.is_file():
            return
        if not source.is_file():
            raise RunError(f"{source}: gone; rank the candidates again")
        make_folder(target.parent)
        for made, place in ((structures_path(source), structures_path(target)), (source, target)):
            if made.is_file():
                with atomic_target(place) as temporary:
                    shutil.copyfile(made, temporary)

    def _candidates(self, run: str) -> Path:
        return self.workspace.job_path(job_about("suggest", run)) / "candidates.parquet"

    def suggestion(self, run: str) -> dict[str, Any] | None:
        """What ``start_suggestion`` has found, or None; also None once the run has been trained anew.

        An answer without the hash of the set with the candidates is that of an earlier version, and counts no more.
        """
        job = self._read(job_about("suggest", run))
        if job is None or self._alive(job) or weights_stamp(self.library.run_path(run)) > 1e9 * job.started:
            return None
        found = self.report(job.id)
        return found if found and "set_hash" in found else None

    def start_report(self, run: str, beside: Sequence[Path], title: str) -> Job:
        """Writes a page about the run ``run``, put next to the run folders ``beside``; one at a time per run."""
        out = self.report_path(run)
        make_folder(out.parent)
        more = [part for folder in beside for part in ("--with", str(folder))]
        arguments = ("report", str(self.library.run_path(run)), "--out", str(out), *more)
        return self._launch_once(Job(job_about("report", run), "report", title, run, arguments))

    def report_path(self, run: str) -> Path:
        """Where the page about a run is or will be."""
        return self.workspace.root / "reports" / f"{job_about('report', run)}.html"

    def start_map(self, set_id: str, options: tuple[str, ...], title: str) -> Job:
        """Maps all that is in the file of the set ``set_id``; ``options`` go to the command."""
        job_id = new_id("map")
        target = self.workspace.map_path(job_id)
        make_folder(target.parent)
        spectra, _ = self.library.source_of(set_id)
        arguments = ("atlas", str(spectra), "--out", str(target), "--json", *options)
        return self._launch(Job(job_id, "map", title, set_id, arguments))

    def map_source(self, map_id: str) -> Path | None:
        """The file whose spectra are on a map, or None where that is not known."""
        if is_embedded(map_id):
            return self.library.source_of_map(map_id)
        job = self._read(map_id)
        try:
            return None if job is None else self.library.source_of(job.source)[0]
        except DataError:
            return None

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
        return self._queue(replace(job, arguments=(*arguments, "--resume")))

    def cancel(self, job: Job) -> None:
        """Stops a job: a training within one epoch through its stop file, anything else by ending its process."""
        if job.waiting:
            with self._turn():
                job = self._read(job.id) or job
                if job.waiting:
                    self._record(replace(job, waiting=False, cancelled=True))
                    return
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
        found = self._recorded()
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
        if job.kind == "map":
            return self._map_status(job)
        if job.kind in ("suggest", "report"):
            return self._answer_status(job)
        return self._import_status(job) if job.kind == "import" else self._train_status(job)

    def report(self, job_id: str) -> dict[str, Any] | None:
        """What the command of an import, of ceilings or of a suggestion has reported, where it has ended well."""
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

    def _map_status(self, job: Job) -> Status:
        """``epoch`` counts the stages that are done; ``message`` names the one that is under way."""
        if self._alive(job):
            lines = _lines(self.workspace.job_path(job.id) / "log.txt")
            found = [match for line in lines if (match := _STAGE.fullmatch(line))]
            if not found:
                return Status("starting")
            done, total, stage = found[-1].groups()
            return Status("running", int(done), int(total), message=stage)
        if self.workspace.map_path(job.id).is_file():
            return Status("done")
        return self._ended_early(job, Status("interrupted"))

    def _answer_status(self, job: Job) -> Status:
        """A suggestion, which the command prints, or a report, which it writes."""
        if self._alive(job):
            return Status("running")
        if job.kind == "suggest":
            done = self.report(job.id) is not None
        else:
            path = self.report_path(job.source)
            done = path.is_file() and path.stat().st_mtime >= job.started
        return Status("done") if done else self._ended_early(job, Status("interrupted"))

    def _train_status(self, job: Job) -> Status:
        events = self.events(job.id)
        run = self.workspace.run_path(job.id)
        epochs = int(events.start["epochs"]) if events.start else 0
        now = Status("interrupted", _epoch_of(events), epochs, events.best_validation())
        if job.waiting:
            return replace(now, state="queued")
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

    def _queue(self, job: Job) -> Job:
        """Puts a training at the end of the queue and begins it if its turn has come already."""
        trainings_at_once()
        with self._turn():
            self._record(replace(job, pid=0, started=time.time(), cancelled=False, waiting=True))
        if self._begin_waiting():
            self._watch_queue()
        return self._read(job.id) or job

    def _begin_waiting(self) -> bool:
        """Begins the trainings whose turn has come; whether others still wait."""
        with self._turn():
            trainings = [job for job in self._recorded() if job.kind == "train"]
            waiting = sorted((job for job in trainings if job.waiting), key=lambda job: job.started)
            busy = sum(self._alive(job) for job in trainings if not job.waiting)
            free = max(trainings_at_once() - busy, 0)
            for job in waiting[:free]:
                try:
                    self._launch(job)
                except RunError as error:
                    _write(self.workspace.job_path(job.id) / "log.txt", f"error: {error}\n")
                    self._record(replace(job, waiting=False))
            more = len(waiting) > free
            self._watched &= more
            return more

    def _watch_queue(self) -> None:
        """Looks after the queue in a thread until nobody waits."""
        with self._lock:
            if not self._watched:
                self._watched = True
                threading.Thread(target=self._watch, name="training-queue", daemon=True).start()

    def _watch(self) -> None:
        more = True
        while more:
            time.sleep(QUEUE_SECONDS)
            with suppress(EngineError):
                more = self._begin_waiting()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Keeps the queue to one thread, also among servers that share the workspace."""
        make_folder(self.workspace.jobs)
        with self._lock, (self.workspace.jobs / ".queue").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _recorded(self) -> list[Job]:
        """Every job that has a record."""
        try:
            names = [path.parent.name for path in self.workspace.jobs.glob("*/job.json")]
        except OSError:
            return []
        return [job for name in names if (job := self._read(name))]

    def _launch_once(self, job: Job) -> Job:
        """Starts a job unless it is going on already."""
        going = self.job(job.id)
        return going if going is not None and self.status(going).active else self._launch(job)

    def _launch(self, job: Job) -> Job:
        folder = self.workspace.job_path(job.id)
        make_folder(folder)
        job = replace(job, started=time.time(), cancelled=False, waiting=False)
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


def job_about(kind: Kind, run: str) -> str:
    """Id of the job that says something of a run; ids of embedded ones cannot be names in the workspace."""
    return f"{kind}-{hashlib.sha256(run.encode()).hexdigest()[:16]}"


def trainings_at_once() -> int:
    """How many trainings run beside one another: RANKAAE_TRAININGS, or one; ConfigError when that is no number."""
    text = os.environ.get(AT_ONCE, "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 64):
        raise ConfigError(f"the environment variable {AT_ONCE} is '{text}'; need a whole number from 1 to 64")
    return int(text)


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
    lines = _lines(log)
    for line in reversed(lines):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
    return lines[-1] if any(line.startswith("Traceback ") for line in lines) else ""


def _lines(log: Path) -> list[str]:
    """The lines of a command's log that are not empty."""
    try:
        return [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError:
        return []


def _write(path: Path, text: str) -> None:
    with atomic_target(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
