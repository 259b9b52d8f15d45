"""read_columns: matching by site, and errors that name file, row, column and value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.structures import read_columns

SITES = ["mp-1_000", "mp-1_003", "mp-2_001"]


def write(folder: Path, text: str, name: str = "cu.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_matched_by_site_not_by_place(tmp_path: Path) -> None:
    path = write(tmp_path, "site_id,BADER,SPIN\nmp-2_001,1.5,0\nmp-1_000,-2e-1,\nmp-9_000,7,7\n")
    found = read_columns(path, SITES)
    np.testing.assert_array_equal(found.frame["BADER"], [-0.2, np.nan, 1.5])
    np.testing.assert_array_equal(found.frame["SPIN"], [np.nan, np.nan, 0.0])
    assert list(found.frame.index) == SITES
    assert found.missing == ("mp-1_003",)
    assert found.unknown == ("mp-9_000",)


@pytest.mark.parametrize("header", ["MPID,SITE,X", "material_id,site,X", " Mpid , Site , X "])
def test_material_and_index_name_a_site(tmp_path: Path, header: str) -> None:
    found = read_columns(write(tmp_path, f"{header}\nmp-1,3,4\n"), SITES)
    np.testing.assert_array_equal(found.frame["X"], [np.nan, 4.0, np.nan])


def test_chosen_columns_only_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffsite_id,NOTE,X\nmp-1_000,fine,1\n\nmp-1_003,odd,NaN\n")
    found = read_columns(path, SITES, columns=["X"])
    assert list(found.frame.columns) == ["X"]
    np.testing.assert_array_equal(found.frame["X"], [1.0, np.nan, np.nan])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("site_id,AUX_CN\nmp-1_000,4\nmp-1_003,six\n", r"row 3: AUX_CN is 'six'; need a number"),
        ("site_id,X\nmp-1_000,inf\n", r"row 2: X is 'inf'"),
        ("site_id,X\nmp-1_000,1_000\n", r"row 2: X is '1_000'"),
        ("site_id,X\nmp-1_000,1\nmp-1_000,2\n", r"row 3: site 'mp-1_000' is in row 2 already"),
        ("site_id,X\nmp-1_000,1,2\n", r"row 2: 3 fields; need 2"),
        ("site_id,X\n,1\n", r"row 2: site_id is empty"),
        ("MPID,SITE,X\nmp-1,-3,1\n", r"row 2: SITE is '-3'; need a 0-based site index"),
        ("MPID,SITE,X\nmp-1,3.0,1\n", r"row 2: SITE is '3.0'"),
        ("name,X\nmp-1,1\n", r"row 1: columns are name, X; need site_id"),
        ("site_id,X,x\nmp-1_000,1,2\n", r"column 'x' occurs twice"),
        ("site_id,my col\nmp-1_000,1\n", r"column 'my col' is not a name"),
        ("site_id\nmp-1_000\n", r"0 columns of values"),
        ("site_id,X\nother_000,1\n", r"no row matches a site of the set \('other_000' in the file, 'mp-1_000' in"),
        ("", r"the file is empty"),
    ],
)
def test_errors_name_file_row_column_and_value(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        read_columns(write(tmp_path, text), SITES)
    assert str(caught.value).startswith("cu.csv")


def test_columns_that_are_not_there_and_files_that_are_too_large(tmp_path: Path) -> None:
    path = write(tmp_path, "site_id,X\nmp-1_000,1\n")
    with pytest.raises(DataError, match="no column 'Y'; it has: site_id, X"):
        read_columns(path, SITES, columns=["Y"])
    with pytest.raises(DataError, match="names the sites"):
        read_columns(path, SITES, columns=["site_id"])
    with pytest.raises(DataError, match="need at most 5"):
        read_columns(path, SITES, max_bytes=5)
    with pytest.raises(DataError, match="cannot be read"):
        read_columns(tmp_path / "none.csv", SITES)
    path.write_bytes(b"site_id,X\nmp\xff,1\n")
    with pytest.raises(DataError, match="not UTF-8 text"):
        read_columns(path, SITES)
