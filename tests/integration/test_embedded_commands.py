"""Embedded data from the command line: the files as they are, by path, and the check against the manifest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import rankaae
from tests.conftest import REPOSITORY
from tests.embedded_data import make_embedded


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_embedded(tmp_path_factory.mktemp("embedded") / "data")


def test_info_takes_families_and_tables(data: Path) -> None:
    family = json.loads(rankaae("info", data / "oxides-3d" / "oxides-3d-Ni.parquet", "--json").stdout)
    assert family["elements"] == {"Ni": 90}
    table = json.loads(rankaae("info", data / "periodic-47.parquet", "--json").stdout)
    assert table["elements"] == {"Cl": {"n": 2, "start_ev": 2817.0}, "Na": {"n": 3, "start_ev": 1066.0}}
    assert table["descriptors"] == {"CN": {"known": 4}}
    assert "elements Na" in rankaae("info", data / "periodic-47.parquet").stdout
    element = json.loads(rankaae("info", data / "periodic-47.parquet", "--element", "Na", "--json").stdout)
    assert (element["n"], element["grid"]["points"]) == (3, 20)


def test_a_table_of_several_elements_needs_one_named(data: Path, tmp_path: Path) -> None:
    table, out = data / "periodic-47.parquet", tmp_path / "run"
    failed = rankaae("train", table, "--descriptors", "CN", "--out", out, code=1)
    assert "holds Cl, Na; name one element" in failed.stderr
    failed = rankaae("train", table, "--element", "Na", "--descriptors", "CN", "--out", out, code=1)
    assert "3 spectra of 3 materials" in failed.stderr


def test_a_stored_model_is_scored_by_path_on_its_own_and_on_another_family(data: Path) -> None:
    run = data / "models" / "oxides-3d-Cu"
    assert "ExtraTrees" in rankaae("score", run).stdout
    other = data / "oxides-3d" / "oxides-3d-Ni.parquet"
    scores = json.loads(rankaae("score", run, "--on", other, "--element", "Ni", "--no-baselines", "--json").stdout)
    assert scores["n_test"] == 90
    assert "name it with --on" in rankaae("score", run, "--element", "Ni", code=1).stderr


def test_check_names_every_file_that_is_not_the_manifests(data: Path) -> None:
    def check() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "engine.embedded", "check", str(data)]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    done = check()
    assert (done.returncode, done.stdout) == (0, "8 files are those of the manifest\n")
    path = data / "models" / "oxides-3d-Cu" / "config.toml"
    kept = path.read_bytes()
    path.write_bytes(kept + b"\n")
    failed = check()
    path.write_bytes(kept)
    assert failed.returncode == 1
    assert "config.toml: has" in failed.stderr
    assert "error: 1 of 8 files are not those of the manifest" in failed.stderr
