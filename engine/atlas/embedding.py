"""Spectra (n, m) to points (n, 2): UMAP with the perspective paper's parameters, densMAP or principal components."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from engine.atlas.scores import METRICS
from engine.errors import ConfigError
from engine.spectra.spectra_set import FloatArray

METHODS = ("umap", "densmap", "pca")


@dataclass(frozen=True)
class Embedding:
    """How a map is made.

    neighbours, min_dist, metric   of UMAP (McInnes, Healy and Melville 2018); principal components take no notice
    seed     a seeded map is the same again on one machine, on one thread
    fast     UMAP on all threads, without the seed: a little different each time
    gpu      UMAP on an NVIDIA GPU by cuML (RAPIDS), where that is installed; other code, so another map than on the CPU
    """

    method: Literal["umap", "densmap", "pca"] = "umap"
    neighbours: int = 94
    min_dist: float = 0.1
    metric: str = "euclidean"
    seed: int = 1579
    fast: bool = False
    gpu: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"method is '{self.method}'; need one of {', '.join(METHODS)}")
        if self.metric not in METRICS:
            raise ConfigError(f"metric is '{self.metric}'; need one of {', '.join(METRICS)}")
        if self.neighbours < 2 or not 0 <= self.min_dist <= 1:
            raise ConfigError(f"{self.neighbours} neighbours, min_dist {self.min_dist}; need from 2, and 0 to 1")
        if self.gpu and self.method != "umap":
            raise ConfigError(f"{self.method} is not made on a GPU; take umap, or leave gpu out")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed is {self.seed}; need 0 to {2**32 - 1}")


def embed(mu: FloatArray, how: Embedding) -> npt.NDArray[np.float32]:
    """Points (n, 2) for spectra mu (n, m); ConfigError when there are no more spectra than neighbours."""
    if how.method == "pca":
        return principal_components(mu)
    if len(mu) <= how.neighbours:
        raise ConfigError(f"there are {len(mu)} spectra; need more than {how.neighbours}, the neighbours of each")
    return np.asarray(reducer(how).fit_transform(mu), dtype=np.float32)


def reducer(how: Embedding) -> Any:
    """umap-learn's reducer, or cuML's for a GPU, not yet fitted; ConfigError when it is not installed."""
    if how.gpu:
        return _on_gpu(how)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of packages that umap-learn could use and does not find
            import umap  # not at the top: it costs seconds
    except ImportError as error:
        raise ConfigError("maps need umap-learn; install it with: pip install umap-learn") from error
    return umap.UMAP(
        n_neighbors=how.neighbours,
        min_dist=how.min_dist,
        metric=how.metric,
        densmap=how.method == "densmap",
        random_state=None if how.fast else how.seed,
        n_jobs=-1 if how.fast else 1,
    )


def _on_gpu(how: Embedding) -> Any:
    """cuML's reducer: of the two libraries for GPUs the one that needs no torch, which this package does not import."""
    try:
        from cuml.manifold import UMAP
    except ImportError as error:
        raise ConfigError(
            "maps on a GPU need cuML and an NVIDIA GPU; install cuML as docs.rapids.ai says, or leave gpu out"
        ) from error
    return UMAP(
        n_neighbors=how.neighbours,
        min_dist=how.min_dist,
        metric=how.metric,
        random_state=None if how.fast else how.seed,
    )


def principal_components(mu: FloatArray) -> npt.NDArray[np.float32]:
    """The two leading principal components (n, 2) of mu (n, m), each with its largest loading positive."""
    values = np.asarray(mu, dtype=np.float64)
    centred = values - values.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, [-1, -2]]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    return np.asarray(centred @ axes, dtype=np.float32)
