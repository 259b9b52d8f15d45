"""Choosing a reader, foreign Parquet tables, options, and sources that nothing can be done with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import ConfigError, DataError
from engine.io import files, import_source, write_set
from engine.spectra import GridSpec, set_hash


def curve(energy: np.ndarray, edge: float) -> np.ndarray:
    return 0.03 + 0.97 * 0.5 * (1 + np.tanh((energy - edge) / 4.0))


def site_table(n: int = 6) -> pd.DataFrame:
    energies = [8984.0 + 0.1 * i + np.linspace(0, 130, 170) for i in range(n)]
    return pd.DataFrame(
        {
            "site_id": [f"mp-{i}_00{i}" for i in range(n)],
            "site": range(n),
            "spacegroup": [1] * n,
            "formula": ["CuO"] * n,
            "OS": [np.nan, *[2.0] * (n - 1)],
            "CN": range(n),
            "only_O": [True, False, *[True] * (n - 2)],
            "scf_converged": [True] * (n - 1) + [False],
            "nn_elements": ["OOOO", "OOCl", *["OOOO"] * (n - 2)],
            "e_fermi": [8988.0] * n,
            "energy_ev": energies,
            "mu": [curve(energy, 8994.0 + i) for i, energy in enumerate(energies)],
        }
    )


def step_table(path: Path, rows: list[tuple[str, str, str, str]], starts: object = None, step: str = "0.25") -> Path:
    edges = {"Ti": 4966.0, "Cu": 8985.0}
    starts = {symbol: edge - 3.0 for symbol, edge in edges.items()} if starts is None else starts
    energy = 0.25 * np.arange(141)
    mu = [curve(energy, 12.0 + 0.1 * i) * (2.0 if row[0] == "Ti" else 1.0) for i, row in enumerate(rows)]
    frame = pd.DataFrame(rows, columns=["element", "code", "split", "site_id"])
    table = pa.Table.from_pandas(frame, preserve_index=False).append_column(
        "mu", pa.array([list(row) for row in mu], type=pa.list_(pa.float32()))
    )
    metadata = {b"energy_start_ev": json.dumps(starts).encode(), b"energy_step_ev": step.encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


ROWS = [
    ("Ti", "FEFF", "val", "mp-1_000"),
    ("Ti", "VASP", "val", "mp-1_000"),
    ("Ti", "FEFF", "test", "mp-1_000"),
    ("Ti", "FEFF", "test", "mp-1_000"),
    ("Ti", "FEFF", "test", "mp-2_003"),
    ("Cu", "FEFF", "test", "mp-2_001"),
]


def test_a_site_table(tmp_path: Path) -> None:
    path = tmp_path / "sites.parquet"
    site_table().to_parquet(path)
    spectra, report = import_source(path)
    assert list(spectra.descriptors.columns) == ["OS", "CN", "ONLY_O"]
    assert (report.n_read, report.n_kept) == (6, 5)
    assert report.refused[0].reason == "first shell is not oxygen only"
    assert report.refused[0].examples == (("mp-1_001", "neighbours OOCl, CN 1, ONLY_O 0"),)
    assert spectra.material_id.tolist() == ["mp-0", "mp-2", "mp-3", "mp-4", "mp-5"]
    assert set(spectra.element) == {"Cu"}
    assert any("1 spectra come from runs without SCF" in warning for warning in report.warnings)
    assert spectra.energy_ev[0] == pytest.approx(8984.5)
    assert len(import_source(path, first_shell="any")[0]) == 6
    with pytest.raises(DataError, match="K edge"):
        import_source(path, element="Zn")


def test_a_site_table_with_elements_keeps_the_one_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "sites.parquet"
    site_table().drop(columns=["only_O"]).assign(element=["Cu"] * 5 + ["Zn"]).to_parquet(path)
    spectra, report = import_source(path, element="Cu")
    assert len(spectra) == 5
    assert report.refused[0].reason == "another element"
    assert any("had no effect" in warning for warning in report.warnings)


def test_a_step_table_keeps_every_row_under_its_own_name(tmp_path: Path) -> None:
    path = step_table(tmp_path / "tm.parquet", ROWS)
    spectra, report = import_source(path, element="Ti")
    assert spectra.site_id.tolist() == [
        "mp-1_000-FEFF-val",
        "mp-1_000-VASP",
        "mp-1_000-FEFF-test-1",
        "mp-1_000-FEFF-test-2",
        "mp-2_003",
    ]
    assert spectra.material_id.tolist() == ["mp-1"] * 4 + ["mp-2"]
    said = "\n".join(report.warnings)
    assert "4 site ids occur more than once" in said
    assert "different codes are mixed (4 FEFF, 1 VASP)" in said
    assert "absolute scale" in said
    assert (report.n_read, report.n_kept) == (5, 5)
    vasp, _ = import_source(path, element="Ti", code="VASP")
    assert vasp.site_id.tolist() == ["mp-1_000"]
    assert "Ti, VASP" in vasp.origin


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "holds Cu, Ti; name one element"),
        ({"element": "Fe"}, "has no Fe; it holds Cu, Ti"),
        ({"element": "Cu", "code": "VASP"}, "has no Cu spectra by VASP; it has FEFF"),
    ],
)
def test_a_step_table_asked_for_what_it_has_not(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        import_source(step_table(tmp_path / "tm.parquet", ROWS), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("starts", "step", "message"),
    [
        ({"Cu": 8982.0}, "0.25", "no start energy for Ti"),
        ([1], "0.25", "must be a JSON object"),
        ({"Ti": "x"}, "0.25", "must be a JSON object"),
        ({"Ti": 4963.0}, "-1", "step above 0"),
        ({"Ti": 4963.0}, "x", "a number"),
    ],
)
def test_wrong_step_metadata(tmp_path: Path, starts: object, step: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        import_source(step_table(tmp_path / "tm.parquet", ROWS, starts, step), element="Ti")


def test_our_own_set_comes_back_unchanged_or_on_another_grid(tmp_path: Path) -> None:
    site_table().to_parquet(tmp_path / "sites.parquet")
    spectra, _ = import_source(tmp_path / "sites.parquet", first_shell="any")
    write_set(spectra, tmp_path / "set.parquet")
    again, report = import_source(tmp_path / "set.parquet")
    assert set_hash(again) == set_hash(spectra)
    assert again.steps == spectra.steps
    assert (report.format, report.n_kept) == ("set of spectra", 6)
    oxides, report = import_source(tmp_path / "set.parquet", first_shell="O", grid=GridSpec(8990.0, 30.0, 64))
    assert len(oxides) == 5
    assert oxides.mu.shape == (5, 64)
    assert "5 of 6 spectra chosen on import" in oxides.steps
    with pytest.raises(DataError, match="leaves the measured range"):
        import_source(tmp_path / "set.parquet", grid=GridSpec(8970.0))
    with pytest.raises(DataError, match="another element"):
        import_source(tmp_path / "set.parquet", element="Fe")


def test_a_shift_moves_all_energies_and_is_told(tmp_path: Path) -> None:
    path, own = tmp_path / "sites.parquet", tmp_path / "own.parquet"
    site_table().to_parquet(path)
    spectra, _ = import_source(path)
    moved, _ = import_source(path, shift_ev=-8.0)
    np.testing.assert_allclose(moved.energy_ev, spectra.energy_ev - 8.0)
    np.testing.assert_allclose(moved.mu, spectra.mu, atol=1e-6)
    assert "energies shifted by -8 eV" in moved.steps
    write_set(moved, own)
    again, _ = import_source(own, shift_ev=8.0)
    np.testing.assert_allclose(again.energy_ev, spectra.energy_ev)
    assert again.steps[-1] == "energies shifted by +8 eV"
    with pytest.raises(ConfigError, match="energy shift is nan eV; need -100 to 100"):
        import_source(path, shift_ev=float("nan"))


def test_an_unknown_first_shell_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="first shell is 'S'"):
        import_source(tmp_path, first_shell="S")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"hello, world", "not a format this program imports"),
        ("a.bin", bytes(range(256)), "binary file of unknown format"),
        ("a.csv", b"x,y\n1,2\n", "no 'ENE_<eV>' columns"),
        ("a.parquet", b"PAR1 and then nothing", "not a readable Parquet"),
        ("a.csv", b"", "empty"),
        ("xmu.dat", b"#  omega    e    k    mu    mu0     chi\n", "a single FEFF spectrum"),
        ("a.pkl", b"\x80\x04\x95\x00\x00", "binary file"),
    ],
)
def test_files_of_no_use(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        import_source(tmp_path / name)


def test_missing_special_and_oversized_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        import_source(tmp_path / "nothing")
    with pytest.raises(DataError, match="is not a file"):
        import_source(Path("/dev/null"))
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as stream:
        stream.truncate(files.MAX_BYTES + 1)
    with pytest.raises(DataError, match=r"huge\.csv: 4 GB is more than the limit of 4 GB"):
        import_source(huge)


def test_parquet_without_spectra_lists_its_columns(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1], "b": [2]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="columns: a, b"):
        import_source(tmp_path / "x.parquet")


def test_large_whole_numbers_and_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "sites.parquet"
    site_table().assign(CN=[2**60 + 1] * 6).to_parquet(path)
    assert import_source(path, first_shell="any")[0].descriptors["CN"].iloc[0] == float(2**60)
    table = pa.Table.from_pandas(site_table().head(1), preserve_index=False)
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 2], dtype=np.int32)), pa.py_buffer(b"\xe4\xff")]
    )
    pq.write_table(table.set_column(table.column_names.index("site_id"), "site_id", bad), path)
    with pytest.raises(DataError, match="not a readable Parquet"):
        import_source(path)


def test_wrong_cells_of_a_site_table(tmp_path: Path) -> None:
    path = tmp_path / "sites.parquet"
    base = site_table()
    base.drop(columns=["site_id", "site"]).to_parquet(path)
    with pytest.raises(DataError, match="no column 'site_id'"):
        import_source(path)
    wrong = base.copy()
    wrong["mu"] = [None, *base["mu"].iloc[1:]]
    wrong.to_parquet(path)
    with pytest.raises(DataError, match="row 1: 'mu' is empty"):
        import_source(path)
    short = base.copy()
    short["mu"] = [base["mu"].iloc[0][:-1], *base["mu"].iloc[1:]]
    short.to_parquet(path)
    _, report = import_source(path)
    assert "energy and mu differ in length" in {refusal.reason for refusal in report.refused}
