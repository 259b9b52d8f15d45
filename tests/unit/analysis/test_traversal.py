"""Traversals of decoders whose answer is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from engine.analysis.baselines import fit_pca
from engine.analysis.traversal import cosine_overlap, traverse
from engine.errors import ConfigError
from engine.io.traversal_csv import write_traversal

ENERGY = np.linspace(8980.0, 9000.0, 12)
MATRIX = np.random.default_rng(0).normal(size=(3, 12))
NAMES = ("OS", "CN", "free 1")


def linear(z):
    return 2.0 + z @ MATRIX


@pytest.mark.parametrize("samples", [0, 500])
def test_linear_decoder_gives_straight_lines(samples: int) -> None:
    result = traverse(linear, NAMES, "CN", -1.5, 2.0, ENERGY, levels=8, samples=samples)
    np.testing.assert_allclose(result.differential, 3.5 * MATRIX[1], atol=1e-12)
    np.testing.assert_allclose(np.diff(result.mu, axis=0), np.tile(0.5 * MATRIX[1], (7, 1)), atol=1e-12)
    if samples == 0:
        np.testing.assert_allclose(result.mu, 2.0 + result.level[:, None] * MATRIX[1], atol=1e-12)
        assert (result.spread == 0).all()


def test_average_over_the_other_axes_of_a_quadratic_decoder() -> None:
    result = traverse(lambda z: z**2 @ np.ones((3, 12)), NAMES, "OS", 0.0, 3.0, ENERGY, levels=4, samples=40_000)
    np.testing.assert_allclose(result.mu[:, 0], np.linspace(0, 3, 4) ** 2 + 2, atol=0.05)
    np.testing.assert_allclose(result.spread[:, 0], 2.0, atol=0.05)


def test_same_draws_at_each_level_make_smooth_trends() -> None:
    result = traverse(lambda z: np.exp(z) @ np.abs(MATRIX), NAMES, "OS", -1, 1, ENERGY, levels=30, samples=50)
    assert (np.diff(result.mu, axis=0) > 0).all()


@pytest.mark.parametrize("bad", [{"axis": "MOOD"}, {"low": 1.0, "high": 1.0}, {"levels": 1}, {"samples": -1}])
def test_bad_requests(bad) -> None:
    values = {"axis": "CN", "low": -1.0, "high": 1.0, "levels": 5, "samples": 10, **bad}
    axis, low, high = values.pop("axis"), values.pop("low"), values.pop("high")
    with pytest.raises(ConfigError):
        traverse(linear, NAMES, axis, low, high, ENERGY, **values)


def test_cosine_overlap() -> None:
    overlap = cosine_overlap(np.array([[1.0, 0.0], [1.0, 1.0], [-2.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(np.diag(overlap), [1, 1, 1, 0])
    assert overlap[0, 1] == pytest.approx(np.sqrt(0.5))
    assert overlap[0, 2] == pytest.approx(-1)


def test_csv_holds_the_traversal(tmp_path) -> None:
    import pandas as pd

    result = traverse(linear, NAMES, "CN", -1, 1, ENERGY, levels=3, samples=0)
    write_traversal(result, tmp_path / "cn.csv", "run x")
    table = pd.read_csv(tmp_path / "cn.csv", comment="#")
    np.testing.assert_allclose(table["energy_ev"], ENERGY, atol=1e-6)
    np.testing.assert_allclose(table["differential"], result.differential, rtol=1e-5)
    assert table.shape == (12, 5)


def test_pca_model_is_exact_in_its_own_plane_and_standardised() -> None:
    rng = np.random.default_rng(5)
    mu = 1 + rng.normal(size=(200, 2)) @ rng.normal(size=(2, 12))
    model = fit_pca(ENERGY, mu, 2)
    z = model.encode(mu)
    np.testing.assert_allclose(model.decode(z), mu, atol=1e-10)
    np.testing.assert_allclose(z.std(axis=0, ddof=1), 1, atol=1e-10)
    assert model.latent_percentiles.shape == (101, 2)
