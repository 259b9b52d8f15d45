"""Trained members side by side: their trends, how far these overlap, and by how much their scores differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.analysis.scores import FloatArray
from engine.analysis.traversal import Traversal, cosine_overlap
from engine.spectra import K_EDGE_EV, spectral_descriptors

GRID_TOLERANCE_EV = 1e-6
LARGER_IS_BETTER = {
    "|SRCC|": True, "F1": True, "RMSE": False, "MAE": False, "largest correlation of a free axis": False,
    "selection score": True,
}  # fmt: skip
_MEASURES = {
    "reconstruction_rmse": "RMSE",
    "reconstruction_mae": "MAE",
    "free_axis_correlation_max": "largest correlation of a free axis",
    "selection_score": "selection score",
}


@dataclass(frozen=True, eq=False)
class Trends:
    """What one member says along its axes.

    energy_ev   (m,) · edge_ev, edge_rule  the energy E₀ of its edge, and how it was found
    traversals  by axis name, in the order of the axes: the descriptors, then the free axes
    """

    energy_ev: FloatArray
    edge_ev: float
    edge_rule: str
    traversals: Mapping[str, Traversal]


@dataclass(frozen=True, eq=False)
class PlacedSites:
    """Sites of the test part in the latent space of one member.

    site_id (n,) · latent (n, k) by axis name, descriptors (n, d) and features (n, 7 spectral descriptors) as columns
    classes  descriptors that name classes
    """

    site_id: pd.Series
    latent: pd.DataFrame
    descriptors: pd.DataFrame
    features: pd.DataFrame
    classes: tuple[str, ...]


def own_edge(energy_ev: FloatArray, mu: FloatArray, element: str | None) -> tuple[float, str]:
    """Energy in eV of the edge of one spectrum mu (m,), and the rule that gave it.

    Half height of the white line (see ``engine.spectra.spectral_descriptors``); where the spectrum has no such point
    the tabulated K edge of ``element``; where there is none, the first energy.
    """
    half = float(spectral_descriptors(energy_ev, mu[None])["E_edge"].iloc[0])
    if np.isfinite(half):
        return half, "half height"
    if element in K_EDGE_EV:
        return K_EDGE_EV[str(element)], "tabulated K edge"
    return float(energy_ev[0]), "first energy"


def amplitude(differential: FloatArray) -> float:
    """Root mean square over the energies of a differential spectrum (m,), in units of mu."""
    return float(np.sqrt(np.mean(np.asarray(differential, dtype=np.float64) ** 2)))


def same_grid(a_ev: FloatArray, b_ev: FloatArray) -> bool:
    """Whether two energy grids (m,) are the same, to a millionth of an eV."""
    return a_ev.shape == b_ev.shape and bool(np.allclose(a_ev, b_ev, rtol=0, atol=GRID_TOLERANCE_EV))


def overlap_between(traversals: Sequence[Traversal | None]) -> FloatArray:
    """Cosine overlap (a, a) of the differentials of a members along one axis each; nothing is interpolated.

    NaN where a member has no such axis (None) or two members have different energies.
    """
    a = len(traversals)
    result = np.full((a, a), np.nan)
    for i, first in enumerate(traversals):
        for j, second in enumerate(traversals):
            if first is not None and second is not None and same_grid(first.energy_ev, second.energy_ev):
                result[i, j] = cosine_overlap(np.stack([first.differential, second.differential]))[0, 1]
    return result


def compare_scores(scores: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """Scores of members (rows of a run's score table) as one long table, each beside that of the first member.

    Columns: member (place in ``scores``), descriptor ("" for a measure of the whole member), measure, value, difference
    to the first member, better (1 or -1 as the difference is for the better or worse; 0 where there is none). A score
    that a member lacks has no row or is NaN; so is a difference to it.
    """
    rows = [
        (place, descriptor, measure, float(value))
        for place, member in enumerate(scores)
        for column, value in member.items()
        if (named := _measure(column)) is not None
        for descriptor, measure in [named]
    ]
    table = pd.DataFrame(rows, columns=["member", "descriptor", "measure", "value"])
    first = table[table["member"] == 0].set_index(["descriptor", "measure"])["value"]
    base = first.reindex(pd.MultiIndex.from_frame(table[["descriptor", "measure"]])).to_numpy()
    table["difference"] = table["value"].to_numpy() - base
    sign = table["measure"].map(LARGER_IS_BETTER).map({True: 1, False: -1}).to_numpy()
    table["better"] = np.nan_to_num(np.sign(table["difference"].to_numpy()) * sign).astype(int)
    return table


def _measure(column: str) -> tuple[str, str] | None:
    """(descriptor, measure) of a column of the score table; None for one that is not compared."""
    if column in _MEASURES:
        return "", _MEASURES[column]
    for ending, measure in ((" srcc", "|SRCC|"), (" f1", "F1")):
        if column.endswith(ending):
            return column.removesuffix(ending), measure
    return None
