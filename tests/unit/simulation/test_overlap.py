"""Spherical averages, radii and the superposition of spheres against direct numbers and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss

from engine.simulation.cluster import Neighbours
from engine.simulation.interstitial import interstitial_density, muffin_tin_potential, superposition
from engine.simulation.muffin_tin import FloatArray
from engine.simulation.overlap import (
    NeighbourAverage,
    ball_overlap,
    charges,
    enclosed,
    muffin_tin_radii,
    norman_radius,
    overlap,
)

R = np.exp(-8.8 + 0.0125 * np.arange(1001))


def neighbours(distances: list[float], kinds: list[int]) -> Neighbours:
    d = np.array(distances)
    return Neighbours(d, np.stack([d, 0 * d, 0 * d], axis=1), np.array(kinds))


@pytest.mark.parametrize("distance", [1.3, 3.7])
def test_average_is_the_integral_over_the_sphere(distance: float) -> None:
    average = NeighbourAverage(R, np.exp(-1.7 * R) * np.cos(R))
    at = np.array([1e-3, 0.2, 1.1, 2.5, 6.0])
    cosine, weight = leggauss(400)
    s = np.sqrt(at[:, None] ** 2 + distance**2 - 2 * at[:, None] * distance * cosine)
    direct = 0.5 * (np.exp(-1.7 * s) * np.cos(s)) @ weight
    np.testing.assert_allclose(average(at, np.array([distance])), direct, rtol=2e-5, atol=1e-9)


def test_point_charge_is_harmonic() -> None:
    average = NeighbourAverage(R, 1 / R)
    at = np.array([1e-3, 0.5, 1.9, 2.5, 9.0])
    np.testing.assert_allclose(average(at, np.array([2.0])), 1 / np.maximum(at, 2.0), rtol=1e-6)


def test_overlap_counts_every_neighbour() -> None:
    functions = [np.exp(-R), np.exp(-2 * R)]
    averages = [NeighbourAverage(R, f) for f in functions]
    total = overlap(R, functions[0], averages, neighbours([2.0, 2.0, 3.0, 4.0], [1, 1, 0, 1]))
    parts = [averages[1](R, np.array([2.0, 2.0, 4.0])), averages[0](R, np.array([3.0]))]
    np.testing.assert_allclose(total, functions[0] + parts[0] + parts[1], rtol=1e-12)


def test_norman_radius_of_known_densities() -> None:
    uniform = np.full_like(R, 0.03)
    assert norman_radius(R, uniform, 8.0) == pytest.approx((8.0 / (0.03 * 4 / 3 * np.pi)) ** (1 / 3), rel=1e-7)
    hydrogen_like = 4 * np.exp(-2 * R) / np.pi
    radius = norman_radius(R, hydrogen_like, 3.0)
    inside = 4 * (1 - np.exp(-2 * radius) * (1 + 2 * radius + 2 * radius**2))
    assert inside == pytest.approx(3.0, rel=1e-6)
    np.testing.assert_allclose(enclosed(R, hydrogen_like)[-1], 4.0, rtol=1e-7)
    np.testing.assert_allclose(charges(R, hydrogen_like[None], np.array([radius])), 3.0, rtol=1e-6)


def test_ball_overlap_by_slices() -> None:
    z = np.linspace(-4, 8, 200_001)
    for a, b, d in [(1.0, 1.5, 2.0), (2.0, 0.5, 1.0), (2.0, 0.5, 2.1), (1.0, 1.0, 2.5)]:
        area = np.pi * np.clip(np.minimum(a**2 - z**2, b**2 - (z - d) ** 2), 0, None)
        volume = float(area.sum() * (z[1] - z[0]))
        assert float(ball_overlap(np.array(a), np.array(b), d)) == pytest.approx(volume, abs=1e-6)


def test_equal_touching_spheres_share_the_distance() -> None:
    near = [neighbours([4.0] * 6, [0] * 6)]
    radius = muffin_tin_radii(np.array([2.4]), near)
    assert radius[0] == pytest.approx(2.0 * min(1.15, 0.3 + 0.7 * 2.4 / 2.0), rel=1e-12)


def known_superposition(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray, list[Neighbours]]:
    """Radii of two kinds in a row of alternating atoms 3 bohr apart, functions cut there, averages to be inverted."""
    radius = np.array([1.8, 1.6])
    near = [neighbours([3.0, 3.0], [1, 1]), neighbours([3.0, 3.0], [0, 0])]
    own = np.stack([np.where(radius[k] >= R, f, 0.0) for k, f in enumerate((first, second))])
    x = np.linspace(0, 1, 200_001)
    average = own.copy()
    for i, j in ((0, 1), (1, 0)):
        for n in np.flatnonzero((R > 0.9) & (R < 2.7)):
            s = abs(3.0 - R[n]) + x * (3.0 + R[n] - abs(3.0 - R[n]))
            f = np.where(s <= radius[j], np.interp(s, R, (first, second)[j]), 0.0) * s
            average[i, n] += 2 * f.mean() * (s[-1] - s[0]) / (2 * R[n] * 3.0)
    return radius, average, near


def test_superposition_is_undone() -> None:
    first, second = -2.0 * np.exp(-R) - 0.3, -1.0 * np.exp(-0.5 * R) - 0.2
    radius, average, near = known_superposition(first, second)
    norman = np.array([1.85, 1.7])
    spheres = superposition(radius, norman, np.ones(2), near)
    potential, constant = muffin_tin_potential(spheres, R, average - 0.45)
    assert constant == pytest.approx(-0.45, abs=4e-3)
    for k, own in enumerate((first, second)):
        inside = (R > 0.3) & (0.97 * radius[k] > R)
        np.testing.assert_allclose(potential[k, inside], own[inside] - 0.45, atol=0.02)


def test_interstitial_density_keeps_every_electron() -> None:
    # Spheres that hold all their density leave nothing; a uniform gas stays uniform.
    near = [neighbours([3.0, 3.0], [1, 1]), neighbours([3.0, 3.0], [0, 0])]
    radius, norman = np.array([1.4, 1.3]), np.array([1.9, 1.8])
    spheres = superposition(radius, norman, np.ones(2), near)
    gas = np.full((2, len(R)), 0.02)
    electrons = 0.02 * 4 / 3 * np.pi * norman**3
    assert interstitial_density(spheres, R, gas, electrons) == pytest.approx(0.02, rel=1e-3)
    volume = 4 / 3 * np.pi * float((norman**3 - radius**3).sum())
    assert spheres.volume == pytest.approx(volume, rel=1e-12)
    overlapping = superposition(np.array([1.8, 1.6]), norman, np.ones(2), near)
    lens = float(ball_overlap(np.array(1.8), np.array(1.6), 3.0))
    volume = 4 / 3 * np.pi * float((norman**3 - np.array([1.8, 1.6]) ** 3).sum())
    assert overlapping.volume == pytest.approx(volume + 2 * lens, rel=1e-12)
