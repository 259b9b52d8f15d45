"""The real data through every reader, checked against each other and against the numbers known of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import CubicSpline, make_interp_spline

from engine.errors import DataError
from engine.io import import_source, read_feff_tree, read_set, read_xmu, write_set
from engine.spectra import GridSpec, set_hash, set_info, spectral_descriptors, split_by_material

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def sites(real_data: Path) -> pd.DataFrame:
    return pd.read_parquet(real_data / "cu_feff" / "sites.parquet").set_index("site_id")


def spline(row: pd.Series, grid: np.ndarray) -> np.ndarray:
    return np.asarray(CubicSpline(row["energy_ev"], row["mu"])(grid))


def test_the_published_csv(real_data: Path, sites: pd.DataFrame) -> None:
    spectra, report = import_source(real_data / "cu_feff" / "rankaae_layout.csv.gz")
    assert (report.n_read, report.n_kept, len(np.unique(spectra.material_id))) == (3800, 3800, 1857)
    assert np.array_equal(spectra.energy_ev, np.linspace(8984.0, 9034.0, 256))
    assert list(spectra.descriptors.columns) == ["OS", "CN", "OCN", "NNRS", "MOOD"]
    assert any("1322 of 3800 spectra begin with one value repeated" in line for line in report.warnings)
    assert set_info(spectra)["normalised"] is True
    cubic, quadratic = [], []
    for row, site in list(enumerate(spectra.site_id))[::5]:
        source = sites.loc[site]
        above = spectra.energy_ev >= source["energy_ev"][0]
        energy, mu = spectra.energy_ev[above], spectra.mu[row, above]
        cubic.append(np.abs(mu - spline(source, energy)).max())
        quadratic.append(np.abs(mu - make_interp_spline(source["energy_ev"], source["mu"], k=2)(energy)).max())
    # The file was made with quadratic splines: those give it back to its six digits, cubic ones nearly.
    assert max(quadratic) < 2e-6
    assert np.median(cubic) < 5e-4
    assert max(cubic) < 5e-3
    columns = spectra.descriptors.columns
    assert np.allclose(spectra.descriptors, sites.loc[spectra.site_id, columns].astype(float), atol=1e-5)


def test_the_site_table(real_data: Path, sites: pd.DataFrame) -> None:
    spectra, report = import_source(real_data / "cu_feff" / "sites.parquet", first_shell="any")
    covered = sites["energy_ev"].map(lambda energy: energy[0] <= spectra.energy_ev[0])
    assert covered.mean() >= 0.99
    assert (report.n_read, report.n_kept) == (4362, int(covered.sum()))
    oxides, report = import_source(real_data / "cu_feff" / "sites.parquet", grid=GridSpec(8986.0))
    shells = {refusal.reason: refusal.count for refusal in report.refused}
    assert shells["first shell is not oxygen only"] == int((~sites["only_O"]).sum())
    for site in oxides.site_id[::97]:
        row = int(np.flatnonzero(oxides.site_id == site)[0])
        assert np.abs(oxides.mu[row] - spline(sites.loc[site], oxides.energy_ev)).max() < 1e-6


def test_feff_runs_give_the_site_table_back(real_data: Path, sites: pd.DataFrame, tmp_path: Path) -> None:
    pytest.importorskip("pymatgen.core")
    source = real_data / "cu_feff" / "feff_folders_sample.zip"
    raw = read_feff_tree(source, "Cu", cache=tmp_path / "cache")
    assert len(raw) == 72
    assert len(set(raw.material_id)) == 40
    for site, energy, mu in zip(raw.site_id, raw.energy_ev, raw.mu, strict=True):
        assert np.abs(energy - sites.loc[site, "energy_ev"]).max() < 1e-4
        assert np.abs(mu - sites.loc[site, "mu"]).max() < 1e-4
    spectra, report = import_source(source, grid=GridSpec(8986.0), cache=tmp_path / "cache")
    assert (report.n_read, report.n_kept) == (72, 72)
    expected = np.stack([spline(sites.loc[site], spectra.energy_ev) for site in spectra.site_id])
    assert np.abs(spectra.mu - expected).max() < 1e-4
    for name in ("CN", "OCN", "NNRS"):
        agrees = np.isclose(spectra.descriptors[name], sites.loc[spectra.site_id, name].astype(float), atol=1e-3)
        assert agrees.mean() > 0.9, name


def test_fermi_energies_of_the_runs(real_data: Path, sites: pd.DataFrame, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(real_data / "cu_feff" / "feff_folders_sample.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith("xmu.dat")][:10]
        for name in names:
            data = read_xmu(Path(archive.extract(name, tmp_path)))
            site = f"{name.split('/')[-4]}_{name.split('/')[-2][:3]}"
            assert data.e_fermi_ev == pytest.approx(sites.loc[site, "e_fermi"], abs=2e-3)
            assert (data.element, data.edge) == ("Cu", "K")


def test_the_unlabelled_table(real_data: Path) -> None:
    path = real_data / "tm_unlabelled" / "spectra.parquet"
    table = pd.read_parquet(path)
    with pytest.raises(DataError, match="name one element"):
        import_source(path)
    kept = 0
    for element in sorted(set(table["element"])):
        _, report = import_source(path, element=element)
        assert report.n_kept == (table["element"] == element).sum()
        assert any("absolute scale" in line for line in report.warnings)
        kept += report.n_kept
    assert kept == len(table)
    titanium, report = import_source(path, element="Ti", code="VASP")
    assert titanium.energy_ev[-1] == pytest.approx(4999.5)
    assert set_info(titanium)["normalised"] is False


def test_a_real_set_survives_its_file_and_splits_by_material(real_data: Path, tmp_path: Path) -> None:
    spectra, _ = import_source(real_data / "cu_feff" / "rankaae_layout.csv.gz")
    write_set(spectra, tmp_path / "cu.parquet")
    assert set_hash(read_set(tmp_path / "cu.parquet")) == set_hash(spectra)
    split = split_by_material(spectra, seed=0)
    sizes = np.array([split.train.size, split.validation.size, split.test.size]) / len(spectra)
    assert np.abs(sizes - [0.7, 0.15, 0.15]).max() < 0.005
    assert not set(spectra.material_id[split.train]) & set(spectra.material_id[split.test])


def test_spectral_descriptors_of_real_spectra_are_where_copper_has_them(real_data: Path) -> None:
    spectra, _ = import_source(real_data / "cu_feff" / "rankaae_layout.csv.gz")
    found = spectral_descriptors(spectra.energy_ev, spectra.mu)
    assert found[["E_edge", "E_main", "I_main"]].notna().all().all()
    assert (found["E_edge"] < found["E_main"]).all()
    known = found.dropna(subset=["E_post"])
    assert (known["E_post"] > known["E_main"]).all()
    assert found["I_main"].between(1.0, 3.0).all()
    # Cu(II) edges lie above Cu(I) edges.
    oxidation = spectra.descriptors["OS"]
    assert found.loc[oxidation == 2, "E_edge"].median() > found.loc[oxidation == 1, "E_edge"].median()
