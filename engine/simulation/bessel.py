"""Spherical Bessel and Hankel functions at complex argument.

Recurrences of Abramowitz & Stegun, chapter 10: j_l falls with l and is stable downward, h_l grows and is stable upward.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ComplexArray = npt.NDArray[np.complex128]

_HUGE = 1e100


def spherical_bessel(lmax: int, z: npt.ArrayLike) -> ComplexArray:
    """Regular functions j_l(z) for l = 0 ... lmax: (lmax + 1, ...) for complex ``z`` (...), any z with |Im z| < 700.

    Miller's downward recurrence from far above the turning point, renormalised on the way and by j_0 or j_1 at its end,
    whichever is larger.
    """
    z = np.asarray(z, dtype=np.complex128)
    small = np.abs(z) < 1e-8
    safe = np.where(small, 1.0, z)
    j0 = np.sin(safe) / safe
    j1 = (j0 - np.cos(safe)) / safe
    near = np.abs(safe) < 0.1  # the closed form of j_1 cancels
    j1 = np.where(near, safe / 3 * (1 - safe**2 / 10 * (1 - safe**2 / 28 * (1 - safe**2 / 54))), j1)
    out = np.zeros((lmax + 2, *z.shape), dtype=np.complex128)
    above, here = np.zeros_like(safe), np.full_like(safe, 1e-100)
    start = lmax + 20 + int(1.5 * np.max(np.abs(safe), initial=0.0))
    inverse = 1 / safe
    for ell in range(start, -1, -1):
        above, here = here, (2 * ell + 3) * inverse * here - above
        if ell <= lmax + 1:
            out[ell] = here
        large = np.abs(here) > _HUGE
        if large.any():
            scale = np.where(large, 1 / _HUGE, 1.0)
            above, here = above * scale, here * scale
            out *= scale
    by_first = np.abs(out[0]) >= np.abs(out[1])
    factor = np.where(by_first, j0, j1) / np.where(by_first, out[0], out[1])
    out = np.asarray(out[: lmax + 1] * factor)
    if small.any():
        out[:, small] = 0.0
        out[0, small] = 1.0
    return out


def spherical_hankel(lmax: int, z: npt.ArrayLike) -> ComplexArray:
    """Outgoing functions h_l = j_l + i n_l for l = 0 ... lmax: (lmax + 1, ...) for complex ``z`` (...), z not zero."""
    z = np.asarray(z, dtype=np.complex128)
    inverse = 1 / z
    out = np.empty((lmax + 1, *z.shape), dtype=np.complex128)
    out[0] = -1j * np.exp(1j * z) * inverse
    if lmax > 0:
        out[1] = (inverse - 1j) * out[0]
    for ell in range(1, lmax):
        out[ell + 1] = (2 * ell + 1) * inverse * out[ell] - out[ell - 1]
    return out


def derivative(functions: ComplexArray, z: npt.ArrayLike) -> ComplexArray:
    """d f_l / dz for l = 0 ... L - 1 from f_l (L + 1, ...) at ``z`` (...): one order fewer than was given."""
    order = np.arange(functions.shape[0] - 1).reshape(-1, *([1] * (functions.ndim - 1)))
    return np.asarray(order / np.asarray(z) * functions[:-1] - functions[1:])
