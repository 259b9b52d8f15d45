"""How far a run can be trusted: trends over its members, and decoded spectra over its latent domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from engine.analysis.comparison import amplitude
from engine.analysis.differentials import noise_level
from engine.analysis.stability import Stability, band, match_axes, stability_of
from engine.analysis.validity import Validity, latent_box, validity_of
from engine.model.examine import LEVELS, SAMPLES
from engine.model.latent_model import load_members, traverse_axis
from engine.model.run import Run

KINDS = ("any_fault", "negative", "spike", "noise", "beyond")
"""The shares of ``Validity`` in the order in which they are told."""


def trends(run: Run, first: int | None = None) -> dict[str, Stability]:
    """The trend of every axis over all members of a run, 20 levels with 300 draws each; by axis name.

    The member ``first``, else the selected one, comes first; free axes of the others are put in its order and turned
    its way.
    """
    members, d = load_members(run), len(run.config().descriptors)
    first = run.selected() if first is None else first
    ordered = [members[first], *members[:first], *members[first + 1 :]]
    axes = ordered[0].axis_names
    found = [[traverse_axis(one, axis, levels=LEVELS, samples=SAMPLES) for axis in axes] for one in ordered]
    if len(axes) > d:
        free = [np.stack([traversal.differential for traversal in rows[d:]]) for rows in found]
        for rows, own in zip(found, free, strict=True):
            rows[d:] = [rows[d + i] for i in match_axes(own, free[0])]
    return {axis: stability_of([rows[i] for rows in found], free=i >= d) for i, axis in enumerate(axes)}


def trends_table(found: Mapping[str, Stability]) -> pd.DataFrame:
    """One row per energy: of every axis its differential and mu at both ends, median and 90 % band over the members."""
    table = {"energy_ev": next(iter(found.values())).energy_ev}
    for axis, one in found.items():
        for what, curves in ((axis, one.differential), (f"{axis} start", one.low), (f"{axis} end", one.high)):
            table[what], table[f"{what} low"], table[f"{what} high"] = band(curves)
    return pd.DataFrame(table)


def trends_json(run: Run, found: Mapping[str, Stability]) -> dict[str, Any]:
    """What ``rankaae stability --json`` prints."""
    level = noise_level(float(run.scores()["reconstruction_rmse"].median()))
    axes = {}
    for axis, one in found.items():
        mean, least = one.agreement
        points = [vars(point) for point in one.isosbestic]
        size = amplitude(band(one.differential)[0])
        axes[axis] = {"cosine_mean": mean, "cosine_least": least, "amplitude": size, "isosbestic": points}
    bootstrap = run.config().bootstrap
    return {"members": len(run.scores()), "bootstrap": bootstrap, "noise_level": level, "axes": axes}


def validity(run: Run) -> list[Validity]:
    """Per member, what of 5,000 spectra decoded over its latent box is unlike anything in its set."""
    mu = run.spectra().mu
    return [validity_of(one.decode(latent_box(one.latent_percentiles)), mu) for one in load_members(run)]
