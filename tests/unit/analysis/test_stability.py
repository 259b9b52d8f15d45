"""Trends over members that are known to agree, to be turned, or to cross at a known energy."""

from __future__ import annotations

import numpy as np
import pytest

from engine.analysis.stability import band, fixed_energies, match_axes, stability_of
from engine.analysis.traversal import Traversal
from engine.errors import ConfigError

ENERGY = np.linspace(0.0, 50.0, 251)
LEVEL = np.linspace(-1.5, 1.5, 11)


def member(zero_ev: float, scale: float = 1.0) -> Traversal:
    """Spectra that pivot about one energy: mu = 1 + level · scale · sin(π (E − zero) / 50)."""
    mu = 1 + scale * LEVEL[:, None] * np.sin(np.pi * (ENERGY - zero_ev) / 50)
    return Traversal("CN", LEVEL, ENERGY, mu, np.zeros_like(mu))


def test_members_that_agree_have_cosine_one_and_the_point_they_pivot_about() -> None:
    members = [member(21.3), member(21.5, 2.0), member(21.7, -1.5)]
    assert stability_of(members).agreement[1] < -0.999
    found = stability_of(members, free=True)
    assert found.agreement[1] > 0.999
    [point] = found.isosbestic
    assert point.energy_ev == pytest.approx(21.5, abs=0.15)
    assert point.spread_ev == pytest.approx(np.std([21.3, 21.5, 21.7]), abs=1e-3)
    assert point.confidence == 1
    middle, low, high = band(found.differential)
    assert (low <= middle).all()
    assert (middle <= high).all()


def test_points_that_few_members_have_say_so() -> None:
    members = [member(20.0), member(20.1), member(20.2), member(40.0, 0.5)]
    found = stability_of(members)
    [point] = found.isosbestic
    assert (point.energy_ev, point.confidence) == (pytest.approx(20.1, abs=0.01), 0.75)
    assert found.agreement[1] < 0.5


def test_points_that_lie_close_in_a_row_are_not_one() -> None:
    found = stability_of([member(18 + 0.9 * i) for i in range(6)])
    assert all(point.spread_ev < 1 for point in found.isosbestic)
    assert all(point.confidence <= 0.5 for point in found.isosbestic)


def test_a_crossing_of_the_ends_alone_is_not_isosbestic() -> None:
    bend = (LEVEL[:, None] ** 2 - 1) * 0.5
    mu = 1 + LEVEL[:, None] * np.sin(np.pi * (ENERGY - 25) / 50) + bend
    assert fixed_energies(ENERGY, mu).size == 0
    assert fixed_energies(ENERGY, mu - bend).tolist() == pytest.approx([25.0])
    assert fixed_energies(ENERGY, np.ones((3, ENERGY.size))).size == 0


def test_no_member_is_refused() -> None:
    with pytest.raises(ConfigError):
        stability_of([])


def test_free_axes_are_put_in_the_order_of_the_reference() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(4, 50))
    order = [2, 0, 3, 1]
    mixed = -reference[order] + 0.1 * rng.normal(size=(4, 50))
    assert [order[i] for i in match_axes(mixed, reference)] == [0, 1, 2, 3]
