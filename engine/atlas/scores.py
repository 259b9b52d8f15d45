"""What a map keeps of the spectra's neighbourhoods, and whether neighbours share element, oxidation state and CN.

Exact for a seeded draw of sites, each compared with all n of them, in blocks: nothing of size n² is ever laid out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import ConfigError
from engine.spectra.spectra_set import FloatArray

METRICS = {
    "euclidean": "euclidean", "manhattan": "cityblock", "chebyshev": "chebyshev", "cosine": "cosine",
    "correlation": "correlation",
}  # fmt: skip
"""Metrics by the name that umap-learn gives them, with SciPy's."""
_BLOCK_NUMBERS, _BLOCK_ROWS = 4_000_000, 20_000


def distances(a: FloatArray, b: FloatArray, metric: str) -> npt.NDArray[np.float64]:
    """Distances (p, n) between rows of a (p, m) and b (n, m)."""
    from scipy.spatial.distance import cdist

    if metric not in METRICS:
        raise ConfigError(f"metric is '{metric}'; need one of {', '.join(METRICS)}")
    measure: Any = METRICS[metric]
    first, centre = np.asarray(a, dtype=np.float64), np.asarray(b[:1000], dtype=np.float64).mean(axis=0)
    result = np.empty((len(a), len(b)))
    for start in range(0, len(b), _BLOCK_ROWS):
        second = np.asarray(b[start : start + _BLOCK_ROWS], dtype=np.float64)
        part = result[:, start : start + _BLOCK_ROWS]
        if metric == "euclidean":  # as a matrix product, much faster; centred, so that little is lost to rounding
            left, right = first - centre, second - centre
            squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
            part[:] = np.sqrt(np.maximum(squared, 0))
        else:
            part[:] = cdist(first, second, measure)
    return result


@dataclass(frozen=True)
class Neighbourhoods:
    """Neighbours of ``rows`` (p,) among all n sites, nearest first, (p, k), in the spectra and on the map.

    trustworthiness  of the map, of k neighbours (Venna and Kaski 2001): 1 when those on the map are those of the
                     spectra, about 0.5 for a random map; the sum over all sites is taken over ``rows``
    preserved        share of a site's k nearest in the spectra that are among its k nearest on the map
    nearest          (p,) distance to the nearest other spectrum
    """

    rows: npt.NDArray[np.intp]
    in_spectra: npt.NDArray[np.intp]
    on_map: npt.NDArray[np.intp]
    trustworthiness: float
    preserved: float
    nearest: FloatArray


