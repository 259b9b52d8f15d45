"""From latent points to descriptors with calibrated intervals, and three separate answers to "is this in the domain?".

Fitted on the training part of a run, calibrated on its validation part by material; the test part stays unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import KDTree
from scipy.stats import gaussian_kde
from sklearn.isotonic import IsotonicRegression
from torch import Tensor

from engine.errors import ConfigError, DataError
from engine.experiment.conformal import grouped_p_values, grouped_quantile
from engine.experiment.measured import FloatArray
from engine.experiment.prediction import MEASURES, Calibrated, Prediction, covered
from engine.model.latent_model import LatentModel
from engine.spectra import SpectraSet, Split

NETWORKS, HIDDEN, STEPS, BATCH = 32, 32, 500, 512
NEIGHBOURS = 5
LEAST_SITES = 30
# A measure is flagged when at most one in twenty in-domain materials would look as odd.
FLAG_BELOW = 0.05


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Small networks from latent points to descriptors, stacked: weights (e, in, out) and offsets (e, 1, out)."""

    layers: tuple[tuple[Tensor, Tensor], ...]
    centre: FloatArray
    scale: FloatArray

    @torch.inference_mode()
    def predict(self, z: FloatArray) -> FloatArray:
        """What each network says, (e, n, d), for latent points (n, k)."""
        out = _forward(torch.tensor(z, dtype=torch.float32), self.layers).numpy()
        return np.asarray(out * self.scale + self.centre, dtype=np.float64)


