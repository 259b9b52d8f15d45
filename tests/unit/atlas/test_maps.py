"""Maps of made-up families: seeded, stored and read again, and new spectra placed among their own kind."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.decomposition import PCA

from engine.atlas.cleaning import CleaningRules
from engine.atlas.embedding import Embedding, embed, principal_components, reducer
from engine.atlas.make import Made, make_atlas
from engine.atlas.scores import neighbourhoods
from engine.atlas.source import read_spectra
from engine.atlas.store import on_grid_of, place, read_atlas, write_atlas
from engine.errors import ConfigError, DataError
from engine.io import load_set, read_steps, write_set
from tests.synthetic import make_set

STARTS = {"Ti": 4960.0, "Cu": 8980.0}
RULES = CleaningRules(near=0, sigma=0)


def write_table(path: Path, n: int = 90) -> np.ndarray:
    """A common-step table of n Ti and n Cu spectra whose edges are 8 eV apart, with OS and a code."""
    family = make_set(2 * n, points=161, seed=1)
    mu = family.mu.copy()
    mu[n:] = np.roll(mu[n:], 32, axis=1)
    mu[n:, :32] = mu[n:, 32:33]
    columns = {
        "site_id": pa.array(family.site_id.tolist()),
        "element": pa.array(["Ti"] * n + ["Cu"] * n),
        "code": pa.array(["FEFF", "VASP"] * n),
        "formula": pa.array(["Ti2O4"] * n + ["Cu2O"] * n),
        "OS": pa.array(family.descriptors["OS"].to_numpy()),
        "mu": pa.FixedSizeListArray.from_arrays(pa.array(mu.ravel()), 161),
    }
    metadata = {"energy_start_ev": json.dumps(STARTS), "energy_step_ev": "0.25", "origin": "made up"}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
    return mu


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    path = tmp_path_factory.mktemp("atlas") / "two.parquet"
    write_table(path)
    return make_atlas(path, RULES, Embedding("pca"))


def test_reading_takes_tables_sets_and_one_code(tmp_path: Path) -> None:
    path = tmp_path / "two.parquet"
    mu = write_table(path)
    raw = read_spectra(path)
    assert len(raw) == 180
    order = [*range(90, 180), *range(90)]  # elements in alphabetical order
    np.testing.assert_array_equal(np.array(raw.mu, dtype=np.float32), mu[order])
    assert raw.energy_ev[0][0] == STARTS["Cu"]
    assert len(read_spectra(path, "VASP")) == 90
    with pytest.raises(DataError, match="no spectra by FDMNES; it has FEFF, VASP"):
        read_spectra(path, "FDMNES")
    spectra = make_set(40)
    write_set(spectra, tmp_path / "set.parquet")
    of_set = read_spectra(tmp_path / "set.parquet")
    np.testing.assert_array_equal(np.array(of_set.mu), spectra.mu)
    with pytest.raises(DataError, match="does not say which code"):
        read_spectra(tmp_path / "set.parquet", "FEFF")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DataError, match="no table of spectra"):
        read_spectra(tmp_path / "other.parquet")


def test_principal_components_are_those_of_scikit_learn() -> None:
    mu = make_set(100).mu
    exact = PCA(2).fit(mu.astype(np.float64))
    sign = np.sign(np.take_along_axis(exact.components_, np.abs(exact.components_).argmax(1)[:, None], 1))[:, 0]
    np.testing.assert_allclose(principal_components(mu), exact.transform(mu) * sign, atol=1e-5)


def test_a_stored_map_is_the_same_again_and_a_table_as_well(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "atlas.parquet"
    write_atlas(made.atlas, path)
    again = read_atlas(path)
    np.testing.assert_array_equal(again.xy, made.atlas.xy)
    np.testing.assert_array_equal(again.table.mu, made.atlas.table.mu)
    np.testing.assert_array_equal(again.nearest, made.atlas.nearest)
    assert again.formula == made.atlas.formula
    assert set(zip(made.atlas.table.sites["element"], again.formula, strict=True)) == {("Ti", "Ti2O4"), ("Cu", "Cu2O")}
    pd.testing.assert_frame_equal(again.table.sites, made.atlas.table.sites, check_dtype=False)
    assert list(again.table.descriptors) == ["OS"]
    assert (again.how, again.scores, again.cleaning) == (made.atlas.how, made.atlas.scores, made.atlas.cleaning)
    assert read_steps(path).start_ev == STARTS
    assert len(load_set(path, "Ti")) == 90


def test_files_that_are_no_map_are_refused(made: Made, tmp_path: Path) -> None:
    plain, broken = tmp_path / "plain.parquet", tmp_path / "broken.parquet"
    write_table(plain)
    clash = made.atlas.table.descriptors.assign(xy=1.0)
    with pytest.raises(DataError, match="'xy' is already a column"):
        write_atlas(replace(made.atlas, table=replace(made.atlas.table, descriptors=clash)), tmp_path / "clash.parquet")
    with pytest.raises(DataError, match="is no map"):
        read_atlas(plain)
    write_atlas(made.atlas, broken)
    table = pq.read_table(broken)
    for change, says in (
        (b"[", "no readable map"),
        (b'{"version": 9}', "version of the map is 9"),
        (b'{"version": 1, "nearest": [0, 1]}', "no readable map"),
        (b'{"version": 1, "nearest": [], "embedding": {}, "scores": {}, "cleaning": {}}', "two finite numbers"),
        (b'{"version": 1, "nearest": [0, 1], "embedding": {"neighbours": 0}, "scores": {}, "cleaning": {}}', "from 2"),
    ):
        pq.write_table(table.replace_schema_metadata(table.schema.metadata | {b"rankaae_atlas": change}), broken)
        with pytest.raises(DataError, match=says):
            read_atlas(broken)


def test_spectra_of_the_map_land_where_they_are_and_strangers_are_told(made: Made) -> None:
    atlas = made.atlas
    placed = place(atlas, atlas.table.mu[:20])
    np.testing.assert_array_equal(placed.neighbours[:, 0], np.arange(20))
    np.testing.assert_allclose(placed.distance[:, 0], 0, atol=1e-5)
    assert (np.diff(placed.distance, axis=1) >= 0).all()
    assert (placed.percentile < 1).all()
    spread = np.ptp(atlas.xy, axis=0)
    assert (np.abs(placed.xy - atlas.xy[:20]) < 0.25 * spread).all()
    one = place(atlas, atlas.table.mu[5], k=1)
    np.testing.assert_allclose(one.xy[0], atlas.xy[5], rtol=1e-6)
    assert place(atlas, atlas.table.mu[:1] + 3).percentile[0] == 100
    with pytest.raises(DataError, match="spectra have 7 points; the map needs 200"):
        place(atlas, np.zeros(7))


def test_a_new_spectrum_is_brought_to_the_map_as_its_own_were(made: Made, tmp_path: Path) -> None:
    mu = write_table(tmp_path / "two.parquet")
    own = made.atlas.table
    row = own.sites.index[own.sites["element"] == "Ti"][3]
    energy = STARTS["Ti"] + 0.25 * np.arange(161)
    np.testing.assert_allclose(on_grid_of(made.atlas, energy, mu[3], "Ti"), own.mu[row], atol=1e-6)
    late = on_grid_of(made.atlas, energy[8:], mu[3, 8:], "Ti")
    np.testing.assert_allclose(late[own.relative_ev < 2], mu[3, 8], atol=1e-6)
    with pytest.raises(DataError, match="the map has no Fe"):
        on_grid_of(made.atlas, energy, mu[3], "Fe")
    with pytest.raises(DataError, match="cannot be placed: energies fall"):
        on_grid_of(made.atlas, energy[::-1], mu[3], "Ti")
    with pytest.raises(DataError, match="cannot be placed: energies do not cover"):
        on_grid_of(made.atlas, energy + 4000, mu[3], "Ti")
    with pytest.raises(DataError, match=r"the spectrum runs from 4960.00 to 4984.75 eV"):
        on_grid_of(made.atlas, energy[:100], mu[3, :100], "Ti")


@pytest.mark.slow
def test_umap_is_the_same_again_by_its_seed_and_keeps_the_families_apart(made: Made) -> None:
    mu = made.atlas.table.mu
    how = Embedding(neighbours=15)
    xy = embed(mu, how)
    np.testing.assert_array_equal(embed(mu, how), xy)
    assert not np.array_equal(embed(mu, replace(how, seed=1)), xy)
    cu = (made.atlas.table.sites["element"] == "Cu").to_numpy()
    near = np.linalg.norm(xy[:, None] - xy[None], axis=-1)
    np.fill_diagonal(near, np.inf)
    assert (cu[near.argmin(axis=1)] == cu).mean() > 0.98
    for other in (Embedding("densmap", neighbours=15), Embedding(neighbours=15, fast=True, metric="cosine")):
        found = neighbourhoods(mu, embed(mu, other), metric=other.metric)
        assert found.trustworthiness > 0.8


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for wrong in ({"method": "tsne"}, {"metric": "taxi"}, {"neighbours": 1}, {"min_dist": 2.0}, {"seed": -1}):
        with pytest.raises(ConfigError, match="need"):
            Embedding(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="need more than 94"):
        embed(np.zeros((50, 200)), Embedding())
    path = tmp_path / "two.parquet"
    write_table(path, n=12)
    with pytest.raises(ConfigError, match="24 spectra are left after cleaning; a map needs at least 32"):
        make_atlas(path, RULES, Embedding("pca"))


def test_a_gpu_is_asked_for_by_a_library_that_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, object] = {}
    monkeypatch.setitem(sys.modules, "cuml", None)
    monkeypatch.setitem(sys.modules, "cuml.manifold", None)
    with pytest.raises(ConfigError, match="need cuML and an NVIDIA GPU"):
        reducer(Embedding(gpu=True))
    with pytest.raises(ConfigError, match="densmap is not made on a GPU"):
        Embedding("densmap", gpu=True)
    fake = ModuleType("cuml.manifold")
    fake.UMAP = lambda **settings: made.update(settings)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cuml.manifold", fake)
    reducer(Embedding(neighbours=20, gpu=True))
    assert made == {"n_neighbors": 20, "min_dist": 0.1, "metric": "euclidean", "random_state": 1579}
