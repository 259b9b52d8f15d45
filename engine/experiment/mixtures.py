"""Spectra as mixtures of a few components: what a domain map holds, where guesses come from, what is usually done.

Shapes: m energies, N spectra of a series, n components, s starts. ``domain_map`` does the mapping itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import nnls

from engine.errors import ConfigError, DataError
from engine.experiment.measured import FloatArray

ALTERNATIONS = 50
DISAGREE, UNLIKE = 0.1, 0.15


@dataclass(frozen=True, eq=False)
class Basis:
    """Simulated spectra mu (n, m) as guesses of the components, and where each came from, in words."""

    mu: FloatArray
    origin: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class DomainMap:
    """The mapping of N spectra onto n components, averaged over those of s starts that end within 1 % of the best.

    weights        (N, n), rows sum to one · weight_spread (N, n) standard deviation over all starts
    averaged       how many starts the weights are the mean of
    measured_basis (n, m) S = T C+ of the averaged weights · basis (n, m) the simulated guesses
    mapped         (N, m) S^ C
    residual       (N,) root mean square of T - S C per spectrum
    guess_residual (n,) root mean square of S^ - S per component
    loss           (s,) what each start reached: mean square of S^ - T C+ plus ``balance`` times that of T - T C+ C
    ambiguity      (n,) how far each component's weights can be scaled at no cost to the fit, see ``ambiguity``
    """

    weights: FloatArray
    weight_spread: FloatArray
    averaged: int
    basis: Basis
    measured_basis: FloatArray
    mapped: FloatArray
    residual: FloatArray
    guess_residual: FloatArray
    loss: FloatArray
    balance: float
    ambiguity: FloatArray


def ambiguity(weights: FloatArray, spectra: FloatArray) -> FloatArray:
    """For each of n components, the widest range of factors that scale its weights at no cost, as (n,) widths.

    Weights (N, n) and spectra (n, m) of component k can be exchanged with those of l, C_k (1 + t), C_l - t C_k and
    S_k' = (S_k + t S_l) / (1 + t), without changing S C or the sums, as long as weights and spectra stay positive: t is
    at most the least C_l / C_k, at least minus the least S_k / S_l. Where the width is 0 the data fix the component.
    """
    n = weights.shape[1]
    widths = np.zeros(n)
    floor = 0.01 * float(spectra.max())
    for k in range(n):
        for other in (i for i in range(n) if i != k):
            present = weights[:, k] > 1e-6
            up = float((weights[present, other] / weights[present, k]).min()) if present.any() else 0.0
            high = spectra[other] > floor
            down = float(np.clip((spectra[k, high] / spectra[other, high]).min(), 0.0, 1.0)) if high.any() else 0.0
            widths[k] = max(widths[k], up + down)
    return widths


@dataclass(frozen=True, eq=False)
class RankScan:
    """Singular values of spectra about their mean, and the rms that n components leave, for n = 1 to ``top``.

    Weights that sum to one make n components of n - 1 directions about the mean.
    """

    components: npt.NDArray[np.intp]
    singular_value: FloatArray
    residual: FloatArray


@dataclass(frozen=True, eq=False)
class SeriesMap:
    """A domain map with what helps to judge it.

    usual  by name of what is usually done instead: weights (N, n), component spectra (n, m) and rms residuals (N,)
    """

    found: DomainMap
    scan: RankScan
    usual: dict[str, tuple[FloatArray, FloatArray, FloatArray]]


def rank_scan(mu: FloatArray, top: int = 8) -> RankScan:
    """The rank scan of spectra (N, m)."""
    centred = np.asarray(mu, np.float64) - np.mean(mu, axis=0, dtype=np.float64)
    values = np.linalg.svd(centred, compute_uv=False)
    top = min(top, values.size)
    left = np.concatenate([np.cumsum(values[::-1] ** 2)[::-1], [0.0]])
    return RankScan(np.arange(1, top + 1), values[:top], np.sqrt(left[:top] / centred.size))


def combination_fit(mu: FloatArray, spectra: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Linear-combination fit of spectra (N, m) by given ones (n, m): weights (N, n), summing to one, and rms (N,).

    Non-negative least squares with the sum as a row of great weight.
    """
    heavy = 1e3 * max(1.0, float(np.abs(spectra).max())) * np.sqrt(spectra.shape[1])
    design = np.vstack([np.asarray(spectra, np.float64).T, np.full(len(spectra), heavy)])
    weights = np.stack([nnls(design, np.append(np.asarray(row, np.float64), heavy))[0] for row in mu])
    weights /= weights.sum(axis=1, keepdims=True)
    return weights, np.sqrt(((mu - weights @ spectra) ** 2).mean(axis=1))


