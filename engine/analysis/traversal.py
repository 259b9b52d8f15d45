"""What moving along one latent axis does to the spectrum (Liang et al. 2023, appendix A.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.analysis.scores import FloatArray
from engine.errors import ConfigError

Decode = Callable[[FloatArray], FloatArray]
LEVELS = 50
SAMPLES = 10_000
CHUNK = 20_000


@dataclass(frozen=True, eq=False)
class Traversal:
    """Decoded spectra along one axis.

    axis       name of the axis · level (t,) latent values, rising · energy_ev (m,)
    mu         (t, m) mean decoded spectrum at each level
    spread     (t, m) standard deviation over the draws of the other axes; 0 when these are held at zero
    """

    axis: str
    level: FloatArray
    energy_ev: FloatArray
    mu: FloatArray
    spread: FloatArray

    @property
    def differential(self) -> FloatArray:
        """Highest minus lowest level's spectrum, (m,)."""
        difference: FloatArray = self.mu[-1] - self.mu[0]
        return difference


def traverse(
    decode: Decode,
    axis_names: tuple[str, ...],
    axis: str,
    low: float,
    high: float,
    energy_ev: FloatArray,
    *,
    levels: int = LEVELS,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Traversal:
    """The traversal of ``axis`` from ``low`` to ``high`` (its 5th and 95th test percentile in the paper).

    At every level the mean of the decoded spectra over ``samples`` Gaussian draws of the other axes, the same draws at
    each level; ``samples=0`` holds the other axes at zero. ``decode`` maps (n, k) to (n, m). Raises ConfigError for an
    unknown axis or an empty range.
    """
    if axis not in axis_names:
        raise ConfigError(f"axis '{axis}' is not in the model; it has: {', '.join(axis_names)}")
    if levels < 2 or samples < 0 or not low < high:
        raise ConfigError(
            f"traversal needs levels >= 2, samples >= 0, low < high; got {levels}, {samples}, {low}, {high}"
        )
    column, k = axis_names.index(axis), len(axis_names)
    level = np.linspace(low, high, levels)
    draws = np.random.default_rng(seed).standard_normal((samples, k)) if samples else np.zeros((1, k))
    mu, spread = np.empty((levels, energy_ev.size)), np.empty((levels, energy_ev.size))
    for i, value in enumerate(level):
        total = np.zeros(energy_ev.size)
        squares = np.zeros(energy_ev.size)
        for start in range(0, len(draws), CHUNK):
            z = draws[start : start + CHUNK].copy()
            z[:, column] = value
            decoded = np.asarray(decode(z), dtype=np.float64)
            total += decoded.sum(axis=0)
            squares += (decoded**2).sum(axis=0)
        mu[i] = total / len(draws)
        spread[i] = np.sqrt(np.maximum(squares / len(draws) - mu[i] ** 2, 0)) if samples else 0.0
    return Traversal(axis, level, energy_ev, mu, spread)


def cosine_overlap(differentials: FloatArray) -> FloatArray:
    """Cosine of the angle between differential spectra (a, m), as a matrix (a, a); 0 where one vanishes."""
    length = np.linalg.norm(differentials, axis=1, keepdims=True)
    unit = np.divide(differentials, length, out=np.zeros_like(differentials), where=length > 0)
    overlap: FloatArray = unit @ unit.T
    return overlap
