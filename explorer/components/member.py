"""A trained member as the page explores it: its axes in words and numbers, where the training sites lie on them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.analysis.nearest import nearest_rows
from engine.analysis.scores import FloatArray, rank_correlation
from engine.errors import EngineError
from engine.model.decoder_weights import DecoderWeights, read_decoders
from engine.model.run import Run
from explorer.plots.style import padded
from explorer.runs import MemberInfo, read_members

StringArray = npt.NDArray[np.str_]
MOST_SITES = 10_000
BINS = 40
LEVELS, LEAST_PER_LEVEL = 20, 5
PROBES = 400


class Model(Protocol):
    """What is needed of a trained member; see ``engine.model.LatentModel``."""

    @property
    def axis_names(self) -> tuple[str, ...]: ...

    @property
    def energy_ev(self) -> FloatArray: ...

    def encode(self, mu: FloatArray) -> FloatArray:
        """Latent points (n, k) of spectra (n, m)."""

    def decode(self, z: FloatArray) -> FloatArray:
        """Spectra (n, m) of latent points (n, k)."""

    def percentile(self, axis: str, q: int) -> float:
        """The q-th percentile of an axis over the encoded test part."""


@dataclass(frozen=True, eq=False)
class Sites:
    """Training sites, at most 10,000 evenly taken.

    site_id, material_id, element (n,) · mu (n, m) · latent points (n, k) · labels (n, d), NaN where not known
    """

    site_id: StringArray
    material_id: StringArray
    element: StringArray
    mu: FloatArray
    latent: FloatArray
    labels: FloatArray

    def nearest(self, point: FloatArray, count: int) -> list[tuple[int, float]]:
        """The ``count`` sites whose latent points are nearest to ``point`` (k,), each with its distance."""
        rows, distance = nearest_rows(self.latent, point, count)
        return list(zip(rows.tolist(), distance.tolist(), strict=True))


@dataclass(frozen=True)
class Axis:
    """One latent axis.

    name, symbol, unit   the descriptor that it follows (or "free 1", …) · title  what that is, in a sentence
    free                 whether it follows none · score, score_title  how well it does, and what that number is
    direction            1 or -1 as the descriptor rises or falls along it, 0 where that is not known
    low, high            ends of its slider, which hold 0 and all of the encoded test part · q5, q95  its percentiles
    density              training sites in equal bins from low to high
    levels               (latent, mean descriptor) of training sites, in rising steps of the axis; empty when not known
    """

    name: str
    symbol: str
    unit: str
    title: str
    free: bool
    score: str
    score_title: str
    direction: int
    low: float
    high: float
    q5: float
    q95: float
    density: tuple[int, ...]
    levels: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Member:
    """An opened member.

    decoders          weights of every member of its run · index  which of them is this one · info  its scores
    sites             the training sites, or None where the set of the run is gone
    mu_range          holds the spectra between the 5th and 95th percentiles of the axes, as far as random points tell
    difference_range  the largest difference of a spectrum at one of these percentiles from the one at 0
    """

    model: Model
    decoders: tuple[DecoderWeights, ...]
    index: int
    info: MemberInfo
    axes: tuple[Axis, ...]
    sites: Sites | None
    mu_range: tuple[float, float]
    difference_range: float


def open_member(model: Model, run: Run, index: int) -> Member:
    """Everything about member ``index`` of a finished run, whose networks are ``model``."""
    info = read_members(run)[index]
    return make_member(model, read_decoders(run), index, info, place_sites(model, run), run.config().descriptors)


def make_member(
    model: Model,
    decoders: tuple[DecoderWeights, ...],
    index: int,
    info: MemberInfo,
    sites: Sites | None,
    descriptors: tuple[str, ...],
) -> Member:
    """A member from its parts; the first axes of ``model`` follow the ``descriptors``."""
    axes = tuple(_axis(model, i, name, info, sites, descriptors) for i, name in enumerate(model.axis_names))
    mu_range, difference_range = _reach(model, axes)
    return Member(model, decoders, index, info, axes, sites, mu_range, difference_range)


def place_sites(model: Model, run: Run) -> Sites | None:
    """Where the training sites of the run lie; None when its set is gone or has changed."""
    try:
        spectra, split, names = run.spectra(), run.split(), run.config().descriptors
    except EngineError:
        return None
    rows = split.train[:: max(1, -(-len(split.train) // MOST_SITES))]
    mu = np.asarray(spectra.mu[rows], dtype=np.float32)
    labels = spectra.descriptor_values(names)[rows]
    return Sites(spectra.site_id[rows], spectra.material_id[rows], spectra.element[rows], mu, model.encode(mu), labels)


def slider_limits(low: float, high: float) -> tuple[float, float]:
    """Ends of a slider, in steps of 0.01, that hold ``low`` to ``high`` and 0."""
    return float(np.floor(100 * min(low, -0.5)) / 100), float(np.ceil(100 * max(high, 0.5)) / 100)


def _axis(
    model: Model, place: int, name: str, info: MemberInfo, sites: Sites | None, descriptors: tuple[str, ...]
) -> Axis:
    low, high = slider_limits(model.percentile(name, 0), model.percentile(name, 100))
    counts, levels, direction = np.empty(0, dtype=int), (), 0
    free = place >= len(descriptors)
    if sites is not None:
        z = sites.latent[:, place]
        counts = np.histogram(z, BINS, (low, high))[0]
        if not free:
            levels = _levels(z, sites.labels[:, place])
            correlation = rank_correlation(z, sites.labels[:, place])
            direction = 0 if np.isnan(correlation) else int(np.sign(correlation))
    symbol, unit, title = _words(name, free)
    score, score_title = _score(name, free, info)
    return Axis(
        name, symbol, unit, title, free, score, score_title, direction, low, high,
        model.percentile(name, 5), model.percentile(name, 95), tuple(counts.tolist()), levels,
    )  # fmt: skip


def _levels(z: FloatArray, labels: FloatArray) -> tuple[tuple[float, float], ...]:
    """Mean latent value and mean label of equally many sites each, in rising order of the axis."""
    known = ~np.isnan(labels)
    order = np.argsort(z[known], kind="stable")
    parts = np.array_split(order, min(LEVELS, len(order) // LEAST_PER_LEVEL) or 1)
    if len(parts) < 2:
        return ()
    return tuple((float(z[known][part].mean()), float(labels[known][part].mean())) for part in parts)


def _words(name: str, free: bool) -> tuple[str, str, str]:
    """Symbol, unit and meaning of the descriptor that an axis follows."""
    from engine.structures import CATALOGUE

    if free:
        return name, "", "A free axis: what the descriptors of the other axes do not explain."
    if name in CATALOGUE:
        known = CATALOGUE[name]
        return known.symbol, known.unit, f"{name}: {known.summary}"
    return name, "", f"{name}: a column of the set"


def _score(name: str, free: bool, info: MemberInfo) -> tuple[str, str]:
    if free:
        largest = info.scores.get("free_axis_correlation_max", float("nan"))
        return f"max |ρ| {largest:.2f}", "Largest rank correlation with any other axis, on the test part: 0 is best"
    srcc, f1 = (info.scores.get(f"{name} {measure}", float("nan")) for measure in ("srcc", "f1"))
    title = "Rank correlation of the axis with the descriptor on the test part: 1 is best"
    return f"|SRCC| {srcc:.2f}", title if np.isnan(f1) else f"{title}. Weighted F1 of its classes {f1:.2f}"


def _reach(model: Model, axes: tuple[Axis, ...]) -> tuple[tuple[float, float], float]:
    low, high = np.array([[axis.q5, axis.q95] for axis in axes]).T
    random = np.random.default_rng(0).normal(size=(PROBES, len(axes))).clip(low, high)
    zero = np.zeros((1, len(axes)))
    decoded = model.decode(np.concatenate([random, np.diag(low), np.diag(high), zero]))
    difference = np.abs(decoded[PROBES:] - decoded[-1]).max()
    return padded(float(decoded.min()), float(decoded.max())), 1.1 * float(difference) + 1e-3


def axis_json(axis: Axis) -> dict[str, object]:
    """An axis as the browser is given it."""
    fields = dataclasses.asdict(axis)
    fields["scoreTitle"] = fields.pop("score_title")
    z, mean = zip(*axis.levels, strict=True) if axis.levels else ((), ())
    return {**fields, "density": list(axis.density), "levels": {"z": list(z), "mean": list(mean)} if z else None}
