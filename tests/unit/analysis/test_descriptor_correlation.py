"""Rank correlation of descriptors against scipy, chance by simulation, and the set that is suggested."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from engine.analysis.descriptor_correlation import chance_level, descriptor_correlation, suggest_descriptors

RNG = np.random.default_rng(1)


def table_with_gaps(n: int = 300) -> pd.DataFrame:
    """Ties, missing values in different places, a constant and a column that hardly any site knows."""
    first = RNG.normal(size=n)
    table = pd.DataFrame(
        {
            "A": first,
            "B": np.round(-first + 0.5 * RNG.normal(size=n)),
            "C": first**3 + RNG.normal(size=n),
            "FLAT": 2.0,
            "RARE": np.nan,
        }
    )
    table.loc[RNG.random(n) < 0.3, "B"] = np.nan
    table.loc[RNG.random(n) < 0.2, "C"] = np.nan
    table.loc[:1, "RARE"] = [1.0, 2.0]
    return table


def test_every_pair_equals_scipy_on_the_sites_that_know_both() -> None:
    table = table_with_gaps()
    found = descriptor_correlation(table)
    for i, a in enumerate("ABC"):
        for j, b in enumerate("ABC"):
            both = table[[a, b]].notna().all(axis=1)
            expected = spearmanr(table[a][both], table[b][both]).statistic
            assert found.rho[i, j] == pytest.approx(expected, abs=1e-12)
            assert found.n[i, j] == both.sum()
    assert np.isnan(found.rho[:, 3]).all()
    assert np.isnan(found.rho[4]).all()
    assert found.n[4, 4] == 2
    np.testing.assert_array_equal(found.rho, found.rho.T)


def test_unrelated_columns_pass_the_chance_level_in_one_case_of_twenty() -> None:
    n, trials = 80, 4000
    pairs = [descriptor_correlation(pd.DataFrame(RNG.normal(size=(n, 2)))).rho[0, 1] for _ in range(trials)]
    assert np.mean(np.abs(pairs) > chance_level(n)) == pytest.approx(0.05, abs=0.012)
    assert chance_level(1) == chance_level(0) == 1.0


def test_a_suggestion_takes_the_best_that_are_no_copies() -> None:
    base = RNG.normal(size=(200, 3))
    table = pd.DataFrame({"P": base[:, 0], "COPY": 2 * base[:, 0], "Q": base[:, 1], "R": base[:, 2], "FLAT": 1.0})
    table["UNKNOWN"] = np.where(np.arange(200) < 90, base[:, 1] + base[:, 2], np.nan)
    found = descriptor_correlation(table)
    assert suggest_descriptors(found, 200, {}) == ("P", "Q", "R")
    assert suggest_descriptors(found, 200, {"COPY": 0.9, "P": 0.8, "R": 0.5, "Q": np.nan}) == ("COPY", "R")
    assert suggest_descriptors(found, 200, {}, count=2) == ("P", "Q")
