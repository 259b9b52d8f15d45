"""How far a run can be trusted: trends over its members, and decoded spectra over its latent domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from engine.analysis.comparison import amplitude
from engine.analysis.differentials import noise_level
from engine.analysis.stability import Stability, stability_of
from engine.analysis.validity import Validity, latent_box, validity_of
from engine.model.examine import LEVELS, SAMPLES
from engine.model.latent_model import load_members, traverse_axis
from engine.model.run import Run


def trends(run: Run) -> dict[str, Stability]:
    """The trend of every axis over all members of a run, 20 levels with 300 draws each; by axis name.

    The selected member comes first, so that a free axis points its way.
    """
    members, first = load_members(run), run.selected()
    ordered = [members[first], *members[:first], *members[first + 1 :]]
    return {
        axis: stability_of([traverse_axis(one, axis, levels=LEVELS, samples=SAMPLES) for one in ordered])
        for axis in ordered[0].axis_names
    }


def trends_table(found: Mapping[str, Stability]) -> pd.DataFrame:
    """One row per energy: of every axis the median, 5th and 95th percentile of its differential over the members."""
    table = {"energy_ev": next(iter(found.values())).energy_ev}
    for axis, one in found.items():
        middle, low, high = one.band()
        table |= {axis: middle, f"{axis} low": low, f"{axis} high": high}
    return pd.DataFrame(table)


def trends_json(run: Run, found: Mapping[str, Stability]) -> dict[str, Any]:
    """What ``rankaae stability --json`` prints."""
    level = noise_level(float(run.scores()["reconstruction_rmse"].median()))
    axes = {}
    for axis, one in found.items():
        mean, least = one.agreement
        points = [vars(point) for point in one.isosbestic]
        size = amplitude(one.band()[0])
        axes[axis] = {"cosine_mean": mean, "cosine_least": least, "amplitude": size, "isosbestic": points}
    bootstrap = run.config().bootstrap
    return {"members": len(run.scores()), "bootstrap": bootstrap, "noise_level": level, "axes": axes}


def validity(run: Run) -> list[Validity]:
    """Per member, what of 5,000 spectra decoded over its latent box is unlike anything in its set."""
    mu = run.spectra().mu
    return [validity_of(one.decode(latent_box(one.latent_percentiles)), mu) for one in load_members(run)]
