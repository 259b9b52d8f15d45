"""The run folder: what a training leaves on disk, written so that a crash at any moment leaves the last good state.

config.toml          every setting
data.json            the set: path, absorber, hash, size, origin; the split as row numbers
events.jsonl         one JSON line per event while it runs (start, epoch, seed_failed, end)
checkpoint.safetensors, history.parquet   state of an unfinished training, for --resume; history stays
weights.safetensors  the kept weights of every finished seed (leading seed axis), energies and latent percentiles
scores.parquet       scores of every member on the test part
stop                 created by whoever wants the training to stop; removed when it has
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import safetensors
import safetensors.numpy

from engine.errors import DataError, RunError
from engine.io import load_set
from engine.io.files import atomic_target
from engine.model.config import TrainConfig
from engine.spectra import SpectraSet, Split, set_hash

Array = npt.NDArray[Any]
Event = dict[str, Any]
EventSink = Callable[[Event], None]
# Raised whenever networks change so that weights or checkpoints of before no longer mean the same.
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Run:
    """A run folder by its path; knows the names of the files in it and how to read and write them whole."""

    path: Path

    @property
    def stop_file(self) -> Path:
        return self.path / "stop"

    @property
    def finished(self) -> bool:
        """Whether the training came to its end: weights and scores are there."""
        return (self.path / "weights.safetensors").is_file() and (self.path / "scores.parquet").is_file()

    @property
    def read_only(self) -> bool:
        """Whether the run came with the program: it knows its set by the relative path alone, and stays as it is."""
        return "path" not in self.data()

    def config(self) -> TrainConfig:
        """The settings; RunError when this is not a run folder."""
        if not (self.path / "config.toml").is_file():
            raise RunError(f"{self.path}: not a run folder (it has no config.toml)")
        return TrainConfig.from_toml(self.path / "config.toml")

    def data(self) -> dict[str, Any]:
        """What data.json holds."""
        try:
            content = json.loads((self.path / "data.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / 'data.json'}: cannot be read ({error})") from error
        if not isinstance(content, dict):
            raise RunError(f"{self.path / 'data.json'}: need a JSON object")
        return content

    def set_path(self) -> Path:
        """Where the set is that the run was trained on; RunError when it is gone."""
        data = self.data()
        places = [Path(data["path"])] if "path" in data else []
        places.append(self.path / data["relative_path"])
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise RunError(f"{self.path}: the training set {places[0]} is gone; put it back to score this run")
        return found

    def spectra(self) -> SpectraSet:
        """The set the run was trained on, found again by its path and checked by its hash."""
        data, found = self.data(), self.set_path()
        spectra = load_set(found, data.get("element"))
        if set_hash(spectra) != data["hash"]:
            raise RunError(f"{found}: changed since the run {self.path} was trained on it")
        return spectra

    def split(self) -> Split:
        """The split the run was trained with."""
        return Split.from_json(self.data()["split"])

    def scores(self) -> pd.DataFrame:
        """Scores of every member on the test part, one row per member."""
        return self._table("scores.parquet")

    def selected(self) -> int:
        """The member that Eq. 2 prefers on validation data."""
        scores = self.scores()
        if "selection_score" not in scores or scores.empty:
            raise RunError(f"{self.path / 'scores.parquet'}: holds no scores of members")
        return int(scores["selection_score"].to_numpy().argmax())

    def history(self) -> pd.DataFrame:
        """Losses and validation results, one row per epoch and seed."""
        return self._table("history.parquet")

    def events(self) -> Iterator[Event]:
        """The events so far; a last line that is still being written is left out."""
        try:
            text = (self.path / "events.jsonl").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        for line in text.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event

    def _table(self, name: str) -> pd.DataFrame:
        try:
            return pd.read_parquet(self.path / name)
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / name}: cannot be read ({error})") from error

    def append_event(self, event: Event) -> None:
        """Adds one line to events.jsonl, with the time in seconds since 1970."""
        with self._writing("events.jsonl"), (self.path / "events.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({"time": round(time.time(), 3), **event}) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Replaces a text file whole."""
        with self._writing(name), atomic_target(self.path / name) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Replaces a JSON file whole."""
        self.write_text(name, json.dumps(content, indent=1))

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Replaces a Parquet table whole."""
        with self._writing(name), atomic_target(self.path / name) as temporary:
            table.to_parquet(temporary, index=False)

    def write_arrays(self, name: str, arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> None:
        """Replaces a safetensors file whole; metadata goes in as JSON under "rankaae", with the format's version."""
        text = json.dumps({"version": FORMAT_VERSION, **metadata})
        plain = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
        with self._writing(name), atomic_target(self.path / name) as temporary:
            temporary.write_bytes(safetensors.numpy.save(plain, {"rankaae": text}))

    def read_arrays(self, name: str) -> tuple[dict[str, Array], dict[str, Any]]:
        """Arrays and metadata of a safetensors file; RunError when it is missing, damaged or of another version."""
        path = self.path / name
        try:
            with safetensors.safe_open(path, framework="np") as opened:
                arrays = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 (not a dict)
                metadata = json.loads((opened.metadata() or {})["rankaae"])
            version = metadata["version"]
        except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
            raise RunError(f"{path}: cannot be read ({error})") from error
        if version != FORMAT_VERSION:
            raise RunError(f"{path}: has format version {version!r}; this program reads {FORMAT_VERSION}; train again")
        return arrays, metadata

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        try:
            yield
        except DataError as error:
            raise RunError(str(error)) from error
        except OSError as error:
            raise RunError(f"{self.path / name}: cannot be written ({error.strerror or error})") from error
