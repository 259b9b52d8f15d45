"""Exports against the model itself and against ``rankaae traverse``."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.errors import ConfigError
from engine.io import write_set
from engine.io.exported import content_of, write_exported
from engine.model.config import make_config
from engine.model.export import export_differentials, export_latents, export_result, export_traversal
from engine.model.latent_model import LatentModel, load_member, traverse_axis
from engine.model.run import Run
from engine.model.training import train
from tests.synthetic import make_set


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, LatentModel]:
    folder = tmp_path_factory.mktemp("export")
    made = make_set(90, 32)
    spectra = replace(made, descriptors=made.descriptors.rename(columns={"WAVE": "a/b"}))
    write_set(spectra, folder / "set.parquet")
    config = make_config("default", descriptors=("OS", "a/b"), seeds=(3,), epochs=3, hidden=16)
    run = train(spectra, folder / "set.parquet", config, folder / "run")
    return run, load_member(run, 0)


def table(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), comment="#")


def test_a_traversal_has_the_numbers_of_the_command(opened: tuple[Run, LatentModel], tmp_path: Path) -> None:
    run, model = opened
    out = tmp_path / "cn.csv"
    result = CliRunner().invoke(app, ["traverse", str(run.path), "--axis", "OS", "--out", str(out), "--samples", "500"])
    assert result.exit_code == 0
    exported = export_traversal(run, model, "OS", samples=500)
    mine, command = table(content_of(exported, "csv")), pd.read_csv(out, comment="#")
    assert list(mine.columns) == list(command.columns)
    assert np.array_equal(mine.to_numpy(), command.to_numpy())
    with h5py.File(io.BytesIO(content_of(exported, "h5"))) as file:
        assert np.allclose(file["mu"][()].T, command.to_numpy()[:, 1:-1], atol=1e-9)
        assert np.allclose(file["level"][()], [float(name.split()[1]) for name in command.columns[1:-1]], atol=1e-4)
        assert file["energy_ev"].attrs["unit"] == "eV"


def test_provenance_is_in_both_formats(opened: tuple[Run, LatentModel]) -> None:
    run, model = opened
    exported = export_result(run, model, "spectrum", [0.5, 0.0, -1.0])
    text = content_of(exported, "csv").decode()
    about = dict(line[2:].split(": ", 1) for line in text.splitlines() if line.startswith("#"))
    assert about["set_hash"] == run.data()["hash"]
    assert (about["run"], about["seed"], about["program"][:16]) == ("run", "3", "RankAAE Explorer")
    assert pd.Timestamp(about["date"]).tzinfo is not None
    assert np.allclose(table(text.encode())["mu"], model.decode(np.array([[0.5, 0.0, -1.0]]))[0], atol=1e-7)
    with h5py.File(io.BytesIO(content_of(exported, "h5"))) as file:
        assert {name: file.attrs[name] for name in ("run", "seed", "set_hash")} == {
            name: about[name] for name in ("run", "seed", "set_hash")
        }
        assert file["latent"][()].tolist() == [0.5, 0.0, -1.0]


def test_latent_points_are_those_of_the_encoder_with_their_part(opened: tuple[Run, LatentModel]) -> None:
    run, model = opened
    spectra, split = run.spectra(), run.split()
    frame = table(content_of(export_latents(run, model), "csv"))
    assert frame["site_id"].tolist() == spectra.site_id.tolist()
    assert np.allclose(frame["latent OS"], model.encode(spectra.mu)[:, 0], atol=1e-6)
    assert (frame["part"].to_numpy()[split.test] == "test").all()
    assert frame["part"].value_counts().to_dict() == {
        "train": len(split.train), "validation": len(split.validation), "test": len(split.test),
    }  # fmt: skip
    assert np.allclose(frame["a/b"], spectra.descriptors["a/b"])
    with h5py.File(io.BytesIO(content_of(export_latents(run, model), "h5"))) as file:
        assert file["axis"].asstr()[()].tolist() == ["OS", "a/b", "free 1"]
        assert file["latent"].shape == (90, 3)


def test_differentials_are_the_ends_of_the_traversals(opened: tuple[Run, LatentModel], tmp_path: Path) -> None:
    run, model = opened
    exported = export_differentials(run, model, samples=200)
    assert np.allclose(exported.arrays["differential"][1], traverse_axis(model, "a/b", samples=200).differential)
    assert np.allclose(np.diag(exported.arrays["cosine_overlap"]), 1)
    write_exported(exported, tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5") as file:
        assert file["differential"].shape == (3, 32)


def test_unknown_results_and_formats_are_errors(opened: tuple[Run, LatentModel]) -> None:
    run, model = opened
    with pytest.raises(ConfigError, match="cannot be exported"):
        export_result(run, model, "everything", [])
    with pytest.raises(ConfigError, match="need csv or h5"):
        content_of(export_result(run, model, "spectrum", [0.0, 0.0, 0.0]), "pickle")
