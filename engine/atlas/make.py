"""From a file of spectra to a map: read, clean, embed, score; the times of each."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.atlas.cleaning import CleaningReport, CleaningRules, clean
from engine.atlas.embedding import Embedding, embed
from engine.atlas.scores import map_scores, neighbourhoods
from engine.atlas.source import read_spectra
from engine.atlas.store import Atlas
from engine.errors import ConfigError
from engine.io.formulas import site_formulas

LABELS = ("OS", "CN")
SCORED_NEIGHBOURS = 15
PRESETS = {"all": 1.0, "paper": 0.25}
"""The share of each element that a preset maps; its other rules and parameters are the same in both, the paper's."""


@dataclass(frozen=True, eq=False)
class Made:
    """A map, the account of its cleaning, and seconds by stage."""

    atlas: Atlas
    report: CleaningReport
    seconds: dict[str, float]


def make_atlas(
    path: Path,
    rules: CleaningRules,
    how: Embedding,
    *,
    code: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Made:
    """The map of the spectra in the file at ``path``; errors as those of its parts, before anything long begins."""
    seconds: dict[str, float] = {}
    stages = ("reading", "cleaning", "embedding", "scoring")
    began = time.perf_counter()

    def enter(stage: str) -> None:
        if progress is not None:
            progress(stages.index(stage), len(stages), stage)

    def leave(stage: str) -> None:
        nonlocal began
        seconds[stage], began = time.perf_counter() - began, time.perf_counter()

    enter("reading")
    raw = read_spectra(path, code)
    leave("reading")
    enter("cleaning")
    note = None if progress is None else (lambda _d, _t, step: progress(1, len(stages), f"cleaning: {step}"))
    cleaned = clean(raw, rules, note)
    leave("cleaning")
    table = cleaned.table
    least = 2 * SCORED_NEIGHBOURS + 2
    if len(table.mu) < least:
        raise ConfigError(f"{path.name}: {len(table.mu)} spectra are left after cleaning; a map needs at least {least}")
    formulas = site_formulas(table.sites["site_id"].tolist(), table.sites["material_id"].tolist(), path)
    enter("embedding")
    xy = embed(table.mu, how)
    leave("embedding")
    enter("scoring")
    found = neighbourhoods(table.mu, xy, k=SCORED_NEIGHBOURS, metric=how.metric, seed=how.seed)
    labels = {name: table.descriptors[name].to_numpy() for name in LABELS if name in table.descriptors}
    scores = map_scores(found, table.sites["element"].to_numpy(dtype=np.str_), labels)
    leave("scoring")
    nearest = np.percentile(found.nearest, np.arange(101))
    atlas = Atlas(table, xy, how, scores, cleaned.report.to_json(), nearest, tuple(formulas) if any(formulas) else ())
    return Made(atlas, cleaned.report, {stage: round(value, 2) for stage, value in seconds.items()})
