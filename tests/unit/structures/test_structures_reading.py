"""read_structure: what it reads, and what it says about what it cannot read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from engine.errors import DataError
from engine.structures import read_structure

POSCAR = """Ni1 O1
1.0
0.0 2.1 2.1
2.1 0.0 2.1
2.1 2.1 0.0
Ni O
1 1
direct
0.0 0.0 0.0 Ni
0.5 0.5 0.5 O
"""


def write(folder: Path, text: str | bytes, name: str = "POSCAR") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_reads_a_poscar_in_its_order(tmp_path: Path) -> None:
    structure = read_structure(write(tmp_path, POSCAR))
    assert [site.specie.symbol for site in structure] == ["Ni", "O"]
    assert structure.get_distance(0, 1) == pytest.approx(2.1)


def test_reads_a_cif_with_its_symmetry(tmp_path: Path) -> None:
    whole = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Ni", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    path = tmp_path / "nio.cif"
    whole.to(filename=str(path), symprec=0.01)
    structure = read_structure(path)
    assert len(structure) == 8
    assert structure.lattice.abc == pytest.approx((4.2, 4.2, 4.2))
    assert structure.composition.reduced_formula == "NiO"


def test_keeps_partial_occupancy(tmp_path: Path) -> None:
    mixed = Structure(Lattice.cubic(4.2), [{"Ni": 0.5, "Co": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    path = tmp_path / "mixed.cif"
    mixed.to(filename=str(path))
    assert not read_structure(path).is_ordered


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("hello", "1 lines; need a POSCAR"),
        (b"\xff\xfe\x00\x01", "not text"),
        (POSCAR.replace("0.0 2.1 2.1", "0.0 two 2.1", 1), "lines 2 to 5 are not a scale and three lattice vectors"),
        (POSCAR.replace("0.0 2.1 2.1", "0.0 nan 2.1", 1), "finite"),
        (POSCAR.replace("Ni O\n1 1", "1 1").replace(" Ni\n", "\n").replace(" O\n", "\n"), "no element symbols"),
        (POSCAR.replace("1 1\n", "1 999999999\n"), "more than 2000 sites"),
        (POSCAR.replace("1 1\n", "1 99999999999999\n"), "more than 2000 sites"),
        (POSCAR.replace("1 1\n", "1 2\n"), "cannot be read as POSCAR"),
        (POSCAR.replace("0.5 0.5 0.5", "0.01 0.0 0.0"), "sites 0 and 1 are 0.0"),
        (POSCAR.replace("2.1 2.1 0.0", "0.0 2.1 2.1"), "Å³"),
        ("data_x\n_cell_length_a 4\nloop_\n", "cannot be read as CIF|structures"),
    ],
)
def test_says_what_is_wrong_and_in_which_file(tmp_path: Path, text: str | bytes, says: str) -> None:
    path = write(tmp_path, text, "odd_file")
    with pytest.raises(DataError, match=says) as caught:
        read_structure(path)
    assert str(caught.value).startswith("odd_file")
    assert str(tmp_path) not in str(caught.value)


def test_two_structures_in_a_cif_are_refused(tmp_path: Path) -> None:
    one = Structure(Lattice.cubic(4.2), ["Ni", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(fmt="cif")
    text = one.replace("data_NiO", "data_first") + one.replace("data_NiO", "data_second")
    with pytest.raises(DataError, match="2 structures; need a CIF with one"):
        read_structure(write(tmp_path, text, "two.cif"))


def test_size_and_kind_are_checked_first(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="need at most 50"):
        read_structure(write(tmp_path, POSCAR), max_bytes=50)
    with pytest.raises(DataError, match="more than 1 sites"):
        read_structure(write(tmp_path, POSCAR), max_sites=1)
    with pytest.raises(DataError, match="cannot be read"):
        read_structure(tmp_path / "missing.cif")
    with pytest.raises(DataError, match="not a file"):
        read_structure(tmp_path)


def test_cif_with_many_atoms_and_operations_is_refused(tmp_path: Path) -> None:
    atoms = "\n".join(f"O{i} O 0.{i:06d} 0.1 0.2 1" for i in range(1, 3001))
    text = (
        "data_x\n_cell_length_a 9\n_cell_length_b 9\n_cell_length_c 9\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
        "_cell_angle_gamma 90\nloop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n"
        f"_atom_site_fract_y\n_atom_site_fract_z\n_atom_site_occupancy\n{atoms}\n"
    )
    with pytest.raises(DataError, match="3000 atoms"):
        read_structure(write(tmp_path, text, "many.cif"))


def test_negative_scale_is_a_volume(tmp_path: Path) -> None:
    structure = read_structure(write(tmp_path, POSCAR.replace("1.0\n", "-20.0\n", 1)))
    assert structure.volume == pytest.approx(20.0)
    assert np.isfinite(structure.frac_coords).all()
