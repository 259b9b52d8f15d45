"""Spherical Bessel and Hankel functions and real harmonics against scipy, closed forms and identities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import spherical_jn

from engine.simulation.bessel import derivative, spherical_bessel, spherical_hankel
from engine.simulation.gaunt import degree, gaunt_coefficients, real_harmonics


def arguments() -> np.ndarray:
    random = np.random.default_rng(1)
    plane = 10 * random.random(100) + 6j * random.random(100)
    return np.concatenate([plane, [1e-5, 0.0999, 0.1001, np.pi, 4.4934094579, 50 + 1j, 1e-3j, 7j]])


def test_regular_functions_at_complex_argument() -> None:
    z = arguments()
    expected = np.array([spherical_jn(ell, z) for ell in range(7)])
    error = np.abs(spherical_bessel(6, z) - expected)
    assert (error <= 1e-11 * np.abs(expected) + 1e-15).all()


def test_regular_functions_at_zero() -> None:
    assert spherical_bessel(3, [0.0])[:, 0] == pytest.approx([1, 0, 0, 0])


def test_wronskian_of_regular_and_outgoing_functions() -> None:
    z = arguments()
    j, h = spherical_bessel(7, z), spherical_hankel(7, z)
    wronskian = (j[:-1] * derivative(h, z) - derivative(j, z) * h[:-1]) * z**2
    assert np.abs(wronskian - 1j).max() < 1e-10


def test_outgoing_function_in_closed_form() -> None:
    z = arguments()
    assert spherical_hankel(0, z)[0] == pytest.approx(-1j * np.exp(1j * z) / z)
    expected = np.exp(1j * z) * (1j / z - 3 / z**2 - 3j / z**3)
    assert spherical_hankel(2, z)[2] == pytest.approx(expected)


def directions() -> np.ndarray:
    vectors = np.random.default_rng(2).normal(size=(20, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_harmonics_are_named_and_complete() -> None:
    direction = directions()
    y = real_harmonics(4, direction)
    assert y[:, 1:4] == pytest.approx(np.sqrt(3 / (4 * np.pi)) * direction[:, [1, 2, 0]])
    cosine = direction @ direction.T
    for ell in range(5):
        part = y[:, degree(4) == ell]
        legendre = np.polynomial.legendre.legval(cosine, np.eye(5)[ell])
        assert part @ part.T == pytest.approx((2 * ell + 1) / (4 * np.pi) * legendre)


def test_gaunt_coefficients_are_normalised_and_expand_products() -> None:
    coefficients = gaunt_coefficients(3)
    assert coefficients[:, :, 0] == pytest.approx(np.eye(16) / np.sqrt(4 * np.pi), abs=1e-14)
    y = real_harmonics(6, directions())
    product = y[:, :16, None] * y[:, None, :16]
    assert np.einsum("abc,qc->qab", coefficients, y) == pytest.approx(product, abs=1e-13)
    ell, third = degree(3), degree(6)
    odd = (ell[:, None, None] + ell[:, None] + third) % 2 == 1
    assert not coefficients[odd].any()
