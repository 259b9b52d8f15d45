"""How descriptors go together: rank correlation of every pair, what chance alone gives, and sets to train with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from engine.analysis.scores import FloatArray

LEAST_PAIRS = 3
CHANCE_95 = 1.96
LEAST_KNOWN = 0.5
TOO_ALIKE = 0.8
PAPER_SETS = {"initial": ("OS", "CN", "CN2", "NNAS", "PGSO"), "final": ("OS", "CN", "OCN", "NNRS", "MOOD")}
"""What Liang et al., Phys. Rev. Materials 7, 053802 (2023), began (Fig. 6b) and ended (Fig. 6c) with."""


@dataclass(frozen=True, eq=False)
class DescriptorCorrelation:
    """Rank correlation of d descriptors over the sites that know both of a pair.

    names  (d,) · rho (d, d) Spearman's, NaN where fewer than three sites know both or either is constant there ·
    n      (d, d) sites that know both; on the diagonal, sites that know the descriptor
    """

    names: tuple[str, ...]
    rho: FloatArray
    n: npt.NDArray[np.intp]


def descriptor_correlation(table: pd.DataFrame) -> DescriptorCorrelation:
    """Spearman's correlation of every pair of columns of ``table`` (n, d), NaN for unknown, pairwise complete.

    Ranks are taken among the sites of the pair, ties share their mean rank. Where one descriptor is known wherever the
    other is, the ranks of the other serve for every such pair.
    """
    values = table.to_numpy(dtype=np.float64)
    known = ~np.isnan(values)
    d = values.shape[1]
    n = known.T.astype(np.intp) @ known.astype(np.intp)
    rho = np.full((d, d), np.nan)
    own_ranks = [_ranks(values[known[:, i], i]) for i in range(d)]
    for i in range(d):
        for j in range(i, d):
            both = known[:, i] & known[:, j]
            if n[i, j] < LEAST_PAIRS:
                continue
            a, b = (
                own_ranks[k] if n[i, j] == n[k, k] else _ranks(values[both, k])
                for k in (i, j)
            )  # fmt: skip
            length = float(np.sqrt((a @ a) * (b @ b)))
            if length > 0:
                rho[i, j] = rho[j, i] = np.clip(float(a @ b) / length, -1.0, 1.0)
    return DescriptorCorrelation(tuple(map(str, table.columns)), rho, n)


def chance_level(n: int) -> float:
    """The |Spearman| that unrelated columns of n sites stay below 19 times in 20 (normal approximation); at most 1."""
    return float(min(1.0, CHANCE_95 / np.sqrt(max(n - 1, 1))))


def suggest_descriptors(
    correlation: DescriptorCorrelation, sites: int, ceilings: Mapping[str, float], count: int = 5
) -> tuple[str, ...]:
    """Up to ``count`` descriptors that a set of ``sites`` can be trained with, none a copy of another.

    Taken in the order of ``ceilings`` (|SRCC| that a supervised model reaches, by name), those without one after them
    in the set's own order. Left out are descriptors that fewer than half of the sites know, constant ones, those whose
    ceiling is NaN, and those that correlate at 0.8 or more with one already taken.
    """
    usable = [name for name in correlation.names if not np.isnan(ceilings.get(name, 0.0))]
    order = sorted(usable, key=lambda name: -ceilings.get(name, -1.0))
    place = {name: i for i, name in enumerate(correlation.names)}
    taken: list[str] = []
    for name in order:
        i = place[name]
        if correlation.n[i, i] < LEAST_KNOWN * sites or np.isnan(correlation.rho[i, i]):
            continue
        if all(not abs(correlation.rho[i, place[other]]) >= TOO_ALIKE for other in taken):
            taken.append(name)
        if len(taken) == count:
            break
    return tuple(taken)


def _ranks(values: FloatArray) -> FloatArray:
    """Mean ranks (n,) less their mean."""
    ranks: FloatArray = stats.rankdata(values)
    return ranks - ranks.mean() if ranks.size else ranks
