"""The `rankaae` command as a user runs it: three commands to a scored model, and every error in one line."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.io import read_set
from tests.command import rankaae
from tests.synthetic import make_set

TINY = ["--set", "hidden=16", "--set", "layers=3", "--set", "epochs=4", "--set", "batch_size=40", "--threads", "1"]


def write_csv(path: Path, n: int = 120) -> pd.DataFrame:
    spectra = make_set(n)
    table = pd.DataFrame({"MPID": spectra.material_id, "SITE": [i.rsplit("_", 1)[1] for i in spectra.site_id]})
    for name in spectra.descriptors:
        table[f"AUX_{name}"] = spectra.descriptors[name]
    mu = {f"ENE_{e:.3f}": column for e, column in zip(spectra.energy_ev, spectra.mu.T.astype(float), strict=True)}
    table = pd.concat([table, pd.DataFrame(mu)], axis=1)
    table.to_csv(path, index=False)
    return table


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a CSV, the set imported from it and a run trained on it, all by the command."""
    folder = tmp_path_factory.mktemp("work")
    write_csv(folder / "cu.csv")
    rankaae("import", folder / "cu.csv", "--element", "Cu", "--out", folder / "cu.parquet", "--expression", "R=OS/CN")
    rankaae("train", folder / "cu.parquet", "--descriptors", "OS,CN,R", "--seeds", 2, *TINY, "--out", folder / "run")
    return folder


def test_info_tells_what_is_in_a_set(work: Path) -> None:
    content = json.loads(rankaae("info", work / "cu.parquet", "--json").stdout)
    assert content["n"] == 120
    assert content["elements"] == {"Cu": 120}
    assert set(content["descriptors"]) == {"OS", "CN", "WAVE", "R"}
    assert "materials" in rankaae("info", work / "cu.parquet").stdout


def test_expression_and_columns_become_descriptors(work: Path, tmp_path: Path) -> None:
    spectra = read_set(work / "cu.parquet")
    np.testing.assert_allclose(spectra.descriptors["R"], spectra.descriptors["OS"] / spectra.descriptors["CN"])
    own = pd.DataFrame({"site_id": spectra.site_id[:100], "MINE": np.arange(100.0)})
    own.to_csv(tmp_path / "own.csv", index=False)
    out = tmp_path / "more.parquet"
    done = rankaae("import", work / "cu.parquet", "--columns", tmp_path / "own.csv", "--out", out)
    assert "no row for 20 sites" in done.stdout
    mine = read_set(out).descriptors["MINE"]
    assert mine.notna().sum() == 100
    assert mine[3] == 3


def test_score_prints_json_and_a_table(work: Path) -> None:
    result = json.loads(rankaae("score", work / "run", "--json").stdout)
    assert [m["seed"] for m in result["members"]] == [0, 1]
    assert set(result["baselines"]) == {"pca", "extra_trees"}
    text = rankaae("score", work / "run").stdout
    assert "ExtraTrees" in text
    assert f"*seed {result['selected']}" in text
    other = json.loads(rankaae("score", work / "run", "--on", work / "cu.parquet", "--json").stdout)
    assert other["n_test"] == 120


def test_traverse_writes_one_column_per_level(work: Path, tmp_path: Path) -> None:
    rankaae("traverse", work / "run", "--axis", "CN", "--levels", 5, "--samples", 100, "--out", tmp_path / "cn.csv")
    table = pd.read_csv(tmp_path / "cn.csv", comment="#")
    assert table.shape == (48, 7)
    first, last = table.columns[1], table.columns[5]
    np.testing.assert_allclose(table["differential"], table[last] - table[first], atol=1e-8)


def test_every_command_has_help_with_an_example() -> None:
    for command in ("import", "info", "descriptors", "train", "score", "traverse", "suggest", "sweep", "report"):
        assert f"Example: rankaae {command}" in rankaae(command, "--help").stdout


def test_descriptors_are_listed_with_units() -> None:
    catalogue = json.loads(rankaae("descriptors", "--json").stdout)
    assert catalogue["NNRS"]["unit"] == "Å"
    assert len(catalogue) >= 18


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace(",4,", ",six,", 1), r"AUX_CN is 'six'; need a number"),
        (lambda text: text[: len(text) * 2 // 3], "the file was cut off here"),
        (lambda text: "", "the file is empty"),
        (lambda text: "a,b\n1,2\n", ""),
    ],
    ids=["text in a number column", "truncated", "empty", "another table"],
)
def test_damaged_csv_is_one_clear_line(tmp_path: Path, damage, message: str) -> None:
    write_csv(tmp_path / "cu.csv", 30)
    text = (tmp_path / "cu.csv").read_text().replace(".0,", ",")
    (tmp_path / "cu.csv").write_text(damage(text))
    out = tmp_path / "cu.parquet"
    line = one_line(rankaae("import", tmp_path / "cu.csv", "--element", "Cu", "--out", out, code=1))
    assert message in line
    assert "cu.csv" in line
    assert not out.exists()


def test_other_mistakes_are_one_clear_line(work: Path, tmp_path: Path) -> None:
    train = ("train", work / "cu.parquet", "--out", tmp_path / "run")
    assert "descriptor 'XX' is not in the set" in one_line(rankaae(*train, "--descriptors", "XX", code=1))
    assert "unknown setting 'epoch'" in one_line(rankaae(*train, "--set", "epoch=3", code=1))
    assert "already holds something" in one_line(rankaae("train", work / "cu.parquet", "--out", work / "run", code=1))
    assert "not a run folder" in one_line(rankaae("score", tmp_path, code=1))
    assert "is not in the model" in one_line(
        rankaae("traverse", work / "run", "--axis", "XX", "--out", tmp_path / "x.csv", code=1)
    )
    assert "does not exist" in one_line(
        rankaae("traverse", work / "run", "--axis", "CN", "--out", tmp_path / "no" / "x.csv", code=1)
    )
    assert "is not a function here" in one_line(
        rankaae(
            "import", work / "cu.parquet", "--out", tmp_path / "y.parquet", "--expression", "A=__import__('os')", code=1
        )
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.real
def test_three_commands_from_a_folder_of_feff_runs(real_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(real_data / "cu_feff" / "feff_folders_sample.zip") as archive:
        archive.extractall(tmp_path / "runs")
    done = rankaae("import", tmp_path / "runs", "--element", "Cu", "--out", tmp_path / "cu.parquet", "--workers", 1)
    assert "read 72" in done.stdout
    trained = ("train", tmp_path / "cu.parquet", "--descriptors", "CN,NNRS", "--seeds", 1, *TINY)
    rankaae(*trained, "--out", tmp_path / "run")
    result = json.loads(rankaae("score", tmp_path / "run", "--json").stdout)
    assert result["split"] == "material"


def test_ceilings_go_on_from_the_file_and_stand_beside_noise(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "ceilings.json"
    first = json.loads(rankaae("ceiling", work / "cu.parquet", "--descriptors", "CN", "--out", out, "--json").stdout)
    assert list(first["ceilings"]) == ["CN", "NOISE"]
    text = rankaae("ceiling", work / "cu.parquet", "--out", out).stdout
    assert "held-out sites" in text
    stored = json.loads(out.read_text())["ceilings"]
    assert set(stored) == {"OS", "CN", "WAVE", "R", "NOISE"}
    assert stored["CN"] == first["ceilings"]["CN"]
    assert stored["CN"]["srcc"] > 0.6 > stored["NOISE"]["srcc"]
    assert (
        "not in the set" in rankaae("ceiling", work / "cu.parquet", "--descriptors", "X", "--out", out, code=1).stderr
    )
