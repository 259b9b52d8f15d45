"""Calibration against made-up data: coverage within what chance allows, flags on what was never trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.errors import ConfigError, DataError
from engine.experiment.calibration import Predictor, fit_ensemble, fit_predictor
from engine.experiment.conformal import grouped_p_values, grouped_quantile
from engine.experiment.prediction import MEASURES, Calibrated, covered
from engine.io import read_set, write_set
from engine.model.config import make_config
from engine.model.latent_model import load_member
from engine.model.run import Run
from engine.model.training import train
from tests.command import rankaae
from tests.synthetic import make_set


def errors(rng: np.random.Generator, materials: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of one to eight sites per material that share most of their error."""
    sizes = rng.integers(1, 9, materials)
    group = np.repeat(np.arange(materials).astype(str), sizes)
    shared = np.repeat(rng.normal(size=materials), sizes)
    return np.abs(shared + 0.3 * rng.normal(size=group.size)), group


def test_grouped_quantiles_cover_new_materials_as_often_as_asked() -> None:
    """A site of each of many new materials, over repeated calibrations; sites of a material are anything but
    independent, so that a plain quantile over sites would promise more than it keeps."""
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(300):
        scores, group = errors(rng, 60)
        limit = grouped_quantile(scores, group, 0.9)
        new, new_group = errors(rng, 40)
        first = np.unique(new_group, return_index=True)[1]
        hits.append((new[first] <= limit).mean())
    # One calibration with 60 materials covers 0.9 give or take sqrt(0.9 * 0.1 / 60); the mean of 300 is far closer.
    tolerance = 3 * np.sqrt(0.09 / 60 + 0.09 / 40) / np.sqrt(300)
    assert 0.9 - tolerance < np.mean(hits) < 0.9 + 1 / 61 + tolerance


def test_one_site_per_material_is_the_plain_conformal_quantile() -> None:
    scores = np.arange(1.0, 20.0)
    group = scores.astype(str)
    assert grouped_quantile(scores, group, 0.9) == 18.0  # the 18th of 19: 18 / 20 = 0.9
    assert grouped_quantile(scores, group, 0.95) == 19.0
    assert grouped_quantile(scores, group, 0.96) == np.inf
    np.testing.assert_allclose(grouped_p_values(scores, group, np.array([0.0, 10.0, 19.0, 20.0])), [1, 0.55, 0.1, 0.05])


def test_a_material_of_many_sites_counts_once() -> None:
    scores = np.concatenate([np.full(100, 9.0), np.arange(9.0)])
    group = np.concatenate([np.full(100, "big"), np.arange(9).astype(str)])
    assert grouped_quantile(scores, group, 0.8) == 8.0
    assert grouped_quantile(scores, group, 0.9) == 9.0


def test_p_values_of_more_of_the_same_are_uniform_or_larger() -> None:
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(200):
        scores, group = errors(rng, 80)
        new, new_group = errors(rng, 30)
        first = np.unique(new_group, return_index=True)[1]
        shares.append((grouped_p_values(scores, group, new[first]) <= 0.1).mean())
    assert np.mean(shares) < 0.1 + 0.01


def test_calibration_refuses_what_it_cannot_use() -> None:
    with pytest.raises(ConfigError, match="coverage"):
        grouped_quantile(np.ones(3), np.array(["a", "b", "c"]), 1.0)
    with pytest.raises(DataError, match="calibration sites"):
        grouped_quantile(np.ones(0), np.array([], dtype=str), 0.9)


def test_the_networks_learn_a_known_function_and_leave_unknown_labels_out() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(1500, 3))
    labels = np.stack([2 + z[:, 0] + 0.5 * z[:, 1] ** 2, 4 - 3 * z[:, 2]], axis=1)
    labels[::3, 1] = np.nan
    ensemble = fit_ensemble(z[:1200], labels[:1200], networks=6)
    mean = ensemble.predict(z[1200:]).mean(axis=0)
    truth = np.stack([2 + z[:, 0] + 0.5 * z[:, 1] ** 2, 4 - 3 * z[:, 2]], axis=1)[1200:]
    assert np.abs(mean - truth).mean(axis=0).max() < 0.15
    np.testing.assert_array_equal(
        ensemble.predict(z[:5]), fit_ensemble(z[:1200], labels[:1200], networks=6).predict(z[:5])
    )


