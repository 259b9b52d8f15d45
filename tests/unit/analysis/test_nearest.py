"""Nearest sites against a search one by one."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engine.analysis.nearest import nearest_rows
from engine.errors import ConfigError


@pytest.mark.parametrize("count", [1, 3, 12])
def test_the_nearest_sites_are_those_that_a_search_one_by_one_finds(count: int) -> None:
    random = np.random.default_rng(1)
    latent = random.normal(size=(300, 6)).astype(np.float32)
    point = random.normal(size=6)
    by_hand = sorted(
        (sum((float(a) - float(b)) ** 2 for a, b in zip(site, point, strict=True)) ** 0.5, row)
        for row, site in enumerate(latent)
    )[:count]
    rows, distance = nearest_rows(latent, point, count)
    assert rows.tolist() == [row for _, row in by_hand]
    np.testing.assert_allclose(distance, [d for d, _ in by_hand], rtol=1e-12)


def test_a_site_is_nearest_to_itself_and_equal_distances_keep_their_order() -> None:
    rows, distance = nearest_rows(np.array([[1.0, 0], [0, 0], [-1, 0], [1, 0]]), np.zeros(2), 9)
    assert rows.tolist() == [1, 0, 2, 3]
    assert distance.tolist() == [0, 1, 1, 1]


def test_four_thousand_sites_take_little_of_the_time_between_two_frames() -> None:
    latent = np.random.default_rng(0).normal(size=(4000, 6)).astype(np.float32)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        nearest_rows(latent, np.zeros(6), 12)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.02


def test_no_sites_at_all_are_not_asked_for() -> None:
    with pytest.raises(ConfigError, match="count is 0"):
        nearest_rows(np.zeros((3, 2)), np.zeros(2), 0)
