"""Faults put into sound spectra are counted, and sound ones are not."""

from __future__ import annotations

import numpy as np

from engine.analysis.validity import faults, latent_box, validity_of
from tests.synthetic import make_set

DATA = make_set(300, 60).mu.astype(float)


def test_data_has_no_fault_and_each_fault_is_told() -> None:
    good = make_set(100, 60, seed=9).mu.astype(float)
    assert not faults(good, DATA).any(axis=1).mean() > 0.02
    rng = np.random.default_rng(0)
    negative, spike, noisy, high = (good[:25].copy() for _ in range(4))
    negative[:, 0] = -0.1
    spike[:, 30] += 0.5
    noisy += 0.04 * rng.normal(size=noisy.shape)
    high += 2
    found = faults(np.concatenate([negative, spike, noisy, high]), DATA).reshape(4, 25, 4).mean(axis=1)
    assert found[0, 0] == 1
    assert found[1, 1] > 0.9
    assert found[2, 2] > 0.9
    assert found[3, 3] == 1
    assert found[3, :3].tolist() == [0, 0, 0]


def test_shares_are_those_of_the_rows() -> None:
    mixed = np.concatenate([DATA[:30], DATA[:10] - 5])
    result = validity_of(mixed, DATA)
    assert (result.n, result.negative, result.any_fault) == (40, 0.25, 0.25)


def test_points_fill_the_box_between_the_percentiles() -> None:
    percentiles = np.column_stack([np.linspace(-2, 2, 101), np.linspace(0, 1, 101)])
    points = latent_box(percentiles, 2000)
    assert points.shape == (2000, 2)
    np.testing.assert_allclose(points.min(axis=0), percentiles[5], atol=0.02)
    np.testing.assert_allclose(points.max(axis=0), percentiles[95], atol=0.02)
