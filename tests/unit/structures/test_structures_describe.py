"""describe_sites: order, failures, cache, processes, progress."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from engine.errors import Cancelled, ConfigError
from engine.structures import CATALOGUE, NotDefinedError, describe_sites, find_second_shell
from engine.structures import describe as describe_module


def rock_salt(a: float = 4.2, metal: str = "Ni") -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [metal, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def disordered() -> Structure:
    return Structure(Lattice.cubic(4.2), [{"Ni": 0.5, "Co": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def lonely() -> Structure:
    return Structure(Lattice.cubic(15.0), ["Cu"], [[0, 0, 0]])


STRUCTURES = {"a": rock_salt(), "b": rock_salt(4.3, "Mn"), "c": rock_salt(4.25, "Fe")}
SITES = [("b", 0), ("a", 1), ("a", 0), ("c", 3)]
NAMES = ["CN", "NNRS", "OS", "MOOD", "CN2", "NOISE", "BAV"]


def test_rows_come_in_the_order_asked_for() -> None:
    described = describe_sites(STRUCTURES, SITES, NAMES)
    assert list(described.frame.index) == ["b_000", "a_001", "a_000", "c_003"]
    assert list(described.frame.columns) == NAMES
    assert (described.frame.dtypes == np.float64).all()


def test_every_missing_value_has_one_reason_and_the_others_stand() -> None:
    structures = {**STRUCTURES, "mixed": disordered(), "lonely": lonely()}
    sites = [("a", 0), ("a", 99), ("a", -1), ("nowhere", 0), ("mixed", 0), ("lonely", 0)]
    described = describe_sites(structures, sites)
    assert described.frame.loc["a_000"].notna().all()
    missing = {(site, name) for site, row in described.frame.iterrows() for name in row.index[row.isna()]}
    assert missing == set(zip(described.failures.site_id, described.failures.descriptor, strict=True))
    assert not described.failures.duplicated(["site_id", "descriptor"]).any()
    reasons = described.failures.groupby("site_id").reason.first()
    assert "out of range" in reasons["a_099"]
    assert "out of range" in reasons["a_-1"]
    assert "no structure named nowhere" in reasons["nowhere_000"]
    assert "partial occupancy" in reasons["mixed_000"]
    assert not described.frame.loc["lonely_000", "CN"] > 0


def test_a_failing_descriptor_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace
    from types import MappingProxyType

    def explode(site: object) -> float:
        raise ZeroDivisionError("boom")

    broken = MappingProxyType({**CATALOGUE, "NNRS": replace(CATALOGUE["NNRS"], function=explode)})
    monkeypatch.setattr(describe_module, "CATALOGUE", broken)
    described = describe_sites(STRUCTURES, [("a", 0)], ["CN", "NNRS", "MOOD"])
    assert described.frame.iloc[0][["CN", "MOOD"]].notna().all()
    assert described.failures.to_dict("records") == [
        {"site_id": "a_000", "descriptor": "NNRS", "reason": "ZeroDivisionError: boom"}
    ]


def test_no_neighbours_is_coordination_zero_and_reasons_for_the_rest() -> None:
    far = Structure(Lattice.cubic(7.0), ["Cu", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    described = describe_sites({"far": far}, [("far", 0)], ["CN", "NNRS", "MOOD"])
    assert described.frame.iloc[0]["CN"] == 0
    assert described.frame.iloc[0][["NNRS", "MOOD"]].isna().all()
    assert described.failures.reason.str.contains("first shell has 0 atoms").all()


def test_unknown_names_and_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="'XYZ' is not in the catalogue; it has: OS, CN"):
        describe_sites(STRUCTURES, SITES, ["XYZ"])
    with pytest.raises(ConfigError, match="workers is 0"):
        describe_sites(STRUCTURES, SITES, NAMES, workers=0)
    with pytest.raises(ConfigError, match="second shell of Cu"):
        describe_sites(STRUCTURES, SITES, NAMES, second_shell_angstrom={"Cu": (4.0, 2.6)})


def test_cached_values_equal_fresh_ones_and_nothing_is_computed_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = describe_sites(STRUCTURES, SITES, NAMES)
    first = describe_sites(STRUCTURES, SITES, NAMES, cache=tmp_path)
    computed = [name for name in NAMES if name != "NOISE"]
    monkeypatch.setattr(describe_module, "_describe_structure", lambda *_: pytest.fail("computed again"))
    second = describe_sites(STRUCTURES, SITES, computed, cache=tmp_path)
    pd.testing.assert_frame_equal(fresh.frame, first.frame)
    pd.testing.assert_frame_equal(fresh.frame[computed], second.frame)
    pd.testing.assert_frame_equal(fresh.failures, second.failures)


@pytest.mark.parametrize(
    "content", ["", "{", "[1, 2]", '{"structure": "other", "sites": {}}', '{"sites": {"0": {"CN": [1]}}}', "[" * 5000]
)
def test_a_damaged_cache_file_is_ignored_and_rewritten(tmp_path: Path, content: str) -> None:
    sites = [("a", 0)]
    expected = describe_sites(STRUCTURES, sites, ["CN"], cache=tmp_path)
    (path,) = tmp_path.glob("*.json")
    whole = path.read_text()
    path.write_text(content)
    again = describe_sites(STRUCTURES, sites, ["CN"], cache=tmp_path)
    pd.testing.assert_frame_equal(expected.frame, again.frame)
    assert path.read_text() == whole
    assert list(tmp_path.iterdir()) == [path]


def test_cache_keeps_shell_bounds_apart_and_does_not_keep_noise(tmp_path: Path) -> None:
    def count(low: float, high: float) -> float:
        shell = {"Ni": (low, high)}
        found = describe_sites(STRUCTURES, [("a", 0)], ["CN2", "NOISE"], cache=tmp_path, second_shell_angstrom=shell)
        return float(found.frame["CN2"].iloc[0])

    assert count(2.6, 3.2) == 12
    assert count(2.6, 4.0) == 20
    (path,) = tmp_path.glob("*.json")
    assert set(json.loads(path.read_text())["sites"]["0"]) == {"CN2@2.6000-3.2000", "CN2@2.6000-4.0000"}


def test_time_outs_are_not_remembered(tmp_path: Path) -> None:
    hurried = describe_sites(STRUCTURES, [("a", 0)], ["OS"], cache=tmp_path, valence_seconds=-1.0)
    assert hurried.failures.reason.str.contains("stopped").all()
    patient = describe_sites(STRUCTURES, [("a", 0)], ["OS"], cache=tmp_path)
    assert patient.frame["OS"].iloc[0] == 2


def test_a_cache_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.write_text("x")
    with pytest.raises(ConfigError, match="taken"):
        describe_sites(STRUCTURES, SITES, ["CN"], cache=path)


def test_parallel_equals_serial() -> None:
    serial = describe_sites(STRUCTURES, SITES, NAMES)
    parallel = describe_sites(STRUCTURES, SITES, NAMES, workers=2)
    pd.testing.assert_frame_equal(serial.frame, parallel.frame)
    pd.testing.assert_frame_equal(serial.failures, parallel.failures)


def test_progress_counts_structures_and_can_cancel() -> None:
    seen: list[tuple[int, int]] = []
    describe_sites(STRUCTURES, SITES, ["CN"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]

    def stop(done: int, total: int) -> None:
        if done:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        describe_sites(STRUCTURES, SITES, ["CN"], progress=stop)


def test_noise_depends_on_seed_and_site_alone() -> None:
    alone = describe_sites(STRUCTURES, [("a", 0)], ["NOISE"]).frame["NOISE"].iloc[0]
    among = describe_sites(STRUCTURES, SITES, ["NOISE", "CN"]).frame.loc["a_000", "NOISE"]
    other = describe_sites(STRUCTURES, [("a", 0)], ["NOISE"], noise_seed=1).frame["NOISE"].iloc[0]
    assert alone == among
    assert alone != other
    many = describe_sites({"a": rock_salt() * (5, 5, 5)}, [("a", i) for i in range(1000)], ["NOISE"]).frame["NOISE"]
    assert abs(many.mean()) < 4 / np.sqrt(1000)
    assert many.std() == pytest.approx(1, abs=0.1)


def test_second_shell_of_rock_salt_lies_between_its_shells() -> None:
    (low, high) = find_second_shell({"a": rock_salt()}, [("a", 0)])["Ni"]
    first, second, third = (4.2 / 2 * np.sqrt(k) for k in (1, 2, 3))
    assert first < low < second < high < third
    assert find_second_shell({"l": lonely()}, [("l", 0), ("l", 5), ("x", 0)]) == {}


def test_no_second_shell_is_a_reason() -> None:
    described = describe_sites({"l": lonely()}, [("l", 0)], ["CN2"])
    assert "no second shell" in described.failures.reason.iloc[0]
    assert described.second_shell_angstrom == {}


def test_oxidation_states_on_the_structure_are_ignored() -> None:
    decorated = rock_salt()
    decorated.add_oxidation_state_by_element({"Ni": 2, "O": -2})
    names = ["CN", "CN2", "OS"]
    plain = describe_sites({"a": rock_salt()}, [("a", 0)], names)
    pd.testing.assert_frame_equal(plain.frame, describe_sites({"a": decorated}, [("a", 0)], names).frame)


def test_a_reader_that_fails_costs_its_sites_only() -> None:
    class Lazy(dict[str, Structure]):
        def __getitem__(self, key: str) -> Structure:
            if key == "bad":
                raise NotDefinedError("bad/POSCAR: empty")
            return super().__getitem__(key)

    described = describe_sites(Lazy(STRUCTURES), [("bad", 0), ("a", 0)], ["CN"])
    assert described.frame["CN"].isna().tolist() == [True, False]
    assert described.failures.reason.tolist() == ["bad/POSCAR: empty"]
