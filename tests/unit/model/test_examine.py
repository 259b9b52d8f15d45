"""What is compared of a trained run, against the score table that its training left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.analysis.comparison import amplitude
from engine.analysis.scores import rank_correlation
from engine.errors import RunError
from engine.io import write_set
from engine.model.config import make_config
from engine.model.examine import examine_trends, free_amplitudes, place_test_sites, selection_parts
from engine.model.run import Run
from engine.model.training import train
from tests.synthetic import make_set


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("examine")
    spectra = make_set(150, 40)
    write_set(spectra, folder / "set.parquet")
    config = make_config("default", descriptors=("OS", "WAVE"), seeds=(3, 5), epochs=12, hidden=16)
    return train(spectra, folder / "set.parquet", config, folder / "run")


def test_test_sites_have_the_scores_of_the_table(run: Run) -> None:
    sites = place_test_sites(run, 1)
    for name in ("OS", "WAVE"):
        srcc = abs(rank_correlation(sites.latent[name].to_numpy(), sites.descriptors[name].to_numpy()))
        assert srcc == pytest.approx(run.scores().loc[1, f"{name} srcc"], abs=1e-6)
    assert sites.site_id.tolist() == run.spectra().site_id[run.split().test].tolist()
    assert sites.classes == ("OS",)
    assert list(sites.latent) == ["OS", "WAVE", "free 1"]


def test_parts_of_the_selection_add_up_to_the_score_of_the_table(run: Run) -> None:
    table = selection_parts(run)
    assert table["seed"].tolist() == [3, 5]
    parts = table.drop(columns=["seed", "sum"])
    np.testing.assert_allclose(parts.sum(axis=1), table["sum"])
    np.testing.assert_allclose(table["sum"], run.scores()["selection_score"], atol=1e-5)


def test_trends_go_from_the_5th_to_the_95th_percentile(run: Run) -> None:
    trends = examine_trends(run, 0)
    assert list(trends.traversals) == ["OS", "WAVE", "free 1"]
    assert all(len(t.level) == 20 for t in trends.traversals.values())
    percentiles = run.read_arrays("weights.safetensors")[0]["latent_percentiles"][0]
    assert trends.traversals["WAVE"].level[[0, -1]] == pytest.approx(percentiles[[5, 95], 1])
    assert 8990 < trends.edge_ev < 8999
    strongest = amplitude(trends.traversals["free 1"].differential)
    assert free_amplitudes(run)[0] == pytest.approx(strongest)


def test_without_the_set_trends_are_there_and_the_rest_says_what_is_missing(run: Run) -> None:
    before = run.data()
    run.write_text("data.json", json.dumps({**before, "path": str(Path("/gone")), "relative_path": "gone"}))
    try:
        assert examine_trends(run, 0).energy_ev.size == 40
        for question in (lambda: place_test_sites(run, 0), lambda: selection_parts(run)):
            with pytest.raises(RunError, match="training set"):
                question()
    finally:
        run.write_json("data.json", before)
