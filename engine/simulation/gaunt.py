"""Real spherical harmonics, indexed l^2 + l + m, and the integrals of three of them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def real_harmonics(lmax: int, direction: FloatArray) -> FloatArray:
    """Orthonormal real spherical harmonics Y_L of unit vectors ``direction`` (..., 3): (..., (lmax + 1)^2).

    Index l^2 + l + m; m > 0 goes with cos(m phi), m < 0 with sin(|m| phi), without the Condon-Shortley sign, so that
    l = 1 is y, z, x. Associated Legendre functions by upward recurrence in l, their factor sin^m taken into x and y.
    """
    x, y, z = np.moveaxis(np.asarray(direction, dtype=np.float64), -1, 0)
    out = np.empty((*z.shape, (lmax + 1) ** 2))
    cosine, sine = np.ones_like(z), np.zeros_like(z)  # sin^m(theta) cos(m phi), ... sin(m phi)
    start = np.sqrt(1 / (4 * np.pi))
    for m in range(lmax + 1):
        if m > 0:
            cosine, sine = x * cosine - y * sine, x * sine + y * cosine
            start *= np.sqrt((2 * m + 1) / (2 * m))
        factor = 1.0 if m == 0 else np.sqrt(2.0)
        below, here = np.zeros_like(z), np.full_like(z, start)
        for ell in range(m, lmax + 1):
            if ell > m:
                a = np.sqrt((4 * ell**2 - 1) / (ell**2 - m**2))
                b = np.sqrt(((ell - 1) ** 2 - m**2) / (4 * (ell - 1) ** 2 - 1))
                below, here = here, a * (z * here - b * below)
            out[..., ell * ell + ell + m] = factor * here * cosine
            if m > 0:
                out[..., ell * ell + ell - m] = factor * here * sine
    return out


@lru_cache(maxsize=8)
def gaunt_coefficients(lmax: int) -> FloatArray:
    """Integrals C of Y_L Y_L' Y_L'' over the sphere, exact by quadrature, read-only.

    (n, n, (2 lmax + 1)^2) with n = (lmax + 1)^2: L and L' up to lmax, L'' up to 2 lmax, beyond which all vanish.
    Gauss-Legendre in cos(theta), evenly in phi.
    """
    n = (lmax + 1) ** 2
    z, weight = np.polynomial.legendre.leggauss(2 * lmax + 1)
    phi = 2 * np.pi * np.arange(4 * lmax + 1) / (4 * lmax + 1)
    sine = np.sqrt(1 - z**2)[:, None]
    direction = np.stack(np.broadcast_arrays(sine * np.cos(phi), sine * np.sin(phi), z[:, None]), axis=-1)
    y = real_harmonics(2 * lmax, direction.reshape(-1, 3))
    weights = np.repeat(weight, len(phi)) * 2 * np.pi / len(phi)
    products = np.einsum("qa,qb,q->qab", y[:, :n], y[:, :n], weights).reshape(len(y), -1)
    coefficients = np.asarray((products.T @ y).reshape(n, n, -1))
    coefficients[np.abs(coefficients) < 1e-13] = 0.0
    coefficients.flags.writeable = False
    return coefficients


def degree(lmax: int) -> npt.NDArray[np.int64]:
    """The l of each index L: ((lmax + 1)^2,)."""
    return np.repeat(np.arange(lmax + 1), 2 * np.arange(lmax + 1) + 1)
