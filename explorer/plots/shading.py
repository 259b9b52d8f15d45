"""Many points as one picture: what lies in each of its cells, in the mean colour, the more solid the more there are.

Adds up with NumPy what datashader would: its result for these pictures without the 15 s that its compilation takes
before the first one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.analysis.scores import FloatArray
from explorer.plots.colouring import Colouring
from explorer.plots.style import UNKNOWN

CELL = 2
"""Width and height of a cell in pixels: a single site must be seen."""
LEAST_SOLID = 0.45


def _rgb(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def chosen_above(
    picture: npt.NDArray[np.uint32], chosen: npt.NDArray[np.uint32], faded: float
) -> npt.NDArray[np.uint32]:
    """A picture made faint, down to the share ``faded``, with one of chosen sites solid above it."""
    below = picture.view(np.uint8).reshape(*picture.shape, 4).copy()
    below[..., 3] = np.round(faded * below[..., 3])
    above = chosen.view(np.uint8).reshape(below.shape)
    below[above[..., 3] > 0] = above[above[..., 3] > 0]
    return below.view(np.uint32).reshape(picture.shape)


def shade(
    xy: FloatArray,
    colouring: Colouring,
    rows: npt.NDArray[np.bool_],
    x_ends: tuple[float, float],
    y_ends: tuple[float, float],
    size: tuple[int, int],
) -> npt.NDArray[np.uint32]:
    """A picture (height, width) of RGBA for the sites ``rows`` (n,) at xy (n, 2) between the ends of both axes.

    ``size`` is width and height of the figure's frame in pixels; a cell is two of them wide. A class gives its colour,
    a number goes through the scale as the cell's mean; sites that are not known count where no other is.
    """
    width, height = (max(1, pixels // CELL) for pixels in size)
    x, y = xy[rows].T
    column = np.floor((x - x_ends[0]) / (x_ends[1] - x_ends[0]) * width)
    row = np.floor((y - y_ends[0]) / (y_ends[1] - y_ends[0]) * height)
    there = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    cell = (row[there] * width + column[there]).astype(np.intp)
    values = colouring.values[rows][there]
    known = ~np.isnan(values)
    count, of_known = (np.bincount(part, minlength=width * height) for part in (cell, cell[known]))
    palette = np.array([_rgb(color) for color in colouring.palette], dtype=np.float64)
    shown = np.maximum(of_known, 1)
    if colouring.classes:
        code = values[known].astype(np.intp)
        sums = [np.bincount(cell[known], palette[code, i], minlength=width * height) for i in range(3)]
        color = np.stack(sums, axis=1) / shown[:, None]
    else:
        mean = np.bincount(cell[known], values[known], minlength=width * height) / shown
        share = np.clip((mean - colouring.low) / max(colouring.high - colouring.low, 1e-12), 0, 1)
        color = palette[np.round(share * (len(palette) - 1)).astype(np.intp)]
    color[of_known == 0] = _rgb(UNKNOWN)
    solid = np.log1p(count) / np.log1p(max(int(count.max()), 1))
    alpha = np.where(count > 0, LEAST_SOLID + (1 - LEAST_SOLID) * solid, 0.0)
    picture = np.concatenate([color, 255 * alpha[:, None]], axis=1).round().astype(np.uint8)
    return picture.reshape(height, width, 4).view(np.uint32).reshape(height, width)
