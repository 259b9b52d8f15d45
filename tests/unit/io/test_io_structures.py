"""Structures beside a set: what is written, found again, copied, and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure

from engine.errors import DataError
from engine.io import import_source, read_site_structure, structures_path, write_set, write_structures
from tests.synthetic import make_set

ROCK_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.18), ["Ni", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_a_structure_comes_back_with_the_number_of_its_site(tmp_path: Path) -> None:
    path = structures_path(tmp_path / "ni.parquet")
    assert path.name == "ni.structures.parquet"
    write_structures({"mp-1_a": ROCK_SALT, "mp-2": ROCK_SALT}, ["mp-1_a_000", "mp-1_a_003"], path)
    found = read_site_structure(path, "mp-1_a_003")
    assert found is not None
    structure, index = found
    assert index == 3
    assert [site.specie.symbol for site in structure] == [site.specie.symbol for site in ROCK_SALT]
    assert structure.lattice.abc == pytest.approx((4.18, 4.18, 4.18), abs=1e-5)
    assert np.allclose(structure.distance_matrix, ROCK_SALT.distance_matrix, atol=1e-5)
    assert read_site_structure(path, "mp-2_000") is None
    assert read_site_structure(path, "no number") is None
    with pytest.raises(DataError, match="not sound"):
        read_site_structure(path, "mp-1_a_008")


def test_structures_of_other_sites_do_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "x.structures.parquet"
    write_structures({"a": ROCK_SALT}, ["a_000"], path)
    write_structures({"a": ROCK_SALT}, ["b_000"], path)
    assert not path.exists()
    with pytest.raises(DataError, match="no such file"):
        read_site_structure(path, "a_000")


def test_an_import_of_a_set_takes_its_structures_along(tmp_path: Path) -> None:
    spectra = make_set(6)
    write_set(spectra, tmp_path / "one.parquet")
    write_structures({"m-0": ROCK_SALT, "m-1": ROCK_SALT}, spectra, tmp_path / "one.structures.parquet")
    import_source(tmp_path / "one.parquet", structures=tmp_path / "two.structures.parquet")
    found = read_site_structure(tmp_path / "two.structures.parquet", "m-1_002")
    assert found is not None
    assert len(found[0]) == 8


def test_damaged_files_are_errors_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.structures.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="not a readable file of structures"):
        read_site_structure(path, "a_000")
    rows = {"structure_id": ["a"], "lattice": [[1.0] * 8], "species": [["Ni"]], "position": [[0.0] * 3]}
    pq.write_table(pa.table(rows), path)
    with pytest.raises(DataError, match="not sound"):
        read_site_structure(path, "a_000")
    pq.write_table(pa.table({"structure_id": ["a"]}), path)
    with pytest.raises(DataError, match="not a readable"):
        read_site_structure(path, "a_000")
