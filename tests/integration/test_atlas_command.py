"""`rankaae atlas` as its users start it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.atlas.store import read_atlas
from engine.cli import app
from engine.errors import EngineError
from engine.io import write_set
from tests.command import rankaae
from tests.embedded_data import put_table
from tests.synthetic import make_set

PCA = ("--method", "pca", "--near", 0, "--sigma", 0)


@pytest.fixture(scope="module")
def cu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("atlas") / "cu.parquet"
    write_set(make_set(200), path)
    return path


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_a_set_becomes_a_map_with_its_account(cu: Path, tmp_path: Path) -> None:
    out = tmp_path / "atlas.parquet"
    result = json.loads(run("atlas", cu, "--out", out, *PCA, "--preset", "paper", "--json"))
    assert result["n"] == 50
    assert [step["name"] for step in result["cleaning"]["steps"]] == [
        "energy grid", "normalised", "elements", "exact duplicates", "near duplicates", "outliers", "sample",
    ]  # fmt: skip
    assert set(result["scores"]["purity"]["map"]) == {"element", "OS", "CN"}
    assert set(result["seconds"]) == {"reading", "cleaning", "embedding", "scoring"}
    atlas = read_atlas(out)
    assert atlas.xy.shape == (50, 2)
    text = run("atlas", cu, "--out", out, *PCA)
    assert "read 200, kept 200" in text
    assert "trustworthiness" in text
    assert "same OS" in text
    assert len(read_atlas(out).xy) == 200


def test_every_error_says_what_is_wrong_and_leaves_no_file(cu: Path, tmp_path: Path) -> None:
    out = tmp_path / "atlas.parquet"
    put_table(tmp_path)
    for arguments, says in (
        ((tmp_path / "missing.parquet", "--out", out), "there is no such file"),
        ((cu, "--out", tmp_path / "nowhere" / "a.parquet"), "nowhere does not exist"),
        ((cu, "--out", out, "--preset", "mine"), "need one of all, paper"),
        ((cu, "--out", out, "--elements", "Qq"), "'Qq' is no element"),
        ((cu, "--out", out, "--method", "tsne"), "need one of umap"),
        ((cu, "--out", out, "--elements", "Fe"), "no spectrum is left after the step 'elements'"),
        ((cu, "--out", out, "--code", "FEFF"), "does not say which code"),
        ((tmp_path / "periodic-47.parquet", "--out", out), "no spectrum is left after the step 'energy grid'"),
    ):
        error = CliRunner().invoke(app, ["atlas", *map(str, arguments)]).exception
        assert isinstance(error, EngineError)
        assert says in str(error)
    assert not out.exists()


def test_the_command_in_a_process_of_its_own_gives_the_same_map_again(cu: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        rankaae("atlas", cu, "--out", tmp_path / name, *PCA, "--fraction", 0.5)
    first, second = (read_atlas(tmp_path / name) for name in ("a", "b"))
    assert (first.xy == second.xy).all()
    assert first.table.sites.equals(second.table.sites)
    assert rankaae("atlas", tmp_path, "--out", tmp_path / "c", code=1).stderr.count("\n") == 1
