"""Domain mapping against mixtures whose weights are known, with and without a shifted and broadened measurement."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from engine.errors import ConfigError, DataError
from engine.experiment.domain_map import map_domain
from engine.experiment.mixtures import (
    Basis,
    alternate,
    ambiguity,
    basis_from_clusters,
    basis_from_sites,
    combination_fit,
    factorise,
    map_flags,
    rank_scan,
)
from engine.io import read_set, write_set
from engine.spectra import SpectraSet
from tests.command import rankaae

Array = npt.NDArray[np.float64]
X = np.linspace(-10.0, 40.0, 128)


def components(shift: float = 0.0, width: float = 0.0) -> Array:
    """Three different spectra (3, m), moved by ``shift`` eV and broadened by ``width`` eV."""
    x = X - shift
    rows = []
    for edge, line, at in ((0.0, 0.3, 5.0), (2.0, 0.9, 6.0), (4.0, 0.5, 12.0)):
        wiggle = 0.1 * np.sin((x - edge) / (2 + edge)) * (x > edge)
        rows.append(0.5 + np.arctan((x - edge) / 1.2) / np.pi + line * np.exp(-(((x - at) / 2.5) ** 2)) + wiggle)
    spectra = np.stack(rows)
    return gaussian_filter1d(spectra, width / (X[1] - X[0]), axis=1) if width else spectra


def mixtures(count: int = 60, seed: int = 0) -> Array:
    return np.random.default_rng(seed).dirichlet([0.8, 0.8, 0.8], count)


def basis(spectra: Array) -> Basis:
    return Basis(spectra, tuple("abc"))


def test_weights_of_known_mixtures_are_recovered_to_two_hundredths() -> None:
    weights, spectra = mixtures(100), components()
    noise = 0.003 * np.random.default_rng(1).normal(size=(100, X.size))
    measured = weights @ spectra + noise
    torch.set_num_threads(1)
    begin = time.perf_counter()
    found = map_domain(measured, basis(spectra))
    seconds = time.perf_counter() - begin
    print(f"{seconds:.1f} s, largest error {np.abs(found.weights - weights).max():.4f}")
    assert np.abs(found.weights - weights).max() < 0.02
    assert found.loss.shape == (100,)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, atol=1e-12)
    assert (found.weights >= 0).all()
    np.testing.assert_allclose(found.residual, 0.003, atol=0.001)
    assert seconds < 60  # 10 on an idle core; machines that run tests are not idle


def test_a_shift_and_a_broadening_of_the_measurement_are_mapped_away() -> None:
    """In part: among the mixtures that fit equally well, the one that looks most like the guesses is taken."""
    weights, simulated = mixtures(), components()
    measured = weights @ components(shift=0.4, width=0.8)
    found = map_domain(measured, basis(simulated), starts=20)
    assert np.abs(found.weights - weights).mean() < 0.07
    mapped_error = np.sqrt(((found.mapped - weights @ simulated) ** 2).mean())
    plain_error = np.sqrt(((measured - weights @ simulated) ** 2).mean())
    assert mapped_error < 0.8 * plain_error
    assert np.abs(found.measured_basis - components(0.4, 0.8)).mean() < 0.03
    np.testing.assert_allclose(found.mapped, found.weights @ simulated)


def test_what_all_spectra_differ_in_from_the_guesses_does_not_spoil_the_weights() -> None:
    """Simulated spectra that are all wrong alike, by more than the mixtures differ: weights still follow the series."""
    weights, simulated = mixtures(), components()
    wrong = 0.25 * np.exp(-(((X - 5.0) / 4.0) ** 2)) - 0.1
    noise = 0.003 * np.random.default_rng(1).normal(size=(60, X.size))
    found = map_domain(weights @ simulated + wrong + noise, basis(simulated), starts=20)
    assert found.balance > 10
    assert np.median(found.residual) < 0.006
    assert min(np.corrcoef(found.weights[:, i], weights[:, i])[0, 1] for i in range(3)) > 0.9


def test_the_loss_is_what_its_definition_gives_with_a_dense_inverse() -> None:
    measured, spectra = mixtures() @ components(0.3), components()
    found = map_domain(measured, basis(spectra), starts=1)
    c = found.weights.T
    inverse = np.linalg.pinv(c)
    own = measured.T @ inverse
    expected = ((spectra.T - own) ** 2).mean() + found.balance * ((measured.T - own @ c) ** 2).mean()
    assert found.loss[0] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(found.measured_basis, own.T, atol=1e-6)


def test_no_start_ends_below_what_noise_must_leave() -> None:
    """The best rank-3 approximation bounds the mixture's residual from below, whatever the weights."""
    measured = mixtures() @ components() + 0.01 * np.random.default_rng(2).normal(size=(60, X.size))
    found = map_domain(measured, basis(components()), starts=10)
    left = np.linalg.svd(measured, compute_uv=False)[3:]
    assert found.loss.min() >= (left**2).sum() / measured.size
    assert np.sqrt((found.residual**2).mean()) ** 2 >= (left**2).sum() / measured.size


