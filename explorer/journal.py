"""What was done in a session: entries with words for people, and the whole as a Python script that does it again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NEEDED: dict[str, dict[str, type]] = {
    "open_set": {"dataset": str},
    "open_model": {"run": str, "member": int},
    "move": {"latent": list, "axes": list},
    "select": {"which": str},
    "import": {"title": str},
    "train": {"run": str, "dataset": str, "settings": dict},
    "export": {"what": str, "file": str},
    "report": {"run": str, "file": str},
}
"""The actions, and what an entry of each must be about."""

MOST = 2000
LONGEST = 500

Where = Callable[[str], str]
"""A Python expression for the path of a set or a run, from its id."""


@dataclass(frozen=True)
class Entry:
    """One thing that was done, when (UTC, ISO 8601), and what it was done with.

    open_set    dataset, title, element · open_model  run, member, title, seed · move  axes, latent
    select      which, count, first · import  dataset, title · train  run, dataset, element, title, settings
    export      what, axis, form, file · report  run, title, file
    """

    time: str
    action: str
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The entry in a line of plain text."""
        about = self.about
        match self.action:
            case "open_set":
                text = f"Opened set {about.get('title')}"
            case "open_model":
                text = f"Opened model {about.get('title')}, seed {about.get('seed')}"
            case "move":
                point = zip(about.get("axes", ()), about.get("latent", ()), strict=False)
                moved = [f"{name} {value:.2f}" for name, value in point if value]
                rest = ["all other axes 0"] if len(moved) < len(about.get("latent", ())) else []
                text = f"Moved to {', '.join([*moved, *rest])}" if moved else "Moved all axes to 0"
            case "select":
                count = about.get("count")
                text = f"Selected {count} site{'' if count == 1 else 's'} as {about.get('which')}"
            case "import":
                text = f"Imported {about.get('title')}"
            case "train":
                text = f"Started training {about.get('title')}"
            case "report":
                text = f"Made a report of {about.get('title')} as {about.get('file')}"
            case _:
                axis = about.get("axis")
                text = f"Exported {about.get('what')}{f' along {axis}' if axis else ''} as {about.get('file')}"
        return " ".join(text.split())


def entry(action: str, **about: Any) -> Entry:
    """An entry of now."""
    return Entry(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), action, about)


def read_entries(content: Any) -> tuple[list[Entry], int]:
    """Entries from JSON, and how many were left out because they are none."""
    items = content if isinstance(content, list) else [content]
    found = [made for item in items[:MOST] if (made := _read(item)) is not None]
    return found, len(items) - len(found)


def _read(item: Any) -> Entry | None:
    if not isinstance(item, dict) or set(item) != {"time", "action", "about"} or item["action"] not in NEEDED:
        return None
    time, about, needed = item["time"], item["about"], NEEDED[item["action"]]
    if not isinstance(time, str) or len(time) > 40 or not isinstance(about, dict):
        return None
    if not all(type(about.get(name)) is kind for name, kind in needed.items()) or not all(map(_sound, about.items())):
        return None
    if not all(type(number) in (int, float) and math.isfinite(number) for number in about.get("latent") or []):
        return None
    return Entry(time, item["action"], about)


def _sound(pair: tuple[str, Any]) -> bool:
    """Whether a value is plain: a short text, a number, nothing, a list of these, or settings of them by name."""
    name, value = pair
    if name == "settings":
        return isinstance(value, dict) and len(value) < 100 and all(_sound(("", v)) for v in value.values())
    if isinstance(value, list):
        return len(value) <= 200 and all(isinstance(v, str | int | float) and len(str(v)) <= LONGEST for v in value)
    return value is None or (isinstance(value, str | int | float | bool) and len(str(value)) <= LONGEST)


HEAD = '''"""What was done in RankAAE Explorer, to be run where it is installed; files go into the current folder."""

import os
from pathlib import Path

import numpy as np

from engine.embedded.manifest import data_folder
from engine.io import load_set
from engine.io.exported import write_exported
from engine.model.config import make_config
from engine.model.export import export_result
from engine.model.latent_model import load_member
from engine.model.run import Run
from engine.model.training import train
from engine.spectra import spectral_descriptors
from engine.study.report import report_page

WORKSPACE = Path(os.environ.get("RANKAAE_WORKSPACE") or Path.home() / ".rankaae-explorer")
DATA = data_folder()
RUNS = {}  # runs that this script has trained, by their id in the explorer
'''


def script(entries: Sequence[Entry], set_path: Where, run_path: Where) -> str:
    """A Python script that does the entries again with ``engine`` and prints or writes the same numbers.

    Names from data only appear as Python literals. ``set_path`` and ``run_path`` give expressions in terms of WORKSPACE
    and DATA; a training of the journal is repeated into a new folder, and its model is taken from there afterwards.
    """
    lines = [HEAD]
    for one in entries:
        about = one.about
        said = f"{one.time} {one.words}"
        lines.append(f"print({said!a})")
        match one.action:
            case "open_set":
                lines.append(f"spectra = load_set({set_path(about['dataset'])}, {about.get('element')!a})")
                lines.append('print(f"{len(spectra)} spectra on {spectra.energy_ev.size} energies")')
            case "train":
                path, element = set_path(about["dataset"]), about.get("element")
                settings = dict(about["settings"])
                preset = settings.pop("preset", "default")
                lines += [
                    f"config = make_config({preset!a}, **{_literal(settings)})",
                    f"folder = Path({_file(about['run'])!a})",
                    f"training_set = {path}",
                    f"run = train(load_set(training_set, {element!a}), training_set, config, folder, resume=True)",
                    f"RUNS[{about['run']!a}] = run",
                    'print(run.scores()[["seed", "reconstruction_rmse"]].to_string(index=False))',
                ]
            case "open_model":
                run = about["run"]
                lines += [
                    f"run = RUNS.get({run!a}) or Run({run_path(run)})",
                    f"model = load_member(run, {int(about['member'])})",
                    "z = np.zeros(len(model.axis_names))",
                ]
            case "move":
                lines += [
                    f"z = np.array({_literal([float(value) for value in about['latent']])})",
                    "mu = model.decode(z[None])",
                    "features = spectral_descriptors(model.energy_ev, mu)",
                    'print("  " + ", ".join(f"{name} {values[0]:.4f}" for name, values in features.items()))',
                ]
            case "export":
                lines += [
                    f"result = export_result(run, model, {about['what']!a}, z.tolist(), {about.get('axis') or ''!a})",
                    f"write_exported(result, Path({_file(about['file'])!a}))",
                    f"print('  wrote', {_file(about['file'])!a})",
                ]
            case "report":
                file = _file(about["file"])
                lines += [
                    f"reported = RUNS.get({about['run']!a}) or Run({run_path(about['run'])})",
                    f"Path({file!a}).write_text(report_page(reported), encoding='utf-8')",
                    f"print('  wrote', {file!a})",
                ]
            case _:
                pass
        lines.append("")
    return "\n".join(lines)


def _literal(value: Any) -> str:
    """Plain data as Python source in ASCII; anything else is a TypeError."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{str(name)!a}: {_literal(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if value is None or isinstance(value, str | bool | int | float):
        return ascii(value)
    raise TypeError(f"{type(value).__name__} cannot stand in a script")


def _file(name: str) -> str:
    """The last part of a name, so that a script writes nowhere but into its folder."""
    return name.replace("\\", "/").rpartition("/")[2].strip(".") or "result"
