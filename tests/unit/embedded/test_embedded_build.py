"""A small embedded set from recipe to files, with a stand-in for the physics."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.embedded.build import build_set
from engine.embedded.manifest import sha256_of
from engine.embedded.recipes import recipe_of
from engine.embedded.structures import read_structures
from engine.errors import ConfigError, DataError
from engine.io import import_source, read_set, read_site_structure, structures_path
from engine.simulation.simulate import Settings
from tests import fake_simulation as fake

SETTINGS = Settings(energy_min_ev=-20.0, energy_max_ev=70.0)


def test_a_family_becomes_a_set_a_card_and_a_manifest_entry(tmp_path: Path) -> None:
    out, work = tmp_path / "data", tmp_path / "work"
    recipe = recipe_of("oxides-3d")
    account = build_set(recipe, out, work, SETTINGS, elements=["Ni"], sites=8, simulate=fake.spikes_on_site_0)
    path = out / "oxides-3d" / "oxides-3d-Ni.parquet"
    spectra = read_set(path)
    assert len(spectra) + len(account.failures) == 8
    spikes = [site for site, reason in account.failures if "more than the lifetime of the core hole allows" in reason]
    assert spikes
    assert all(site.endswith("_000") for site in spikes)
    assert not any(str(site).endswith("_000") for site in spectra.site_id)
    assert spectra.energy_ev[0] == 8330.0
    assert spectra.mu.shape[1] == 256
    assert spectra.descriptors[["OS", "CN", "OCN", "NNRS", "MOOD"]].notna().all().all()
    stored = read_structures(work / "structures" / "Ni.parquet")
    assert set(spectra.material_id) <= {material.material_id for material, _ in stored}
    entry = tomllib.loads((out / "manifest.toml").read_text())["set"][0]
    assert entry["name"] == "oxides-3d"
    assert entry["files"][0]["sha256"] == sha256_of(path)
    assert entry["files"][1]["path"] == "oxides-3d/oxides-3d-Ni.structures.parquet"
    built = {material.structure_id: material.structure for material, _ in stored}
    for site in spectra.site_id:
        found = read_site_structure(structures_path(path), str(site))
        assert found is not None
        assert found[0][found[1]].specie.symbol == "Ni"
        assert found[0].distance_matrix == pytest.approx(built[str(site)[:-4]].distance_matrix, abs=1e-4)
    card = (out / "oxides-3d.md").read_text()
    assert "must not be used for" in card
    assert f"Failures: {len(account.failures)}" in card


def test_building_again_takes_what_is_there_and_gives_the_same(tmp_path: Path) -> None:
    out, work = tmp_path / "data", tmp_path / "work"
    recipe = recipe_of("oxides-3d")
    build_set(recipe, out, work, SETTINGS, elements=["Co"], sites=5, simulate=fake.spectrum)
    first = (out / "oxides-3d" / "oxides-3d-Co.parquet").read_bytes()
    build_set(recipe, out, work, SETTINGS, elements=["Co"], sites=5, simulate=fake.negative)  # would fail if asked
    assert (out / "oxides-3d" / "oxides-3d-Co.parquet").read_bytes() == first


def test_all_elements_of_the_periodic_set_share_a_file(tmp_path: Path) -> None:
    out = tmp_path / "data"
    build_set(
        recipe_of("periodic-47"), out, tmp_path / "work", SETTINGS, elements=["Na", "Cl"], sites=5,
        simulate=fake.spectrum,
    )  # fmt: skip
    path = out / "periodic-47.parquet"
    stored = pq.read_schema(path).field("mu").type
    assert (stored.value_type, stored.list_size) == ("halffloat", 200)
    spectra, _ = import_source(path, element="Cl", first_shell="any")
    assert len(spectra) == 5
    assert read_site_structure(structures_path(path), str(spectra.site_id[0])) is not None
    assert np.ptp(spectra.energy_ev) == pytest.approx(35.0)
    assert "CN" in spectra.descriptors
    assert not any(material.endswith("v0") for material in spectra.material_id)


def test_unknown_sets_and_elements_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there are oxides-3d, periodic-47"):
        recipe_of("oxides")
    with pytest.raises(DataError, match="has no Sc"):
        build_set(recipe_of("oxides-3d"), tmp_path, tmp_path, SETTINGS, elements=["Sc"])
