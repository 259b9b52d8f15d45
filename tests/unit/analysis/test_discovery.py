"""Discovery against made-up leftovers whose cause is known, and its statistics against slow references."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from engine.analysis.discovery import (
    Unexplained,
    axis_variance,
    best_swaps,
    descriptor_terms,
    rank_candidates,
    spectral_share,
)
from engine.errors import DataError

RNG = np.random.default_rng(7)
N = 240
SHAPE = np.sin(np.linspace(0, 6, 40))


def materials(n: int, sites: int) -> np.ndarray:
    return np.array([f"m-{i // sites}" for i in range(n)])


@pytest.fixture(scope="module")
def world() -> tuple[pd.DataFrame, pd.DataFrame, list[Unexplained]]:
    """The free axis follows CAUSE and the used CN; the residual follows OTHER; nothing follows NOISE."""
    used = pd.DataFrame({"CN": RNG.integers(4, 7, N).astype(float)})
    cause, other = RNG.normal(size=N), RNG.normal(size=N)
    table = pd.DataFrame(
        {
            "NOISE": RNG.normal(size=N),
            "CN_COPY": np.exp(used["CN"]),
            "OTHER": other,
            "CAUSE": cause,
            "SELDOM": np.where(np.arange(N) < 20, cause, np.nan),
            "SAME": np.ones(N),
        }
    )
    left = []
    for _ in range(2):
        free = (0.8 * cause + used["CN"].to_numpy() + 0.4 * RNG.normal(size=N))[:, None]
        residual = 0.004 * other[:, None] * SHAPE + 0.01 * RNG.normal(size=(N, SHAPE.size))
        left.append(Unexplained(free, np.array([0.02**2]), residual))
    return used, table, left


def test_causes_are_found_and_nothing_else(world) -> None:
    used, table, left = world
    found = rank_candidates(left, used, table, materials(N, 1), permutations=999)
    by_name = {one.name: one for one in found}
    assert [one.name for one in found[:2]] == ["CAUSE", "OTHER"]
    assert by_name["CAUSE"].p <= 0.01
    assert by_name["OTHER"].p <= 0.01
    assert by_name["NOISE"].p > 0.05
    assert by_name["CAUSE"].free_rho > 0.8
    assert by_name["CAUSE"].free_share > 10 * max(by_name["OTHER"].free_share, 0.001)
    assert by_name["OTHER"].residual_share == pytest.approx(0.004**2 * np.mean(SHAPE**2) / 0.0001, rel=0.4)
    assert by_name["CN_COPY"].redundancy > 0.98
    assert by_name["CN_COPY"].nearest == "CN"
    for name in ("CN_COPY", "SELDOM", "SAME"):
        assert np.isnan(by_name[name].p)


def test_partial_correlation_equals_least_squares_by_hand(world) -> None:
    used, table, left = world
    found = rank_candidates(left[:1], used, table[["CAUSE"]], materials(N, 1), permutations=99)[0]
    terms = descriptor_terms(used, used)

    def rest(values: np.ndarray) -> np.ndarray:
        ranks = stats.rankdata(values)
        return ranks - terms @ np.linalg.lstsq(terms, ranks, rcond=None)[0]

    expected = abs(np.corrcoef(rest(table["CAUSE"].to_numpy()), rest(left[0].free[:, 0]))[0, 1])
    assert found.free_rho == pytest.approx(expected, abs=1e-9)


def test_p_values_are_corrected_by_holm_and_agree_with_single_tests(world) -> None:
    used, table, left = world
    names = ["NOISE", "OTHER", "CAUSE"]
    alone = {n: rank_candidates(left, used, table[[n]], materials(N, 1), permutations=199)[0].p for n in names}
    together = {one.name: one.p for one in rank_candidates(left, used, table[names], materials(N, 1), permutations=199)}
    ordered = sorted(names, key=lambda n: alone[n])
    running = 0.0
    for place, name in enumerate(ordered):
        running = max(running, min(1.0, (3 - place) * alone[name]))
        assert together[name] == pytest.approx(running)


def test_what_materials_share_is_not_counted_once_per_site() -> None:
    """Null candidates and leftovers that are both constant in a material of six sites: 5 % have p below 0.05."""
    n, sites = 120, 6
    material = materials(n, sites)
    rng = np.random.default_rng(3)
    used = pd.DataFrame({"CN": rng.integers(4, 7, n).astype(float)})
    small, plain = 0, 0
    for _ in range(40):
        residual = np.repeat(rng.normal(size=(n // sites, 8)), sites, axis=0)
        x = pd.DataFrame({"X": np.repeat(rng.normal(size=n // sites), sites)})
        left = [Unexplained(np.empty((n, 0)), np.empty(0), residual)]
        small += rank_candidates(left, used, x, material, permutations=199)[0].p < 0.05
        plain += rank_candidates(left, used, x, materials(n, 1), permutations=199)[0].p < 0.05
    assert small <= 7
    assert plain > 15


def test_spectral_share_is_that_of_a_linear_world_and_names_the_useless_one() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(rng.normal(size=(600, 3)), columns=["A", "B", "USELESS"])
    ranks = descriptor_terms(table, table)[:, 1:4]
    mu = 1 + ranks[:, :1] * SHAPE + 0.5 * ranks[:, 1:2] * SHAPE[::-1]
    train, held = (table[:400], mu[:400]), (table[400:], mu[400:])
    both = spectral_share((train[0][["A", "B"]], train[1]), (held[0][["A", "B"]], held[1]))
    assert both > 0.995
    only, swaps = best_swaps(train, held, ["A", "USELESS"], ["B"])
    assert only["A"] > 0.5
    assert abs(only["USELESS"]) < 0.03
    assert swaps["B"].out == "USELESS"
    assert swaps["B"].gain > 0.1


def test_unknown_values_have_the_middle_rank_and_a_term_of_their_own() -> None:
    table = pd.DataFrame({"A": [*np.arange(99.0), np.nan]})
    terms = descriptor_terms(table, table)
    assert terms[-1, 1] == 0
    assert terms[:, 2].tolist() == [0.0] * 99 + [1.0]


def test_axis_variance_is_that_of_a_gaussian_axis() -> None:
    low, high = stats.norm.ppf([0.05, 0.95])
    assert axis_variance((high - low) * 0.3) == pytest.approx(0.09, rel=1e-3)


def test_too_few_sites_are_refused() -> None:
    used = pd.DataFrame({"CN": np.arange(10.0)})
    left = [Unexplained(np.zeros((10, 1)), np.ones(1), np.zeros((10, 4)))]
    with pytest.raises(DataError, match="10 held-out sites are too few"):
        rank_candidates(left, used, used, materials(10, 1))
