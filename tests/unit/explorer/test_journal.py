"""The journal's words and its script, which is run and must give the numbers of the model."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.io import write_set
from engine.model.config import make_config
from engine.model.export import export_result
from engine.model.latent_model import load_member
from engine.model.training import train
from explorer.journal import NEEDED, Entry, entry, read_entries, script
from tests.synthetic import make_set

REPOSITORY = Path(__file__).resolve().parents[3]
HOSTILE = "\"\"\"'; import os; os.abort() #\n__import__('os').abort()\r</script>\u2028\x00"
SETTINGS = {"preset": "default", "descriptors": ["OS", "CN"], "free_axes": 1, "seeds": [0, 1], "split": "material",
            "epochs": 3, "hidden": 16}  # fmt: skip

AXES = {"latent": [], "axes": []}


def journal(title: str) -> list[Entry]:
    axes = ["OS", "CN", "free 1"]
    return [
        entry("open_set", dataset="made", title=title, element=None),
        entry("train", run="run-1", dataset="made", element=None, title=title, settings=SETTINGS),
        entry("open_model", run="run-1", member=1, title=title, seed=1),
        entry("move", axes=axes, latent=[0.5, -1.0, 0.25]),
        entry("select", which="A", count=2, first=title),
        entry("export", what="spectrum", axis="", file="decoded.csv"),
        entry("export", what="latents", axis="", file="../../latents.csv"),
        entry("report", run="run-1", title=title, file="../report.html"),
    ]


def test_the_script_trains_decodes_and_exports_the_same_numbers(tmp_path: Path) -> None:
    workspace, here = tmp_path / "workspace", tmp_path / "here"
    (workspace / "sets").mkdir(parents=True)
    here.mkdir()
    spectra = make_set(90, 32)
    path = workspace / "sets" / "made.parquet"
    write_set(spectra, path)
    config = make_config(**{**SETTINGS, "descriptors": ("OS", "CN"), "seeds": (0, 1)})
    run = train(spectra, path, config, workspace / "runs" / "run-1")
    model = load_member(run, 1)

    text = script(
        journal(HOSTILE), lambda i: f"WORKSPACE / 'sets' / {i + '.parquet'!a}", lambda i: f"WORKSPACE / 'runs' / {i!a}"
    )
    (here / "again.py").write_text(text, encoding="ascii")
    environment = {**os.environ, "RANKAAE_WORKSPACE": str(workspace), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "again.py"], cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    mine = pd.read_csv(here / "decoded.csv", comment="#")
    expected = export_result(run, model, "spectrum", [0.5, -1.0, 0.25]).table
    assert np.allclose(mine["mu"], expected["mu"], atol=1e-6)
    latents = pd.read_csv(here / "latents.csv", comment="#")
    assert np.allclose(latents["latent CN"], model.encode(spectra.mu)[:, 1], atol=1e-5)
    assert "E_edge" in done.stdout
    assert sorted(p.name for p in here.iterdir()) == ["again.py", "decoded.csv", "latents.csv", "report.html", "run-1"]
    assert (here / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_names_from_data_only_stand_in_the_script_as_literals() -> None:
    text = script(journal(HOSTILE), lambda i: repr(i), lambda i: repr(i))
    assert text.isascii()
    calls = {
        node.func.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and hasattr(node.func, "id")
    }
    assert calls <= {
        "Path", "len", "load_member", "load_set", "make_config", "print", "train", "Run", "data_folder",
        "export_result", "write_exported", "spectral_descriptors", "report_page",
    }  # fmt: skip
    assert "abort" not in {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}


def test_words_are_one_line_each() -> None:
    said = [one.words for one in journal(HOSTILE)]
    assert all("\n" not in line and "\r" not in line for line in said)
    assert said[3] == "Moved to OS 0.50, CN -1.00, free 1 0.25"
    assert said[4] == "Selected 2 sites as A"
    assert said[7].startswith("Made a report of")


def test_entries_come_back_and_others_are_left_out() -> None:
    entries = journal("x")
    assert read_entries([asdict(one) for one in entries]) == (entries, 0)
    good = asdict(entries[3])
    bad = [
        None, "text", {}, {**good, "action": "run"}, {**good, "more": 1}, {**good, "time": 5}, {**good, "about": []},
        {**good, "about": {**AXES, "latent": [float("nan")]}}, {**good, "about": {**AXES, "latent": ["a"]}},
        {**good, "about": {"latent": [0.5], "axes": 5}}, {**good, "about": {}},
        {**good, "about": {**AXES, "x": "y" * 9999}}, {**good, "about": {**AXES, "x": {"deep": {}}}},
        {"time": "", "action": "train", "about": {"run": "r", "dataset": "d", "settings": {"a": {"b": 1}}}},
    ]  # fmt: skip
    assert read_entries(bad) == ([], len(bad))
    assert read_entries("text") == ([], 1)


@pytest.mark.parametrize("action", list(NEEDED))
def test_whatever_is_read_can_be_said_and_scripted(action: str) -> None:
    samples = {str: "a", int: 1, list: [0.5], dict: {"epochs": 2}}
    about = {name: samples[kind] for name, kind in NEEDED[action].items()}
    entries, lost = read_entries([{"time": "now", "action": action, "about": about}])
    assert lost == 0
    assert entries[0].words
    ast.parse(script(entries, lambda i: repr(i), lambda i: repr(i)))