def factorise(mu: FloatArray, spectra: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Non-negative factorisation of spectra (N, m) from given guesses (n, m): weights (N, n), spectra (n, m), rms (N,).

    Spectra are scaled so that weights sum to one on average over the series; single sums are left free.
    """
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    positive = np.clip(np.asarray(mu, np.float64), 0.0, None)
    first, _ = combination_fit(positive, spectra)
    model = NMF(len(spectra), init="custom", max_iter=2000, tol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the residual says how far it came
        weights = model.fit_transform(positive, W=first + 1e-3, H=np.clip(np.asarray(spectra, np.float64), 1e-6, None))
    found = model.components_
    scale = np.linalg.lstsq(weights, np.ones(len(weights)), rcond=None)[0]
    scale = np.where(scale > 1e-6, scale, 1.0)
    weights, found = weights * scale, found / scale[:, None]
    return weights, found, np.sqrt(((mu - weights @ found) ** 2).mean(axis=1))


def alternate(mu: FloatArray, spectra: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """MCR-ALS of spectra (N, m) from given guesses (n, m): weights (N, n), spectra (n, m), rms (N,).

    Weights and spectra are found in turn by non-negative least squares, weights summing to one (closure), until the
    rms changes by less than a thousandth, at most 50 times. Tauler, Chemom. Intell. Lab. Syst. 30, 133 (1995).
    """
    values, found, before = np.asarray(mu, np.float64), np.clip(np.asarray(spectra, np.float64), 0.0, None), np.inf
    for _ in range(ALTERNATIONS):
        weights, _ = combination_fit(values, found)
        found = np.stack([nnls(weights, column)[0] for column in values.T], axis=1)
        now = float(np.sqrt(((values - weights @ found) ** 2).mean()))
        if before - now < 1e-3 * now:
            break
        before = now
    return weights, found, np.sqrt(((values - weights @ found) ** 2).mean(axis=1))


def basis_from_clusters(mu: FloatArray, site_id: Sequence[str], n: int, seed: int = 0) -> Basis:
    """Centroids of n clusters (k-means) of simulated spectra (N, m), each with its size and the site nearest to it."""
    from sklearn.cluster import KMeans

    if not 1 <= n <= len(mu):
        raise ConfigError(f"{n} clusters of {len(mu)} simulated spectra; need fewer clusters than spectra")
    found = KMeans(n, n_init=10, random_state=seed).fit(np.asarray(mu, np.float64))
    origin = []
    for i, centre in enumerate(found.cluster_centers_):
        nearest = int(((mu - centre) ** 2).sum(axis=1).argmin())
        origin.append(f"centroid of {int((found.labels_ == i).sum())} simulated spectra, nearest {site_id[nearest]}")
    return Basis(found.cluster_centers_, tuple(origin))


def basis_from_sites(
    mu: FloatArray,
    site_id: Sequence[str],
    material_id: Sequence[str],
    names: Sequence[str],
    descriptors: pd.DataFrame | None = None,
) -> Basis:
    """The simulated spectra (N, m) of chosen sites, or the mean over the sites of chosen materials or classes.

    A class says what columns of ``descriptors`` (N, d) must be, such as "OS=4&CN=6". DataError for what is not there.
    """
    sites, materials = np.asarray(site_id), np.asarray(material_id)
    rows, origin = [], []
    for name in names:
        if "=" in name and descriptors is not None:
            mine = _class_of(name, descriptors)
        else:
            mine = (sites == name) if (sites == name).any() else materials == name
        if not mine.any():
            raise DataError(f"the simulated set has no site, material or class '{name}'")
        rows.append(np.asarray(mu)[mine].mean(axis=0, dtype=np.float64))
        origin.append(f"simulated {name}" + (f", mean of {int(mine.sum())} sites" if mine.sum() > 1 else ""))
    return Basis(np.stack(rows), tuple(origin))


def _class_of(text: str, descriptors: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which sites (N,) have the values that "NAME=VALUE&NAME=VALUE" asks for; DataError when it cannot be read."""
    mine = np.ones(len(descriptors), dtype=bool)
    for part in text.split("&"):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in descriptors:
            raise DataError(f"class '{text}': the simulated set has no descriptor '{name}'")
        try:
            mine &= descriptors[name].to_numpy() == float(value)
        except ValueError:
            raise DataError(f"class '{text}': '{value}' is no number; need NAME=VALUE, joined by &") from None
    return mine


def map_flags(found: DomainMap) -> list[str]:
    """Reasons not to believe the map, one line each."""
    flags = []
    spread = float(found.weight_spread.mean())
    if spread > DISAGREE:
        flags.append(f"starts disagree, weights differ by {spread:.2f} on average: the data do not determine them")
    if found.averaged < found.loss.size / 2:
        flags.append(f"only {found.averaged} of {found.loss.size} starts reached the least loss")
    unlike = [str(i + 1) for i, value in enumerate(found.guess_residual) if value > UNLIKE]
    if unlike:
        flags.append(
            f"component {' and '.join(unlike)} unlike the simulated guess (more than {UNLIKE:g} apart): what is "
            "mixed in its place is another spectrum"
        )
    return flags
