"""Cleaning against brute force, and a set with planted faults against the plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.atlas.cleaning import (
    MAP_ELEMENTS,
    CleaningRules,
    clean,
    detect_scale,
    first_of_equal,
    first_of_near,
    is_outlier,
    stratified,
)
from engine.errors import ConfigError, DataError
from engine.spectra import RawSpectra

POINTS = 57
REACH = np.linspace(0.0, 40.0, 161)
STARTS = {"Ti": 4960.0, "Cu": 8975.0}


def spectrum(rng: np.random.Generator, reach: np.ndarray = REACH) -> np.ndarray:
    """An edge at 6 eV, a white line, a wiggle; 0 before and near 1 after."""
    height, place, phase = rng.uniform(0.1, 0.6), rng.uniform(6, 8), rng.uniform(0, 6)
    step = 0.5 + np.arctan((reach - place) * 3) / np.pi
    line = height * np.exp(-(((reach - place - 2) / 2) ** 2))
    return np.maximum(step + line + 0.05 * np.sin(reach / 3 + phase) * (reach > place), 0.01)


def raw_of(rows: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> RawSpectra:
    """Rows of element, energies and mu."""
    n = len(rows)
    return RawSpectra(
        energy_ev=[row[1] for row in rows],
        mu=[row[2] for row in rows],
        site_id=[f"m-{i}_000" for i in range(n)],
        material_id=[f"m-{i}" for i in range(n)],
        element=[row[0] for row in rows],
        descriptors=pd.DataFrame({"CN": np.arange(n) % 3 + 4.0}),
        source="made up",
        kind="test",
        origin="made up",
    )


def sound(n: int, seed: int = 0) -> list[tuple[str, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    energies = {symbol: start + REACH for symbol, start in STARTS.items()}
    return [(symbol, energies[symbol], spectrum(rng)) for symbol in ("Ti", "Cu") for _ in range(n)]


def test_planted_faults_are_found_each_for_its_reason_and_nothing_else_goes() -> None:
    rows = sound(60)
    good = len(rows)
    energy, fine = rows[0][1], rows[0][2]
    nan, spike = fine.copy(), rows[1][2].copy()
    nan[50], spike[80:83] = np.nan, 6.0
    near = rows[2][2] + 0.0049 * np.sin(REACH)
    planted = {
        "mu is not finite": ("Ti", energy, nan),
        "mu is constant": ("Ti", energy, np.full(REACH.size, 0.7)),
        "energies fall instead of rise": ("Ti", energy[::-1].copy(), fine),
        "begins far from its element's spectra": ("Ti", energy + 25.0, fine),
        "ends before the grid does": ("Ti", energy[:100], fine[:100]),
        "raw: the background is not removed": ("Ti", energy, fine + 2.0),
        "absolute scale, not edge-normalised": ("Ti", energy, fine * 37.0),
        "element not chosen": ("Xe", 34555.0 + REACH, fine),
        "too few spectra of the element": ("Fe", 7107.0 + REACH, fine),
        "exact duplicates": ("Ti", energy, fine.copy()),
        "near duplicates": ("Ti", energy, near),
        "outliers": ("Ti", energy, spike),
    }
    cleaned = clean(raw_of([*rows, *planted.values()]))
    np.testing.assert_array_equal(cleaned.rows, np.arange(good))
    found = {refusal.reason: refusal for step in cleaned.report.steps for refusal in step.refused}
    assert {reason: refusal.count for reason, refusal in found.items()} == dict.fromkeys(planted, 1)
    for place, reason in enumerate(planted):
        assert found[reason].examples[0][0] == f"m-{good + place}_000"
    assert cleaned.table.mu.shape == (good, 200)
    assert cleaned.table.start_ev == STARTS
    assert cleaned.report.steps[-1].kept == {"Ti": 60, "Cu": 60}
    for before, after in zip(cleaned.report.steps, cleaned.report.steps[1:], strict=False):
        assert before.after == after.before
        assert after.before - after.after == sum(refusal.count for refusal in after.refused)


def test_grid_starts_at_the_lowest_first_energy_and_first_values_are_held() -> None:
    rows = sound(30)
    late = rows[3][1] + 1.25
    rows[3] = ("Ti", late, rows[3][2])
    cleaned = clean(raw_of(rows), CleaningRules(near=0, sigma=0))
    table = cleaned.table
    assert table.start_ev["Ti"] == 4960.0
    np.testing.assert_allclose(table.relative_ev, np.linspace(0, 35, 200))
    below = table.relative_ev <= 1.25
    np.testing.assert_allclose(table.mu[3, below], rows[3][2][0], rtol=1e-6)
    exact = np.interp(table.relative_ev[~below] - 1.25, REACH, rows[3][2])
    np.testing.assert_allclose(table.mu[3, ~below], exact, atol=0.02)
    assert any("first value is held" in note and "1.25" in note for note in cleaned.report.steps[0].notes)


def test_dividing_an_absolute_scale_gives_the_normalised_spectra_back() -> None:
    rows = sound(40)
    factor = {"Ti": 1.9, "Cu": 0.9}  # Cu would pass as normalised, were the elements looked at alone
    scaled = raw_of([(e, energy, factor[e] * mu) for e, energy, mu in rows])
    with pytest.raises(DataError, match="no spectrum is left after the step 'normalised'"):
        clean(scaled)
    divided = clean(scaled, CleaningRules(absolute="divide", near=0, sigma=0))
    plain = clean(raw_of(rows), CleaningRules(near=0, sigma=0)).table.mu
    level = plain[:, 160:].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(divided.table.mu, plain / level, atol=2e-6)


def test_scale_is_seen_per_spectrum() -> None:
    mu = np.array([values for _, _, values in sound(20)])
    elements = np.array(["Ti"] * 20 + ["Cu"] * 20)
    mu[1] *= 50
    mu[2] = 3 * mu[2] + 4
    mu[3] = mu[3] - 2
    scale, common = detect_scale(mu, REACH, elements)
    assert not common
    assert scale[:4].tolist() == ["normalised", "absolute", "raw", "raw"]
    assert set(scale[4:]) == {"normalised"}


def brute_near(mu: np.ndarray, radius: float) -> np.ndarray:
    kept: list[int] = []
    for row in range(len(mu)):
        if all(np.abs(mu[row] - mu[other]).max() > radius for other in kept):
            kept.append(row)
    return np.isin(np.arange(len(mu)), kept)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 60), noise=st.sampled_from([0.0005, 0.002, 0.01, 0.1]))
def test_near_duplicates_are_those_of_comparing_all_pairs(seed: int, n: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    centres = np.array([spectrum(rng, np.linspace(0, 35, POINTS)) for _ in range(4)])
    mu = centres[rng.integers(0, 4, n)] + rng.uniform(-noise, noise, (n, POINTS))
    np.testing.assert_array_equal(first_of_near(mu, 0.005), brute_near(mu, 0.005))


def test_near_duplicates_at_the_radius_are_near_and_chains_do_not_pull_everything_together() -> None:
    base = np.linspace(0, 1, 30)
    mu = np.array([base, base + 0.004, base + 0.008, base + 0.012])
    assert first_of_near(mu, 0.005).tolist() == [True, False, True, False]
    assert first_of_near(np.array([base * 0, base * 0 + 0.5]), 0.5).tolist() == [True, False]


def test_equal_spectra_are_found_whatever_the_sign_of_zero() -> None:
    mu = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 1.0000001], [0.0, 1.0]], dtype=np.float32)
    assert first_of_equal(mu).tolist() == [True, False, True, False]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 80), sigma=st.sampled_from([1.0, 2.0, 3.0]))
def test_outliers_follow_the_rule_and_are_never_more_than_its_share(seed: int, n: int, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    mu = rng.standard_t(2, (n, 11))
    mean = [sum(row[j] for row in mu) / n for j in range(11)]
    far = [max(abs(row[j] - mean[j]) for j in range(11)) for row in mu]
    limit = sigma * (sum(value**2 for value in far) / n) ** 0.5
    found = is_outlier(mu, sigma)
    for value, flag in zip(far, found, strict=True):
        assert flag == (value > limit) or value == pytest.approx(limit)
    assert found.mean() <= 1 / sigma**2


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 200), min_size=1, max_size=6), fraction=st.floats(0.01, 1), seed=st.integers(0, 99)
)
def test_draw_takes_its_share_of_each_element_and_does_not_depend_on_the_others(
    counts: list[int], fraction: float, seed: int
) -> None:
    element = np.repeat(MAP_ELEMENTS[: len(counts)], counts)
    keep = stratified(element, fraction, seed)
    for symbol, count in zip(MAP_ELEMENTS, counts, strict=False):
        of = element == symbol
        assert fraction * count - 1e-6 <= keep[of].sum() < fraction * count + 1
        np.testing.assert_array_equal(keep[of], stratified(element[of], fraction, seed))


def test_near_duplicates_of_chosen_elements_only() -> None:
    rows = sound(20)
    twins = [(e, energy, mu + 0.001) for e, energy, mu in rows]
    cleaned = clean(raw_of([*rows, *twins]), CleaningRules(near_elements=("Cu",)))
    assert cleaned.report.steps[-1].kept == {"Ti": 40, "Cu": 20}


@pytest.mark.parametrize(
    "wrong",
    [{"fraction": 0.0}, {"absolute": "keep"}, {"near": -1.0}, {"sigma": float("nan")}, {"points": 3}, {"width_ev": 0}],
)
def test_rules_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="need"):
        CleaningRules(**wrong)  # type: ignore[arg-type]
