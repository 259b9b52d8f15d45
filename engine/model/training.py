"""From a set and settings to a finished run folder: training with validation, checkpoints, cancelling and resuming."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from engine.analysis.scores import FloatArray, largest_correlations, rank_correlation, validation_score
from engine.errors import Cancelled, ConfigError, RunError
from engine.model.config import TrainConfig
from engine.model.evaluate import calibrated, categorical_columns, evaluate, score_table
from engine.model.latent_model import LatentModel, members_from_state, save_members
from engine.model.run import Event, EventSink, Run
from engine.model.trainer import Trainer
from engine.spectra import SpectraSet, Split, set_hash, split_by_material, split_random

CHECKPOINT = "checkpoint.safetensors"
CHECKPOINT_SECONDS = 15.0
MIN_TRAINING_SPECTRA = 10
# A folder with no more than this was left before the settings were written: nothing has been trained in it.
HARMLESS = ("log.txt", "data.json")


class Diverged(RunError):  # noqa: N818 (what happened, as in Cancelled)
    """Every seed of a training diverged."""


def make_split(spectra: SpectraSet, config: TrainConfig) -> Split:
    """The split that the settings ask for."""
    rest = round(1 - config.train_fraction - config.validation_fraction, 12)
    fractions = (config.train_fraction, config.validation_fraction, rest)
    maker = split_by_material if config.split == "material" else split_random
    return maker(spectra, fractions, config.split_seed)


def pick_device(name: str = "auto") -> torch.device:
    """The device called ``name``; "auto" is CUDA where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"device is '{name}'; choose from auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda' but this machine has no usable CUDA GPU; use auto or cpu")
    return torch.device(name)


def check_labels(spectra: SpectraSet, split: Split, config: TrainConfig) -> None:
    """ConfigError when the training part is too small, or a descriptor has nothing to rank by in some part."""
    if split.train.size < MIN_TRAINING_SPECTRA:
        raise ConfigError(
            f"the training part has {split.train.size} spectra of {len(spectra)}; need at least {MIN_TRAINING_SPECTRA}"
        )
    labels = spectra.descriptor_values(config.descriptors)
    for i, name in enumerate(config.descriptors):
        if np.isnan(labels[:, i]).all():
            raise ConfigError(f"descriptor {name} is unknown (NaN) for every site; leave it out")
        values = labels[split.train, i]
        values = np.unique(values[~np.isnan(values)])
        if values.size < 2:
            only = f"{values[0]:g} for every training site" if values.size else "unknown for every training site"
            raise ConfigError(f"descriptor {name} is {only}; a rank constraint needs at least two different values")


def train(
    spectra: SpectraSet,
    set_path: Path,
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    on_event: EventSink | None = None,
) -> Run:
    """Trains every seed of ``config`` on ``spectra`` (read from ``set_path``); returns the finished run in ``folder``.

    With ``resume`` an interrupted run goes on from its last checkpoint to the numbers it would have reached otherwise.
    Raises ConfigError and RunError before anything is trained when settings, data and folder do not fit, Cancelled when
    the stop file appears, RunError when every seed has diverged or the folder cannot be written.
    """
    target = pick_device(device)
    run, split = begin(spectra, set_path, config, folder, resume=resume)
    if run.finished:
        return run
    return _Training(run, spectra, split, config, target, on_event).go()


def begin(spectra: SpectraSet, set_path: Path, config: TrainConfig, folder: Path, *, resume: bool) -> tuple[Run, Split]:
    """The run folder with settings and split, new or (``resume``) the one to go on with; errors as in ``train``."""
    run = Run(folder)
    if resume and (folder / "config.toml").exists():
        return run, _check_resume(run, spectra, config)
    split = make_split(spectra, config)
    check_labels(spectra, split, config)
    _start_folder(run, spectra, set_path, config, split)
    return run, split


def _start_folder(run: Run, spectra: SpectraSet, set_path: Path, config: TrainConfig, split: Split) -> None:
    folder = run.path
    try:
        if folder.exists() and (not folder.is_dir() or any(p.name not in HARMLESS for p in folder.iterdir())):
            raise RunError(f"{folder}: already holds something; give a new folder, or --resume to go on with this run")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made ({error.strerror or error})") from error
    absolute = set_path.resolve()
    elements = np.unique(spectra.element).tolist()
    data = {
        "path": str(absolute),
        "relative_path": os.path.relpath(absolute, folder.resolve()),
        "element": elements[0] if len(elements) == 1 else None,
        "hash": set_hash(spectra),
        "n": len(spectra),
        "origin": spectra.origin,
        "steps": list(spectra.steps),
        "split": split.to_json(),
    }
    run.write_json("data.json", data)
    run.write_text("config.toml", config.to_toml())


def _check_resume(run: Run, spectra: SpectraSet, config: TrainConfig) -> Split:
    stored = run.config()
    if stored != config:
        changed = next(n for n in vars(stored) if getattr(stored, n) != getattr(config, n))
        raise ConfigError(
            f"{run.path} was started with {changed} = {getattr(stored, changed)!r}, now it is "
            f"{getattr(config, changed)!r}; resume with the same settings or start a new run"
        )
    if run.data()["hash"] != set_hash(spectra):
        raise RunError(f"{run.path} was started on other spectra; resume with the same set or start a new run")
    return run.split()


