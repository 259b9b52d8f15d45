"""The forward direction: spectra from descriptors or from the structure, beside what the decoder makes of descriptors.

Networks, ensembles, Monte-Carlo dropout and bootstrap as in C. D. Rankine and T. J. Penfold's work on predicting XANES
(J. Chem. Phys. 156, 164102 (2022)); errors are those of the test part, whose materials no network has seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.isotonic import IsotonicRegression
from torch import Tensor

from engine.errors import ConfigError, RunError
from engine.io.structures import read_structures, structures_path
from engine.model.latent_model import LatentModel, load_members
from engine.model.networks import Stack
from engine.model.run import Run
from engine.structures.errors import NotDefinedError
from engine.structures.radial import FEATURE_DISTANCE, site_features

FloatArray = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

NETWORKS, STEPS = 8, 600
HIDDEN, BATCH, RATE = 128, 256, 3e-3
DROPOUT, PASSES = 0.1, 50
LEAST_SITES = 20
SIGMAS = 3.0
SHELL_ANGSTROM = 0.5
FILE = "forward.json"


@dataclass(frozen=True)
class Row:
    """One way to a spectrum, on the test part.

    source           what it starts from · method  how its spread comes about
    percent          median over sites of 100 Σ|Δμ| / Σμ, with its quartiles low and high
    coverage         share of energies of all sites at which the truth lies within ±3σ; None without a spread
    """

    source: str
    method: str
    percent: float
    low: float
    high: float
    coverage: float | None


@dataclass(frozen=True)
class Forward:
    """Rows on ``sites`` test sites.

    importance  (distance in Å, rise of the median percentage error when other sites lend what the structure has from
                there to half an ångström further), empty without structures · note  why, and which sites are left out
    """

    rows: tuple[Row, ...]
    importance: tuple[tuple[float, float], ...]
    sites: int
    note: str

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return asdict(self)


def forward(run: Run, *, networks: int = NETWORKS, steps: int = STEPS, seed: int = 0) -> Forward:
    """Trains networks on the training part of a run and compares them with its decoder; kept in the run folder.

    Only sites whose descriptors (and structure, where the set has structures beside it) are all known take part.
    ConfigError for fewer than two networks, a run without descriptors or too few such sites.
    """
    if networks < 2:
        raise ConfigError(f"networks is {networks}; a spread needs at least 2")
    names = run.config().descriptors
    if not names:
        raise ConfigError(f"{run.path}: has no descriptors, so nothing leads from descriptors to spectra")
    spectra, split = run.spectra(), run.split()
    labels = np.asarray(spectra.descriptor_values(names), dtype=np.float64)
    features, note = _features(run, spectra.site_id.tolist())
    known = np.asarray(np.isfinite(labels).all(axis=1))
    if features is not None:
        known &= np.isfinite(features).all(axis=1)
    train, test = split.train[known[split.train]], split.test[known[split.test]]
    if min(train.size, test.size) < LEAST_SITES:
        raise ConfigError(
            f"{run.path}: {train.size} training and {test.size} test sites have all they need; "
            f"need {LEAST_SITES} of each"
        )
    truth = np.asarray(spectra.mu[test], dtype=np.float64)
    material = spectra.material_id[train]
    members = load_members(run)
    mean = np.broadcast_to(spectra.mu[train].mean(axis=0), truth.shape)
    rows = [row_of("nothing", "mean training spectrum", mean[None], truth)]
    rows.append(row_of("descriptors", "decoder", _decoded(members, spectra.mu[train], labels, train, test), truth))
    importance: list[tuple[float, float]] = []
    for source, inputs in (("descriptors", labels), ("structure", features)):
        if inputs is None:
            continue
        for method, fit in METHODS.items():
            predict = fit(inputs[train], spectra.mu[train], material, networks, steps, seed)
            rows.append(row_of(source, method, predict(inputs[test]), truth))
            if source == "structure" and method == "ensemble":
                importance = permutation_importance(predict, inputs[test], truth, seed)
    whole = np.stack([member.decode(member.encode(spectra.mu[test])) for member in members])
    rows.append(row_of("the spectrum itself", "encoder and decoder", whole, truth))
    found = Forward(tuple(rows), tuple(importance), len(test), note)
    if not run.read_only:
        run.write_json(FILE, found.to_json())
    return found


def read_forward(run: Run) -> Forward | None:
    """What ``forward`` kept in a run folder; None where it has not been asked for."""
    try:
        content = json.loads((run.path / FILE).read_text(encoding="utf-8"))
        rows = tuple(Row(**row) for row in content["rows"])
        importance = tuple((float(r), float(rise)) for r, rise in content["importance"])
        return Forward(rows, importance, int(content["sites"]), str(content["note"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{run.path / FILE}: cannot be read ({error}); run rankaae forward again") from error


def percentage_errors(predicted: FloatArray, truth: FloatArray) -> FloatArray:
    """100 Σ|Δμ| / Σ|μ| of every site (n,), for spectra (n, m)."""
    errors: FloatArray = 100 * np.abs(predicted - truth).sum(axis=1) / np.abs(truth).sum(axis=1)
    return errors


def row_of(source: str, method: str, drawn: npt.NDArray[Any], truth: FloatArray) -> Row:
    """The scores of drawn spectra (e, n, m), whose mean is the prediction and whose spread (from two on) its σ."""
    mean = drawn.mean(axis=0, dtype=np.float64)
    low, median, high = np.percentile(percentage_errors(mean, truth), [25, 50, 75])
    coverage = None
    if len(drawn) > 1:
        sigma = drawn.std(axis=0, ddof=1, dtype=np.float64)
        coverage = float(np.mean(np.abs(mean - truth) <= SIGMAS * sigma))
    return Row(source, method, float(median), float(low), float(high), coverage)


Predict = Callable[[FloatArray], FloatArray]
"""Drawn spectra (e, n, m) for inputs (n, f)."""


def permutation_importance(
    predict: Predict, inputs: FloatArray, truth: FloatArray, seed: int
) -> list[tuple[float, float]]:
    """(distance, rise of the median percentage error) when all features (n, f) of half an ångström from that distance
    on change sites together."""
    order = np.random.default_rng(seed).permutation(len(inputs))
    whole = float(np.median(percentage_errors(predict(inputs).mean(axis=0), truth)))
    found = []
    shell = np.floor(FEATURE_DISTANCE / SHELL_ANGSTROM + 1e-6) * SHELL_ANGSTROM
    for distance in np.unique(shell).tolist():
        mixed = inputs.copy()
        at = shell == distance
        mixed[:, at] = inputs[order][:, at]
        error = float(np.median(percentage_errors(predict(mixed).mean(axis=0), truth)))
        found.append((distance, error - whole))
    return found


def _features(run: Run, site_ids: list[str]) -> tuple[FloatArray | None, str]:
    """Features (n, f) of the sites, NaN where a structure is missing or has none; None and why where all are."""
    path = structures_path(run.set_path())
    if not path.is_file():
        return None, f"{path.name} is not beside the set, so nothing starts from structures"
    values = np.full((len(site_ids), len(FEATURE_DISTANCE)), np.nan)
    row = {name: i for i, name in enumerate(site_ids)}
    for site_id, structure, index in read_structures(path, site_ids):
        try:
            values[row[site_id]] = site_features(structure, index)
        except NotDefinedError:
            continue
    missing = int(np.isnan(values).any(axis=1).sum())
    return values, f"{missing} sites have no usable structure and were left out" if missing else ""


def _decoded(
    members: Sequence[LatentModel], mu: npt.NDArray[Any], labels: FloatArray, train: Rows, test: Rows
) -> FloatArray:
    """Spectra (e, n, m) that every member decodes from descriptors: each axis by a monotone curve, free axes at 0."""
    drawn = []
    for member in members:
        z = member.encode(mu)
        points = np.zeros((len(test), z.shape[1]))
        for i in range(labels.shape[1]):
            curve = IsotonicRegression(increasing="auto", out_of_bounds="clip").fit(labels[train, i], z[:, i])
            points[:, i] = curve.predict(labels[test, i])
        drawn.append(member.decode(points))
    return np.stack(drawn).astype(np.float64)


def _fitted(
    x: FloatArray, y: npt.NDArray[Any], pools: Sequence[Rows], steps: int, seed: int, dropout: float = 0.0
) -> Predict:
    """Networks from inputs (n, f) to spectra (n, m), one per pool of training rows; two hidden layers of 128."""
    centre, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    middle, spread = y.mean(axis=0, dtype=np.float64), max(float(y.std()), 1e-9)

    def standard(inputs: FloatArray) -> Tensor:
        return torch.tensor((inputs - centre) / scale, dtype=torch.float32).clamp(-8, 8)

    inputs, target = standard(x), torch.tensor((y - middle) / spread, dtype=torch.float32)
    draw = torch.Generator().manual_seed(seed)
    starts = [torch.Generator().manual_seed(1000 * seed + i) for i in range(len(pools))]
    network = Stack((x.shape[1], HIDDEN, HIDDEN, y.shape[1]), "silu", "layer", starts)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)

    def kept(n: int) -> list[Tensor]:
        shape = (len(pools), n, HIDDEN)
        return [(torch.rand(shape, generator=draw) >= dropout) / (1 - dropout) for _ in range(2)] if dropout else []

    for _ in range(steps):
        rows = torch.stack([torch.as_tensor(p)[torch.randint(len(p), (BATCH,), generator=draw)] for p in pools])
        loss = (network(inputs[rows], keep=kept(BATCH)) - target[rows]).square().mean((1, 2)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()

    @torch.inference_mode()
    def predict(new: FloatArray) -> FloatArray:
        points = standard(new)[None].expand(len(pools), -1, -1)
        passes = [network(points, keep=kept(len(new))) for _ in range(PASSES if dropout else 1)]
        return np.asarray(torch.cat(passes).numpy() * spread + middle, dtype=np.float64)

    return predict


Fit = Callable[[FloatArray, npt.NDArray[Any], npt.NDArray[np.str_], int, int, int], Predict]


def _ensemble(
    x: FloatArray, y: npt.NDArray[Any], material: npt.NDArray[np.str_], networks: int, steps: int, seed: int
) -> Predict:
    """Networks that differ by their start and the order of their batches."""
    return _fitted(x, y, [np.arange(len(x))] * networks, steps, seed)


def _bootstrap(
    x: FloatArray, y: npt.NDArray[Any], material: npt.NDArray[np.str_], networks: int, steps: int, seed: int
) -> Predict:
    """Networks each trained on a draw of the materials, with replacement."""
    rng = np.random.default_rng(seed)
    names, of = np.unique(material, return_inverse=True)
    rows = [np.flatnonzero(of == i) for i in range(len(names))]
    pools = [np.concatenate([rows[i] for i in rng.integers(len(names), size=len(names))]) for _ in range(networks)]
    return _fitted(x, y, pools, steps, seed)


def _dropout(
    x: FloatArray, y: npt.NDArray[Any], material: npt.NDArray[np.str_], networks: int, steps: int, seed: int
) -> Predict:
    """One network that leaves out a tenth of its hidden units, in training and in every one of fifty predictions."""
    return _fitted(x, y, [np.arange(len(x))], steps, seed, DROPOUT)


METHODS: dict[str, Fit] = {"ensemble": _ensemble, "bootstrap": _bootstrap, "Monte-Carlo dropout": _dropout}
