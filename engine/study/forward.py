"""The forward direction: spectra from descriptors or from the structure, beside what the decoder makes of descriptors.

Networks, ensembles, Monte-Carlo dropout and bootstrap as in C. D. Rankine and T. J. Penfold's work on predicting XANES
(J. Chem. Phys. 156, 164102 (2022)); errors are those of the test part, whose materials no network has seen. By how much
spreads are too narrow is told by the validation part, which no network has seen either; the run's own members were
stopped where they did best on it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
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
LEAST_SITES, LEAST_DRAWS = 20, 4
SIGMAS, WITHIN = 3.0, 0.997
DRAWS = 200
SHELL_ANGSTROM = 0.5
FILE = "forward.json"


@dataclass(frozen=True)
class Calibration:
    """What makes a spread σ usable, from the validation part, and how that does on the test part.

    factor     f, such that 99.7 % of the energies of all validation sites have the truth within ±3fσ · low, high
               its 90 % range over draws of the validation materials; high is None where it has no end
    coverage   share of energies of all test sites at which the truth lies within ±3fσ
    percent    half the width of ±3fσ on the test part: median over sites of 100 Σ3fσ / Σμ
    """

    factor: float
    low: float
    high: float | None
    coverage: float
    percent: float


@dataclass(frozen=True)
class Row:
    """One way to a spectrum, on the test part.

    source       what it starts from · method  how its spread comes about
    percent      median over sites of 100 Σ|Δμ| / Σμ, with its quartiles low and high
    coverage     share of energies of all sites at which the truth lies within ±3σ; None without a spread
    calibration  None without a spread, and where no factor is enough as σ is 0 where errors are not
    """

    source: str
    method: str
    percent: float
    low: float
    high: float
    coverage: float | None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Forward:
    """Rows on ``sites`` test sites.

    importance  (distance in Å, rise of the median percentage error when other sites lend what the structure has from
                there to half an ångström further), empty without structures
    note        why, which sites are left out, and which spreads are of too few draws
    validation  sites that the factors are from; None when kept by a version that made none
    """

    rows: tuple[Row, ...]
    importance: tuple[tuple[float, float], ...]
    sites: int
    note: str
    validation: int | None

    @property
    def remarks(self) -> str:
        """The note, and what is to be done where factors are missing."""
        older = "" if self.validation is not None else "kept without factors: run rankaae forward again to have them"
        return "; ".join(text for text in (self.note, older) if text)

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
    train, validation, test = (part[known[part]] for part in (split.train, split.validation, split.test))
    if min(train.size, validation.size, test.size) < LEAST_SITES:
        raise ConfigError(
            f"{run.path}: {train.size} training, {validation.size} validation and {test.size} test sites have all they "
            f"need; need {LEAST_SITES} of each"
        )
    truth, held = (np.asarray(spectra.mu[part], dtype=np.float64) for part in (test, validation))
    material, groups = spectra.material_id[train], spectra.material_id[validation]
    members = load_members(run)
    rows: list[Row] = []

    def add(source: str, method: str, draw: Callable[[Rows], FloatArray]) -> None:
        rows.append(row_of(source, method, draw(test), truth, (draw(validation), held, groups)))

    mean = spectra.mu[train].mean(axis=0, dtype=np.float64)
    add("nothing", "mean training spectrum", lambda part: np.broadcast_to(mean, (1, part.size, mean.size)))
    add("descriptors", "decoder", lambda part: _decoded(members, spectra.mu[train], labels, train, part))
    importance: list[tuple[float, float]] = []
    for source, inputs in (("descriptors", labels), ("structure", features)):
        if inputs is None:
            continue
        for method, fit in METHODS.items():
            predict = fit(inputs[train], spectra.mu[train], material, networks, steps, seed)
            add(source, method, functools.partial(_at, predict, inputs))
            if source == "structure" and method == "ensemble":
                importance = permutation_importance(predict, inputs[test], truth, seed)
    add("the spectrum itself", "encoder and decoder", lambda part: _repeated(members, spectra.mu[part]))
    counts = {"members": len(members), "networks": networks}
    few = " and ".join(f"{count} {what}" for what, count in counts.items() if 1 < count < LEAST_DRAWS)
    by_chance = f"the spread of {few} is near 0 by chance too often for its factor to be of use" if few else ""
    note = "; ".join(text for text in (note, by_chance) if text)
    found = Forward(tuple(rows), tuple(importance), len(test), note, len(validation))
    if not run.read_only:
        run.write_json(FILE, found.to_json())
    return found


def read_forward(run: Run) -> Forward | None:
    """What ``forward`` kept in a run folder; None where it has not been asked for."""
    try:
        content = json.loads((run.path / FILE).read_text(encoding="utf-8"))
        rows = tuple(_row(**row) for row in content["rows"])
        importance = tuple((float(r), float(rise)) for r, rise in content["importance"])
        validation = int(content["validation"]) if "validation" in content else None
        return Forward(rows, importance, int(content["sites"]), str(content["note"]), validation)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{run.path / FILE}: cannot be read ({error}); run rankaae forward again") from error


def spread_cells(row: Row, found: Forward) -> tuple[str, str, str, str]:
    """Raw coverage in %, factor and its range, coverage after it and width in %, as texts; "" where there is none."""
    if row.coverage is None:
        return "", "", "", ""
    raw, fit = f"{100 * row.coverage:.1f}", row.calibration
    if fit is None:
        return raw, "none is enough" if found.validation is not None else "", "", ""
    end = "∞" if fit.high is None else f"{fit.high:.2f}"
    return raw, f"{fit.factor:.2f} ({fit.low:.2f}–{end})", f"{100 * fit.coverage:.1f}", f"{fit.percent:.1f}"


def percentage_errors(predicted: FloatArray, truth: FloatArray) -> FloatArray:
    """100 Σ|Δμ| / Σ|μ| of every site (n,), for spectra (n, m)."""
    errors: FloatArray = 100 * np.abs(predicted - truth).sum(axis=1) / np.abs(truth).sum(axis=1)
    return errors


def row_of(
    source: str,
    method: str,
    drawn: FloatArray,
    truth: FloatArray,
    held: tuple[FloatArray, FloatArray, npt.NDArray[np.str_]],
) -> Row:
    """The scores of drawn spectra (e, n, m), whose mean is the prediction and whose spread (from two on) its σ.

    held  drawn spectra (e, v, m), true ones (v, m) and materials (v,) of the validation part, for the calibration
    """
    mean, sigma = _mean_and_spread(drawn)
    errors = np.abs(mean - truth)
    low, median, high = np.percentile(percentage_errors(mean, truth), [25, 50, 75])
    row = Row(source, method, float(median), float(low), float(high), None)
    if len(drawn) < 2:
        return row
    row = replace(row, coverage=float(np.mean(errors <= SIGMAS * sigma)))
    held_mean, held_sigma = _mean_and_spread(held[0])
    factor, *ends = spread_factors(np.abs(held_mean - held[1]), held_sigma, held[2])
    if not np.isfinite(factor):
        return row
    reach = SIGMAS * factor * sigma
    width = float(np.median(percentage_errors(truth + reach, truth)))
    high_end = ends[1] if np.isfinite(ends[1]) else None
    return replace(row, calibration=Calibration(factor, ends[0], high_end, float(np.mean(errors <= reach)), width))


def spread_factors(
    errors: FloatArray, sigma: FloatArray, material: npt.NDArray[np.str_], seed: int = 0
) -> tuple[float, float, float]:
    """The factor by which spreads (n, m) are to be multiplied, and the ends of its 90 % range.

    The 99.7 % quantile of |error| / σ over all energies of all sites, a third of it: every point counts the same, as it
    does in the coverage. Points of one site and sites of one material (n,) err together, so that the range is that of
    200 draws of the materials with replacement. Infinite where σ is 0 and the error is not for too many points.
    """
    ratio = np.full(errors.shape, np.inf)
    np.divide(errors, sigma, out=ratio, where=sigma > 0)
    ratio[errors == 0] = 0
    names, of = np.unique(material, return_inverse=True)
    order = np.argsort(ratio, axis=None)
    sorted_ratio, sorted_of = ratio.ravel()[order], np.repeat(of, errors.shape[1])[order]

    def factor(times: npt.NDArray[np.intp]) -> float:
        """Where every material counts so many times."""
        reached = np.cumsum(times[sorted_of])
        return float(sorted_ratio[np.searchsorted(reached, WITHIN * reached[-1])]) / SIGMAS

    rng = np.random.default_rng(seed)
    k = len(names)
    drawn = [factor(np.bincount(rng.integers(k, size=k), minlength=k)) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.05, 0.95], method="nearest")
    return factor(np.ones(k, dtype=np.intp)), float(low), float(high)


def _mean_and_spread(drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (n, m) of drawn spectra (e, n, m); 0 for a single one."""
    mean = drawn.mean(axis=0, dtype=np.float64)
    several = len(drawn) > 1
    return mean, drawn.std(axis=0, ddof=1, dtype=np.float64) if several else np.zeros_like(mean)


def _row(calibration: dict[str, Any] | None = None, **values: Any) -> Row:
    return Row(**values, calibration=None if calibration is None else Calibration(**calibration))


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


def _repeated(members: Sequence[LatentModel], mu: npt.NDArray[Any]) -> FloatArray:
    """Spectra (e, n, m) that every member makes of spectra (n, m)."""
    return np.stack([member.decode(member.encode(mu)) for member in members]).astype(np.float64)


def _at(predict: Predict, inputs: FloatArray, part: Rows) -> FloatArray:
    return predict(inputs[part])


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
