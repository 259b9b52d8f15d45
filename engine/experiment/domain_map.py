"""Spectral domain mapping: measured spectra written as mixtures, and mixed again from simulated spectra.

Shapes: m energies, N spectra of a series, n components, s starts. Measured spectra T (m, N) are taken as mixtures S C
of n unknown spectra S (m, n) with weights C (n, N), none negative, every column summing to one. Simulated spectra
S^ (m, n) guess what the components look like. The weights make S = T C+ resemble S^, with C+ = C^T (C C^T)^-1, the
right inverse for N > n; the mapped spectra are S^ C.

|S^ - T C+|^2 alone does not determine C: every C with (C0 - C) C^T = 0 brings it to zero where T = S^ C0. The mixture
itself, T = S C, does; |T - T C+ C|^2 is therefore part of what is minimised. Where simulation and measurement differ
throughout, by more than the spectra of a series differ from each other, weights would otherwise serve to bend S towards
S^ and leave the series: the second part counts by how much smaller it can get, see ``_balance``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.errors import ConfigError, DataError
from engine.experiment.measured import FloatArray
from engine.experiment.mixtures import (
    Basis,
    DomainMap,
    SeriesMap,
    alternate,
    ambiguity,
    basis_from_clusters,
    basis_from_sites,
    combination_fit,
    factorise,
    rank_scan,
)
from engine.spectra import SpectraSet, resample

STARTS = 100
STEPS = 300
LEARNING_RATE = 0.15
# Starts that end in different minima have no common average; those within a hundredth of the best share one.
# Differences of 0.001 of the edge step, the square of which is 1e-6, are below any measurement's noise.
NEAR_BEST, SAME_LOSS = 1.01, 1e-6
MOST_BALANCE = 300.0


def map_series(
    mu: FloatArray,
    energy_ev: FloatArray,
    simulated: SpectraSet,
    *,
    components: int = 3,
    sites: Sequence[str] = (),
    starts: int = STARTS,
    seed: int = 0,
) -> SeriesMap:
    """The mapping of spectra (N, m) on energies (m,) onto a simulated set, beside what is usually done.

    Guesses are the centroids of ``components`` clusters, or the spectra of ``sites`` where given: sites, materials, or
    classes such as "OS=4&CN=6", see ``basis_from_sites``.
    DataError where the simulated set does not cover the energies; ConfigError as ``map_domain``.
    """
    known = _on_grid(simulated, energy_ev)
    ids = simulated.site_id.tolist()
    if sites:
        basis = basis_from_sites(known, ids, simulated.material_id.tolist(), sites, simulated.descriptors)
    else:
        basis = basis_from_clusters(known, ids, components, seed)
    found = map_domain(mu, basis, starts=starts, seed=seed)
    fit = combination_fit(mu, basis.mu)
    usual = {
        "linear combination of the simulated spectra": (fit[0], basis.mu, fit[1]),
        "non-negative factorisation": factorise(mu, basis.mu),
        "MCR-ALS": alternate(mu, basis.mu),
    }
    return SeriesMap(found, rank_scan(mu), usual)


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
    balance = _balance(measured, guess)
    left, values, right = np.linalg.svd(measured.T, full_matrices=False)
    kept = min(4 * n, values.size)
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(starts, n, count, generator=generator, dtype=torch.float64)
    weights = _minimise(
        logits,
        torch.from_numpy(values[:kept, None] * right[:kept]),
        torch.from_numpy(left[:, :kept].T @ guess.T),
        measured.shape[1],
        balance,
    )
    loss = np.array([_whole_loss(one, measured.T, guess.T, balance) for one in weights.numpy()])
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
        balance=balance,
        ambiguity=ambiguity(average.T, own.T),
    )


def _on_grid(simulated: SpectraSet, energy_ev: FloatArray) -> FloatArray:
    """Simulated spectra on the energies of the measured ones, (n, m); DataError where they do not cover them."""
    same = simulated.energy_ev.size == energy_ev.size and np.allclose(simulated.energy_ev, energy_ev, rtol=0, atol=1e-6)
    return simulated.mu.astype(np.float64) if same else resample(simulated.energy_ev, simulated.mu, energy_ev)


def _balance(measured: FloatArray, guess: FloatArray) -> float:
    """How much the mean square of T - T C+ C counts beside that of S^ - T C+, 1 to 300.

    The ratio of what each leaves at best: mixtures of the guesses (n, m) of the spectra (N, m), against n components of
    the spectra's own. It is 1 where the measurement looks as the guesses do but for noise.
    """
    gap = float((combination_fit(measured, guess)[1] ** 2).mean())
    own = float(rank_scan(measured, len(guess)).residual[-1] ** 2)
    return float(np.clip((gap + SAME_LOSS) / (own + SAME_LOSS), 1.0, MOST_BALANCE))


def _right_inverse(c: Tensor) -> Tensor:
    """C+ (..., N, n) of weights (..., n, N); a little on the diagonal where two rows are alike to rounding."""
    square = c @ c.mT
    tiny = 1e-10 * square.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] * torch.eye(c.shape[-2], dtype=c.dtype)
    inverse: Tensor = torch.linalg.solve(square + tiny, c).mT
    return inverse


def _loss(c: Tensor, t: Tensor, s_hat: Tensor, points: int, balance: float) -> Tensor:
    """Mean squares (s,) of S^ - T C+ and, times ``balance``, of T - T C+ C over ``points`` energies; c (s, n, N)."""
    s = t @ _right_inverse(c)
    guess: Tensor = ((s_hat - s) ** 2).sum(dim=(-2, -1)) / (s_hat.shape[-1] * points)
    mixture: Tensor = ((t - s @ c) ** 2).sum(dim=(-2, -1)) / (t.shape[-1] * points)
    return guess + balance * mixture


def _whole_loss(c: FloatArray, t: FloatArray, s_hat: FloatArray, balance: float) -> float:
    """The same for one set of weights (n, N) and whole spectra (m, N), (m, n)."""
    own = t @ np.linalg.pinv(c)
    return float(((s_hat - own) ** 2).mean() + balance * ((t - own @ c) ** 2).mean())


def _minimise(logits: Tensor, t: Tensor, s_hat: Tensor, points: int, balance: float) -> Tensor:
    """Weights (s, n, N) after Adam on their logits, with a learning rate that falls to zero along a cosine."""
    logits = logits.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([logits], lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        optimiser.zero_grad()
        # The square root evens out the steps between starts near their end and starts far from it.
        _loss(torch.softmax(logits, dim=1), t, s_hat, points, balance).sqrt().sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return torch.softmax(logits.detach(), dim=1)
