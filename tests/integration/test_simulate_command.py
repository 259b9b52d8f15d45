"""`rankaae simulate` as a user runs it, with the real physics on few atoms, and nonsense given to it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from engine.batch.simulate import simulate_sources
from engine.batch.sources import Source, read_sources
from engine.cli import app
from engine.errors import ConfigError, DataError
from engine.io import read_set
from engine.simulation.simulate import Settings
from tests.command import rankaae

RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.594, 2.958), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)
TINY = ("--set", "n_atoms=7", "--set", "lmax=1", "--workers", "1")
SETTINGS = Settings(n_atoms=7, lmax=1)


def simulated(structure: Structure, element: str, out: Path, **options: object) -> np.ndarray:
    simulate_sources([Source("m", structure)], [], element, SETTINGS, out, **options)  # type: ignore[arg-type]
    return read_set(out).mu


def test_a_set_with_descriptors_parameters_and_mean_comes_out(tmp_path: Path) -> None:
    RUTILE.to(str(tmp_path / "rutile.cif"))
    out = tmp_path / "ti.parquet"
    report = json.loads(
        rankaae("simulate", tmp_path / "rutile.cif", "--element", "Ti", *TINY, "--out", out, "--json").stdout
    )
    assert report["n_kept"] == 1
    assert report["failures"] == []
    assert len(report["written"]) == 4
    spectra = read_set(out)
    assert spectra.site_id.tolist() == ["rutile_000"]
    assert spectra.descriptors["OS"][0] == 4
    assert spectra.descriptors["CN"][0] == 6
    table = pd.read_parquet(tmp_path / "ti.sites.parquet")
    assert table["multiplicity"].tolist() == [2]
    assert json.loads(table["settings"][0])["n_atoms"] == 7
    assert "rutile" in rankaae("info", out).stdout or "1" in rankaae("info", out).stdout


def test_errors_of_the_command_are_one_line(tmp_path: Path) -> None:
    RUTILE.to(str(tmp_path / "rutile.cif"))
    ask = ("simulate", str(tmp_path / "rutile.cif"), "--out", str(tmp_path / "x.parquet"), "--workers", "1")
    shown = rankaae(*ask, "--element", "Cu", code=1).stderr
    assert shown == "error: nothing could be simulated: rutile: no Cu; it has O, Ti\n"
    for options, message in (
        (("--engine", "vasp"), "need rankaae or feff"), (("--set", "lmx=2"), "'lmx' is not one of the simulation's"),
        (("--set", "lmax=9"), "lmax is 9; need 1 to 4"), (("--engine", "feff", "--scf"), "inputs have fixed cards"),
        (("--device", "tpu"), "device is 'tpu'; choose from auto, cpu, cuda"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            CliRunner().invoke(app, [*ask, "--element", "Ti", *options], catch_exceptions=False)


def test_the_mean_of_distinct_sites_is_that_of_all(tmp_path: Path) -> None:
    simulated(RUTILE, "Ti", tmp_path / "few.parquet")
    every = simulated(RUTILE, "Ti", tmp_path / "all.parquet", all_sites=True)
    assert every.shape[0] == 2
    np.testing.assert_allclose(read_set(tmp_path / "few.mean.parquet").mu[0], every.mean(axis=0), atol=1e-4)


def test_a_large_cell_gives_the_spectrum_of_the_small_one(tmp_path: Path) -> None:
    salt = Structure(Lattice.cubic(4.21), ["Mg"] * 4 + ["O"] * 4, [
        [0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5], [0.5, 0.5, 0.5], [0, 0, 0.5], [0, 0.5, 0], [0.5, 0, 0],
    ])  # fmt: skip
    small = simulated(salt, "Mg", tmp_path / "small.parquet")
    large = simulated(salt * (4, 4, 4), "Mg", tmp_path / "large.parquet")
    np.testing.assert_allclose(large, small, atol=1e-4)


def test_too_large_overlapping_and_partly_occupied_structures_are_refused_by_name(tmp_path: Path) -> None:
    (RUTILE * (7, 7, 7)).to(str(tmp_path / "POSCAR.vasp"), fmt="poscar")
    sources, failed = read_sources([str(tmp_path / "POSCAR.vasp")])
    assert sources == []
    assert "need at most that many" in failed[0][1]
    overlapping = RUTILE.copy()
    overlapping.translate_sites([2], [0.0, 0.0, 0.02])
    overlapping.append("O", overlapping[2].frac_coords + np.array([0, 0, 0.15]))
    with pytest.raises(DataError, match=r"m: sites \d and \d are less than 0\.5 Å apart"):
        simulated(overlapping, "Ti", tmp_path / "o.parquet")
    shared = Structure(Lattice.cubic(4.2), [{"Ti": 0.5, "V": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(DataError, match="partial occupancy"):
        simulated(shared, "Ti", tmp_path / "p.parquet")


def test_a_molecule_gives_the_same_in_a_box_and_without_one(tmp_path: Path) -> None:
    height = 0.6276
    corners = [[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]
    rows = "".join(f"H {x * height} {y * height} {z * height}\n" for x, y, z in corners)
    (tmp_path / "methane.xyz").write_text(f"5\nmethane\nC 0 0 0\n{rows}")
    free, _ = read_sources([str(tmp_path / "methane.xyz")])
    box = Structure(
        Lattice.cubic(20), ["C"] + ["H"] * 4, [[0, 0, 0], *corners] * np.array(height), coords_are_cartesian=True
    )
    settings = Settings(radius_angstrom=3.0, lmax=1)
    results = []
    for name, source in (("free", free[0]), ("box", Source("methane", box))):
        out = tmp_path / f"{name}.parquet"
        simulate_sources([source], [], "C", settings, out)
        results.append(read_set(out))
    assert all(np.isfinite(result.mu).all() for result in results)
    assert results[0].descriptors["CN"][0] == 4
    np.testing.assert_allclose(results[0].mu, results[1].mu, atol=0.02)
