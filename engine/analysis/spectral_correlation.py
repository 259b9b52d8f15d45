"""Which feature of the spectrum each latent axis moves: rank correlation of axes with spectral descriptors."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from engine.analysis.scores import FloatArray, rank_correlation
from engine.spectra import spectral_descriptors


def spectral_correlation(
    axis_names: Sequence[str], z: FloatArray, energy_ev: FloatArray, mu: FloatArray
) -> pd.DataFrame:
    """Spearman correlation (signed) of latent axes (n, k) with the spectral descriptors of spectra (n, m), as (k, 7).

    ``mu`` may be data or decoded spectra; energies (m,) in eV. A feature that fewer than three spectra have is NaN.
    Source: Liang et al., Phys. Rev. Materials 7, 053802 (2023), appendix A.5.
    """
    features = spectral_descriptors(energy_ev, mu)
    table = {
        feature: [rank_correlation(z[:, i], features[feature].to_numpy()) for i in range(len(axis_names))]
        for feature in features.columns
    }
    return pd.DataFrame(table, index=list(axis_names))
