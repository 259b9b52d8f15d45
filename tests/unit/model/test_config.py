"""TrainConfig: presets, limits, TOML."""

from __future__ import annotations

import dataclasses

import pytest

from engine.errors import ConfigError
from engine.model.config import PRESETS, TrainConfig, make_config


@pytest.mark.parametrize("preset", list(PRESETS))
def test_toml_round_trip(tmp_path, preset: str) -> None:
    config = make_config(preset, descriptors=("OS", "CN"), seeds=(3, 1), epochs=7)
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml())
    assert TrainConfig.from_toml(path) == config


def test_every_setting_is_documented() -> None:
    for spec in dataclasses.fields(TrainConfig):
        assert spec.metadata["doc"].endswith("."), spec.name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": -1}, "epochs is -1; need at least 0"),
        ({"epochs": 1.5}, "epochs is 1.5; need a whole number"),
        ({"epochs": True}, "need a whole number"),
        ({"epoch": 3}, "unknown setting 'epoch'"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"split": "positional"}, "choose from material, random"),
        ({"descriptors": "CN"}, "need a list of names"),
        ({"descriptors": ("CN", "CN")}, "descriptors repeats a value"),
        ({"seeds": ()}, "seeds is empty"),
        ({"seeds": (-1,)}, "need whole numbers from 0"),
        ({"free_axes": 0}, "no latent axis"),
        ({"train_fraction": 0.9, "validation_fraction": 0.2}, "leave nothing to test on"),
        ({"standardise": "yes"}, "need true or false"),
    ],
)
def test_bad_settings_are_named(changes, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        make_config("default", **changes)


def test_small_sets_train_for_more_epochs_unless_told() -> None:
    config = make_config("default")
    assert [config.total_epochs(batches) for batches in (100, 12, 3, 1)] == [150, 150, 600, 1800]
    assert make_config("default", epochs=7).total_epochs(3) == 7


def test_dropout_only_where_there_are_descriptors_to_rank() -> None:
    assert make_config("default", descriptors=("CN",)).dropout > 0
    assert make_config("default", free_axes=6).dropout == 0
    assert make_config("default", free_axes=6, dropout=0.2).dropout == 0.2


def test_unknown_preset() -> None:
    with pytest.raises(ConfigError, match="choose from default, paper, autoencoder"):
        make_config("best")


def test_damaged_toml_names_the_file(tmp_path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("epochs = = 3")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        TrainConfig.from_toml(path)


def test_axes() -> None:
    config = make_config("default", descriptors=("OS", "CN"), free_axes=2)
    assert config.axis_names == ("OS", "CN", "free 1", "free 2")
    assert config.n_latent == 4
