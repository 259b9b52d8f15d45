"""The scores of a finished run, on its own test part or on another set, next to the baselines."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np

from engine.analysis.baselines import extra_trees_scores, fit_pca
from engine.analysis.scores import FloatArray, MemberScores, reconstruction_error
from engine.analysis.spectral_correlation import spectral_correlation
from engine.errors import DataError
from engine.model.evaluate import categorical_columns, evaluate
from engine.model.latent_model import load_members
from engine.model.run import Run
from engine.spectra import SpectraSet, resample, set_hash


def score_run(run: Run, other: SpectraSet | None = None, *, baselines: bool = True, jobs: int = 1) -> dict[str, Any]:
    """What ``rankaae score --json`` prints: scores of every member and of the baselines, JSON-ready.

    ``spectral_correlation`` tells for the selected member which spectral descriptor each axis moves with.

    On the run's own test part, or on every site of ``other``, whose spectra must cover the model's grid and are brought
    onto it by cubic spline. Baselines are fitted on the run's training part; PCA has as many components as the model
    has axes. They are kept in the run folder, as they cost far more than the members' scores,
    except in one that came with the program.
    """
    config, members = run.config(), load_members(run)
    names = config.descriptors
    if other is None:
        spectra, split = run.spectra(), run.split()
        mu, labels = spectra.mu[split.test], spectra.descriptor_values(names)[split.test]
        where = {"split": split.how, "n_test": len(mu)}
    else:
        mu = _on_grid(other, members[0].energy_ev)
        labels = _labels(other, names)
        where = {"split": "other set", "n_test": len(mu)}
    scores = [evaluate(member, mu, labels) for member in members]
    table = run.scores()
    result: dict[str, Any] = {"selected": run.selected(), **where, "members": []}
    for score, selection in zip(scores, table["selection_score"], strict=True):
        result["members"].append(_member(score, float(selection)))
    chosen = members[result["selected"]]
    correlation = spectral_correlation(chosen.axis_names, chosen.encode(mu), chosen.energy_ev, mu)
    result["spectral_correlation"] = {
        axis: {feature: _number(float(value)) for feature, value in row.items()}
        for axis, row in correlation.to_dict("index").items()
    }
    if baselines:
        result["baselines"] = _baselines(run, mu, labels, jobs, "test" if other is None else set_hash(other))
    return result


def _member(score: MemberScores, selection: float) -> dict[str, Any]:
    row = asdict(score)
    row["descriptors"] = {name: _descriptor(value) for name, value in row["descriptors"].items()}
    return {key: _number(value) for key, value in row.items()} | {"selection_score": selection}


def _descriptor(score: dict[str, Any]) -> dict[str, Any]:
    classes = {label: {"n": n, "f1": f1} for label, (n, f1) in score["counts"].items()}
    short: dict[str, Any] = {"srcc": _number(score["srcc"]), "f1": _number(score["f1"])}
    return short | ({"classes": classes} if classes else {})


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _baselines(run: Run, mu: FloatArray, labels: FloatArray, jobs: int, key: str) -> dict[str, Any]:
    cache = run.path / "baselines.json"
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if not isinstance(known, dict):
        known = {}
    if key not in known:
        spectra, split, config = run.spectra(), run.split(), run.config()
        train_mu = spectra.mu[split.train]
        train = (train_mu, spectra.descriptor_values(config.descriptors)[split.train])
        pca = fit_pca(spectra.energy_ev, train_mu, config.n_latent)
        rmse, mae = reconstruction_error(mu, pca.decode(pca.encode(mu)))
        categorical = categorical_columns(config.descriptors, train[1])
        trees = extra_trees_scores(train, (mu, labels), config.descriptors, categorical, jobs=jobs)
        known[key] = {
            "pca": {"n_components": len(pca.axis_names), "reconstruction_rmse": rmse, "reconstruction_mae": mae},
            "extra_trees": {name: _descriptor(asdict(score)) for name, score in trees.items()},
        }
        if not run.read_only:
            run.write_json("baselines.json", known)
    found: dict[str, Any] = known[key]
    return found


def _labels(spectra: SpectraSet, names: tuple[str, ...]) -> FloatArray:
    """Labels (n, d); a descriptor that the other set lacks is unknown for all its sites."""
    there = spectra.descriptors
    if names and not any(name in there.columns for name in names):
        raise DataError(f"the other set has none of the run's descriptors {', '.join(names)}; import it with them")
    return np.column_stack(
        [there[name].to_numpy() if name in there.columns else np.full(len(spectra), np.nan) for name in names]
        or [np.empty((len(spectra), 0))]
    )


def _on_grid(spectra: SpectraSet, energy_ev: FloatArray) -> FloatArray:
    if np.array_equal(spectra.energy_ev, energy_ev):
        return spectra.mu
    try:
        return resample(spectra.energy_ev, spectra.mu, energy_ev)
    except DataError as error:
        raise DataError(f"the other set does not cover the model's energies: {error}") from error
