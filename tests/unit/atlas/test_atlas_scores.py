"""Neighbourhoods, purity and universality against scikit-learn, loops and plans."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.manifold import trustworthiness

from engine.atlas.scores import METRICS, distances, map_scores, neighbourhoods, purity, universality
from engine.errors import ConfigError


def points(n: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mu = rng.normal(size=(n, 12)) * np.linspace(1, 0.1, 12) + 5
    return mu, mu[:, :2] + 0.2 * rng.normal(size=(n, 2))


@pytest.mark.parametrize("metric", METRICS)
def test_distances_are_those_of_scipy(metric: str) -> None:
    mu, _ = points()
    np.testing.assert_allclose(distances(mu[:7], mu, metric), cdist(mu[:7], mu, METRICS[metric]), atol=1e-7)


@pytest.mark.parametrize("k", [5, 15])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_trustworthiness_of_all_sites_is_that_of_scikit_learn(k: int, metric: str) -> None:
    mu, xy = points()
    found = neighbourhoods(mu, xy, k=k, metric=metric)
    assert found.trustworthiness == pytest.approx(trustworthiness(mu, xy, n_neighbors=k, metric=metric))
    exact = cdist(mu, mu, METRICS[metric])
    np.fill_diagonal(exact, np.inf)
    np.testing.assert_array_equal(found.in_spectra, np.argsort(exact, axis=1)[:, :k])
    np.testing.assert_allclose(found.nearest, exact.min(axis=1), atol=1e-7)
    kept = [len(set(a) & set(b)) / k for a, b in zip(found.in_spectra, found.on_map, strict=True)]
    assert found.preserved == pytest.approx(np.mean(kept))


def test_a_draw_of_sites_comes_near_the_number_of_all() -> None:
    mu, xy = points(1200)
    whole, part = neighbourhoods(mu, xy), neighbourhoods(mu, xy, rows=400, seed=3)
    assert part.rows.size == 400
    assert part.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.01)
    again = neighbourhoods(mu, xy, rows=400, seed=3)
    assert again.trustworthiness == part.trustworthiness


def test_a_map_that_is_the_spectra_keeps_everything_and_a_random_one_nothing() -> None:
    _, xy = points(600)
    assert neighbourhoods(xy, xy).trustworthiness == 1.0
    assert neighbourhoods(xy, xy).preserved == 1.0
    random = neighbourhoods(xy, np.random.default_rng(1).normal(size=(600, 2)))
    assert random.trustworthiness == pytest.approx(0.5, abs=0.05)
    assert random.preserved < 0.08


def test_purity_counts_known_neighbours_only() -> None:
    labels = np.array([1.0, 1.0, 2.0, np.nan])
    found = purity(labels, np.array([0, 2, 3]), np.array([[1, 2, 3], [0, 1, 3], [0, 1, 2]]))
    assert found["share"] == pytest.approx(1 / 4)
    assert found["chance"] == pytest.approx((2 / 3) ** 2 + (1 / 3) ** 2)
    assert found["n"] == 2
    assert purity(np.full(4, np.nan), np.array([0]), np.array([[1, 2]])) == {"share": None, "chance": None, "n": 0}


def test_universality_by_hand() -> None:
    element = np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    labels = np.array([4.0, 6.0, 4.0, 4.0, 6.0])
    found = universality(labels, element, np.array([0, 1]), np.array([[2, 3, 1], [0, 2, 4]]))
    assert found["other"] == pytest.approx(4 / 6)
    assert found["sites"] == pytest.approx(1 / 2)  # site 0: two of three are of another element and of CN 4
    assert found["share"] == pytest.approx(3 / 4)
    assert found["chance"] == pytest.approx((2 * 2 / 3 + 2 * 1 / 3) / 4)
    nothing = universality(np.full(5, np.nan), element, np.array([0]), np.array([[1, 2]]))
    assert nothing == {"other": None, "sites": None, "share": None, "chance": None}


def test_scores_of_a_map_whose_places_are_the_labels() -> None:
    rng = np.random.default_rng(2)
    cn, element = rng.integers(4, 7, 600).astype(float), np.where(rng.random(600) < 0.5, "Ti", "Fe")
    xy = np.column_stack([10 * cn, np.zeros(600)]) + rng.normal(size=(600, 2))
    scores = map_scores(neighbourhoods(xy, xy), element, {"CN": cn})
    assert scores["purity"]["map"]["CN"]["share"] > 0.99
    assert scores["purity"]["map"]["element"]["share"] == pytest.approx(0.5, abs=0.04)
    assert scores["universality"]["map"]["CN"]["share"] > 0.99
    assert scores["universality"]["map"]["CN"]["chance"] == pytest.approx(1 / 3, abs=0.04)


def test_too_few_spectra_are_refused() -> None:
    mu, xy = points(20)
    with pytest.raises(ConfigError, match="need at least 32"):
        neighbourhoods(mu, xy)
    with pytest.raises(ConfigError, match="metric is 'taxi'"):
        distances(mu, mu, "taxi")
