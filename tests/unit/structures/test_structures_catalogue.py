"""Every descriptor at sites of ideal crystals, where its value is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from engine.structures import CATALOGUE, Described, describe_sites

A = 4.2
D = A / 2


def rock_salt() -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(A), ["Ni", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def rutile() -> Structure:
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )


def zinc_blende() -> Structure:
    return Structure.from_spacegroup("F-43m", Lattice.cubic(4.6), ["Zn", "O"], [[0, 0, 0], [0.25, 0.25, 0.25]])


def values(structure: Structure, index: int = 0, shell: tuple[float, float] = (2.6, 4.0)) -> dict[str, float]:
    symbol = structure[index].specie.symbol
    described: Described = describe_sites({"m": structure}, [("m", index)], second_shell_angstrom={symbol: shell})
    return {str(name): float(value) for name, value in described.frame.iloc[0].items()}


def test_rock_salt_has_its_textbook_values() -> None:
    found = values(rock_salt())
    expected = {
        "OS": 2, "CN": 6, "OCN": 6, "OCN_CATION": 6, "NNRS": 0, "NNAS": 36, "NNAS_MIN": 0, "MOOD": D * math.sqrt(2),
        "MOOD_EDGE": D * math.sqrt(2), "MOOD_ALL": (12 * math.sqrt(2) + 3 * 2) * D / 15, "PGSO": 48, "SGO": 192,
        "SITE_ORDER": 48, "BL_MEAN": D, "BL_MIN": D, "OFF_CENTRE": 0, "BAV": 0, "QE": 1, "POLY_VOL": 4 / 3 * D**3,
        "EN_MEAN": 3.44, "RADIUS_MEAN": 1.26, "D_COUNT": 8, "O_FRAC": 1, "CN2": 12 + 8, "METAL2": 12,
    }  # fmt: skip
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name


def test_bond_valence_of_rock_salt_is_the_sum_over_its_shells() -> None:
    bonds = [(6, D), (8, D * math.sqrt(3))]
    expected = sum(n * math.exp((1.654 - d) / 0.37) for n, d in bonds)
    found = values(rock_salt())
    assert found["BVS"] == pytest.approx(expected)
    assert found["GII"] == pytest.approx(abs(expected - 2))


def test_zinc_blende_is_tetrahedral() -> None:
    found = values(zinc_blende())
    d = 4.6 * math.sqrt(3) / 4
    assert found["CN"] == 4
    assert found["NNAS"] == pytest.approx(0, abs=1e-6)
    assert found["POLY_VOL"] == pytest.approx(8 * math.sqrt(3) / 27 * d**3)
    assert found["QE"] == pytest.approx(1)
    assert found["SITE_ORDER"] == 24
    assert found["D_COUNT"] == 10


def test_rutile_has_titanium_four_and_its_site_symmetry() -> None:
    found = values(rutile())
    assert found["OS"] == 4
    assert found["D_COUNT"] == 0
    assert found["OCN"] == 3
    assert found["SITE_ORDER"] == 8
    assert found["PGSO"] == 16
    assert found["BVS"] == pytest.approx(4.1, abs=0.15)
    assert values(rutile(), 2)["SITE_ORDER"] == 4


def test_site_symmetry_does_not_depend_on_the_cell() -> None:
    conventional = rock_salt()
    for cell in (conventional, conventional.get_primitive_structure(), conventional * (2, 1, 1)):
        assert values(cell)["SITE_ORDER"] == 48


def test_off_centre_absorber_is_displaced_by_what_it_was_moved() -> None:
    structure = rutile()
    before = values(structure)["OFF_CENTRE"]
    structure.translate_sites([0], [0, 0, 0.1], frac_coords=False)
    assert before == pytest.approx(0, abs=1e-6)
    assert values(structure)["OFF_CENTRE"] == pytest.approx(0.1, abs=1e-6)


def test_second_shell_bounds_are_inclusive() -> None:
    edge = A / math.sqrt(2)
    assert values(rock_salt(), shell=(2.5, round(edge, 4)))["CN2"] == 12
    assert values(rock_salt(), shell=(round(edge, 4), 3.2))["CN2"] == 12
    assert values(rock_salt(), shell=(edge + 0.001, 3.2))["CN2"] == 0


def test_catalogue_is_complete_and_named_for_expressions() -> None:
    for name, descriptor in CATALOGUE.items():
        assert name == descriptor.name
        assert name.isidentifier()
        assert name == name.upper()
        assert descriptor.summary.endswith(".")
        assert descriptor.reference
        assert descriptor.range[0] < descriptor.range[1]
    assert {"OS", "CN"} <= {d.name for d in CATALOGUE.values() if d.kind == "categorical"}


@pytest.mark.parametrize("structure", [rock_salt(), rutile(), zinc_blende()])
def test_values_lie_in_their_range(structure: Structure) -> None:
    for name, value in values(structure).items():
        low, high = CATALOGUE[name].range
        assert np.isnan(value) or low - 1e-9 <= value <= high + 1e-9, name
