"""Models of an embedded set: trained, stored small and without a path of this machine, kept, resumed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.embedded import models
from engine.embedded.manifest import read_embedded
from engine.embedded.models import print_epoch, train_models, varying
from engine.errors import Cancelled, DataError
from engine.io import read_set
from engine.model.latent_model import load_members
from engine.model.report import score_run
from engine.model.run import Run
from tests.embedded_data import TINY, family, make_embedded, put_family, put_table

FILES = ["baselines.json", "config.toml", "data.json", "scores.parquet", "weights.safetensors"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_embedded(tmp_path_factory.mktemp("embedded") / "data")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the folder in another place, without the working folder."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(made, copy, ignore=shutil.ignore_patterns(".parts"))
    return copy


def test_a_stored_model_is_small_and_knows_no_path_of_the_machine(made: Path) -> None:
    folder = made / "models" / "oxides-3d-Cu"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    for path in folder.iterdir():
        assert str(made.parent).encode() not in path.read_bytes()
    assert json.loads((folder / "data.json").read_text())["relative_path"] == "../../oxides-3d/oxides-3d-Cu.parquet"
    working = made / ".parts" / "models" / "oxides-3d-Cu"
    assert (folder / "weights.safetensors").stat().st_size < 0.8 * (working / "weights.safetensors").stat().st_size


def test_a_stored_model_is_a_run_that_finds_its_set_anywhere(folder: Path) -> None:
    embedded = read_embedded(folder)
    assert embedded is not None
    model = embedded.models[0]
    assert (model.name, model.set_name, model.element) == ("oxides-3d-Cu", "oxides-3d", "Cu")
    assert model.seeds == (0, 1)
    run = Run(model.path)
    spectra = run.spectra()
    assert len(spectra) == 90
    assert model.selected == run.scores()["seed"][run.selected()]
    before = {path.name: path.stat().st_mtime_ns for path in model.path.iterdir()}
    scores = score_run(run)
    np.testing.assert_allclose(
        [member["reconstruction_rmse"] for member in scores["members"]], run.scores()["reconstruction_rmse"], rtol=1e-5
    )
    assert "extra_trees" in scores["baselines"]
    score_run(run, family("Ni"))
    assert {path.name: path.stat().st_mtime_ns for path in model.path.iterdir()} == before
    for file in model.files:
        file.check()


def test_rounding_the_weights_hardly_moves_a_spectrum(made: Path) -> None:
    stored, working = (
        load_members(Run(made / place / "oxides-3d-Cu")) for place in ("models", Path(".parts") / "models")
    )
    z = np.random.default_rng(0).normal(size=(20, 3))
    for rounded, exact in zip(stored, working, strict=True):
        np.testing.assert_allclose(rounded.decode(z), exact.decode(z), atol=2e-3)
        np.testing.assert_array_equal(rounded.latent_percentiles, exact.latent_percentiles)


def test_a_finished_model_is_kept_until_set_settings_or_files_change(folder: Path, tmp_path: Path) -> None:
    def again() -> list[bool]:
        done = train_models("oxides-3d", folder, tmp_path / "work", elements=["Cu"], config=config)
        assert (folder / "manifest.toml").read_text().count("[[set]]") == 2
        return [account.kept for account in done]

    config = TINY
    assert again() == [True]
    assert not (tmp_path / "work").exists()
    config = replace(TINY, epochs=8)
    assert again() == [False]
    (folder / "models" / "oxides-3d-Cu" / "baselines.json").write_text("{}")
    assert again() == [False]
    put_family(folder, {"Ni": family("Ni"), "Cu": family("Cu", 96)})
    assert again() == [False]
    assert Run(folder / "models" / "oxides-3d-Cu").data()["n"] == 96
    assert again() == [True]


def test_an_interrupted_training_goes_on(folder: Path, tmp_path: Path) -> None:
    work, epochs = tmp_path / "work", []

    def stop_at_4(label: str, done: int, total: int) -> None:
        epochs.append(done)
        if done == 4:
            Run(work / label).stop_file.touch()

    with pytest.raises(Cancelled, match="stopped after epoch"):
        train_models("oxides-3d", folder, work, elements=["Ni"], config=TINY, progress=stop_at_4)
    assert not (folder / "models" / "oxides-3d-Ni").exists()
    reached = epochs[-1]
    train_models("oxides-3d", folder, work, elements=["Ni"], config=TINY, progress=stop_at_4)
    assert epochs == list(range(1, reached + 1)) + list(range(reached + 1, 11))
    embedded = read_embedded(folder)
    assert embedded is not None
    assert [model.element for model in embedded.models] == ["Cu", "Ni"]


def test_processes_train_several_at_once(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = replace(TINY, epochs=6)
    done = train_models("oxides-3d", folder, tmp_path / "work", config=config, workers=2, progress=print_epoch)
    assert [(model.name, model.kept) for model in done] == [("oxides-3d-Cu", False), ("oxides-3d-Ni", False)]
    said = capfd.readouterr().err
    assert "oxides-3d-Cu: epoch 6 of 6\n" in said
    assert "oxides-3d-Ni: epoch 6 of 6\n" in said


def test_a_descriptor_that_all_sites_share_is_left_out_and_told(folder: Path, tmp_path: Path) -> None:
    zinc = family("Zn")
    put_family(folder, {"Zn": replace(zinc, descriptors=zinc.descriptors.assign(OS=2.0))})
    for kept in (False, True):
        (account,) = train_models("oxides-3d", folder, tmp_path / "work", config=TINY)
        assert (account.kept, account.constant) == (kept, ("OS",))
    embedded = read_embedded(folder)
    assert embedded is not None
    assert {model.element: model.descriptors for model in embedded.models} == {"Cu": ("OS", "CN"), "Zn": ("CN",)}
    assert Run(folder / "models" / "oxides-3d-Zn").config() == replace(TINY, descriptors=("CN",))
    unknown = zinc.descriptors.assign(OS=np.nan)
    assert varying(replace(zinc, descriptors=unknown), ("CN", "OS")) == ("CN", "OS")


def test_one_element_that_cannot_be_trained_does_not_stop_the_others(folder: Path, tmp_path: Path) -> None:
    put_family(folder, {"Ni": family("Ni", 9), "Cu": family("Cu", 96)})
    with pytest.raises(DataError, match="oxides-3d-Ni: 9 spectra of 3 materials"):
        train_models("oxides-3d", folder, tmp_path / "work", config=TINY)
    assert Run(folder / "models" / "oxides-3d-Cu").data()["n"] == 96


def test_what_is_missing_or_changed_is_told_before_training(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no manifest\.toml"):
        train_models("oxides-3d", tmp_path, tmp_path / "work")
    with pytest.raises(DataError, match="oxides-3d: has no Zn"):
        train_models("oxides-3d", folder, tmp_path / "work", elements=["Zn"])
    (folder / "oxides-3d" / "oxides-3d-Cu.parquet").write_bytes(b"other")
    with pytest.raises(DataError, match=r"oxides-3d-Cu\.parquet: has 5 bytes"):
        train_models("oxides-3d", folder, tmp_path / "work", config=TINY)


def test_a_model_of_one_element_of_a_table_finds_its_spectra_again(folder: Path, tmp_path: Path) -> None:
    put_table(folder, copies=20)
    config = replace(TINY, descriptors=("CN",))
    train_models("periodic-47", folder, tmp_path / "work", elements=["Na"], config=config)
    run = Run(folder / "models" / "periodic-47-Na")
    assert set(run.spectra().element) == {"Na"}
    assert len(run.spectra()) == 60
    assert score_run(run, baselines=False)["n_test"] == run.split().test.size


def test_the_default_is_eight_seeds_of_the_default_preset_split_by_material() -> None:
    config = models.DEFAULT
    assert config.descriptors == ("OS", "CN", "OCN", "NNRS", "MOOD")
    assert (config.preset, config.seeds, config.free_axes, config.split) == ("default", tuple(range(8)), 1, "material")


def test_building_a_set_again_keeps_the_models(folder: Path) -> None:
    put_table(folder)
    embedded = read_embedded(folder)
    assert embedded is not None
    assert [model.name for model in embedded.models] == ["oxides-3d-Cu"]
    assert len(read_set(embedded.set_of("oxides-3d").file_of("Cu").path)) == 90
