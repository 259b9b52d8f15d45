"""The advanced settings of a training: every one of TrainConfig, read and refused as the command does."""

from __future__ import annotations

import dataclasses

import pytest

from engine.console import parse_setting
from engine.errors import ConfigError
from engine.model.config import PRESETS, TrainConfig, make_config
from explorer.views.settings import ELSEWHERE, FIELDS, SettingsView

ODD = {"hidden": "33", "activation": "prelu", "standardise": "false", "learning_rate": "2e-3", "rank_weight": "2"}


@pytest.fixture
def view() -> SettingsView:
    made = SettingsView()
    made._fold.param.trigger("clicks")
    return made


def test_every_setting_is_in_the_form_or_among_the_advanced_ones(view: SettingsView) -> None:
    names = [spec.name for spec in dataclasses.fields(TrainConfig)]
    assert sorted([*ELSEWHERE, *view._fields]) == sorted(names)
    for name, field in view._fields.items():
        assert FIELDS[name].metadata["doc"].split(";")[0][:20].split("<")[0] in view._docs[name].object
        assert field.label.startswith(f"{name} · preset ")
    assert view.changes == {}


def test_values_mean_what_they_mean_to_the_command(view: SettingsView) -> None:
    for name, text in ODD.items():
        view._fields[name].value = text
    assert view.changes == dict(parse_setting(f"{name}={text}") for name, text in ODD.items())
    config = make_config("paper", **view.changes)
    assert (config.hidden, config.activation, config.standardise) == (33, "prelu", False)
    assert (config.learning_rate, config.rank_weight) == (0.002, 2.0)
    assert "5 changed" in view._fold.label
    view._clear.param.trigger("clicks")
    assert view.changes == {}


@pytest.mark.parametrize(
    ("name", "text"), [("hidden", "many"), ("hidden", "0"), ("learning_rate", "0,1"), ("train_fraction", "0.94")]
)
def test_what_is_wrong_is_said_beside_the_field_in_the_words_of_the_command(
    view: SettingsView, name: str, text: str
) -> None:
    view._fields[name].value = text
    with pytest.raises(ConfigError) as told:
        make_config(**dict([parse_setting(f"{name}={text}")]))
    assert name in str(told.value)
    assert str(told.value).replace("'", "&#x27;") in view._docs[name].object
    view._fields[name].value = ""
    assert "<b>" not in view._docs[name].object


def test_a_preset_shows_its_own_values(view: SettingsView) -> None:
    view.show_preset("paper")
    for name, value in PRESETS["paper"].items():
        if name in view._fields and not isinstance(value, (bool, float)):
            assert view._fields[name].label == f"{name} · preset {value}"
    assert view._fields["standardise"].label == "standardise · preset false"
    assert view._fields["learning_rate"].label == "learning_rate · preset 0.001"
