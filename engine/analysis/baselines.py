"""What simpler methods reach on the same split: PCA for reconstruction, ExtraTrees on the spectra as a ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from engine.analysis.scores import (
    DescriptorScore,
    FloatArray,
    classification_score,
    rank_correlation,
)

TREES = 200


@dataclass(frozen=True, eq=False)
class PcaModel:
    """Principal components behind the interface of a trained member: encode (n, m) -> (n, k), decode (n, k) -> (n, m).

    Latent axes are scaled to unit variance on the training spectra and named "PC 1" … "PC k".
    """

    axis_names: tuple[str, ...]
    energy_ev: FloatArray
    latent_percentiles: FloatArray
    mean: FloatArray
    components: FloatArray
    scale: FloatArray

    def encode(self, mu: FloatArray) -> FloatArray:
        """Latent points (n, k) of spectra (n, m)."""
        z: FloatArray = (mu - self.mean) @ self.components.T / self.scale
        return z

    def decode(self, z: FloatArray) -> FloatArray:
        """Spectra (n, m) of latent points (n, k)."""
        mu: FloatArray = (z * self.scale) @ self.components + self.mean
        return mu


def fit_pca(energy_ev: FloatArray, mu: FloatArray, n_axes: int, seed: int = 0) -> PcaModel:
    """PCA with ``n_axes`` components (fewer when there are fewer spectra) of training spectra (n, m)."""
    n_axes = min(n_axes, len(mu) - 1, mu.shape[1])
    fitted = PCA(n_axes, random_state=seed).fit(np.asarray(mu, dtype=np.float64))
    scale = np.sqrt(np.maximum(fitted.explained_variance_, 1e-30))
    names = tuple(f"PC {i + 1}" for i in range(n_axes))
    percentiles = np.percentile(fitted.transform(mu) / scale, np.arange(101), axis=0)
    return PcaModel(names, energy_ev, percentiles, fitted.mean_, fitted.components_, scale)


def extra_trees_scores(
    train: tuple[FloatArray, FloatArray],
    test: tuple[FloatArray, FloatArray],
    names: Sequence[str],
    categorical: Sequence[bool],
    *,
    seed: int = 0,
    jobs: int = 1,
) -> dict[str, DescriptorScore]:
    """Scores per descriptor of ExtraTrees (200 trees, scikit-learn's defaults) from spectra (n, m) to labels (n, d).

    SRCC from a regressor; F1 from a classifier for the descriptors that are ``categorical`` (d,). Sites with an unknown
    label are left out of that descriptor. This is a supervised ceiling: how much of the descriptor the spectra hold.
    """
    (mu, labels), (test_mu, test_labels) = train, test
    scores: dict[str, DescriptorScore] = {}
    for i, name in enumerate(names):
        known = ~np.isnan(labels[:, i])
        x, y = mu[known], labels[known, i]
        regressor = ExtraTreesRegressor(TREES, random_state=seed, n_jobs=jobs).fit(x, y)
        srcc = abs(rank_correlation(regressor.predict(test_mu), test_labels[:, i]))
        f1 = float("nan")
        counts: dict[str, tuple[int, float]] = {}
        if categorical[i]:
            classifier = ExtraTreesClassifier(TREES, random_state=seed, n_jobs=jobs).fit(x, y.astype(int))
            f1, counts = classification_score(test_labels[:, i], classifier.predict(test_mu).astype(float))
        scores[name] = DescriptorScore(srcc, f1, counts)
    return scores
