"""Which descriptor to try next: what a model leaves unexplained, and which descriptors say something about it.

Liang et al., Phys. Rev. Materials 7, 053802 (2023), read the free axis by eye and ask which descriptor it could be
(section IV). Here the question is a partial rank correlation (Kendall 1942) tested by permutation: candidates are held
against the free axes and the residual spectra after both have been freed of the descriptors already used (Freedman and
Lane, J. Bus. Econ. Stat. 1, 292 (1983)), sites of one material move together, and the p-values of all candidates are
corrected by Holm's method (Scand. J. Stat. 6, 65 (1979)). n sites, m energies, d descriptors, f free axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from engine.analysis.scores import FloatArray, is_categorical, rank_correlation
from engine.errors import DataError

PERMUTATIONS = 4999
LEAST_SITES = 30
SITES_PER_TERM = 10
LEAST_IN_CLASS = 5
COPY = 0.98
GAUSSIAN_5_TO_95 = 3.2897


@dataclass(frozen=True, eq=False)
class Unexplained:
    """What one member leaves over on n held-out sites.

    free          (n, f) latent values of the free axes
    free_variance (f,) variance of mu that each carries, see ``axis_variance``
    residual      (n, m) spectra less their reconstruction
    """

    free: FloatArray
    free_variance: FloatArray
    residual: FloatArray


@dataclass(frozen=True)
class Candidate:
    """How much of what is unexplained one candidate explains beyond the descriptors already used.

    n               held-out sites that know it
    free_rho        partial |rank correlation| with the free axis that it goes with best, mean over the members
    free_share      share of the variance of mu along the free axes that it explains, beyond chance · residual_share
                    the same of the residual spectra; 0 without free axes
    explained_mu    root mean square change of mu that both amount to, beyond chance
    p               of a statistic as large by chance, corrected for the number of candidates (Holm)
    redundancy      share of its ranks' variance that the used descriptors explain, by smooth functions of each and
                    products of two
    nearest         the used descriptor whose |rank correlation| with it is largest, nearest_rho
    All NaN where fewer than 30 sites know it, or it is constant or a copy (redundancy above 0.98) of what is used.
    """

    name: str
    n: int
    free_rho: float
    free_share: float
    residual_share: float
    explained_mu: float
    p: float
    redundancy: float
    nearest: str
    nearest_rho: float


def axis_variance(amplitude: float) -> float:
    """Variance of mu along an axis whose differential, 5th to 95th percentile, has this root mean square.

    For a Gaussian axis, along which the spectrum changes in proportion: the percentiles are 3.29 deviations apart.
    """
    return (amplitude / GAUSSIAN_5_TO_95) ** 2


def rank_candidates(
    left: Sequence[Unexplained],
    used: pd.DataFrame,
    candidates: pd.DataFrame,
    material_id: npt.NDArray[np.str_],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> list[Candidate]:
    """The candidates, columns (n, c) with NaN for unknown, by ``explained_mu``, the largest first.

    left         of every member, on the same sites; the statistic is the mean over members
    used         (n, d) descriptors that the model was trained with
    material_id  (n,) whatever sites of one material have in common is no evidence of as many sites, so that
                 permutations exchange whole materials of equally many sites, and sites within a material

    DataError with fewer than 30 sites.
    """
    n = len(used)
    if n < LEAST_SITES:
        raise DataError(f"{n} held-out sites are too few to rank candidates; need {LEAST_SITES} or more")
    found = []
    for name in map(str, candidates.columns):
        values = candidates[name].to_numpy(dtype=np.float64)
        rows = np.flatnonzero(~np.isnan(values))
        near, near_rho = _nearest(values, used)
        if rows.size < LEAST_SITES or np.ptp(values[rows]) == 0:
            found.append(_untested(name, rows.size, float("nan"), near, near_rho))
            continue
        basis = _orthonormal(descriptor_terms(used.iloc[rows], used.iloc[rows]))
        x = stats.rankdata(values[rows])
        x = x - x.mean()
        rest = x - basis @ (basis.T @ x)
        degrees = rows.size - basis.shape[1]
        redundancy = max(0.0, 1 - (rest @ rest) / (x @ x) * (rows.size - 1) / max(degrees, 1))
        if redundancy > COPY:
            found.append(_untested(name, rows.size, redundancy, near, near_rho))
            continue
        rng = np.random.default_rng(seed)
        shuffles = _material_permutations(material_id[rows], permutations, rng)
        tested = _tested([_part(one, rows) for one in left], basis, rest, shuffles)
        found.append(Candidate(name, rows.size, *tested, redundancy, near, near_rho))
    corrected = _holm([one.p for one in found])
    ranked = [Candidate(**{**vars(one), "p": p}) for one, p in zip(found, corrected, strict=True)]
    return sorted(ranked, key=lambda one: -np.nan_to_num(one.explained_mu, nan=-1.0))


def spectral_share(train: tuple[pd.DataFrame, FloatArray], held_out: tuple[pd.DataFrame, FloatArray]) -> float:
    """Share of the variance of held-out spectra that a set of descriptors explains, learned on the training part.

    Each part is descriptors (n, d) and spectra (n, m). Least squares of mu at every energy on smooth functions of each
    descriptor and products of two (``descriptor_terms``); 0 is the mean training spectrum. Below 0 the descriptors
    mislead.
    """
    (known, mu), (new, new_mu) = train, held_out
    terms = descriptor_terms(known, known)
    coefficients, *_ = np.linalg.lstsq(terms, mu.astype(np.float64), rcond=1e-8)
    error = np.square(new_mu - descriptor_terms(known, new) @ coefficients).sum()
    return 1 - float(error / np.square(new_mu - mu.mean(axis=0, dtype=np.float64)).sum())


@dataclass(frozen=True)
class Swap:
    """What a candidate in place of a used descriptor would change: ``gain`` of the share of spectral variance."""

    out: str
    gain: float


def best_swaps(
    train: tuple[pd.DataFrame, FloatArray],
    held_out: tuple[pd.DataFrame, FloatArray],
    used: Sequence[str],
    candidates: Sequence[str],
) -> tuple[dict[str, float], dict[str, Swap]]:
    """Per used descriptor the share of spectral variance that only it explains; per candidate its best swap.

    The parts are as in ``spectral_share``; their tables hold used descriptors and candidates.
    """

    def share(names: Sequence[str]) -> float:
        chosen = list(names)
        return spectral_share((train[0][chosen], train[1]), (held_out[0][chosen], held_out[1]))

    now = share(used)
    without = {out: [name for name in used if name != out] for out in used}
    only = {out: now - share(rest) for out, rest in without.items()}
    swaps: dict[str, Swap] = {}
    for name in candidates:
        gains: Mapping[str, float] = {out: share([*rest, name]) - now for out, rest in without.items()}
        if gains:
            out = max(gains, key=lambda one: gains[one])
            swaps[name] = Swap(out, gains[out])
    return only, swaps


def descriptor_terms(reference: pd.DataFrame, table: pd.DataFrame) -> FloatArray:
    """Functions (n, b) of descriptors (n, d), for least squares: what the descriptors say, not only in proportion.

    A constant and, for every column, its rank among the reference; then which are unknown, indicators of the classes
    or, where these are no classes, second and third Legendre polynomials of the rank; then products of two ranks.
    Unknown values have the middle rank. One term per ten sites of the reference is made at most, in this order.
    """
    ranks = [_rank_among(reference[name].to_numpy(np.float64), table[name].to_numpy(np.float64)) for name in table]
    columns = [np.ones(len(table)), *ranks]
    for rank, name in zip(ranks, table, strict=True):
        known, values = reference[name].to_numpy(np.float64), table[name].to_numpy(np.float64)
        if np.isnan(known).any():
            columns.append(np.isnan(values).astype(np.float64))
        if is_categorical(known):
            classes, counts = np.unique(known[~np.isnan(known)], return_counts=True)
            columns += [(values == label).astype(np.float64) for label in classes[counts >= LEAST_IN_CLASS]]
        else:
            columns += [(3 * rank**2 - 1) / 2, (5 * rank**3 - 3 * rank) / 2]
    columns += [a * b for i, a in enumerate(ranks) for b in ranks[:i]]
    most = max(len(ranks) + 1, len(reference) // SITES_PER_TERM)
    return np.column_stack(columns[:most])


def _rank_among(reference: FloatArray, values: FloatArray) -> FloatArray:
    """Mean ranks of values among the known reference, from -1 to 1; 0 for unknown."""
    known = np.sort(reference[~np.isnan(reference)])
    if not known.size:
        return np.zeros(len(values))
    middle = (np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right")) / known.size - 1
    return np.where(np.isnan(values), 0.0, middle)


def _orthonormal(terms: FloatArray) -> FloatArray:
    """An orthonormal basis (n, r) of the columns, without those that others give."""
    u, size, _ = np.linalg.svd(terms, full_matrices=False)
    basis: FloatArray = u[:, size > 1e-8 * size[0]]
    return basis


def _nearest(values: FloatArray, used: pd.DataFrame) -> tuple[str, float]:
    rho = {str(name): rank_correlation(values, used[name].to_numpy(np.float64)) for name in used}
    known = {name: value for name, value in rho.items() if not np.isnan(value)}
    name = max(known, key=lambda one: abs(known[one]), default="")
    return name, known.get(name, float("nan"))


def _untested(name: str, n: int, redundancy: float, near: str, near_rho: float) -> Candidate:
    nan = float("nan")
    return Candidate(name, n, nan, nan, nan, nan, nan, redundancy, near, near_rho)


def _part(one: Unexplained, rows: npt.NDArray[np.intp]) -> Unexplained:
    return Unexplained(one.free[rows], one.free_variance, one.residual[rows])


def _tested(
    left: Sequence[Unexplained], basis: FloatArray, rest: FloatArray, shuffles: npt.NDArray[np.intp]
) -> tuple[float, float, float, float, float]:
    """free_rho, free_share, residual_share, explained_mu and p (uncorrected) of what a candidate has beyond the used.

    Explained variance is x G x for the unit vector x along ``rest`` (n,), G the sum over what is unexplained, freed of
    the basis, of column times column: one quadratic form whatever the number of members and energies.
    """
    n = len(rest)
    free, residual = np.zeros((n, n)), np.zeros((n, n))
    partial = []
    unit = rest / np.linalg.norm(rest)
    for one in left:
        freed = one.residual - basis @ (basis.T @ one.residual)
        residual += freed @ freed.T / freed.size / len(left)
        if one.free.shape[1]:
            ranks = stats.rankdata(one.free, axis=0)
            ranks -= ranks.mean(axis=0)
            clean = ranks - basis @ (basis.T @ ranks)
            weighted = clean * np.sqrt(one.free_variance) / np.linalg.norm(ranks, axis=0)
            free += weighted @ weighted.T / len(left)
            partial.append(float(np.abs(unit @ clean / np.linalg.norm(clean, axis=0)).max()))
    observed = np.array([unit @ free @ unit, unit @ residual @ unit])
    chance = np.empty((len(shuffles), 2))
    for start in range(0, len(shuffles), 1000):
        x = rest[shuffles[start : start + 1000]]
        length = np.square(x).sum(axis=1) - np.square(x @ basis).sum(axis=1)
        chance[start : start + 1000, 0] = np.einsum("ij,ij->i", x @ free, x) / length
        chance[start : start + 1000, 1] = np.einsum("ij,ij->i", x @ residual, x) / length
    beyond = np.maximum(observed - chance.mean(axis=0), 0)
    total_free = float(np.mean([one.free_variance.sum() for one in left]))
    total_residual = float(np.mean([np.square(one.residual).mean() for one in left]))
    p = (1 + int((chance.sum(axis=1) >= observed.sum()).sum())) / (1 + len(shuffles))
    return (
        float(np.mean(partial)) if partial else 0.0,
        float(beyond[0] / total_free) if total_free else 0.0,
        float(beyond[1] / total_residual),
        float(np.sqrt(max(observed.sum() - chance.sum(axis=1).mean(), 0.0))),
        p,
    )


def _material_permutations(
    material_id: npt.NDArray[np.str_], count: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """(count, n) rows: materials change places with others of as many sites, and sites within their material."""
    _, group = np.unique(material_id, return_inverse=True)
    size = np.bincount(group)[group]
    order = np.lexsort((group, size))
    result = np.empty((count, len(group)), dtype=np.intp)
    for sites in np.unique(size):
        rows = order[size[order] == sites].reshape(-1, sites)
        for i in range(count):
            result[i, rows.ravel()] = rng.permuted(rng.permutation(rows), axis=1).ravel()
    return result


def _holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction; NaN stay NaN and are not counted."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)[: int((~np.isnan(values)).sum())]
    corrected = np.full(len(values), np.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)))
    return [float(value) for value in corrected]
