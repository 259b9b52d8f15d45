"""Spectral domain mapping: measured spectra written as mixtures, and mixed again from simulated spectra.

Shapes: m energies, N spectra of a series, n components, s starts. Measured spectra T (m, N) are taken as mixtures S C
of n unknown spectra S (m, n) with weights C (n, N), none negative, every column summing to one. Simulated spectra
S^ (m, n) guess what the components look like. The weights make S = T C+ resemble S^, with C+ = C^T (C C^T)^-1, the
right inverse for N > n; the mapped spectra are S^ C.

|S^ - T C+|^2 alone does not determine C: every C with (C0 - C) C^T = 0 brings it to zero where T = S^ C0. The mixture
itself, T = S C, does; |T - T C+ C|^2 is therefore part of what is minimised.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import nnls
from torch import Tensor

from engine.errors import ConfigError, DataError
from engine.experiment.measured import FloatArray

STARTS = 100
STEPS = 300
LEARNING_RATE = 0.15
# Starts that end in different minima have no common average; those within a tenth of the best share one. Differences of
# 0.001 of the edge step, the square of which is 1e-6, are below any measurement's noise.
NEAR_BEST, SAME_LOSS = 1.1, 1e-6


@dataclass(frozen=True, eq=False)
class Basis:
    """Simulated spectra mu (n, m) as guesses of the components, and where each came from, in words."""

    mu: FloatArray
    origin: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class DomainMap:
    """The mapping of N spectra onto n components, averaged over those of s starts that end within a tenth of the best.

    weights        (N, n), rows sum to one · weight_spread (N, n) standard deviation over all starts
    averaged       how many starts the weights are the mean of
    measured_basis (n, m) S = T C+ of the averaged weights · basis (n, m) the simulated guesses
    mapped         (N, m) S^ C
    residual       (N,) root mean square of T - S C per spectrum
    guess_residual (n,) root mean square of S^ - S per component
    loss           (s,) what each start reached: mean square of S^ - T C+ plus that of T - T C+ C
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
    ambiguity: FloatArray


def map_domain(mu: FloatArray, basis: Basis, *, starts: int = STARTS, seed: int = 0) -> DomainMap:
    """The mapping of measured spectra mu (N, m) onto simulated guesses, ``basis.mu`` (n, m), on the same energies.

    All starts run as one batch in double precision, from random weights drawn with ``seed``. Weights are looked for in
    the 4 n strongest directions of T, which hold all of it but noise; what is reported is worked out from the whole
    spectra. Raises ConfigError unless 2 <= n < N and starts >= 1.
    """
    measured, guess = np.asarray(mu, np.float64), np.asarray(basis.mu, np.float64)
    count, n = len(measured), len(guess)
    if measured.ndim != 2 or guess.shape != (n, measured.shape[1]):
        raise DataError(f"spectra have shape {measured.shape} and guesses {guess.shape}; need the same energies")
    if not 2 <= n < count:
        raise ConfigError(f"{n} components for {count} spectra; need at least 2, and more spectra than components")
    if starts < 1:
        raise ConfigError(f"starts is {starts}; need at least 1")
    left, values, right = np.linalg.svd(measured.T, full_matrices=False)
    kept = min(4 * n, values.size)
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(starts, n, count, generator=generator, dtype=torch.float64)
    weights = _minimise(
        logits,
        torch.from_numpy(values[:kept, None] * right[:kept]),
        torch.from_numpy(left[:, :kept].T @ guess.T),
        measured.shape[1],
    )
    loss = np.array([_whole_loss(one, measured.T, guess.T) for one in weights.numpy()])
    near = loss <= NEAR_BEST * loss.min() + SAME_LOSS
    average, spread = weights.numpy()[near].mean(axis=0), weights.std(dim=0, correction=0).numpy()
    own = measured.T @ np.linalg.pinv(average)
    return DomainMap(
        weights=average.T,
        weight_spread=spread.T,
        averaged=int(near.sum()),
        basis=basis,
        measured_basis=own.T,
        mapped=average.T @ guess,
        residual=np.sqrt(((measured - average.T @ own.T) ** 2).mean(axis=1)),
        guess_residual=np.sqrt(((guess - own.T) ** 2).mean(axis=1)),
        loss=np.sort(loss),
        ambiguity=ambiguity(average.T, own.T),
    )


def _right_inverse(c: Tensor) -> Tensor:
    """C+ (..., N, n) of weights (..., n, N); a little on the diagonal where two rows are alike to rounding."""
    square = c @ c.mT
    tiny = 1e-10 * square.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] * torch.eye(c.shape[-2], dtype=c.dtype)
    inverse: Tensor = torch.linalg.solve(square + tiny, c).mT
    return inverse


def _loss(c: Tensor, t: Tensor, s_hat: Tensor, points: int) -> Tensor:
    """Mean squares (s,) of S^ - T C+ and of T - T C+ C over ``points`` energies, for weights (s, n, N)."""
    s = t @ _right_inverse(c)
    guess: Tensor = ((s_hat - s) ** 2).sum(dim=(-2, -1)) / (s_hat.shape[-1] * points)
    mixture: Tensor = ((t - s @ c) ** 2).sum(dim=(-2, -1)) / (t.shape[-1] * points)
    return guess + mixture


def _whole_loss(c: FloatArray, t: FloatArray, s_hat: FloatArray) -> float:
    """The same for one set of weights (n, N) and whole spectra (m, N), (m, n)."""
    own = t @ np.linalg.pinv(c)
    return float(((s_hat - own) ** 2).mean() + ((t - own @ c) ** 2).mean())


def _minimise(logits: Tensor, t: Tensor, s_hat: Tensor, points: int) -> Tensor:
    """Weights (s, n, N) after Adam on their logits, with a learning rate that falls to zero along a cosine."""
    logits = logits.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([logits], lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        optimiser.zero_grad()
        # The square root evens out the steps between starts near their end and starts far from it.
        _loss(torch.softmax(logits, dim=1), t, s_hat, points).sqrt().sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return torch.softmax(logits.detach(), dim=1)


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


def basis_from_sites(mu: FloatArray, site_id: Sequence[str], material_id: Sequence[str], names: Sequence[str]) -> Basis:
    """The simulated spectra of chosen sites, or the mean over the sites of chosen materials; DataError for unknown."""
    sites, materials = np.asarray(site_id), np.asarray(material_id)
    rows, origin = [], []
    for name in names:
        mine = (sites == name) if (sites == name).any() else materials == name
        if not mine.any():
            raise DataError(f"the simulated set has no site or material '{name}'")
        rows.append(np.asarray(mu)[mine].mean(axis=0, dtype=np.float64))
        origin.append(f"simulated {name}" + (f", mean of {int(mine.sum())} sites" if mine.sum() > 1 else ""))
    return Basis(np.stack(rows), tuple(origin))
