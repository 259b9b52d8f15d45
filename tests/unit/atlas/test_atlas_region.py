"""Points in an outline against a slow reference, crowding against counts, families against the table."""

from __future__ import annotations

import numpy as np
import pytest

from engine.atlas.cleaning import MAP_ELEMENTS
from engine.atlas.families import FAMILIES, family_of
from engine.atlas.region import crowding, inside
from engine.errors import ConfigError


def slowly(point: np.ndarray, x: np.ndarray, y: np.ndarray) -> bool:
    """Turns that the outline makes around a point, odd or not: sides to the left of it that pass its height."""
    odd = False
    for i in range(len(x)):
        j = (i + 1) % len(x)
        passes = (y[i] > point[1]) != (y[j] > point[1])
        if passes and point[0] > x[i] + (point[1] - y[i]) * (x[j] - x[i]) / (y[j] - y[i]):
            odd = not odd
    return odd


@pytest.mark.parametrize("seed", range(5))
def test_points_in_an_outline_are_those_of_the_even_odd_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.normal(size=(500, 2)).astype(np.float32)
    x, y = rng.normal(size=(2, 12))
    np.testing.assert_array_equal(inside(xy, x, y), [slowly(point, x, y) for point in xy.astype(float)])


def test_an_outline_of_a_square_holds_what_is_in_it_whichever_way_it_is_drawn() -> None:
    xy = np.array([[0.5, 0.5], [1.5, 0.5], [0.5, -0.1], [0.99, 0.01]])
    x, y = np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1])
    for order in (slice(None), slice(None, None, -1)):
        assert inside(xy, x[order], y[order]).tolist() == [True, False, False, True]


def test_an_outline_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="2 corners"):
        inside(np.zeros((3, 2)), [0, 1], [0, 1])
    with pytest.raises(ConfigError, match="finite"):
        inside(np.zeros((3, 2)), [0, 1, np.nan], [0, 1, 1])


def test_crowding_tells_dense_from_sparse_by_their_ratio() -> None:
    rng = np.random.default_rng(0)
    xy = np.concatenate([rng.random((64_000, 2)), rng.random((16_000, 2)) + np.array([1.0, 0.0])])
    middle = [(np.abs(xy - at) < 0.2).all(axis=1) for at in ([0.5, 0.5], [1.5, 0.5])]
    dense, sparse = (np.median(crowding(xy)[rows]) for rows in middle)
    assert dense - sparse == pytest.approx(np.log10(4), abs=0.1)


def test_every_element_of_a_map_has_one_family() -> None:
    symbols = " ".join(FAMILIES.values()).split()
    assert len(symbols) == len(set(symbols))
    assert all(family_of(symbol) for symbol in MAP_ELEMENTS)
    assert family_of("He") is None
