"""Splits: sides, sizes, repeatability, and refusal where a part would be empty."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from engine.errors import ConfigError, DataError
from engine.spectra import SpectraSet, Split, split_by_material, split_random


def a_set(materials: list[str]) -> SpectraSet:
    n = len(materials)
    energy = np.linspace(8984.0, 9034.0, 20)
    mu = np.tile(np.linspace(0, 1, 20), (n, 1))
    return SpectraSet(
        energy, mu, pd.DataFrame({"CN": np.arange(n)}), [f"s{i}" for i in range(n)], materials, ["Cu"] * n
    )


TWO_EACH = a_set([f"mp-{i // 2}" for i in range(200)])


def test_random_sizes_are_the_fractions() -> None:
    split = split_random(TWO_EACH, seed=1)
    assert [split.train.size, split.validation.size, split.test.size] == [140, 30, 30]
    assert split.how == "random"


def test_random_split_puts_some_materials_on_both_sides_and_the_other_does_not() -> None:
    def sides(split: Split) -> int:
        material = TWO_EACH.material_id
        return len(set(material[split.train]) & set(material[split.test]))

    assert sides(split_random(TWO_EACH)) > 0
    assert sides(split_by_material(TWO_EACH)) == 0


def test_seeds_repeat_and_differ_and_leave_the_global_generator_alone() -> None:
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (split_by_material(TWO_EACH, seed=seed) for seed in (0, 0, 1))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert np.array_equal(first.train, again.train)
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.train, other.train)


@pytest.mark.parametrize("split", [split_by_material, split_random])
def test_three_spectra_are_too_few(split: object) -> None:
    with pytest.raises(ConfigError, match="empty"):
        split(a_set(["a", "b", "c"]))  # type: ignore[operator]


def test_one_material_cannot_be_split() -> None:
    with pytest.raises(ConfigError, match="cannot be split in three"):
        split_by_material(a_set(["a"] * 50))
    assert split_random(a_set(["a"] * 50)).n == 50


def test_a_dominant_material_still_leaves_three_parts() -> None:
    split = split_by_material(a_set(["big"] * 60 + [f"m{i}" for i in range(40)]))
    assert split.n == 100
    assert split.validation.size > 0


@pytest.mark.parametrize("fractions", [(0.7, 0.3, 0.0), (0.5, 0.4, 0.3), (0.9, 0.2, -0.1), (0.7, 0.3)])
def test_fractions_must_be_three_and_sum_to_one(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="fractions"):
        split_random(TWO_EACH, fractions)


def test_a_negative_seed_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="seed"):
        split_random(TWO_EACH, seed=-1)


def test_json_round_trip() -> None:
    split = split_by_material(TWO_EACH, seed=4)
    again = Split.from_json(json.loads(json.dumps(split.to_json())))
    assert (again.how, again.seed) == ("material", 4)
    assert all(np.array_equal(getattr(split, part), getattr(again, part)) for part in ("train", "validation", "test"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": None}, "'train' must be a list"),
        ({"train": [0, 1.5]}, "'train' must be a list"),
        ({"train": [0, 0, 1]}, "each of"),
        ({"train": [-1]}, "each of"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"how": 3}, "how is 3"),
    ],
)
def test_damaged_json_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Split.from_json({**split_random(TWO_EACH).to_json(), **change})


def test_missing_and_empty_parts_are_named() -> None:
    stored = split_random(TWO_EACH).to_json()
    del stored["test"]
    with pytest.raises(DataError, match="'test' is missing"):
        Split.from_json(stored)
    with pytest.raises(ConfigError, match="test part is empty"):
        Split.from_json({**stored, "test": []})


def test_random_split_with_seed_zero_keeps_the_order_of_a_shuffled_file_as_published() -> None:
    names = np.random.default_rng(0).permutation([f"m{i // 2:03d}" for i in range(400)])
    shuffled = a_set(list(names))
    assert split_random(shuffled).train.tolist() == list(range(280))
    assert split_random(shuffled).test.tolist() == list(range(340, 400))
    assert split_random(shuffled, seed=1).train.tolist() != list(range(280))
    assert split_random(a_set(sorted(names))).train.tolist() != list(range(280))
    assert split_random(a_set([f"m{i:03d}" for i in range(400)])).train.tolist() != list(range(280))
