"""Models of an embedded set: one ensemble per element, trained in a working folder and stored as a small run folder."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import engine
from engine.batch.processes import Workers, in_processes
from engine.batch.simulate import reason_of
from engine.embedded.manifest import Embedded, StoredModel, file_entry, put_entry, read_embedded
from engine.errors import Cancelled, DataError, EngineError, RunError
from engine.io import load_set
from engine.model.config import TrainConfig, make_config
from engine.model.evaluate import evaluate, score_table
from engine.model.latent_model import WEIGHTS, load_members
from engine.model.report import score_run
from engine.model.run import Array, Event, Run
from engine.model.training import train
from engine.spectra import SpectraSet, set_hash

DEFAULT = make_config(
    "default", descriptors=("OS", "CN", "OCN", "NNRS", "MOOD"), free_axes=1, seeds=tuple(range(8)), hidden=128
)
"""Half the preset's width: as good on families of this size, a third of the bytes."""
BASELINES = "baselines.json"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ModelAccount:
    """One stored model: its name, whether it was there already, the size of its files in bytes.

    ``constant`` are the descriptors that it was not given, as every site of the set has the same value of them.
    """

    name: str
    kept: bool
    bytes: int
    constant: tuple[str, ...]


@dataclass(frozen=True)
class _Task:
    """One model to train; everything a process needs."""

    label: str
    set_path: Path
    element: str
    config: TrainConfig
    work: Path
    target: Path
    threads: int
    progress: Progress | None


def train_models(
    set_name: str,
    folder: Path,
    work: Path,
    *,
    elements: Sequence[str] | None = None,
    config: TrainConfig = DEFAULT,
    workers: Workers = 1,
    threads: int = 1,
    progress: Progress | None = None,
) -> list[ModelAccount]:
    """Trains a model on each element of an embedded set, into ``folder/models/<set>-<element>``, and names it there.

    A stored model is kept when it has these settings, was trained on this set and its files are those of the manifest.
    A training that was interrupted goes on from ``work/<set>-<element>``. ``workers`` processes of ``threads`` threads
    each; ``progress(model, epoch, epochs)``, a function of a module, is called in them. A model gets those of the
    descriptors of ``config`` that are not the same for all sites of its element.
    DataError when the folder has no such set, a file of the set is not the one that the manifest names, or a model
    cannot be trained; the others are trained all the same.
    """
    folder, work = folder.resolve(), work.resolve()
    embedded = read_embedded(folder)
    if embedded is None:
        raise DataError(f"{folder}: has no manifest.toml; build {set_name} first")
    stored = embedded.set_of(set_name)
    tasks, accounts = [], []
    for element in elements or stored.elements:
        file = stored.file_of(element)
        file.check()
        name = f"{set_name}-{element}"
        own = replace(config, descriptors=varying(load_set(file.path, element), config.descriptors))
        task = _Task(name, file.path, element, own, work / name, folder / "models" / name, threads, progress)
        if (there := _current(task, embedded)) is not None:
            accounts.append(_account(task, config, True, [f.bytes for f in there.files]))
        else:
            tasks.append(task)
    failures = []
    for task, result in in_processes(_train, tasks, workers):
        if isinstance(result, Cancelled):
            raise result
        if isinstance(result, Exception):
            failures.append(f"{task.label}: {reason_of(result)}")
            continue
        entry = _entry(task, set_name, folder)
        put_entry(folder, "model", entry)
        accounts.append(_account(task, config, False, [file["bytes"] for file in entry["files"]]))
    if failures:
        raise DataError("; ".join(failures))
    return sorted(accounts, key=lambda account: account.name)


def varying(spectra: SpectraSet, names: Sequence[str]) -> tuple[str, ...]:
    """The descriptors ``names`` without those of one known value alone, which rank no spectrum above another."""
    columns = spectra.descriptor_values(names).T
    return tuple(
        name for name, values in zip(names, columns, strict=True) if np.unique(values[~np.isnan(values)]).size != 1
    )


def _account(task: _Task, config: TrainConfig, kept: bool, sizes: Sequence[int]) -> ModelAccount:
    constant = tuple(name for name in config.descriptors if name not in task.config.descriptors)
    return ModelAccount(task.label, kept, sum(sizes), constant)


