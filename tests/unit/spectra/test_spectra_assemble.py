"""Raw spectra to a set: read is always kept plus refused; info, hash and normalisation of the result."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.errors import DataError
from engine.spectra import (
    GridSpec,
    ImportReport,
    Ledger,
    RawSpectra,
    Refusal,
    SpectraSet,
    assemble,
    normalisation,
    set_hash,
    set_info,
)

ENERGY = np.linspace(8980.0, 9080.0, 201)


def curve(energy: np.ndarray, edge: float = 8990.0) -> np.ndarray:
    return 0.03 + 0.97 * 0.5 * (1.0 + np.tanh(0.5 * (energy - edge)))


def raw_of(energies: list[np.ndarray], mu: list[np.ndarray] | None = None, **more: object) -> RawSpectra:
    n = len(energies)
    return RawSpectra(
        energy_ev=energies,
        mu=mu or [curve(energy) for energy in energies],
        site_id=[f"m{i}_000" for i in range(n)],
        material_id=[f"m{i}" for i in range(n)],
        element=["Cu"] * n,
        descriptors=pd.DataFrame({"CN": np.arange(n, dtype=float)}),
        source="test",
        kind="made up",
        origin="made up",
        **more,  # type: ignore[arg-type]
    )


def test_read_is_kept_plus_refused_with_reasons_and_examples() -> None:
    energies = [ENERGY] * 300
    energies[7] = ENERGY[::-1]
    energies[8] = ENERGY / 1000.0
    energies[9] = np.linspace(8985.0, 9080.0, 100)
    energies[10] = np.linspace(8980.0, 9020.0, 100)
    spectra, report = assemble(raw_of(energies), None)
    assert (report.n_read, report.n_kept) == (300, 296)
    assert {refusal.reason: refusal.count for refusal in report.refused} == {
        "energies fall instead of rise": 1,
        "energies look like keV": 1,
        "starts after the grid does": 1,
        "ends before the grid does": 1,
    }
    assert report.refused[0].examples[0][0].startswith("m")
    assert "m7_000" not in spectra.site_id
    assert spectra.descriptors["CN"].iloc[-1] == 299.0
    assert json.loads(json.dumps(report.to_json()))["n_kept"] == 296
    assert any("read 300, kept 296" in line for line in report.lines())


def test_each_spectrum_lands_in_its_own_row_whatever_its_energies() -> None:
    energies = [np.linspace(8980.0 + 0.01 * i, 9080.0, 150 + i) for i in range(12)]
    mu = [curve(energy, 8990.0 + i) for i, energy in enumerate(energies)]
    spectra, _ = assemble(raw_of(energies, mu), GridSpec(8985.0, 50.0, 64))
    expected = np.stack([curve(spectra.energy_ev, 8990.0 + i) for i in range(12)])
    assert np.abs(spectra.mu - expected).max() < 2e-4
    assert "not-a-knot" in spectra.steps[-1]


def test_the_first_of_repeated_ids_is_kept_and_a_missing_material_refused() -> None:
    raw = raw_of([ENERGY] * 4)
    raw.site_id = ["a", "b", "a", "c"]
    raw.material_id = ["a", "b", "a", ""]
    spectra, report = assemble(raw, None)
    assert spectra.site_id.tolist() == ["a", "b"]
    assert {refusal.reason for refusal in report.refused} == {"site id repeats", "no material id"}


def test_nothing_kept_is_an_error_that_gives_the_reasons() -> None:
    with pytest.raises(DataError, match=r"none of 2 spectra can be kept: energies look like keV \(2"):
        assemble(raw_of([ENERGY / 1000.0] * 2), None)
    with pytest.raises(DataError, match="starts after the grid"):
        assemble(raw_of([ENERGY] * 2), GridSpec(8970.0))


def test_a_model_grid_is_kept_unless_another_is_asked_for() -> None:
    grid = np.linspace(8984.0, 9034.0, 256)
    raw = raw_of([grid] * 3, on_one_grid=True)
    spectra, report = assemble(raw, None)
    assert np.array_equal(spectra.energy_ev, grid)
    assert spectra.steps == ()
    assert report.grid["interpolated"] is False
    spectra, _ = assemble(raw_of([grid] * 3, on_one_grid=True), GridSpec(8985.0, 40.0, 100))
    assert spectra.energy_ev.size == 100


def test_warnings_for_unknown_labels_repeated_values_narrow_grid_and_scale() -> None:
    energy = np.linspace(8980.0, 9010.0, 120)
    mu = 3.0 * curve(energy)
    mu[:5] = mu[5]
    raw = raw_of([energy] * 4, [mu] * 4)
    raw.descriptors = pd.DataFrame({"OS": [np.nan] * 4})
    _, report = assemble(raw, None)
    said = "\n".join(report.warnings)
    assert "OS is not known for any" in said
    assert "4 of 4 spectra begin with one value repeated (up to 6 points)" in said
    assert "30.0 eV wide" in said
    assert "not look edge-normalised" in said


def test_an_account_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(DataError, match="neither kept nor refused"):
        ImportReport("x", "y", 10, 5, (Refusal("z", 4),))


def test_a_ledger_keeps_five_examples_and_says_things_once() -> None:
    ledger = Ledger()
    for index in range(9):
        ledger.refuse("because", f"s{index}")
        ledger.warn("once")
    assert ledger.refused[0].count == ledger.n_refused == 9
    assert len(ledger.refused[0].examples) == 5
    assert ledger.warnings == ["once"]


def a_set() -> SpectraSet:
    return assemble(raw_of([ENERGY] * 5), None)[0]


def test_info_is_json_ready_and_counts() -> None:
    info = json.loads(json.dumps(set_info(a_set())))
    assert (info["n"], info["materials"], info["elements"]) == (5, 5, {"Cu": 5})
    assert info["descriptors"]["CN"] == {
        "known": 5,
        "min": 0.0,
        "median": 2.0,
        "max": 4.0,
        "classes": {"0": 1, "1": 1, "2": 1, "3": 1, "4": 1},
    }
    assert info["normalised"] is True
    assert info["grid"]["even"] is True


def test_info_of_an_unknown_and_a_continuous_descriptor() -> None:
    spectra = replace(a_set(), descriptors=pd.DataFrame({"OS": [np.nan] * 5, "R": [0.1, 0.2, np.nan, 0.4, 0.5]}))
    described = set_info(spectra)["descriptors"]
    assert described["OS"]["known"] == 0  # type: ignore[index]
    assert described["R"] == {"known": 4, "min": 0.1, "median": pytest.approx(0.3), "max": 0.5, "classes": None}  # type: ignore[index]


def test_hash_follows_contents_and_nothing_else() -> None:
    spectra = a_set()
    same = replace(spectra, origin="elsewhere", steps=("something",))
    assert set_hash(same) == set_hash(spectra)
    changed = spectra.mu.copy()
    changed[0, 0] = np.nextafter(changed[0, 0], 2, dtype=np.float32)
    others = [
        replace(spectra, mu=changed),
        replace(spectra, energy_ev=spectra.energy_ev + 1e-9),
        replace(spectra, descriptors=spectra.descriptors.rename(columns={"CN": "OS"})),
        replace(spectra, descriptors=spectra.descriptors + 1),
        replace(spectra, material_id=["x"] * 5),
        replace(spectra, edge="L3"),
        spectra.take([1, 0, 2, 3, 4]),
    ]
    assert len({set_hash(other) for other in [spectra, *others]}) == 8


def test_hash_does_not_see_the_sign_of_zero_or_the_kind_of_nan() -> None:
    spectra = a_set()
    odd_nan = np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)[0]
    first = replace(spectra, descriptors=pd.DataFrame({"X": [0.0, np.nan, 1, 2, 3]}))
    second = replace(spectra, descriptors=pd.DataFrame({"X": [-0.0, odd_nan, 1, 2, 3]}))
    assert set_hash(first) == set_hash(second)


def test_normalisation_is_judged_on_both_ends() -> None:
    spectra = a_set()
    assert normalisation(spectra.energy_ev, spectra.mu).normalised
    assert not normalisation(spectra.energy_ev, spectra.mu * 2).normalised
    assert not normalisation(spectra.energy_ev, spectra.mu + 1).normalised
    scattered = spectra.mu * np.array([0.4, 0.7, 1.0, 1.3, 1.6])[:, None]
    assert not normalisation(spectra.energy_ev, scattered).normalised


def test_take_by_mask_index_and_nothing() -> None:
    spectra = a_set()
    assert spectra.take(spectra.descriptors["CN"].to_numpy() > 2).site_id.tolist() == ["m3_000", "m4_000"]
    assert len(spectra.take([])) == 0
    with pytest.raises(DataError, match="mask"):
        spectra.take(np.ones(3, dtype=bool))
