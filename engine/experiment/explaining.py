"""What a model leaves of a measured spectrum, and which latent axis would have to move to explain it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from engine.errors import DataError
from engine.experiment.measured import FloatArray

LEVELS = 161


@dataclass(frozen=True, eq=False)
class Moves:
    """One spectrum against its decoded reconstruction, axis by axis.

    residual    (m,) measured minus decoded at the encoded point · rms of it
    now, best   (k,) where the spectrum is encoded, and where on each axis alone the residual is least
    explained   (k,) share of the residual's sum of squares that the move of this axis alone takes away, 0 to 1
    together    (k,) where all axes, moved together, leave least · explained_together  the share that this takes away
    """

    residual: FloatArray
    rms: float
    now: FloatArray
    best: FloatArray
    explained: FloatArray
    together: FloatArray
    explained_together: float


def explain(
    decode: Callable[[FloatArray], FloatArray], latent: FloatArray, mu: FloatArray, low: FloatArray, high: FloatArray
) -> Moves:
    """How far each axis would have to move, within ``low`` to ``high`` (k,), to explain what is left of ``mu`` (m,).

    ``decode`` takes latent points (n, k) to spectra (n, m), ``latent`` (k,) is where the spectrum was encoded. Single
    axes are tried on 161 levels and refined by the parabola through the best three; all axes together by least squares
    from the encoded point. An axis that explains much was encoded wrongly or stands for something like it; what none
    explains lies outside what the model can draw.
    """
    k = latent.size
    if low.shape != (k,) or high.shape != (k,) or not (low < high).all():
        raise DataError(f"limits of {low.size} and {high.size} axes for a point of {k}; need low < high for each")
    now = np.asarray(latent, np.float64)
    residual = np.asarray(mu - decode(now[None])[0], np.float64)
    whole = float((residual**2).sum())
    levels = np.linspace(np.minimum(low, now), np.maximum(high, now), LEVELS)
    points = np.repeat(now[None], k * LEVELS, axis=0).reshape(k, LEVELS, k)
    points[np.arange(k), :, np.arange(k)] = levels.T
    left = ((decode(points.reshape(-1, k)) - mu) ** 2).sum(axis=1, dtype=np.float64).reshape(k, LEVELS)
    best = np.array([_least(levels[:, axis], left[axis]) for axis in range(k)])
    moved = now + np.diag(best - now)
    reached = ((decode(moved) - mu) ** 2).sum(axis=1, dtype=np.float64)
    best = np.where(reached < whole, best, now)
    inside = np.clip(now, low + 1e-6, high - 1e-6)

    def left_at(z: FloatArray) -> FloatArray:
        return np.asarray(decode(z[None])[0] - mu, np.float64)

    # Decoders work in single precision, so that steps must be well above its rounding.
    fit = least_squares(left_at, inside, bounds=(low, high), diff_step=np.full(k, 1e-3))
    after = float(2.0 * fit.cost)
    together = fit.x if after < whole else now
    return Moves(
        residual=residual,
        rms=float(np.sqrt(np.mean(residual**2))),
        now=now,
        best=best,
        explained=np.clip(1.0 - reached / whole, 0.0, 1.0),
        together=together,
        explained_together=max(0.0, 1.0 - after / whole),
    )


def _least(levels: FloatArray, left: FloatArray) -> float:
    """Where a curve (t,) on even levels (t,) is least, by the parabola through its lowest point and its neighbours."""
    at = int(left.argmin())
    if at in (0, left.size - 1):
        return float(levels[at])
    before, here, behind = left[at - 1 : at + 2]
    bend = before - 2 * here + behind
    shift = 0.5 * (before - behind) / bend if bend > 0 else 0.0
    return float(levels[at] + shift * (levels[1] - levels[0]))
