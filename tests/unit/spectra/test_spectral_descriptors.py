"""Spectral descriptors against curves whose features are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.spectra import SPECTRAL_DESCRIPTORS, SPECTRAL_UNITS, spectral_descriptors

ENERGY = np.linspace(8984.0, 9034.0, 256)
EDGE, WIDTH = 8995.0, 0.5


def step(energy: np.ndarray, at: float = EDGE) -> np.ndarray:
    return 0.5 + np.arctan((energy - at) / WIDTH) / np.pi


def gauss(energy: np.ndarray, at: float, height: float, sigma: float) -> np.ndarray:
    return height * np.exp(-0.5 * ((energy - at) / sigma) ** 2)


def a_spectrum(energy: np.ndarray, shift: float = 0.0) -> np.ndarray:
    energy = energy - shift
    return (
        gauss(energy, 8989.0, 0.1, 0.6)
        + step(energy)
        + gauss(energy, 8999.0, 0.4, 1.5)
        - gauss(energy, 9008.0, 0.2, 2.0)
        + gauss(energy, 9016.0, 0.15, 2.0)
    )


def one(mu: np.ndarray, energy: np.ndarray = ENERGY) -> dict[str, float]:
    return spectral_descriptors(energy, mu[None, :]).iloc[0].to_dict()


def dense(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 200_001)


def test_features_match_a_dense_evaluation_of_the_same_curve() -> None:
    found = one(a_spectrum(ENERGY))
    fine = dense(8997.0, 9001.0)
    main = a_spectrum(fine)
    assert found["E_main"] == pytest.approx(fine[main.argmax()], abs=0.01)
    assert found["I_main"] == pytest.approx(main.max(), abs=2e-4)
    rise = dense(8992.0, 8998.0)
    half = rise[np.argmax(a_spectrum(rise) >= main.max() / 2)]
    assert found["E_edge"] == pytest.approx(half, abs=0.02)
    fine = dense(8988.0, 8990.0)
    assert found["I_pre"] == pytest.approx(a_spectrum(fine).max(), abs=2e-4)
    fine = dense(9013.0, 9019.0)
    assert found["E_post"] == pytest.approx(fine[a_spectrum(fine).argmax()], abs=0.01)
    assert found["I_post"] == pytest.approx(a_spectrum(fine).max(), abs=2e-4)


def test_the_edge_of_an_arctan_is_where_its_inverse_puts_half_the_white_line() -> None:
    mu = step(ENERGY) * (1.0 - 0.02 * np.clip(ENERGY - 8999.0, 0, None) / 30.0)
    found = one(mu)
    assert found["E_edge"] == pytest.approx(EDGE + WIDTH * np.tan(np.pi * (found["I_main"] / 2 - 0.5)), abs=2e-3)


def test_pit_curvature_of_a_parabola_is_its_second_derivative() -> None:
    low = 0.8 + 0.5 * 0.03 * (ENERGY - 9008.0) ** 2
    mu = np.where(ENERGY < 9000.0, 1.76 * step(ENERGY, 8993.0), low)
    mu = np.where(ENERGY > 9014.0, 0.8 + 0.5 * 0.03 * 36.0 - 0.001 * (ENERGY - 9014.0), mu)
    assert one(mu)["C_pit"] == pytest.approx(0.03, rel=1e-6)


def test_peak_of_a_parabola_is_exact_between_grid_points_even_on_an_uneven_grid() -> None:
    energy = 9000.0 + np.cumsum(np.random.default_rng(0).uniform(0.1, 0.4, 100))
    top = 9012.3456
    mu = 2.0 - 0.01 * (energy - top) ** 2
    found = one(mu - mu.min(), energy)
    assert found["E_main"] == pytest.approx(top, abs=1e-6)
    assert found["I_main"] == pytest.approx(2.0 - mu.min(), abs=1e-9)


@pytest.mark.parametrize("points", [-40, 7, 23])
def test_a_moved_axis_moves_energies_and_nothing_else(points: int) -> None:
    mu = a_spectrum(ENERGY)
    shift = 0.37 * points
    still, moved = one(mu), one(mu, ENERGY + shift)
    for name in SPECTRAL_DESCRIPTORS:
        expected = still[name] + (shift if name.startswith("E_") else 0.0)
        assert moved[name] == pytest.approx(expected, abs=1e-6), name


def test_a_moved_spectrum_moves_its_edge_on_a_fixed_grid() -> None:
    still, moved = one(a_spectrum(ENERGY)), one(a_spectrum(ENERGY, 1.234))
    for name in ("E_edge", "E_main", "E_post"):
        assert moved[name] - still[name] == pytest.approx(1.234, abs=0.01)


def test_a_scaled_spectrum_scales_intensities_and_no_energy() -> None:
    plain, scaled = one(a_spectrum(ENERGY)), one(3.0 * a_spectrum(ENERGY))
    for name in SPECTRAL_DESCRIPTORS:
        factor = 1.0 if name.startswith("E_") else 3.0
        assert scaled[name] == pytest.approx(factor * plain[name], rel=1e-9), name


def test_absent_features_are_nan() -> None:
    found = one(step(ENERGY))
    assert found["E_edge"] == pytest.approx(EDGE, abs=0.1)
    assert all(np.isnan(found[name]) for name in SPECTRAL_DESCRIPTORS if name != "E_edge")
    falling = one(np.linspace(1.0, 0.5, 256))
    assert all(np.isnan(list(falling.values())))


def test_a_plateau_is_one_peak_and_repeated_first_values_are_none() -> None:
    mu = a_spectrum(ENERGY)
    mu[:10] = mu[10]
    assert one(mu)["I_pre"] == pytest.approx(one(a_spectrum(ENERGY))["I_pre"])
    flat_top = np.minimum(a_spectrum(ENERGY), 1.2)
    found = one(flat_top)
    assert found["I_main"] == pytest.approx(1.2, abs=0.01)
    assert 8997.0 < found["E_main"] < 9000.0


def test_rows_are_independent_and_an_empty_set_is_fine() -> None:
    rng = np.random.default_rng(1)
    mu = np.stack([a_spectrum(ENERGY, shift) for shift in rng.normal(0, 1, 6)] + [step(ENERGY)])
    together = spectral_descriptors(ENERGY, mu)
    alone = np.stack([spectral_descriptors(ENERGY, row[None]).to_numpy()[0] for row in mu])
    assert np.array_equal(together.to_numpy(), alone, equal_nan=True)
    assert spectral_descriptors(ENERGY, mu[:0]).shape == (0, 7)
    assert set(SPECTRAL_UNITS) == set(SPECTRAL_DESCRIPTORS)


@pytest.mark.parametrize("mu", [np.ones(256), np.ones((2, 255)), np.full((2, 256), np.nan)])
def test_wrong_shapes_and_values_are_data_errors(mu: np.ndarray) -> None:
    with pytest.raises(DataError):
        spectral_descriptors(ENERGY, mu)
