"""What is compared of trained members: trends along axes, test sites in the latent space, the choice of the seed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.analysis.comparison import PlacedSites, Trends, amplitude, own_edge
from engine.analysis.scores import FloatArray
from engine.analysis.selection import selection_scores, selection_table
from engine.model.evaluate import evaluate
from engine.model.latent_model import LatentModel, load_member, load_members, traverse_axis
from engine.model.run import Run
from engine.spectra import spectral_descriptors

LEVELS, SAMPLES = 20, 300
"""Levels and Gaussian draws of a traversal that is compared; draws are the same at all levels, so few give a trend."""


def examine_trends(run: Run, member: int) -> Trends:
    """Traversals of every axis of a member, on 20 levels with 300 draws, and the edge of its spectrum at the origin."""
    model = load_member(run, member)
    centre = model.decode(np.zeros((1, len(model.axis_names))))[0]
    edge, rule = own_edge(model.energy_ev, centre, run.data().get("element"))
    traversals = {name: traverse_axis(model, name, levels=LEVELS, samples=SAMPLES) for name in model.axis_names}
    return Trends(model.energy_ev, edge, rule, traversals)


def place_test_sites(run: Run, member: int) -> PlacedSites:
    """The test part of the run's set as a member sees it; RunError when the set is gone or has changed."""
    model, spectra, names = load_member(run, member), run.spectra(), run.config().descriptors
    rows = run.split().test
    mu = spectra.mu[rows]
    return PlacedSites(
        site_id=pd.Series(spectra.site_id[rows]),
        latent=pd.DataFrame(model.encode(mu), columns=list(model.axis_names)),
        descriptors=pd.DataFrame(spectra.descriptor_values(names)[rows], columns=list(names)),
        features=spectral_descriptors(spectra.energy_ev, mu),
        classes=tuple(name for name, cuts in zip(names, model.thresholds, strict=True) if cuts is not None),
    )


def selection_parts(run: Run) -> pd.DataFrame:
    """Eq. 2 for every member on validation data: seed, its terms as z-scores over the seeds, and their sum.

    The sums are the selection scores of the run's score table. RunError when the set is gone or has changed.
    """
    spectra, rows = run.spectra(), run.split().validation
    mu, labels = spectra.mu[rows], spectra.descriptor_values(run.config().descriptors)[rows]
    scores = [evaluate(member, mu, labels) for member in load_members(run)]
    table = pd.DataFrame({"seed": [score.seed for score in scores], **selection_table(scores)})
    return table.assign(sum=selection_scores(scores))


def free_amplitudes(run: Run) -> FloatArray:
    """For every member the amplitude of its strongest free axis (s,), in units of mu; NaN without a free axis."""
    free = run.config().axis_names[len(run.config().descriptors) :]
    return np.array([_strongest(model, free) for model in load_members(run)])


def _strongest(model: LatentModel, axes: tuple[str, ...]) -> float:
    ends = [traverse_axis(model, axis, levels=2, samples=SAMPLES) for axis in axes]
    return max((amplitude(traversal.differential) for traversal in ends), default=float("nan"))
