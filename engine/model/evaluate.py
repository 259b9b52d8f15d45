"""Members against spectra and labels: thresholds, scores and the table of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from engine.analysis.scores import FloatArray, MemberScores, choose_thresholds, is_categorical, score_member
from engine.analysis.selection import selection_scores
from engine.model.latent_model import LatentModel
from engine.spectra import Split


def calibrated(
    member: LatentModel, mu: FloatArray, labels: FloatArray, split: Split, categorical: Sequence[bool]
) -> LatentModel:
    """The member with thresholds fitted on training and chosen on validation spectra; mu (n, m) and labels (n, d)."""
    train, validation = split.train, split.validation
    z_train, z = member.encode(mu[train]), member.encode(mu[validation])
    cuts = tuple(
        choose_thresholds(z_train[:, i], labels[train, i], z[:, i], labels[validation, i]) if categorical[i] else None
        for i in range(labels.shape[1])
    )
    return replace(member, thresholds=cuts)


def categorical_columns(names: Sequence[str], labels: FloatArray) -> list[bool]:
    """Which columns of labels (n, d) name classes: as the catalogue says, and for a user's column by its values."""
    from engine.structures import CATALOGUE

    kinds = [CATALOGUE[name].kind if name in CATALOGUE else None for name in names]
    return [kind != "continuous" and is_categorical(column) for kind, column in zip(kinds, labels.T, strict=True)]


def evaluate(member: LatentModel, mu: FloatArray, labels: FloatArray) -> MemberScores:
    """Scores of one member on spectra (n, m) and labels (n, d)."""
    z = member.encode(mu)
    names = member.axis_names[: labels.shape[1]]
    return score_member(member.seed, names, mu, member.decode(z), z, labels, member.thresholds)


def score_table(scores: Sequence[MemberScores], on_validation: Sequence[MemberScores]) -> pd.DataFrame:
    """One row per member: its scores and, from its scores on validation data, the selection score of Eq. 2."""
    rows = []
    for member, selection in zip(scores, selection_scores(on_validation), strict=True):
        row: dict[str, float | int] = {
            "seed": member.seed,
            "n": member.n,
            "reconstruction_rmse": member.reconstruction_rmse,
            "reconstruction_mae": member.reconstruction_mae,
        }
        for name, score in member.descriptors.items():
            row |= {f"{name} srcc": score.srcc, f"{name} f1": score.f1}
        row |= {
            "axis_correlation_max": member.axis_correlation_max,
            "free_axis_correlation_max": member.free_axis_correlation_max,
            "normality": member.normality,
            "selection_score": float(selection),
        }
        rows.append(row)
    return pd.DataFrame(rows)