def _forward(z: Tensor, layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    x = z.expand(layers[0][0].shape[0], *z.shape[-2:])
    for i, (weight, offset) in enumerate(layers):
        x = torch.baddbmm(offset, x, weight)
        if i < len(layers) - 1:
            x = torch.nn.functional.silu(x)
    return x


def fit_ensemble(z: FloatArray, labels: FloatArray, *, networks: int = NETWORKS, seed: int = 0) -> Ensemble:
    """Networks from latent points (n, k) to labels (n, d), NaN for unknown, each on a random sample of sites.

    Two hidden layers of 32, AdamW on standardised labels; every network draws its own start and batches.
    """
    centre = np.nanmean(labels, axis=0)
    scale = np.maximum(np.nanstd(labels, axis=0), 1e-6)
    target = torch.tensor((labels - centre) / scale, dtype=torch.float32)
    known = ~torch.isnan(target)
    target = torch.where(known, target, 0.0)
    points = torch.tensor(z, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    widths = (z.shape[1], HIDDEN, HIDDEN, labels.shape[1])
    layers: list[tuple[Tensor, Tensor]] = []
    for inside, outside in pairwise(widths):
        weight = torch.randn(networks, inside, outside, generator=generator) * inside**-0.5
        layers.append((weight.requires_grad_(True), torch.zeros(networks, 1, outside, requires_grad=True)))
    optimiser = torch.optim.AdamW([part for layer in layers for part in layer], lr=0.01, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    bag = torch.randint(len(z), (networks, len(z)), generator=generator)  # a bootstrap sample for each network
    for _ in range(STEPS):
        rows = bag.gather(1, torch.randint(len(z), (networks, min(BATCH, len(z))), generator=generator))
        error = (_forward(points[rows], layers) - target[rows]) ** 2 * known[rows]
        optimiser.zero_grad()
        (error.sum(dim=(1, 2)) / known[rows].sum(dim=(1, 2)).clamp(min=1)).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return Ensemble(tuple((w.detach(), b.detach()) for w, b in layers), centre, scale)


@dataclass(frozen=True, eq=False)
class _Scores:
    """Calibration scores (n,) and the materials (n,) they come from."""

    score: FloatArray
    group: npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Predictor:
    """Everything that turns spectra into calibrated predictions; made by ``fit_predictor``."""

    member: LatentModel
    names: tuple[str, ...]
    networks: Ensemble
    floor: FloatArray
    ensemble_scores: tuple[_Scores, ...]
    isotonic: dict[str, IsotonicRegression]
    isotonic_scores: dict[str, _Scores]
    tree: KDTree
    density: gaussian_kde
    domain_scores: tuple[_Scores, ...]

    def values(self, mu: FloatArray) -> FloatArray:
        """Mean of the networks (n, d) for spectra (n, m)."""
        return np.asarray(self.networks.predict(self.member.encode(mu)).mean(axis=0))

    def measures(self, mu: FloatArray) -> FloatArray:
        """How odd spectra (n, m) are, (n, 3): minus log density, mean distance to 5 sites, rms of reconstruction."""
        z = self.member.encode(mu).astype(np.float64)
        distance = np.asarray(self.tree.query(z, k=NEIGHBOURS)[0]).mean(axis=1)
        residual = np.sqrt(((self.member.decode(z) - mu) ** 2).mean(axis=1))
        return np.stack([-self.density.logpdf(z.T), distance, residual], axis=1)

    def predict(self, mu: FloatArray, coverage: float = 0.9) -> Prediction:
        """Predictions for spectra (n, m) on the model's grid."""
        z = self.member.encode(mu)
        said = self.networks.predict(z)
        mean, spread = said.mean(axis=0), said.std(axis=0)
        ensemble, isotonic = {}, {}
        for i, name in enumerate(self.names):
            scores = self.ensemble_scores[i]
            half = grouped_quantile(scores.score, scores.group, coverage) * (spread[:, i] + self.floor[i])
            ensemble[name] = Calibrated(mean[:, i], mean[:, i] - half, mean[:, i] + half)
            if name in self.isotonic:
                value = self.isotonic[name].predict(z[:, self.member.axis_names.index(name)].astype(np.float64))
                width = grouped_quantile(self.isotonic_scores[name].score, self.isotonic_scores[name].group, coverage)
                isotonic[name] = Calibrated(value, value - width, value + width)
        measure = self.measures(mu)
        p = np.stack(
            [grouped_p_values(s.score, s.group, measure[:, i]) for i, s in enumerate(self.domain_scores)], axis=1
        )
        least = [1.0 / (np.unique(s.group).size + 1) for s in self.domain_scores]
        return Prediction(
            names=self.names,
            coverage=coverage,
            ensemble=ensemble,
            spread=spread,
            isotonic=isotonic,
            latent=z,
            reconstruction=self.member.decode(z),
            measure=measure,
            p=p,
            flagged=p <= np.maximum(FLAG_BELOW, least) + 1e-12,
        )


def fit_predictor(
    member: LatentModel, spectra: SpectraSet, split: Split, names: Sequence[str] = (), *, seed: int = 0
) -> Predictor:
    """A predictor of descriptors ``names`` (default: those with an axis) from a member and the set it was trained on.

    Raises DataError when a descriptor is unknown, or known for fewer than 30 training or validation sites.
    """
    chosen = tuple(names) or tuple(name for name in member.axis_names if name in spectra.descriptors.columns)
    if not chosen:
        raise ConfigError("the model has no descriptor to predict; name one of the set's")
    labels = spectra.descriptor_values(chosen)
    for part, rows in (("training", split.train), ("validation", split.validation)):
        counts = (~np.isnan(labels[rows])).sum(axis=0)
        if counts.min() < LEAST_SITES:
            name = chosen[int(counts.argmin())]
            raise DataError(
                f"descriptor {name} is known for {counts.min()} {part} sites; need {LEAST_SITES} to calibrate"
            )
    train, held = split.train, split.validation
    z_train, z_held = member.encode(spectra.mu[train]), member.encode(spectra.mu[held])
    group = spectra.material_id[held]
    networks = fit_ensemble(z_train, labels[train], seed=seed)
    said = networks.predict(z_held)
    error = np.abs(said.mean(axis=0) - labels[held])
    # Where networks agree by chance an interval must not shrink to nothing.
    floor = np.maximum(np.nanmedian(np.abs(networks.predict(z_train).mean(axis=0) - labels[train]), axis=0), 1e-6)
    scores = error / (said.std(axis=0) + floor)
    ensemble_scores = [_known(scores[:, i], group) for i in range(len(chosen))]
    isotonic, isotonic_scores = {}, {}
    for i, name in enumerate(chosen):
        if name in member.axis_names:
            at = member.axis_names.index(name)
            seen = ~np.isnan(labels[train, i])
            rising = IsotonicRegression(out_of_bounds="clip").fit(
                z_train[seen, at].astype(np.float64), labels[train, i][seen]
            )
            isotonic[name] = rising
            left = np.abs(rising.predict(z_held[:, at].astype(np.float64)) - labels[held, i])
            isotonic_scores[name] = _known(left, group)
    points = z_train.astype(np.float64)
    predictor = Predictor(
        member, chosen, networks, floor, tuple(ensemble_scores), isotonic, isotonic_scores,
        KDTree(points), gaussian_kde(points.T), (),
    )  # fmt: skip
    odd = predictor.measures(spectra.mu[held])
    domain = tuple(_Scores(odd[:, i], group) for i in range(len(MEASURES)))
    return Predictor(
        member, chosen, networks, floor, tuple(ensemble_scores), isotonic, isotonic_scores,
        predictor.tree, predictor.density, domain,
    )  # fmt: skip


def coverage_on(
    predictor: Predictor, spectra: SpectraSet, rows: npt.NDArray[np.intp], coverage: float
) -> dict[str, tuple[float, int]]:
    """Per descriptor, the share of the sites in ``rows`` that intervals of ``coverage`` hold, and how many are known.

    Descriptors that none of the sites knows are left out.
    """
    truth = spectra.descriptor_values(predictor.names)[rows]
    found = predictor.predict(spectra.mu[rows], coverage)
    shares = {name: covered(found.ensemble[name], truth[:, i]) for i, name in enumerate(predictor.names)}
    return {name: share for name, share in shares.items() if share[1]}


def _known(scores: FloatArray, group: npt.NDArray[np.str_]) -> _Scores:
    known = ~np.isnan(scores)
    return _Scores(scores[known], group[known])
