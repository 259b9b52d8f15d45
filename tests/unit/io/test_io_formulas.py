"""Formulas of a set's sites, from the structures beside it or its column, and what two formulas have in common."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure

from engine.errors import DataError
from engine.io import structures_path, write_set, write_structures
from engine.io.formulas import composition_of, site_formulas
from tests.synthetic import make_set

RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)
HAEMATITE = Structure.from_spacegroup(
    "R-3c", Lattice.hexagonal(5.038, 13.772), ["Fe", "O"], [[0, 0, 0.3553], [0.3059, 0, 0.25]]
)


@pytest.mark.parametrize(
    ("formula", "shares"),
    [
        ("TiO2", {"Ti": 1 / 3, "O": 2 / 3}),
        ("O2Ti", {"Ti": 1 / 3, "O": 2 / 3}),
        ("Ti2O4", {"Ti": 1 / 3, "O": 2 / 3}),
        ("Ti0.5 O", {"Ti": 1 / 3, "O": 2 / 3}),
        ("TiO₂", {"Ti": 1 / 3, "O": 2 / 3}),
        ("Fe2(SO4)3", {"Fe": 2 / 17, "S": 3 / 17, "O": 12 / 17}),
        ("CaO2H2", {"Ca": 1 / 5, "O": 2 / 5, "H": 2 / 5}),
        ("Co", {"Co": 1.0}),
        ("CO", {"C": 0.5, "O": 0.5}),
    ],
)
def test_a_formula_says_the_shares_of_its_elements(formula: str, shares: dict[str, float]) -> None:
    assert dict(composition_of(formula) or ()) == pytest.approx(shares, abs=1e-6)


def test_formulas_of_the_same_shares_are_the_same_and_others_are_not() -> None:
    assert composition_of("Fe2O3") == composition_of("O3Fe2") == composition_of("Fe4O6") != composition_of("Fe3O4")
    assert composition_of("Ca(OH)2") == composition_of("H2CaO2")
    assert composition_of("Co") != composition_of("CO")


@pytest.mark.parametrize(
    "text",
    ["", "mp-1234", "m-Cu7_000", "TiO-2", "Ti0", "Xx2", "O2)", "((((", "<b>Ti</b>", "Ti" * 200, "oxide", "O1e999"],
)
def test_what_is_no_formula_is_none(text: str) -> None:
    assert composition_of(text) is None


def test_formulas_come_from_structures_then_from_a_column_then_from_nowhere(tmp_path: Path) -> None:
    spectra, source = make_set(9), tmp_path / "set.parquet"
    write_set(spectra, source)
    sites, materials = spectra.site_id.tolist(), spectra.material_id.tolist()
    assert site_formulas(sites, materials, source) == [""] * 9

    table = pq.read_table(source)
    texts = ["Ti2O4"] * 3 + [None] * 3 + ["<b>"] * 3
    pq.write_table(table.append_column("formula", pa.array(texts, type=pa.string())), source)
    assert site_formulas(sites, materials, source) == ["Ti2O4"] * 3 + [""] * 3 + ["<b>"] * 3
    renamed = [f"{site} FEFF" for site in sites]
    assert site_formulas(renamed, materials, source)[:4] == ["Ti2O4"] * 3 + [""]

    assert len(RUTILE) == 6
    assert len(HAEMATITE) == 30
    write_structures({"m-0": RUTILE, "m-1": HAEMATITE}, spectra, structures_path(source))
    assert site_formulas(sites, materials, source) == ["TiO2"] * 3 + ["Fe2O3"] * 3 + [""] * 3
    structures_path(source).write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"set\.structures\.parquet: not a readable file of structures"):
        site_formulas(sites, materials, source)
