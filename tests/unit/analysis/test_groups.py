"""Groups of spectra against plain numpy, straight lines through boxes, and a sort whose blocks are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from engine.analysis.groups import group_difference, group_of, passing_through, sort_spectra

RNG = np.random.default_rng(5)
ENERGY = np.array([0.0, 1.0, 2.0, 4.0])


def test_mean_spread_and_difference_are_those_of_the_t_test() -> None:
    a, b = RNG.normal(size=(9, 6)), RNG.normal(1.0, 2.0, size=(14, 6))
    change, error = group_difference(group_of(a), group_of(b))
    np.testing.assert_allclose(change / error, ttest_ind(a, b, equal_var=False).statistic)
    np.testing.assert_allclose(group_of(a).sigma, np.std(a, axis=0, ddof=1))
    many = np.tile(a, (900, 1)) + 1e4
    some = np.arange(len(many)) % 2 == 0
    np.testing.assert_allclose(group_of(many, some).mean, many[some].mean(axis=0))
    np.testing.assert_allclose(group_of(many, some).sigma, np.std(many[some], axis=0, ddof=1), rtol=1e-9)
    single = group_of(a[:1])
    assert single.n == 1
    assert (single.sigma == 0).all()


@pytest.mark.parametrize(
    ("energies", "values", "expected"),
    [
        ((0.0, 4.0), (-1.0, 9.0), [True, True, True]),
        ((2.9, 3.1), (2.5, 3.5), [True, False, False]),  # narrower than the step from 2 to 4, where lines still are
        ((3.1, 2.9), (3.5, 2.5), [True, False, False]),
        ((1.0, 1.0), (0.5, 1.5), [True, True, False]),
        ((0.0, 4.0), (3.9, 3.95), [True, False, False]),
        ((-3.0, -1.0), (-9.0, 9.0), [False, False, False]),
        ((-3.0, 0.5), (0.2, 0.3), [True, False, False]),
    ],
)
def test_lines_through_a_box(energies, values, expected) -> None:
    rising, flat, high = ENERGY, np.full(4, 1.0), np.full(4, 8.0)
    assert passing_through(ENERGY, np.array([rising, flat, high]), energies, values).tolist() == expected


def test_sorted_blocks_are_means_of_neighbours_without_the_unknown() -> None:
    values = np.array([3.0, np.nan, 1.0, 2.0, 4.0, np.nan])
    mu = np.arange(6.0)[:, None] * np.ones(4)
    found = sort_spectra(mu, values, 2)
    assert found.order.tolist() == [2, 3, 0, 4]
    assert found.edges.tolist() == [0, 2, 4]
    assert found.mu[:, 0].tolist() == [2.5, 2.0]
    assert found.values.tolist() == [1.5, 3.5]
    whole = sort_spectra(mu, values, 100)
    np.testing.assert_array_equal(whole.mu, mu[[2, 3, 0, 4]])
    assert sort_spectra(mu, np.full(6, np.nan), 10).mu.shape == (0, 4)
