"""Many sites: resumed, failing, averaged, and every parameter kept; the physics is a stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from engine.batch.parts import Finished, key_of, load_part, save_part
from engine.batch.processes import in_processes
from engine.batch.simulate import simulate_sites, simulate_sources
from engine.batch.sites import Site
from engine.batch.sources import Source
from engine.errors import DataError
from engine.io import import_source, read_set
from engine.simulation.simulate import Settings
from tests import fake_simulation as fake
from tests.conftest import REPOSITORY

SPINEL = Structure.from_spacegroup(
    "Fd-3m", Lattice.cubic(8.40), ["Fe", "Fe", "O"], [[0, 0, 0], [5 / 8, 5 / 8, 5 / 8], [0.38, 0.38, 0.38]]
).get_primitive_structure()  # one tetrahedral, one octahedral class of Fe: 2 and 4 sites
SETTINGS = Settings()


def square(value: int) -> int:
    if value == 3:
        raise ValueError("three")
    return value * value


def fe_sources() -> list[Source]:
    return [Source("magnetite", SPINEL)]


def test_tasks_come_back_with_results_or_exceptions() -> None:
    found = dict(in_processes(square, [1, 2, 3, 4], 1))
    assert {k: v for k, v in found.items() if k != 3} == {1: 1, 2: 4, 4: 16}
    assert isinstance(found[3], ValueError)


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.is_file() and status.read_text().split(")")[-1].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs /proc")
def test_processes_end_when_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    marks = [tmp_path / "a", tmp_path / "b"]
    code = (
        "from engine.batch.processes import in_processes\nfrom tests.fake_simulation import wait_forever\n"
        f"if __name__ == '__main__': list(in_processes(wait_forever, {[str(m) for m in marks]}, 2))"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    started = subprocess.Popen([sys.executable, str(script)], env=environment)
    try:
        for _ in range(2400):
            if all(m.is_file() and m.read_text() for m in marks):
                break
            time.sleep(0.05)
        pids = [int(m.read_text()) for m in marks]
        assert all(map(is_running, pids))
    finally:
        started.kill()
        started.wait()
    for _ in range(100):
        if not any(map(is_running, pids)):
            break
        time.sleep(0.05)
    assert not any(map(is_running, pids))


def test_a_part_is_found_again_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    part = Finished(np.arange(3.0), np.ones(3), np.zeros(3), {"mode": "fast", "notes": ["é"]})
    key = key_of(SPINEL, 0, {"lmax": 2})
    save_part(tmp_path, key, part)
    again = load_part(tmp_path, key)
    assert again is not None
    np.testing.assert_array_equal(again.energy_ev, part.energy_ev)
    assert again.about == part.about
    assert load_part(tmp_path, key_of(SPINEL, 1, {"lmax": 2})) is None
    assert load_part(tmp_path, key_of(SPINEL, 0, {"lmax": 3})) is None
    file = next(tmp_path.glob("*.npz"))
    file.write_bytes(file.read_bytes()[:100])
    assert load_part(tmp_path, key) is None


def test_set_sites_table_and_mean_hold_what_they_should(tmp_path: Path) -> None:
    out = tmp_path / "fe.parquet"
    outcome = simulate_sources(fe_sources(), [], "Fe", SETTINGS, out, simulate=fake.spectrum)
    assert outcome.failures == ()
    spectra = read_set(out)
    assert len(spectra) == 2
    assert {"OS", "CN", "NNRS"} <= set(spectra.descriptors.columns)
    assert sorted(spectra.descriptors["CN"]) == [4, 6]
    table = pd.read_parquet(tmp_path / "fe.sites.parquet")
    assert sorted(table["multiplicity"]) == [2, 4]
    assert json.loads(table["settings"][0])["lmax"] == SETTINGS.lmax
    assert (table["sim_fermi_energy_ev"] == -3).all()
    assert table["notes"][0] == "a note"
    assert any("lmax" in step for step in spectra.steps)
    mean = read_set(tmp_path / "fe.mean.parquet")
    assert mean.site_id.tolist() == ["magnetite_mean"]
    weights = table.set_index("site_id")["multiplicity"][spectra.site_id].to_numpy()
    np.testing.assert_allclose(mean.mu[0], np.average(spectra.mu, axis=0, weights=weights), rtol=1e-6)
    assert mean.descriptors["CN"][0] == pytest.approx((4 * 2 + 6 * 4) / 6)
    assert not (tmp_path / "fe.parquet.parts").exists()


def test_the_sites_table_can_be_imported_on_another_grid(tmp_path: Path) -> None:
    simulate_sources(fe_sources(), [], "Fe", SETTINGS, tmp_path / "fe.parquet", simulate=fake.spectrum)
    spectra, _ = import_source(tmp_path / "fe.sites.parquet", first_shell="any")
    assert len(spectra) == 2
    assert set(spectra.element) == {"Fe"}


def test_every_site_equals_the_distinct_ones_weighted(tmp_path: Path) -> None:
    out = tmp_path / "fe.parquet"
    simulate_sources(fe_sources(), [], "Fe", SETTINGS, out, all_sites=True, average=False, simulate=fake.spectrum)
    assert len(read_set(out)) == 6
    assert not (tmp_path / "fe.mean.parquet").exists()


def test_a_failed_site_is_listed_and_has_no_mean_and_is_tried_again(tmp_path: Path) -> None:
    out = tmp_path / "fe.parquet"
    options = {"all_sites": True, "simulate": fake.fails_on_site_1}
    first = simulate_sources(fe_sources(), [("other.cif", "unreadable")], "Fe", SETTINGS, out, **options)  # type: ignore[arg-type]
    assert first.failures == (("other.cif", "unreadable"), ("magnetite_001", "site 1 does not please"))
    assert "magnetite: no mean spectrum, magnetite_001 is missing" in first.notes
    assert not (tmp_path / "fe.mean.parquet").exists()
    assert len(read_set(out)) == 5
    again = simulate_sources(fe_sources(), [], "Fe", SETTINGS, out, all_sites=True, simulate=fake.spectrum)
    assert again.resumed == 5
    assert again.failures == ()
    assert len(read_set(out)) == 6


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    monkeypatch.setenv("FAKE_CALLS", str(calls))
    sites = [Site("magnetite", i, 1) for i in range(6)]

    def stop_after_two(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_sites(
            {"magnetite": SPINEL}, sites, SETTINGS, tmp_path / "parts", progress=stop_after_two,
            simulate=fake.counts_calls,
        )  # fmt: skip
    result = simulate_sites({"magnetite": SPINEL}, sites, SETTINGS, tmp_path / "parts", simulate=fake.counts_calls)
    assert result.resumed == 2
    assert [site.index for site in result.sites] == list(range(6))
    assert len(list(calls.iterdir())) == 6


def test_a_process_that_dies_costs_only_its_own_site_and_the_others_are_as_without_processes(tmp_path: Path) -> None:
    sites = [Site("magnetite", i, 1) for i in range(4)]
    result = simulate_sites(
        {"magnetite": SPINEL}, sites, SETTINGS, tmp_path / "parts", workers=2, simulate=fake.dies_on_site_1
    )
    assert [site.index for site in result.sites] == [0, 2, 3]
    assert result.failures == (("magnetite_001", "the process died (out of memory?)"),)
    alone = simulate_sites({"magnetite": SPINEL}, result.sites, SETTINGS, tmp_path / "b", simulate=fake.spectrum)
    for first, second in zip(result.finished, alone.finished, strict=True):
        np.testing.assert_array_equal(first.mu, second.mu)


def test_absorption_below_zero_is_a_failure_and_nothing_left_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing could be simulated: magnetite_000: mu is negative.*magnetite_001"):
        simulate_sources(
            fe_sources(), [], "Fe", SETTINGS, tmp_path / "fe.parquet", all_sites=True, simulate=fake.negative
        )
    with pytest.raises(DataError, match="no Cu; it has Fe, O"):
        simulate_sources(fe_sources(), [], "Cu", SETTINGS, tmp_path / "cu.parquet", simulate=fake.spectrum)
