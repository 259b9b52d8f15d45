"""Properties of interpolation, splits, accounts and spectral descriptors that hold for every input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError, DataError
from engine.spectra import (
    GridSpec,
    RawSpectra,
    SpectraSet,
    Split,
    assemble,
    choose_grid,
    resample,
    spectral_descriptors,
    split_by_material,
    split_random,
)

FEW = settings(max_examples=40, deadline=None)


@FEW
@given(st.integers(0, 2**32 - 1), st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.integers(16, 80))
def test_a_cubic_is_reproduced_on_any_grid(seed: int, coefficients: list[float], points: int) -> None:
    rng = np.random.default_rng(seed)
    energy = 9000.0 + np.cumsum(rng.uniform(0.05, 1.0, points))
    span = energy[-1] - energy[0]
    grid = np.sort(rng.uniform(energy[0], energy[-1], 50))
    polynomial = np.polynomial.Polynomial(coefficients)
    got = resample(energy, polynomial((energy - energy[0]) / span), grid)
    assert np.abs(got - polynomial((grid - energy[0]) / span)).max() < 1e-8


@FEW
@given(st.floats(-20, 20), st.floats(0.5, 120))
def test_a_grid_is_either_inside_the_data_or_an_error(start: float, width: float) -> None:
    energy = np.linspace(9000.0, 9060.0, 100)
    grid = np.linspace(9000.0 + start, 9000.0 + start + width, 32)
    inside = start >= -1e-6 and start + width <= 60.0 + 1e-6
    try:
        values = resample(energy, np.sin(energy), grid)
    except DataError:
        assert not inside
    else:
        assert inside
        assert np.abs(values).max() < 1.1


@FEW
@given(st.lists(st.floats(8980, 8990), min_size=1, max_size=300), st.floats(5, 200))
def test_the_chosen_grid_is_covered_by_99_percent_at_either_end(first: list[float], length: float) -> None:
    begin = np.array(first)
    end = begin + length
    try:
        grid = choose_grid(begin, end, GridSpec())
    except DataError:
        return
    assert (begin <= grid[0] + 1e-9).mean() >= 0.99
    assert (end >= grid[-1] - 1e-9).mean() >= 0.99
    assert 1.0 - 1e-9 <= grid[-1] - grid[0] <= 50.0 + 1e-9


def a_set(materials: list[int]) -> SpectraSet:
    n = len(materials)
    return SpectraSet(
        np.linspace(0, 1, 4),
        np.zeros((n, 4)),
        pd.DataFrame(index=range(n)),
        np.array([f"s{i}" for i in range(n)]),
        np.array([f"m{material}" for material in materials]),
        np.array(["Cu"] * n),
    )


@FEW
@given(st.lists(st.integers(0, 60), min_size=1, max_size=200), st.integers(0, 1000), st.floats(0.2, 0.7))
def test_splits_cover_once_keep_materials_together_and_hit_the_fractions(
    materials: list[int], seed: int, train: float
) -> None:
    spectra = a_set(materials)
    fractions = (train, (1 - train) / 2, (1 - train) / 2)
    for how, largest in ((split_by_material, max(np.bincount(materials))), (split_random, 1)):
        try:
            split = how(spectra, fractions, seed)
        except ConfigError:
            continue
        parts = (split.train, split.validation, split.test)
        assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(materials)))
        for part, fraction in zip(parts, fractions, strict=True):
            assert abs(part.size - fraction * len(materials)) <= largest + 1e-9
        if how is split_by_material:
            sides = [set(spectra.material_id[part]) for part in parts]
            assert len(set.union(*sides)) == sum(map(len, sides))
        assert np.array_equal(how(spectra, fractions, seed).train, split.train)
        assert np.array_equal(Split.from_json(split.to_json()).test, split.test)


ENERGY = np.linspace(8985.0, 9045.0, 61)
GOOD = 0.03 + 0.97 * 0.5 * (1 + np.tanh((ENERGY - 8992.0) / 3.0))
DAMAGE = {
    "none": (ENERGY, GOOD),
    "reversed": (ENERGY[::-1], GOOD),
    "kev": (ENERGY / 1000, GOOD),
    "nan": (ENERGY, np.where(ENERGY > 9000, np.nan, GOOD)),
    "negative": (ENERGY, GOOD - 0.5),
    "constant": (ENERGY, np.ones_like(ENERGY)),
    "short": (ENERGY[:5], GOOD[:5]),
    "late": (ENERGY + 30.0, GOOD),
    "ragged": (ENERGY, GOOD[:-3]),
    "empty": (ENERGY[:0], GOOD[:0]),
}


@FEW
@given(st.lists(st.tuples(st.sampled_from(sorted(DAMAGE)), st.integers(0, 30)), min_size=1, max_size=40))
def test_read_is_kept_plus_refused_whatever_is_wrong(rows: list[tuple[str, int]]) -> None:
    raw = RawSpectra(
        energy_ev=[DAMAGE[kind][0] for kind, _ in rows],
        mu=[DAMAGE[kind][1] for kind, _ in rows],
        site_id=[f"s{name}" for _, name in rows],
        material_id=["m"] * len(rows),
        element=["Cu"] * len(rows),
        descriptors=pd.DataFrame(index=range(len(rows))),
        source="made up",
        kind="made up",
        origin="made up",
    )
    sound = {name for kind, name in rows if kind == "none"}
    grid = GridSpec(8986.0, 40.0, 32)
    if not sound:
        with pytest.raises(DataError, match="none of"):
            assemble(raw, grid)
        return
    spectra, report = assemble(raw, grid)
    assert report.n_read == len(rows) == report.n_kept + sum(refusal.count for refusal in report.refused)
    assert sorted(spectra.site_id) == sorted(f"s{name}" for name in sound)


@FEW
@given(st.integers(0, 2**32 - 1), st.floats(-50, 50), st.floats(0.1, 10))
def test_descriptors_move_with_the_axis_and_scale_with_mu(seed: int, shift: float, factor: float) -> None:
    rng = np.random.default_rng(seed)
    energy = np.linspace(8984.0, 9034.0, 120)
    x = (energy - 8984.0) / 50.0
    mu = 0.5 + np.arctan((energy - rng.uniform(8988, 9000)) / 1.5) / np.pi
    mu = mu + sum(rng.uniform(-0.2, 0.3) * np.exp(-(((x - rng.uniform(0, 1)) / 0.06) ** 2)) for _ in range(4))
    still = spectral_descriptors(energy, mu[None]).iloc[0]
    moved = spectral_descriptors(energy + shift, factor * mu[None]).iloc[0]
    for name in still.index:
        if np.isnan(still[name]):
            assert np.isnan(moved[name])
        elif name.startswith("E_"):
            assert abs(moved[name] - still[name] - shift) < 1e-4
        else:
            assert abs(moved[name] - factor * still[name]) < 1e-5 * max(1.0, factor)
