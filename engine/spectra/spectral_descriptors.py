"""Numbers that a spectroscopist reads off a XANES curve: edge, pre-edge, white line, pit and post-edge peak.

Their names follow appendix A.5 of Liang et al., Phys. Rev. Materials 7, 053802 (2023). The paper gives the features;
the exact rules below are this program's own reading of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.errors import DataError
from engine.spectra.spectra_set import FloatArray

SPECTRAL_DESCRIPTORS = ("E_edge", "I_pre", "E_main", "I_main", "C_pit", "E_post", "I_post")
SPECTRAL_UNITS = {
    "E_edge": "eV", "I_pre": "", "E_main": "eV", "I_main": "", "C_pit": "1/eV^2", "E_post": "eV", "I_post": "",
}  # fmt: skip
PIT_HALF_WIDTH_EV = 1.0

IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]


def spectral_descriptors(energy_ev: FloatArray, mu: FloatArray) -> pd.DataFrame:
    """Seven descriptors of spectra mu (n, m) on rising energies (m,) in eV, as an (n, 7) float64 DataFrame.

    A peak is a point above its left neighbour and not below its right one, never the first or last point; its energy
    and height are those of the parabola through the three points. A feature that is absent is NaN.

    E_main  eV      the highest peak (white line)
    I_main  mu      its height
    E_edge  eV      half height: the last energy below E_main at which mu rises through I_main / 2 (through half the
                    greatest mu where there is no peak), linear between points; NaN where mu starts above that. On
                    calculated Cu spectra it is steadier than the steepest point, which jumps between shoulder and edge
    I_pre   mu      height of the highest peak below the unbroken rise through E_edge (pre-edge peak), without
                    subtracting a background
    C_pit   mu/eV^2 second derivative at the first minimum above E_main (the pit), from the least-squares parabola over
                    the points within 1 eV of it (at least three points)
    E_post  eV      the highest peak above the pit
    I_post  mu      its height

    Moving a spectrum by x eV moves every E by x and nothing else; scaling mu scales I and C. Raises DataError for
    shapes that do not fit, fewer than five points, or values that are not finite.
    """
    energy, values = np.asarray(energy_ev, dtype=np.float64), np.asarray(mu, dtype=np.float64)
    if energy.ndim != 1 or values.ndim != 2 or values.shape[1] != energy.size or energy.size < 5:
        raise DataError(f"mu has shape {values.shape} and energies {energy.shape}; need (n, m) and (m,), m at least 5")
    if not (np.isfinite(values).all() and np.isfinite(energy).all() and (np.diff(energy) > 0).all()):
        raise DataError("mu and energies must be finite and energies must rise strictly")
    n, m = values.shape
    column = np.arange(m)
    peak = _peaks(values)
    main = _highest(values, peak)
    found = {name: np.full(n, np.nan) for name in SPECTRAL_DESCRIPTORS}
    found["E_main"], found["I_main"] = _vertex(energy, values, main)

    found["E_edge"], rise_start = _half_height(energy, values, main)
    before = peak & (column < rise_start[:, None])
    _, found["I_pre"] = _vertex(energy, values, _highest(values, before))

    above_main = (column > main[:, None]) & (main >= 0)[:, None]
    minimum = _peaks(-values) & above_main
    pit = np.where(minimum.any(axis=1), minimum.argmax(axis=1), -1)
    half = max(1, round(PIT_HALF_WIDTH_EV / float(np.median(np.diff(energy)))))
    found["C_pit"] = _curvature(energy, values, pit, min(half, (m - 1) // 2))

    after_pit = peak & (column > pit[:, None]) & (pit >= 0)[:, None]
    found["E_post"], found["I_post"] = _vertex(energy, values, _highest(values, after_pit))
    return pd.DataFrame(found, columns=list(SPECTRAL_DESCRIPTORS))


def _peaks(values: FloatArray) -> BoolArray:
    """(n, m) whether a point is an interior local maximum; on a plateau with a fall behind it, its left end."""
    peak = np.zeros(values.shape, dtype=np.bool_)
    step = np.sign(np.diff(values, axis=1))
    # On a plateau the next step that is not zero decides: fill zeros from the right.
    for index in range(step.shape[1] - 2, -1, -1):
        flat = step[:, index] == 0
        step[flat, index] = np.where(step[flat, index + 1] < 0, -0.5, 0.5 * np.sign(step[flat, index + 1]))
    peak[:, 1:-1] = (step[:, :-1] == 1) & (step[:, 1:] < 0)
    return peak


def _highest(values: FloatArray, allowed: BoolArray) -> IntArray:
    """(n,) index of the greatest allowed point, -1 where none is allowed."""
    best = np.where(allowed, values, -np.inf).argmax(axis=1)
    return np.where(allowed.any(axis=1), best, -1).astype(np.intp)


def _half_height(energy: FloatArray, values: FloatArray, main: IntArray) -> tuple[FloatArray, IntArray]:
    """Energy (n,) of the last rise through half height and the index where that rise begins; NaN and -1 without one."""
    m = energy.size
    column = np.arange(m)
    top = np.where(main >= 0, main, values.argmax(axis=1))
    half = 0.5 * np.take_along_axis(values, top[:, None], axis=1)
    crossing = (values[:, :-1] < half) & (values[:, 1:] >= half) & (column[:-1] < top[:, None])
    crosses = crossing.any(axis=1)
    at = (m - 2) - crossing[:, ::-1].argmax(axis=1)
    at = np.where(crosses, at, 0)
    low, high = (np.take_along_axis(values, (at + side)[:, None], axis=1) for side in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = ((half - low) / (high - low))[:, 0]
    edge = np.where(crosses, energy[at] + share * (energy[at + 1] - energy[at]), np.nan)
    before = (np.diff(values, axis=1) <= 0) & (column[:-1] < at[:, None])
    start = np.where(before.any(axis=1), (m - 2) - before[:, ::-1].argmax(axis=1) + 1, 0)
    return edge, np.where(crosses, start, -1).astype(np.intp)


def _parabola(energy: FloatArray, values: FloatArray, at: IntArray, half: int) -> tuple[FloatArray, FloatArray]:
    """Least-squares parabolas over 2*half+1 points around ``at`` (n,): centres (n,), coefficients (n, 3) in E - centre.

    Windows are moved inwards at the ends of the grid; coefficients are NaN where ``at`` is negative.
    """
    width = 2 * half + 1
    first = np.clip(at - half, 0, energy.size - width)
    window = first[:, None] + np.arange(width)
    centre = energy[np.clip(at, 0, None)]
    x = energy[window] - centre[:, None]
    y = np.take_along_axis(values, window, axis=1)
    scale = np.abs(x).max(axis=1, keepdims=True)
    design = np.stack([np.ones_like(x), x / scale, (x / scale) ** 2], axis=2)
    normal = design.transpose(0, 2, 1) @ design
    solved = np.linalg.solve(normal, design.transpose(0, 2, 1) @ y[:, :, None])[:, :, 0]
    solved[:, 1] /= scale[:, 0]
    solved[:, 2] /= scale[:, 0] ** 2
    solved[at < 0] = np.nan
    return centre, solved


def _vertex(energy: FloatArray, values: FloatArray, at: IntArray) -> tuple[FloatArray, FloatArray]:
    """Energy and height (n,) at the vertex of the parabola through each point and its two neighbours."""
    centre, solved = _parabola(energy, values, at, 1)
    constant, linear, square = solved.T
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = np.where(square != 0, -linear / (2.0 * square), 0.0)
    offset = np.where(at < 0, np.nan, offset)
    left = energy[np.clip(at - 1, 0, None)] - centre
    right = energy[np.clip(at + 1, None, energy.size - 1)] - centre
    offset = np.clip(offset, left, right)
    return centre + offset, constant + linear * offset + square * offset**2


def _curvature(energy: FloatArray, values: FloatArray, at: IntArray, half: int) -> FloatArray:
    """Second derivative (n,) of the least-squares parabola around each point."""
    return np.asarray(2.0 * _parabola(energy, values, at, half)[1][:, 2])
