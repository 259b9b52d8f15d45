"""Which sites of a set lie nearest to a point of the latent space."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.analysis.scores import FloatArray
from engine.errors import ConfigError


def nearest_rows(latent: FloatArray, point: FloatArray, count: int) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Rows of the ``count`` latent points (n, k) nearest to ``point`` (k,), and their distances, the nearest first.

    Distances are Euclidean, in the latent space's own units (standard deviations of its Gaussian prior). Equal
    distances keep the order of the rows; fewer than ``count`` rows are all given. ConfigError unless count is positive.
    """
    if count < 1:
        raise ConfigError(f"nearest sites: count is {count}; need 1 or more")
    distance = np.sqrt(((np.asarray(latent, dtype=np.float64) - point) ** 2).sum(axis=1))
    rows = np.argsort(distance, kind="stable")[:count]
    return rows, distance[rows]
