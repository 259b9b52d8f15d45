"""One ensemble, each seed a training of its own, on the workers of a cluster or one after the other."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch

from engine.batch.cluster import check_scheduler
from engine.batch.processes import Workers, in_processes
from engine.errors import Cancelled, RunError
from engine.model.config import TrainConfig
from engine.model.evaluate import evaluate, score_table
from engine.model.latent_model import load_members, save_members
from engine.model.run import Event, EventSink, Run
from engine.model.training import CHECKPOINT, Diverged, begin, train
from engine.spectra import SpectraSet

SEEDS = "seeds"
"""Folder in a run folder that has the run of each seed while they are trained."""


@dataclass(frozen=True)
class _Task:
    """One seed to train; the run folder, which all workers must see, says all else."""

    run: Path
    seed: int
    device: str
    threads: int

    @property
    def part(self) -> Run:
        return Run(self.run / SEEDS / str(self.seed))


def train_apart(
    spectra: SpectraSet,
    set_path: Path,
    config: TrainConfig,
    folder: Path,
    workers: Workers,
    *,
    resume: bool = False,
    device: str = "auto",
    threads: int = 0,
    on_event: EventSink | None = None,
) -> Run:
    """``train`` with a task for every seed; the finished run in ``folder`` is like any other.

    Numbers do not depend on ``workers``, and differ from those of the stacked seeds of ``train`` by rounding alone.
    Set and folder must be where all workers see them under the same path. A seed whose worker was lost goes on
    elsewhere from its last checkpoint, and so does an interrupted run with ``resume``. ``device`` is looked for where
    the work is done, with ``threads`` CPU threads (0: as the worker was started). Raises what ``train`` raises.
    """
    if isinstance(workers, str):
        check_scheduler(workers)
    run, split = begin(spectra, set_path.resolve(), config, folder.resolve(), resume=resume)
    if run.finished:
        return run

    def emit(event: Event) -> None:
        run.append_event(event)
        if on_event:
            on_event(event)

    run.stop_file.unlink(missing_ok=True)
    (run.path / CHECKPOINT).unlink(missing_ok=True)
    n = {f"n_{part}": int(getattr(split, part).size) for part in ("train", "validation", "test")}
    about = {"seeds": list(config.seeds), "axes": list(config.axis_names), "device": device, "pid": os.getpid()}
    emit({"event": "start", "epoch": 0, "epochs": config.epochs, **about, **n})
    tasks = [_Task(run.path, seed, device, threads) for seed in config.seeds]
    done: list[Run] = []
    try:
        for task, result in in_processes(_train_seed, tasks, workers):
            if isinstance(result, Diverged):
                emit({"event": "seed_failed", "seed": task.seed, "epoch": config.epochs, "reason": str(result)})
            elif isinstance(result, Exception):
                raise result
            else:
                done.append(task.part)
                emit({"event": "seed", "seed": task.seed, "done": len(done), "of": len(tasks)})
        if not done:
            raise RunError(f"{run.path}: every seed diverged; lower learning_rate (now {config.learning_rate:g})")
    except BaseException as problem:
        run.stop_file.touch()  # for seeds that are still being trained somewhere
        stopped = isinstance(problem, Cancelled | KeyboardInterrupt)
        emit({"event": "end", "status": "cancelled" if stopped else "failed", "message": str(problem)})
        raise
    _gather(run, sorted(done, key=lambda part: config.seeds.index(int(part.path.name))), spectra)
    emit({"event": "end", "status": "done", "message": ""})
    return run


def _train_seed(task: _Task) -> None:
    """In a worker: the training of one seed, with settings, set and split of the run; ends when the run is stopped."""
    if task.threads > 0:
        torch.set_num_threads(task.threads)
    run = Run(task.run)

    def follow(event: Event) -> None:
        if event["event"] == "epoch" and run.stop_file.exists():
            task.part.stop_file.touch()

    if run.stop_file.exists():
        raise Cancelled(f"{run.path}: stopped; --resume goes on")
    if not (task.part.path / "config.toml").exists():
        shutil.rmtree(task.part.path, ignore_errors=True)  # of a worker that was lost as it began
    config = replace(run.config(), seeds=(task.seed,))
    path = Path(run.data()["path"])
    train(run.spectra(), path, config, task.part.path, resume=True, device=task.device, on_event=follow)


def _gather(run: Run, parts: list[Run], spectra: SpectraSet) -> None:
    """The files of the finished run, from those of its seeds, which are removed."""
    split, labels = run.split(), spectra.descriptor_values(run.config().descriptors)
    members = [load_members(part)[0] for part in parts]
    on_test, on_validation = (
        [evaluate(member, spectra.mu[rows], labels[rows]) for member in members]
        for rows in (split.test, split.validation)
    )
    table = score_table(on_test, on_validation)
    table["best_epoch"] = [part.scores()["best_epoch"].iloc[0] for part in parts]
    history = pd.concat([part.history() for part in parts])
    run.write_table("history.parquet", history.sort_values("epoch", kind="stable", ignore_index=True))
    save_members(run, members)
    run.write_table("scores.parquet", table)
    shutil.rmtree(run.path / SEEDS, ignore_errors=True)
