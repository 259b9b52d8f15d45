"""Cleaning and mapping of the unlabelled transition-metal spectra: counts that must not change unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.atlas.cleaning import CleaningRules
from engine.atlas.embedding import Embedding
from engine.atlas.make import make_atlas

pytestmark = pytest.mark.real


def test_cleaning_of_the_transition_metals_and_what_neighbours_share(real_data: Path) -> None:
    path = real_data / "tm_unlabelled" / "spectra.parquet"
    made = make_atlas(path, CleaningRules(absolute="divide"), Embedding("pca"))
    after = {step.name: step.after for step in made.report.steps}
    assert after == {
        "energy grid": 9054, "normalised": 9054, "elements": 9054, "exact duplicates": 9052, "near duplicates": 8993,
        "outliers": 8977, "sample": 8977,
    }  # fmt: skip
    purity = made.atlas.scores["purity"]
    assert purity["spectra"]["element"]["share"] > 0.5
    assert purity["spectra"]["element"]["chance"] == pytest.approx(0.196, abs=0.001)
    assert made.atlas.scores["trustworthiness"] > 0.9
