"""Regions of a map: which points lie in a drawn outline, and how crowded the map is around each of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.errors import ConfigError
from engine.spectra.spectra_set import FloatArray

CELLS = 256
SMOOTHED_CELLS = 2.0


def inside(xy: FloatArray, x: FloatArray, y: FloatArray) -> npt.NDArray[np.bool_]:
    """(n,) which points xy (n, 2) lie inside the polygon with corners x, y (c,), which closes itself.

    Even-odd rule: a ray to the left crosses the outline an odd number of times. Where the outline crosses itself, what
    it goes round twice is outside. Points are sorted by their height once, and each side looks only at those between
    its ends, so that the time follows the points and not their product with the corners. ConfigError for an outline
    with fewer than three corners, or with one that is no finite number.
    """
    corners = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    if len(corners) < 3 or not np.isfinite(corners).all():
        raise ConfigError(f"the outline has {len(corners)} corners; need at least 3, all of them finite")
    points = np.asarray(xy, dtype=np.float64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
    near = near[np.argsort(points[near, 1], kind="stable")]
    across, height = points[near, 0], points[near, 1]
    odd = np.zeros(near.size, dtype=np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        first, last = np.searchsorted(height, sorted((y0, y1)))
        between = slice(int(first), int(last))
        odd[between] ^= across[between] > x0 + (height[between] - y0) * ((x1 - x0) / (y1 - y0))
    mask = np.zeros(len(points), dtype=np.bool_)
    mask[near[odd]] = True
    return mask


def crowding(xy: FloatArray) -> FloatArray:
    """(n,) decimal logarithm of how many points of xy (n, 2) share the area of one of 256 × 256 cells around each.

    A histogram smoothed by a Gaussian of two cells, read off where each point lies.
    """
    from scipy.ndimage import gaussian_filter

    points = np.asarray(xy, dtype=np.float64)
    low, span = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-12)
    cell = np.minimum(((points - low) / span * CELLS).astype(np.intp), CELLS - 1)
    counts = np.bincount(cell[:, 0] * CELLS + cell[:, 1], minlength=CELLS**2).reshape(CELLS, CELLS).astype(np.float64)
    smooth = gaussian_filter(counts, SMOOTHED_CELLS, mode="constant")
    return np.asarray(np.log10(np.maximum(smooth[cell[:, 0], cell[:, 1]], 1e-12)), dtype=np.float64)