def print_epoch(label: str, epoch: int, epochs: int) -> None:
    """Says on standard error how far a training is, every fifty epochs."""
    if epoch == epochs or epoch % 50 == 0:
        sys.stderr.write(f"{label}: epoch {epoch} of {epochs}\n")


def _current(task: _Task, embedded: Embedded) -> StoredModel | None:
    """The model that is stored already, when it is what the task would make."""
    found = next((model for model in embedded.models if model.name == task.label), None)
    if found is None or found.path != task.target or not _fits(Run(task.target), task, _spectra(task)):
        return None
    try:
        for file in found.files:
            file.check()
    except DataError:
        return None
    return found if Run(task.target).finished else None


def _fits(run: Run, task: _Task, spectra: SpectraSet) -> bool:
    """Whether a run folder holds a training with the task's settings on its spectra."""
    try:
        return run.config() == task.config and run.data()["hash"] == set_hash(spectra)
    except (EngineError, KeyError):
        return False


def _spectra(task: _Task) -> SpectraSet:
    return load_set(task.set_path, task.element)


def _train(task: _Task) -> None:
    torch.set_num_threads(task.threads)
    spectra, run = _spectra(task), Run(task.work)
    if task.work.exists() and not _fits(run, task, spectra):
        shutil.rmtree(task.work)

    def follow(event: Event) -> None:
        if event["event"] == "epoch" and task.progress is not None:
            task.progress(task.label, event["epoch"], event["epochs"])

    train(spectra, task.set_path, task.config, task.work, resume=True, on_event=follow)
    score_run(run, jobs=task.threads)  # leaves the baselines in the run folder
    _store(run, task, spectra)


def _store(run: Run, task: _Task, spectra: SpectraSet) -> None:
    """A finished run as it is stored: no history, events or absolute paths, weight matrices in half precision.

    Scores are those of the rounded weights.
    """
    target = task.target
    partial = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        stored = Run(partial)
        stored.write_text("config.toml", run.config().to_toml())
        stored.write_text(BASELINES, (run.path / BASELINES).read_text(encoding="utf-8"))
        data = {key: value for key, value in run.data().items() if key != "path"}
        data["relative_path"] = Path(os.path.relpath(task.set_path, target)).as_posix()
        stored.write_json("data.json", data)
        arrays, metadata = run.read_arrays(WEIGHTS)
        stored.write_arrays(WEIGHTS, {key: _rounded(key, array) for key, array in arrays.items()}, metadata)
        split, labels = run.split(), spectra.descriptor_values(task.config.descriptors)
        on_test, on_validation = (
            [evaluate(member, spectra.mu[rows], labels[rows]) for member in load_members(stored)]
            for rows in (split.test, split.validation)
        )
        table = score_table(on_test, on_validation)
        table["best_epoch"] = run.scores()["best_epoch"]
        stored.write_table("scores.parquet", table)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    except OSError as error:
        raise RunError(f"{target}: cannot be written ({error.strerror or error})") from error


def _rounded(key: str, array: Array) -> Array:
    """Stacked weight matrices (s, a, b) of networks as float16; everything else as it is."""
    is_matrix = key.startswith("networks.") and array.ndim == 3 and min(array.shape[1:]) > 1
    return array.astype(np.float16) if is_matrix else array


def _entry(task: _Task, set_name: str, folder: Path) -> dict[str, Any]:
    """What the manifest says of a stored model; test scores are those of the selected member."""
    run = Run(task.target)
    config, table = run.config(), run.scores()
    row = table.iloc[run.selected()]
    columns = ["reconstruction_rmse", *(f"{name} srcc" for name in config.descriptors)]
    columns += ["free_axis_correlation_max"] if config.free_axes else []
    return {
        "name": task.label, "set": set_name, "element": task.element,
        "path": task.target.relative_to(folder).as_posix(),
        "preset": config.preset, "descriptors": list(config.descriptors), "free_axes": config.free_axes,
        "seeds": [int(seed) for seed in table["seed"]], "selected": int(row["seed"]), "set_hash": run.data()["hash"],
        "test": {"n": int(row["n"])} | {c: round(float(row[c]), 4) for c in columns if np.isfinite(row[c])},
        "program": engine.__version__, "files": [file_entry(f, folder) for f in sorted(task.target.iterdir())],
    }  # fmt: skip