@contextmanager
def _quicker_products() -> Iterator[None]:
    """Lets PyTorch take its quicker float32 matrix products: oneDNN's on a CPU, TF32 on a GPU.

    They may multiply with fewer digits (bfloat16 on some processors) but add in float32. On a CPU they can take half
    the time of the others. Numbers too small for normal form count as zero. What is stored, scored and used afterwards
    is computed outside.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        torch.set_flush_denormal(False)


class _Training:
    """One training in progress: the trainer, the best weights so far, the history, and what is written of them."""

    def __init__(
        self,
        run: Run,
        spectra: SpectraSet,
        split: Split,
        config: TrainConfig,
        device: torch.device,
        on_event: EventSink | None,
    ) -> None:
        self.run, self.spectra, self.split, self.config, self.on_event = run, spectra, split, config, on_event
        self.labels = spectra.descriptor_values(config.descriptors)
        self.trainer = Trainer(
            config,
            torch.from_numpy(spectra.mu[split.train]).to(device),
            torch.tensor(self.labels[split.train], dtype=torch.float32, device=device),
            spectra.material_id[split.train],
        )
        validation = spectra.mu[split.validation]
        self.validation_mu = torch.from_numpy(validation).to(device)
        self.spread = max(float(np.sqrt(np.mean((validation - spectra.mu[split.train].mean(0)) ** 2))), 1e-9)
        s = len(config.seeds)
        self.best: dict[str, Tensor] = {}
        self.best_score, self.best_epoch = np.full(s, -np.inf), np.zeros(s, dtype=int)
        self.wait_from = np.zeros(s, dtype=int)
        self.history: list[dict[str, float | int]] = []
        self.saved_at = time.monotonic()

    def go(self) -> Run:
        resumed = (self.run.path / CHECKPOINT).is_file()
        if resumed:
            self._load_checkpoint()
        self._emit(
            {
                "event": "start",
                "epoch": self.trainer.epoch,
                "epochs": self.trainer.epochs,
                "seeds": list(self.config.seeds),
                "axes": list(self.config.axis_names),
                "n_train": int(self.split.train.size),
                "n_validation": int(self.split.validation.size),
                "n_test": int(self.split.test.size),
                "device": str(self.trainer.mu.device),
                "pid": os.getpid(),
            }
        )
        try:
            with _quicker_products():
                self._epochs()
            self._finish()
        except Cancelled as error:
            self._emit({"event": "end", "status": "cancelled", "message": str(error)})
            raise
        except (RunError, ConfigError) as error:
            self._emit({"event": "end", "status": "failed", "message": str(error)}, quiet=True)
            raise
        self._emit({"event": "end", "status": "done", "message": ""})
        return self.run

    def _epochs(self) -> None:
        while self.trainer.epoch < self.trainer.epochs:
            self._epoch()
            if self.run.stop_file.exists():
                self._save_checkpoint()
                self.run.stop_file.unlink(missing_ok=True)
                raise Cancelled(f"{self.run.path}: stopped after epoch {self.trainer.epoch}; --resume goes on")
            if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
                self._save_checkpoint()

    def _emit(self, event: Event, *, quiet: bool = False) -> None:
        try:
            self.run.append_event(event)
        except RunError:
            if not quiet:
                raise
        if self.on_event:
            self.on_event(event)

    def _epoch(self) -> None:
        started = time.monotonic()
        alive_before = self.trainer.alive.copy()
        losses = self.trainer.train_epoch()
        epoch = self.trainer.epoch
        for i in np.flatnonzero(alive_before & ~self.trainer.alive).tolist():
            seed = self.config.seeds[i]
            reason = f"the loss became {losses['total'][i]} in epoch {epoch}; the other seeds go on"
            self._emit({"event": "seed_failed", "seed": seed, "epoch": epoch, "reason": reason})
        if not self.trainer.alive.any():
            raise Diverged(
                f"{self.run.path}: every seed diverged by epoch {epoch}; lower learning_rate "
                f"(now {self.config.learning_rate:g}) or check the spectra for outliers"
            )
        due = epoch % self.config.validate_every == 0 or epoch == self.trainer.epochs
        validation = self._validate() if due else {}
        for i, seed in enumerate(self.config.seeds):
            row: dict[str, float | int] = {"epoch": epoch, "seed": seed}
            row |= {f"loss {name}": float(values[i]) for name, values in losses.items()}
            row |= {f"validation {name}": float(values[i]) for name, values in validation.items()}
            self.history.append(row)
        self._emit(
            {
                "event": "epoch",
                "epoch": epoch,
                "epochs": self.trainer.epochs,
                "seconds": round(time.monotonic() - started, 4),
                "loss": {name: _json_numbers(values) for name, values in losses.items()},
                "validation": {name: _json_numbers(values) for name, values in validation.items()} or None,
            }
        )

    def _validate(self) -> dict[str, FloatArray]:
        """Scores (s,) of the averaged networks on the validation part; keeps the weights of members that got better."""
        networks = self.trainer.model()
        with torch.inference_mode():
            z = networks.encode(self.validation_mu.expand(len(self.config.seeds), -1, -1))
            squared = (networks.decode(z) - self.validation_mu).square().mean((1, 2))
        latents, rmse = z.double().cpu().numpy(), squared.sqrt().double().cpu().numpy()
        labels, d = self.labels[self.split.validation], len(self.config.descriptors)
        srcc = np.array([[rank_correlation(point[:, j], labels[:, j]) for j in range(d)] for point in latents])
        srcc = srcc.reshape(len(latents), d)
        free = np.array([largest_correlations(point, d)[1] if np.isfinite(point).all() else 1.0 for point in latents])
        score = np.array([validation_score(r, self.spread, q) for r, q in zip(rmse, srcc, strict=True)])
        score[~self.trainer.alive | ~np.isfinite(score)] = -np.inf
        epoch = self.trainer.epoch
        better = score > self.best_score
        state = networks.state_dict()
        if not self.best:
            self.best = {key: value.clone() for key, value in state.items()}
        for key, value in state.items():
            self.best[key][better] = value[better]
        self.best_score[better], self.best_epoch[better], self.wait_from[better] = score[better], epoch, epoch
        if self.config.schedule == "plateau":
            stuck = epoch - self.wait_from >= self.config.plateau_epochs
            self.trainer.rate_scale[torch.as_tensor(stuck)] *= 0.1
            self.wait_from[stuck] = epoch
        results = {"score": score, "reconstruction_rmse": rmse, "free_axis_correlation": free}
        return results | {f"{name} srcc": srcc[:, j] for j, name in enumerate(self.config.descriptors)}

    def _finish(self) -> None:
        """Weights, percentiles, thresholds and scores of every seed that has usable weights."""
        usable = np.flatnonzero(np.isfinite(self.best_score) & self.trainer.alive)
        state = {key: value[usable] for key, value in self.best.items()}
        seeds = [self.config.seeds[i] for i in usable]
        members = members_from_state(self.config, seeds, state, self.spectra.energy_ev)
        mu, categorical = self.spectra.mu, categorical_columns(self.config.descriptors, self.labels)
        train_rows, validation, test = self.split.train, self.split.validation, self.split.test
        done: list[LatentModel] = []
        for member in members:
            member.networks.measure(torch.from_numpy(mu[train_rows])[None])
            member = calibrated(member, mu, self.labels, self.split, categorical)
            percentiles = np.percentile(member.encode(mu[test]), np.arange(101), axis=0)
            done.append(replace(member, latent_percentiles=percentiles))
        on_validation = [evaluate(member, mu[validation], self.labels[validation]) for member in done]
        table = score_table([evaluate(member, mu[test], self.labels[test]) for member in done], on_validation)
        table["best_epoch"] = self.best_epoch[usable]
        self._write_history()
        save_members(self.run, done)
        self.run.write_table("scores.parquet", table)
        (self.run.path / CHECKPOINT).unlink(missing_ok=True)

    def _write_history(self) -> None:
        self.run.write_table("history.parquet", pd.DataFrame(self.history))

    def _save_checkpoint(self) -> None:
        self._write_history()
        tensors = self.trainer.state() | {f"best.{key}": value for key, value in self.best.items()}
        tensors |= {
            "best_score": torch.from_numpy(self.best_score),
            "best_epoch": torch.from_numpy(self.best_epoch),
            "wait_from": torch.from_numpy(self.wait_from),
        }
        arrays = {key: value.detach().cpu().numpy() for key, value in tensors.items()}
        self.run.write_arrays(CHECKPOINT, arrays, self.trainer.counters())
        self.saved_at = time.monotonic()

    def _load_checkpoint(self) -> None:
        arrays, counters = self.run.read_arrays(CHECKPOINT)
        try:
            self._restore({key: torch.from_numpy(value) for key, value in arrays.items()}, counters)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise RunError(f"{self.run.path / CHECKPOINT}: does not fit this run ({error})") from error

    def _restore(self, tensors: Mapping[str, Tensor], counters: Mapping[str, Any]) -> None:
        device = self.trainer.mu.device
        moved = {key: value if key.startswith("generator.") else value.to(device) for key, value in tensors.items()}
        self.trainer.load(moved, counters)
        self.best = {key.removeprefix("best."): value for key, value in moved.items() if key.startswith("best.")}
        self.best_score = tensors["best_score"].numpy().copy()
        self.best_epoch = tensors["best_epoch"].numpy().copy()
        self.wait_from = tensors["wait_from"].numpy().copy()
        history = self.run.history()
        kept = history[history["epoch"] <= self.trainer.epoch]
        self.history = [{str(k): v for k, v in row.items()} for row in kept.to_dict("records")]


def _json_numbers(values: FloatArray) -> list[float | None]:
    return [round(float(v), 6) if np.isfinite(v) else None for v in values]