def test_coverage_leaves_unknown_truths_out() -> None:
    interval = Calibrated(np.zeros(4), np.array([-1.0, -1, -1, -1]), np.ones(4))
    assert covered(interval, np.array([0.0, 2.0, np.nan, 1.0])) == (pytest.approx(2 / 3), 3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on made-up spectra of 400 materials."""
    folder = tmp_path_factory.mktemp("predict")
    spectra = make_set(1200)
    write_set(spectra, folder / "set.parquet")
    config = make_config("default", descriptors=("OS", "CN"), seeds=(0,), epochs=12, hidden=32, layers=3)
    return train(spectra, folder / "set.parquet", config, folder / "run")


@pytest.fixture(scope="module")
def predictor(trained: Run) -> Predictor:
    return fit_predictor(load_member(trained), trained.spectra(), trained.split())


def test_intervals_cover_unseen_materials_and_follow_the_truth(trained: Run, predictor: Predictor) -> None:
    spectra, test = trained.spectra(), trained.split().test
    found = predictor.predict(spectra.mu[test], 0.9)
    truth = spectra.descriptor_values(("OS", "CN"))[test]
    for i, name in enumerate(("OS", "CN")):
        for interval in (found.ensemble[name], found.isotonic[name]):
            share, count = covered(interval, truth[:, i])
            materials = np.unique(spectra.material_id[test]).size
            assert abs(share - 0.9) < 3 * np.sqrt(0.09 / materials + 0.09 / materials)
            assert count == test.size
        assert np.corrcoef(found.ensemble[name].value, truth[:, i])[0, 1] > 0.9
    wide = predictor.predict(spectra.mu[test], 0.95).ensemble["OS"]
    assert (wide.high - wide.low >= found.ensemble["OS"].high - found.ensemble["OS"].low).all()


def test_what_was_never_trained_on_is_outside_and_what_was_is_not(trained: Run, predictor: Predictor) -> None:
    spectra, test = trained.spectra(), trained.split().test
    inside = predictor.predict(spectra.mu[test])
    assert inside.flagged.shape == (test.size, len(MEASURES))
    assert (
        inside.flagged.mean(axis=0) < 0.05 + 3 * np.sqrt(2 * 0.0475 / 60)
    ).all()  # 60 materials each to set and to test
    noisy = spectra.mu[test] + 0.15 * np.random.default_rng(0).normal(size=(test.size, 48)).astype(np.float32)
    assert predictor.predict(noisy).flagged[:, MEASURES.index("reconstruction")].mean() > 0.9
    shifted = np.concatenate([np.zeros((test.size, 12), np.float32), spectra.mu[test][:, :-12]], axis=1)
    assert predictor.predict(shifted).flagged.any(axis=1).mean() > 0.9


def test_descriptors_without_an_axis_are_predicted_too_and_unknown_ones_refused(trained: Run) -> None:
    member, spectra, split = load_member(trained), trained.spectra(), trained.split()
    found = fit_predictor(member, spectra, split, ["WAVE"]).predict(spectra.mu[:5])
    assert list(found.ensemble) == ["WAVE"]
    assert found.isotonic == {}
    few = replace(spectra, descriptors=spectra.descriptors.assign(FEW=[1.0] * 5 + [np.nan] * (len(spectra) - 5)))
    with pytest.raises(DataError, match="FEW is known for"):
        fit_predictor(member, few, split, ["FEW"])
    with pytest.raises(DataError, match="NOPE"):
        fit_predictor(member, spectra, split, ["NOPE"])


def test_the_command_writes_predictions_with_their_provenance(trained: Run, tmp_path: Path) -> None:
    spectra = replace(trained.spectra().take(np.arange(6)), origin="measured")
    write_set(spectra, tmp_path / "m.parquet")
    options = ("--model", trained.path, "--out", tmp_path / "p.csv")
    content = json.loads(rankaae("predict", tmp_path / "m.parquet", *options, "--json").stdout)
    table = pd.read_csv(tmp_path / "p.csv", comment="#")
    assert table["name"].tolist() == spectra.site_id.tolist()
    assert {"OS", "OS low", "OS high", "OS spread", "OS per eV", "OS by axis", "reconstruction outside"} <= set(table)
    assert content["predictions"][0]["OS"] == pytest.approx(table["OS"][0], rel=1e-4)
    assert 0.7 < content["coverage_on_test"]["OS"][0] <= 1
    assert "averages over the absorbing sites" in content["notes"][0]
    text = (tmp_path / "p.csv").read_text()
    assert text.startswith("# run run, seed 0")
    known = [
        ("--standard", f"{spectra.site_id[row]} OS={table['OS'][row]}") for row in table["OS"].agg(["idxmin", "idxmax"])
    ]
    said = rankaae("predict", tmp_path / "m.parquet", *options, *known[0], *known[1]).stdout
    assert "OS by standards: 1.00 × OS" in said
    right = pd.read_csv(tmp_path / "p.csv", comment="#")
    np.testing.assert_allclose(right["OS by standards"], table["OS"], atol=1e-4)
    assert not right["OS by standards beyond"].any()
    refused = rankaae("predict", tmp_path / "m.parquet", *options, *known[0], code=1).stderr
    assert "needs two known values that differ" in refused
    other = replace(read_set(tmp_path / "m.parquet"), energy_ev=spectra.energy_ev + 1.0)
    write_set(other, tmp_path / "o.parquet")
    assert "prepare it with --model" in rankaae("predict", tmp_path / "o.parquet", *options, code=1).stderr
    write_set(replace(spectra, origin="measured, mapped"), tmp_path / "m.parquet")
    assert "by construction" in rankaae("predict", tmp_path / "m.parquet", *options).stdout
