"""Whether decoded spectra could be spectra: negative absorption, spikes and noise, held against data.

Liang et al., Phys. Rev. Materials 7, 053802 (2023), Fig. S1, show decoded spectra over the latent space of a plain
autoencoder and of a RankAAE. n spectra, m energies, k axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.analysis.scores import FloatArray

DRAWS = 5000
EXTREME = 99.9
ROOM = 1.2
FAR_BELOW = 0.02
QUIET = 0.003


@dataclass(frozen=True)
class Validity:
    """Shares of n decoded spectra with each kind of fault, and with any.

    negative  mu lower by more than 0.02 than it ever is in the data, where that is below 0
    spike     a bend sharper than those of the data, by a fifth: largest |second difference| of a spectrum
    noise     more roughness, by white noise of 0.003, as good measurements have: rms third difference / √20
    beyond    mu higher or lower than ever in the data at its energy, by more than a fifth of the range there and 0.02

    Sharp and rough are what 99.9 % of the data are not.
    """

    n: int
    negative: float
    spike: float
    noise: float
    beyond: float
    any_fault: float


def faults(decoded: FloatArray, data: FloatArray) -> npt.NDArray[np.bool_]:
    """(n, 4) whether each decoded spectrum is negative, has a spike, is noisy, leaves the range; as in ``Validity``."""
    decoded, data = np.asarray(decoded, dtype=np.float64), np.asarray(data, dtype=np.float64)
    low, high = data.min(axis=0), data.max(axis=0)
    room = (ROOM - 1) * (high - low) + FAR_BELOW
    return np.column_stack(
        [
            decoded.min(axis=1) < min(0.0, float(low.min())) - FAR_BELOW,
            _bend(decoded) > ROOM * np.percentile(_bend(data), EXTREME),
            _roughness(decoded) > np.percentile(_roughness(data), EXTREME) + QUIET,
            ((decoded > high + room) | (decoded < low - room)).any(axis=1),
        ]
    )


def validity_of(decoded: FloatArray, data: FloatArray) -> Validity:
    """Shares of decoded spectra (n, m) with each fault, by what data (N, m) on the same grid never show."""
    found = faults(decoded, data)
    negative, spike, noise, beyond = (float(share) for share in found.mean(axis=0))
    return Validity(len(decoded), negative, spike, noise, beyond, float(found.any(axis=1).mean()))


def latent_box(percentiles: FloatArray, draws: int = DRAWS, seed: int = 0) -> FloatArray:
    """Points (draws, k) spread evenly over the box between the 5th and 95th percentile of every axis.

    percentiles (101, k) are those of a trained member. The same box for any model, whatever its latent looks like.
    """
    low, high = percentiles[5], percentiles[95]
    points: FloatArray = low + (high - low) * np.random.default_rng(seed).random((draws, percentiles.shape[1]))
    return points


def _bend(mu: FloatArray) -> FloatArray:
    largest: FloatArray = np.abs(np.diff(mu, 2, axis=1)).max(axis=1)
    return largest


def _roughness(mu: FloatArray) -> FloatArray:
    sigma: FloatArray = np.sqrt(np.square(np.diff(mu, 3, axis=1)).mean(axis=1) / 20)
    return sigma