def neighbourhoods(
    mu: FloatArray, xy: FloatArray, *, k: int = 15, metric: str = "euclidean", rows: int = 2000, seed: int = 0
) -> Neighbourhoods:
    """Neighbours of up to ``rows`` sites, drawn with ``seed``, of spectra mu (n, m) at xy (n, 2), and what is kept."""
    n = len(mu)
    if n < 2 * k + 2:
        raise ConfigError(f"there are {n} spectra; need at least {2 * k + 2} to look at {k} neighbours of each")
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[:rows])
    block = max(1, _BLOCK_NUMBERS // n)
    near, shown, intruders, nearest = [], [], 0.0, []
    for start in range(0, chosen.size, block):
        part = chosen[start : start + block]
        apart, drawn = distances(mu[part], mu, metric), distances(xy[part], xy, "euclidean")
        here = np.arange(part.size)
        apart[here, part], drawn[here, part] = np.inf, np.inf
        near.append(_nearest(apart, k))
        shown.append(_nearest(drawn, k))
        nearest.append(apart[here, near[-1][:, 0]])
        for neighbour in shown[-1].T:
            rank = 1 + (apart < apart[here, neighbour][:, None]).sum(axis=1)
            intruders += float(np.maximum(rank - k, 0).sum())
    in_spectra, on_map = np.concatenate(near), np.concatenate(shown)
    kept = np.mean([np.isin(a, b).mean() for a, b in zip(in_spectra, on_map, strict=True)])
    trust = 1 - 2 * intruders / (chosen.size * k * (2 * n - 3 * k - 1))
    return Neighbourhoods(chosen, in_spectra, on_map, float(trust), float(kept), np.concatenate(nearest))


def _nearest(apart: FloatArray, k: int) -> npt.NDArray[np.intp]:
    """Columns (p, k) of the smallest in each row of ``apart`` (p, n), smallest first."""
    found = np.argpartition(apart, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(apart, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def purity(
    labels: FloatArray, rows: npt.NDArray[np.intp], neighbours: npt.NDArray[np.intp]
) -> dict[str, float | int | None]:
    """How often a neighbour has its site's label: ``share``, what chance gives, and n sites with a known label.

    labels (n,) numbers, NaN for unknown: such sites and neighbours take no part. ``rows`` (p,), ``neighbours`` (p, k).
    Chance is the sum of squared shares of the labels among all sites.
    """
    own, theirs = labels[rows][:, None], labels[neighbours]
    known = ~np.isnan(own) & ~np.isnan(theirs)
    counts = np.unique(labels[~np.isnan(labels)], return_counts=True)[1]
    if not known.any():
        return {"share": None, "chance": None, "n": 0}
    return {
        "share": float((own == theirs)[known].mean()),
        "chance": float(((counts / counts.sum()) ** 2).sum()),
        "n": int(known.any(axis=1).sum()),
    }


def universality(
    labels: FloatArray,
    element: FloatArray,
    rows: npt.NDArray[np.intp],
    neighbours: npt.NDArray[np.intp],
) -> dict[str, float | int | None]:
    """Whether neighbours of another element have the site's label: what a spectrum says of it whatever the element.

    other   share of neighbours that are of another element, of sites with a known label
    sites   share of these sites whose neighbours are, in their majority, of another element and of the same label
    share   share of neighbours of another element with a known label that have the site's
    chance  the same for a neighbour drawn from all sites of other elements
    """
    own = labels[rows]
    rows, neighbours, own = rows[~np.isnan(own)], neighbours[~np.isnan(own)], own[~np.isnan(own)]
    other = element[neighbours] != element[rows][:, None]
    both = other & ~np.isnan(labels[neighbours])
    if not both.any():
        return {"other": float(other.mean()) if other.size else None, "sites": None, "share": None, "chance": None}
    same = both & (labels[neighbours] == own[:, None])
    known = ~np.isnan(labels)
    chances = []
    for row, value, weight in zip(rows, own, both.sum(axis=1), strict=True):
        if weight:
            drawn = known & (element != element[row])
            chances.append((weight, (labels[drawn] == value).mean()))
    weights, values = np.array(chances).T
    return {
        "other": float(other.mean()),
        "sites": float((same.mean(axis=1) > 0.5).mean()),
        "share": float(same[both].mean()),
        "chance": float((weights * values).sum() / weights.sum()),
    }


def map_scores(
    found: Neighbourhoods, element: npt.NDArray[np.str_], labels: Mapping[str, FloatArray]
) -> dict[str, Any]:
    """Trustworthiness, preservation, purity by element and by each of ``labels``, and universality; JSON-ready.

    Numeric labels are rounded to whole numbers. Each is given for the map and for the spectra themselves.
    """
    codes = np.unique(element, return_inverse=True)[1].astype(np.float64)
    classes = {name: np.round(values) for name, values in labels.items()}
    result: dict[str, Any] = {
        "sites": int(found.rows.size),
        "neighbours": int(found.on_map.shape[1]),
        "trustworthiness": found.trustworthiness,
        "preserved": found.preserved,
        "purity": {},
        "universality": {},
    }
    for where, neighbours in (("map", found.on_map), ("spectra", found.in_spectra)):
        result["purity"][where] = {
            name: purity(values, found.rows, neighbours) for name, values in {"element": codes, **classes}.items()
        }
        result["universality"][where] = {
            name: universality(values, codes, found.rows, neighbours) for name, values in classes.items()
        }
    return result
