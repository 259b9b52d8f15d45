"""Scores of one latent space against descriptors: rank correlation, F1 by thresholds, reconstruction, normality.

Shapes: n sites, m energies, k latent axes, d descriptors (the first d axes). Source of the measures: Liang et al.,
Phys. Rev. Materials 7, 053802 (2023), section III and Eq. 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.floating]
MAX_CLASSES = 12
CANDIDATE_CUTS = 200
CUT_BLURS = (0.0, 0.03, 0.1, 0.2, 0.3)
BLUR_POINTS = 15
NORMALITY_SAMPLES = 4000


def is_categorical(values: FloatArray) -> bool:
    """Whether labels (n,) name classes: whole numbers, NaN aside, with 2 to 12 different values."""
    known = values[~np.isnan(values)]
    classes = np.unique(known)
    return 2 <= classes.size <= MAX_CLASSES and bool((classes == np.round(classes)).all())


def rank_correlation(a: FloatArray, b: FloatArray) -> float:
    """Spearman's rank correlation of two columns (n,), rows with a NaN left out; NaN when either is constant."""
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])


def axis_correlation(z: FloatArray) -> FloatArray:
    """Spearman correlation matrix (k, k) of latent points (n, k); 0 where an axis is constant."""
    ranks = stats.rankdata(z, axis=0)
    centred = ranks - ranks.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    scaled = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    matrix: FloatArray = scaled.T @ scaled
    return matrix


def largest_correlations(z: FloatArray, n_constrained: int) -> tuple[float, float]:
    """Largest |Spearman| between any two axes of (n, k), and between a free and a constrained one; 0 without pairs."""
    matrix = np.abs(axis_correlation(z))
    k = matrix.shape[0]
    every = matrix[np.triu_indices(k, 1)]
    free = matrix[n_constrained:, :n_constrained]
    return float(every.max(initial=0.0)), float(free.max(initial=0.0))


def reconstruction_error(mu: FloatArray, decoded: FloatArray) -> tuple[float, float]:
    """RMSE and MAE over all sites and energies of spectra (n, m)."""
    difference = np.asarray(decoded, dtype=np.float64) - mu
    return float(np.sqrt(np.mean(difference**2))), float(np.mean(np.abs(difference)))


