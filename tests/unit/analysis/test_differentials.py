"""Differentials of a linear decoder, whose traversals are straight lines, and the noise level against random errors."""

from __future__ import annotations

import numpy as np
import pytest

from engine.analysis.differentials import differentials_of, noise_level
from engine.analysis.traversal import traverse
from engine.errors import ConfigError

PHASE = np.linspace(0, 2 * np.pi, 200, endpoint=False)
SLOPES = np.stack([np.sin(PHASE), np.cos(PHASE), 0.01 * np.sin(PHASE)])
NAMES = ("OS", "CN", "free 1")


def test_of_a_linear_decoder() -> None:
    energy = 8980 + PHASE
    lines = {n: traverse(lambda z: 1 + z @ SLOPES, NAMES, n, -1.0, 2.0, energy, levels=5, samples=50) for n in NAMES}
    for name, slope in zip(NAMES, SLOPES, strict=True):
        steps = np.diff(lines[name].mu, axis=0)
        np.testing.assert_allclose(steps, np.tile(0.75 * slope, (4, 1)), atol=1e-12)
    found = differentials_of(lines, 0.1)
    assert found.axes == NAMES
    np.testing.assert_allclose(found.differential, 3 * SLOPES, atol=1e-12)
    np.testing.assert_allclose(found.overlap, [[1, 0, 1], [0, 1, 0], [1, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(found.amplitude, np.array([3, 3, 0.03]) / np.sqrt(2))
    assert (found.amplitude > found.noise_level).tolist() == [True, True, False]


def test_noise_level_is_the_amplitude_of_the_difference_of_two_random_errors() -> None:
    first, second = np.random.default_rng(0).normal(0, 0.05, size=(2, 400_000))
    assert noise_level(0.05) == pytest.approx(np.sqrt(np.mean((first - second) ** 2)), rel=0.01)


def test_without_a_traversal_there_is_nothing_to_hold_against_noise() -> None:
    with pytest.raises(ConfigError):
        differentials_of({}, 0.1)
