"""The published CSV layout: what it may look like, and messages with true line numbers where it is wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.io import csv_layout, import_source, read_csv_layout

ENERGY = np.linspace(8984.0, 9034.0, 32)
MU = 0.04 + 0.96 * 0.5 * (1 + np.tanh((ENERGY - 8992.0) / 3.0))
HEADER = "MPID,SITE,AUX_OS,AUX_CN," + ",".join(f"ENE_{energy:.3f}" for energy in ENERGY)


def row(material: str = "mp-1", site: str = "0", os: str = "2.0", cn: str = "4", mu: np.ndarray = MU) -> str:
    return f"{material},{site},{os},{cn}," + ",".join(f"{value:.6f}" for value in mu)


def write(folder: Path, *lines: str, name: str = "cu.csv", end: str = "\n") -> Path:
    path = folder / name
    text = "\n".join(lines) + end
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


THREE = (HEADER, row(site="0"), row(site="12"), row("mp-2", "1", os=""))


@pytest.mark.parametrize("name", ["cu.csv", "cu.csv.gz"])
def test_a_plain_and_a_compressed_file(tmp_path: Path, name: str) -> None:
    spectra, report = import_source(write(tmp_path, *THREE, name=name))
    assert spectra.site_id.tolist() == ["mp-1_000", "mp-1_012", "mp-2_001"]
    assert spectra.material_id.tolist() == ["mp-1", "mp-1", "mp-2"]
    assert list(spectra.descriptors.columns) == ["OS", "CN"]
    assert np.isnan(spectra.descriptors["OS"].iloc[2])
    assert set(spectra.element) == {"Cu"}
    assert np.allclose(spectra.mu, MU, atol=1e-6)
    assert (report.n_read, report.n_kept) == (3, 3)


def test_labels_rounded_to_three_decimals_become_the_even_grid(tmp_path: Path) -> None:
    spectra, _ = import_source(write(tmp_path, *THREE))
    assert np.array_equal(spectra.energy_ev, ENERGY)


def test_labels_that_are_not_an_even_grid_stay_as_they_are(tmp_path: Path) -> None:
    uneven = ENERGY.copy()
    uneven[5] += 0.2
    header = "MPID,SITE," + ",".join(f"ENE_{energy:.3f}" for energy in uneven)
    spectra, _ = import_source(write(tmp_path, header, "mp-1,0," + ",".join(map(str, MU))))
    assert np.array_equal(spectra.energy_ev, np.round(uneven, 3))


def test_comments_blank_lines_crlf_byte_order_mark_and_unnamed_index(tmp_path: Path) -> None:
    path = tmp_path / "cu.csv"
    lines = ["# made by hand, 2024", HEADER.replace("MPID,SITE", ","), "", "# more, with, commas", row(), row(site="1")]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n")
    assert len(read_csv_layout(path)) == 2
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines[1:]).encode() + b"\r\n")
    assert len(read_csv_layout(path)) == 2
    path.write_bytes("\r\n".join(lines).encode() + b"\r\n")
    assert read_csv_layout(path).site_id == ["mp-1_000", "mp-1_001"]


def test_one_index_column_and_index_columns_in_the_other_order(tmp_path: Path) -> None:
    numbers = ",".join(map(str, MU))
    energies = ",".join(f"ENE_{energy:.3f}" for energy in ENERGY)
    raw = read_csv_layout(write(tmp_path, f"id,{energies}", f"mp-7_003,{numbers}", f"alpha,{numbers}"))
    assert raw.material_id == ["mp-7", "alpha"]
    raw = read_csv_layout(write(tmp_path, f"SITE,MPID,{energies}", f"3,mp-7,{numbers}"))
    assert raw.site_id == ["mp-7_003"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((HEADER, row(), row(site="1", cn="six")), r"cu\.csv, line 3: AUX_CN is 'six'; need a number"),
        (("# a", "", HEADER, "# b", row(), row(site="1", cn="6_0")), r"line 6: AUX_CN is '6_0'"),
        ((HEADER, row(), row(site="1", os="inf")), r"line 3: AUX_OS is infinite"),
        ((HEADER, row(), row(site="1", os="-inf")), r"line 3: AUX_OS is -infinite"),
        ((HEADER, row(), row(site="1").replace("0.04", "o.o4", 1)), r"line 3: ENE_8984.000 is 'o\.o4"),
        ((HEADER, row(), row(site="1") + ",1"), r"line 3: 37 cells; the header has 36"),
        ((HEADER, row() + "," * 3), r"line 2: 39 cells"),
        ((HEADER,), "a header but no spectra"),
        (("MPID,SITE,AUX_OS", "a,0,1"), "no 'ENE_<eV>' columns"),
        ((HEADER.replace("AUX_CN", "AUX_OS"), row()), "column 'AUX_OS' occurs 2 times"),
        ((HEADER.replace("ENE_8984.000", "ENE_low"), row()), "'ENE_low' has no number"),
        ((HEADER.replace("ENE_8984.000", "ENE_9084.000"), row()), "ENE columns: energies are not sorted"),
        ((HEADER.replace("ENE_8984.000", "ENE_nan"), row()), "ENE columns: energies are not finite"),
        ((",".join(HEADER.split(",")[2:]), ",".join(row().split(",")[2:])), "no index columns"),
        ((HEADER.replace("ENE_8", "ENE_28").replace("ENE_9", "ENE_29"), row()), "no K edge"),
    ],
)
def test_wrong_tables_are_named_by_line(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        import_source(write(tmp_path, *lines))


def test_duplicated_energies_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="energies repeat"):
        import_source(write(tmp_path, HEADER.replace("ENE_8984.000", f"ENE_{ENERGY[1]:.3f}0"), row()))


def test_a_cut_last_line_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, *THREE)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"line 4: \d+ cells; the header has 36; the file was cut off here"):
        import_source(path)


def test_a_last_number_without_line_end_is_a_warning(tmp_path: Path) -> None:
    _, report = import_source(write(tmp_path, *THREE, end=""))
    assert any("last line has no line end" in warning for warning in report.warnings)


def test_a_cut_and_a_damaged_gzip_are_named(tmp_path: Path) -> None:
    lines = [HEADER, *(row(f"mp-{i}", "1", mu=MU + 0.001 * np.random.default_rng(i).random(32)) for i in range(60))]
    path = write(tmp_path, *lines, name="cu.csv.gz")
    whole = path.read_bytes()
    for keep in (len(whole) // 2, 30, len(whole) - 4):
        path.write_bytes(whole[:keep])
        with pytest.raises(DataError, match="ends early"):
            import_source(path)
    path.write_bytes(whole[:200] + b"\0" * 400 + whole[600:])
    with pytest.raises(DataError):
        import_source(path)


def test_a_gzip_bomb_stops_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_layout, "MAX_BYTES", 50_000)
    path = write(tmp_path, HEADER, *[row(site=str(i)) for i in range(1000)], name="cu.csv.gz")
    with pytest.raises(DataError, match="once unpacked"):
        read_csv_layout(path)
    monkeypatch.setattr(csv_layout, "_MAX_LINE", 1000)
    path = write(tmp_path, "x" * 5000, name="long.csv.gz")
    with pytest.raises(DataError, match="line 1: longer than"):
        read_csv_layout(path)


def test_text_in_another_encoding_and_binary_are_named(tmp_path: Path) -> None:
    path = tmp_path / "cu.csv"
    path.write_bytes((HEADER + "\n" + row("m\xe9tal") + "\n").encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        read_csv_layout(path)
    path.write_bytes(b"a,b\0c\n")
    with pytest.raises(DataError, match="NUL"):
        read_csv_layout(path)


def test_wrong_rows_are_refused_and_counted_with_their_line(tmp_path: Path) -> None:
    gap = row(site="1").split(",")
    gap[10] = ""
    lines = [HEADER, row(), ",".join(gap), row(site="2", mu=-MU), row(site="3", mu=0 * MU + 0.5), row()]
    spectra, report = import_source(write(tmp_path, *lines))
    assert len(spectra) == 1
    assert {refusal.reason: refusal.count for refusal in report.refused} == {
        "mu is not finite": 1,
        "mu is negative": 1,
        "mu is constant": 1,
        "site id repeats": 1,
    }
    assert any("line 3" in detail for refusal in report.refused for _, detail in refusal.examples)


def test_a_column_known_nowhere_is_imported_and_reported(tmp_path: Path) -> None:
    spectra, report = import_source(write(tmp_path, HEADER, row(os=""), row(site="1", os="nan")))
    assert spectra.descriptors["OS"].isna().all()
    assert "descriptor OS is not known for any spectrum" in report.warnings


def test_repeated_first_values_are_counted(tmp_path: Path) -> None:
    held = MU.copy()
    held[:4] = held[4]
    _, report = import_source(write(tmp_path, HEADER, row(), row(site="1", mu=held)))
    assert any(
        warning.startswith("1 of 2 spectra begin with one value repeated (up to 5") for warning in report.warnings
    )


def test_kev_labels_and_another_element_are_refused_by_name(tmp_path: Path) -> None:
    kev = "MPID,SITE," + ",".join(f"ENE_{energy / 1000:.6f}" for energy in ENERGY)
    path = write(tmp_path, kev, "mp-1,0," + ",".join(map(str, MU)))
    with pytest.raises(DataError, match="keV"):
        import_source(path, element="Cu")
    with pytest.raises(DataError, match="energies do not cover the K edge"):
        import_source(write(tmp_path, *THREE), element="Ti")