def normality(z: FloatArray) -> float:
    """Shapiro-Wilk W averaged over the axes of (n, k), at most 4000 evenly spaced sites; 1 for Gaussian axes."""
    rows = z[:: max(1, -(-len(z) // NORMALITY_SAMPLES))]
    if len(rows) < 3:
        return float("nan")
    return float(np.mean([stats.shapiro(axis).statistic if np.ptp(axis) > 0 else 0.0 for axis in rows.T]))


@dataclass(frozen=True)
class Thresholds:
    """Cuts on one latent axis that turn it into classes: class i lies between cuts i - 1 and i.

    classes  (c,) rising labels · cuts (c - 1,) rising latent values; equal cuts leave a class empty
    """

    classes: tuple[float, ...]
    cuts: tuple[float, ...]

    def classify(self, z: FloatArray) -> FloatArray:
        """Label (n,) of each latent value (n,)."""
        return np.asarray(self.classes)[np.searchsorted(np.asarray(self.cuts), z, side="left")]


def choose_thresholds(
    z_train: FloatArray, train_labels: FloatArray, z: FloatArray, labels: FloatArray
) -> Thresholds | None:
    """Of cuts that suit the training part at several degrees of blur, those with the best weighted F1 on validation.

    z_train and train_labels (n,), z and labels (v,) of the validation part. Validation alone, a fifth of the training
    part, places cuts between rare classes poorly; latent values of training spectra alone are a little too good. None
    where no training label is known.
    """
    if np.isnan(train_labels).all():
        return None
    found = [fit_thresholds(z_train, train_labels, blur) for blur in CUT_BLURS]
    return max(found, key=lambda cuts: classification_score(labels, cuts.classify(z))[0])


def fit_thresholds(z: FloatArray, labels: FloatArray, blur: float) -> Thresholds:
    """The cuts that make weighted F1 of ``labels`` (n,) by ``z`` (n,) largest, among 200 candidates; exact, not greedy.

    Weighted F1 is a sum over classes of a term that depends only on the class's two cuts, so dynamic programming over
    rising cuts finds its maximum. So that cuts do not hinge on single sites, each site counts as a Gaussian whose width
    is ``blur`` times the standard deviation of ``z`` (as 15 equally likely points). Rows with a NaN label are left out.
    """
    known = ~np.isnan(labels)
    z, labels = z[known], labels[known]
    if blur:
        offsets = blur * z.std() * stats.norm.ppf((np.arange(BLUR_POINTS) + 0.5) / BLUR_POINTS)
        z, labels = (z[:, None] + offsets).ravel(), np.repeat(labels, BLUR_POINTS)
    classes = np.unique(labels)
    inner = np.quantile(z, (np.arange(CANDIDATE_CUTS) + 0.5) / CANDIDATE_CUTS)
    edges = np.concatenate([[-np.inf], np.unique(inner), [np.inf]])
    best = np.full(edges.size, -np.inf)
    best[0] = 0.0
    came_from: list[npt.NDArray[np.intp]] = []
    below_all = np.searchsorted(np.sort(z), edges, side="right")
    for label in classes:
        of_class = np.sort(z[labels == label])
        below = np.searchsorted(of_class, edges, side="right")
        hits = below[None, :] - below[:, None]
        predicted = np.maximum(below_all[None, :] - below_all[:, None], 0)
        total = best[:, None] + of_class.size * 2 * hits / (predicted + of_class.size)
        total[np.tril_indices(edges.size, -1)] = -np.inf
        came_from.append(total.argmax(axis=0))
        best = total.max(axis=0)
    cuts = []
    position = edges.size - 1
    for step in reversed(came_from):
        position = int(step[position])
        cuts.append(float(edges[position]))
    return Thresholds(tuple(classes.tolist()), tuple(reversed(cuts[:-1])))


@dataclass(frozen=True)
class DescriptorScore:
    """How well one axis follows its descriptor.

    srcc    |Spearman| over sites with a known label
    f1      F1 averaged over classes, weighted by their size, thresholds chosen elsewhere; NaN when not categorical
    counts  class -> (number of sites, F1 of the class)
    """

    srcc: float
    f1: float
    counts: dict[str, tuple[int, float]]


def classification_score(labels: FloatArray, predicted: FloatArray) -> tuple[float, dict[str, tuple[int, float]]]:
    """Weighted F1 over the classes present in ``labels`` (n,), and per class its size and F1; NaN labels left out."""
    known = ~np.isnan(labels)
    labels, predicted = labels[known], predicted[known]
    if not labels.size:
        return float("nan"), {}
    counts: dict[str, tuple[int, float]] = {}
    for label in np.unique(labels):
        actual, guessed = labels == label, predicted == label
        f1 = 2 * (actual & guessed).sum() / (actual.sum() + guessed.sum())
        counts[f"{label:g}"] = (int(actual.sum()), float(f1))
    return sum(n * f1 for n, f1 in counts.values()) / labels.size, counts


def descriptor_score(z: FloatArray, labels: FloatArray, thresholds: Thresholds | None) -> DescriptorScore:
    """Score of one axis (n,) against its descriptor (n,), NaN for unknown."""
    f1 = float("nan")
    counts: dict[str, tuple[int, float]] = {}
    if thresholds is not None:
        f1, counts = classification_score(labels, thresholds.classify(z))
    return DescriptorScore(abs(rank_correlation(z, labels)), f1, counts)


@dataclass(frozen=True)
class MemberScores:
    """Scores of one member of an ensemble on one part of a set; `descriptors` by axis name."""

    seed: int
    n: int
    reconstruction_rmse: float
    reconstruction_mae: float
    descriptors: dict[str, DescriptorScore]
    axis_correlation_max: float
    free_axis_correlation_max: float
    normality: float


def score_member(
    seed: int,
    names: Sequence[str],
    mu: FloatArray,
    decoded: FloatArray,
    z: FloatArray,
    labels: FloatArray,
    thresholds: Sequence[Thresholds | None],
) -> MemberScores:
    """All scores of one member: spectra (n, m) and their reconstruction, latent (n, k), labels (n, d) of ``names``."""
    rmse, mae = reconstruction_error(mu, decoded)
    every, free = largest_correlations(z, len(names))
    scores = {name: descriptor_score(z[:, i], labels[:, i], thresholds[i]) for i, name in enumerate(names)}
    return MemberScores(seed, len(mu), rmse, mae, scores, every, free, normality(z))


def validation_score(rmse: float, spread: float, srcc: FloatArray) -> float:
    """What a checkpoint is chosen by, larger is better: mean |SRCC| (where defined) + 1 - RMSE / spread.

    ``spread`` is the RMSE of the mean training spectrum, so that both parts are near 0 for a useless model and at most
    1. Correlation of the free axis is left to the choice among members (Eq. 2): within one training it hardly moves,
    and on a validation part it is noisy.
    """
    defined = [abs(value) for value in srcc if not np.isnan(value)]
    return (float(np.mean(defined)) if defined else 0.0) + 1 - rmse / spread
