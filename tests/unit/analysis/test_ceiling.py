"""Supervised ceilings of descriptors that a spectrum holds entirely, in part, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.analysis.ceiling import Ceiling, supervised_ceiling
from engine.analysis.descriptor_correlation import chance_level
from engine.io.ceiling_file import read_ceilings, write_ceilings
from engine.spectra import split_by_material
from engine.structures import with_noise
from tests.synthetic import make_set

SPECTRA = make_set(600)
SPLIT = split_by_material(SPECTRA)


def test_a_descriptor_that_is_a_point_of_the_spectrum_reaches_one_and_noise_nothing() -> None:
    exact = supervised_ceiling(SPECTRA.mu, SPECTRA.mu[:, 20].astype(float), SPLIT)
    assert exact.srcc > 0.97
    assert (exact.n_train, exact.n_test) == (SPLIT.train.size, SPLIT.test.size)
    noise = with_noise(SPECTRA.descriptors, SPECTRA.site_id.tolist())["NOISE"].to_numpy()
    assert supervised_ceiling(SPECTRA.mu, noise, SPLIT).srcc < chance_level(SPLIT.test.size) * 1.5
    assert supervised_ceiling(SPECTRA.mu, SPECTRA.descriptors["OS"].to_numpy(), SPLIT).srcc > 0.9


def test_unknown_sites_are_left_out_and_too_few_give_no_number() -> None:
    values = SPECTRA.descriptors["CN"].to_numpy().copy()
    values[::2] = np.nan
    half = supervised_ceiling(SPECTRA.mu, values, SPLIT)
    assert half.srcc > 0.8
    assert half.n_train == (~np.isnan(values[SPLIT.train])).sum()
    values[SPLIT.test[5:]] = np.nan
    assert np.isnan(supervised_ceiling(SPECTRA.mu, values, SPLIT).srcc)
    assert np.isnan(supervised_ceiling(SPECTRA.mu, np.ones(len(SPECTRA)), SPLIT).srcc)


def test_noise_follows_from_the_site_alone_and_is_never_replaced() -> None:
    table = with_noise(SPECTRA.descriptors, SPECTRA.site_id.tolist())
    again = with_noise(SPECTRA.descriptors.iloc[::-1], SPECTRA.site_id[::-1].tolist())
    np.testing.assert_array_equal(table["NOISE"], again["NOISE"][::-1])
    assert with_noise(table, ["another"] * len(table)) is table
    assert table["NOISE"].std() == pytest.approx(1, abs=0.1)


def test_a_file_of_ceilings_gives_back_what_it_was_given_and_only_for_its_set(tmp_path: Path) -> None:
    path = tmp_path / "ceilings.json"
    given = {"OS": Ceiling(0.5, 10, 5), "FLAT": Ceiling(float("nan"), 3, 2)}
    write_ceilings(path, "abc", given)
    found = read_ceilings(path, "abc")
    assert found["OS"] == given["OS"]
    assert np.isnan(found["FLAT"].srcc)
    assert read_ceilings(path, "other") == {}
    path.write_text('{"set": "abc", "ceilings": {"OS": 3}}')
    assert read_ceilings(path, "abc") == {}
    assert read_ceilings(tmp_path / "missing", "abc") == {}