def test_the_same_seed_gives_the_same_map_and_starts_agree() -> None:
    measured = mixtures() @ components()
    one, two = (map_domain(measured, basis(components()), starts=5, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.weights, two.weights)
    assert one.weight_spread.max() < 0.02


def test_rank_scan_counts_the_components() -> None:
    scan = rank_scan(mixtures() @ components())
    assert scan.residual[2] < 1e-12 < 1e-3 < scan.residual[1]
    assert scan.singular_value[2] < 1e-9 < scan.singular_value[1]


def test_pure_spectra_leave_no_ambiguity_and_their_absence_the_stated_one() -> None:
    spectra = np.maximum(np.eye(3)[:, [0, 1, 2]], 0.0)  # each component has an energy of its own
    pure = np.vstack([np.eye(3), mixtures(10)])
    np.testing.assert_allclose(ambiguity(pure, spectra), 0.0, atol=1e-6)
    half = np.array([[0.5, 0.5], [0.25, 0.75]])
    np.testing.assert_allclose(ambiguity(half, np.eye(2)), [1.0, 1.0 / 3.0])


def test_combination_fit_and_factorisation_find_the_mixture() -> None:
    weights, spectra = mixtures(), components()
    fitted, rms = combination_fit(weights @ spectra, spectra)
    np.testing.assert_allclose(fitted, weights, atol=1e-4)
    assert rms.max() < 1e-4
    factors, found, left = factorise(weights @ spectra, spectra)
    np.testing.assert_allclose(factors @ found, weights @ spectra, atol=0.02)
    assert left.max() < 0.01


def test_alternating_least_squares_finds_mixtures_with_weights_that_sum_to_one() -> None:
    weights, spectra = mixtures(), components()
    found, own, left = alternate(weights @ spectra, spectra + 0.02)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-9)
    assert (own >= 0).all()
    assert left.max() < 0.01
    np.testing.assert_allclose(found, weights, atol=0.05)


def test_bases_say_where_they_came_from() -> None:
    spectra = components()
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1, 2], 20)
    mu = spectra[kind] + 0.001 * rng.normal(size=(60, X.size))
    sites = [f"m-{i // 2}_{i % 2:03d}" for i in range(60)]
    found = basis_from_clusters(mu, sites, 3)
    order = [int(((found.mu - s) ** 2).sum(axis=1).argmin()) for s in spectra]
    np.testing.assert_allclose(found.mu[order], spectra, atol=0.002)
    assert all("20 simulated spectra, nearest m-" in text for text in found.origin)
    materials = [site[:-4] for site in sites]
    chosen = basis_from_sites(mu, sites, materials, ["m-0", "m-29_001"])
    np.testing.assert_allclose(chosen.mu, [mu[:2].mean(axis=0), mu[59]])
    assert chosen.origin[0] == "simulated m-0, mean of 2 sites"
    with pytest.raises(DataError, match="no site, material or class"):
        basis_from_sites(mu, sites, materials, ["none"])
    labels = pd.DataFrame({"OS": 2.0 + kind, "CN": 6.0})
    classes = basis_from_sites(mu, sites, materials, ["OS=3 & CN=6"], labels)
    np.testing.assert_allclose(classes.mu[0], mu[20:40].mean(axis=0))
    for wrong, told in (("X=1", "no descriptor 'X'"), ("OS=high", "is no number"), ("OS=9", "no site, material or")):
        with pytest.raises(DataError, match=told):
            basis_from_sites(mu, sites, materials, [wrong], labels)


def test_the_command_maps_a_series_and_writes_weights_beside_the_spectra(tmp_path: Path) -> None:
    weights, spectra = mixtures(20), components()

    def stored(name: str, mu: Array, series: bool) -> Path:
        ids = np.array([f"{name}-{i}" for i in range(len(mu))])
        table = pd.DataFrame({"SERIES": np.arange(len(mu)) / 10.0} if series else {}, index=range(len(mu)))
        path = tmp_path / f"{name}.parquet"
        write_set(SpectraSet(4980 + X, mu, table, ids, ids, np.full(len(mu), "Ti"), origin=name), path)
        return path

    film, simulated = stored("film", weights @ spectra, True), stored("sim", spectra, False)
    out = tmp_path / "mapped.parquet"
    chosen = ("--basis", "sim-0", "--basis", "sim-1", "--basis", "sim-2")
    done = rankaae("map-domain", film, "--simulated", simulated, *chosen, "--starts", 5, "--out", out, "--json")
    mapped = read_set(out)
    found = mapped.descriptor_values(["WEIGHT_1", "WEIGHT_2", "WEIGHT_3"])
    assert np.abs(found - weights).max() < 0.02
    np.testing.assert_allclose(mapped.mu, weights @ spectra, atol=0.02)
    np.testing.assert_allclose(mapped.descriptors["SERIES"], np.arange(20) / 10.0)
    content = json.loads(done.stdout)
    assert [c["origin"] for c in content["components"]] == ["simulated sim-0", "simulated sim-1", "simulated sim-2"]
    assert content["rank_scan"]["residual"][2] < 1e-6
    assert len(content["loss"]) == 5
    assert content["flags"] == []
    fit = content["for_comparison"]["linear combination of the simulated spectra"]
    np.testing.assert_allclose(fit["weights"], weights, atol=1e-3)
    clusters = rankaae("map-domain", film, "--simulated", simulated, "--components", 3, "--starts", 2, "--out", out)
    assert "centroid of 1 simulated spectra" in clusters.stdout


def test_spectra_that_are_no_mixtures_of_the_guesses_are_flagged() -> None:
    """Spectra of one falling line do not look like three edges, whatever the weights."""
    other = mixtures(12) @ np.stack([np.exp(-X / 20), np.exp(-X / 30), np.cos(X / 9) ** 2])
    found = map_domain(other, basis(components()), starts=4)
    assert any("unlike the simulated guess" in flag for flag in map_flags(found))
    assert map_flags(map_domain(mixtures() @ components(), basis(components()), starts=4)) == []


def test_what_cannot_be_mapped_is_refused() -> None:
    measured = mixtures(3) @ components()
    with pytest.raises(ConfigError, match="more spectra than components"):
        map_domain(measured, basis(components()))
    with pytest.raises(DataError, match="same energies"):
        map_domain(mixtures() @ components(), replace(basis(components()), mu=components()[:, 1:]))
