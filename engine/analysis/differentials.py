"""What the axes of one member do to the spectrum, held against each other and against its errors.

k axes, m energies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.analysis.comparison import amplitude
from engine.analysis.scores import FloatArray
from engine.analysis.traversal import Traversal, cosine_overlap
from engine.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Differentials:
    """Highest minus lowest level along every axis of a member.

    axes          (k,) names, in the order of the axes · energy_ev (m,)
    differential  (k, m) in units of mu · overlap (k, k) cosine of the angle between two of them
    amplitude     (k,) root mean square over the energies · noise_level  what amplitudes are held against
    """

    axes: tuple[str, ...]
    energy_ev: FloatArray
    differential: FloatArray
    overlap: FloatArray
    amplitude: FloatArray
    noise_level: float


def noise_level(reconstruction_rmse: float) -> float:
    """Amplitude of the difference of two decoded spectra that differ by nothing but errors of the model, in mu.

    ``reconstruction_rmse`` is the root mean square error of decoded test spectra. Two independent errors of that size
    differ by √2 times as much (propagation of independent errors). Liang et al. 2023 read a free axis by eye, from its
    traversal and differential (Fig. 6c, Fig. S10); the number is this program's.
    """
    return float(np.sqrt(2.0) * reconstruction_rmse)


def differentials_of(traversals: Mapping[str, Traversal], reconstruction_rmse: float) -> Differentials:
    """The differentials of traversals by axis name, all on one energy grid; ConfigError without any."""
    if not traversals:
        raise ConfigError("differentials need at least one traversal")
    rows = np.stack([traversal.differential for traversal in traversals.values()])
    return Differentials(
        axes=tuple(traversals),
        energy_ev=next(iter(traversals.values())).energy_ev,
        differential=rows,
        overlap=cosine_overlap(rows),
        amplitude=np.array([amplitude(row) for row in rows]),
        noise_level=noise_level(reconstruction_rmse),
    )
