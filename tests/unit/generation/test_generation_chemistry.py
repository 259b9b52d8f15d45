"""Ions: published bond lengths come back from the bond-valence parameters, and only known coordinations are taken."""

from __future__ import annotations

import pytest

from engine.errors import DataError
from engine.generation.chemistry import ABSORBERS, bond_r0, ideal_bond, shannon_radius, takes


@pytest.mark.parametrize(
    ("ion", "coordination", "published"),
    [
        (("Ti", 4), 6, 1.96), (("V", 5), 4, 1.72), (("Cr", 3), 6, 1.98), (("Cr", 6), 4, 1.65), (("Mn", 2), 6, 2.20),
        (("Mn", 7), 4, 1.62), (("Fe", 3), 6, 2.02), (("Fe", 3), 4, 1.87), (("Co", 3), 6, 1.92), (("Ni", 2), 6, 2.07),
        (("Cu", 1), 2, 1.85), (("Cu", 2), 4, 1.94), (("Zn", 2), 4, 1.98), (("Zn", 2), 6, 2.11),
        (("Si", 4), 4, 1.62), (("P", 5), 4, 1.53), (("La", 3), 12, 2.70),
    ],
)  # fmt: skip
def test_ideal_bonds_to_oxygen_are_those_of_oxides(ion: tuple[str, int], coordination: int, published: float) -> None:
    assert ideal_bond(*ion, "O", coordination) == pytest.approx(published, abs=0.04)


@pytest.mark.parametrize(
    ("cation", "state", "anion", "coordination", "published"),
    [("Na", 1, "Cl", 6, 2.820), ("Zn", 2, "S", 4, 2.342), ("Ca", 2, "F", 8, 2.366), ("Ga", 3, "N", 4, 1.95)],
)
def test_ideal_bonds_to_other_anions(cation: str, state: int, anion: str, coordination: int, published: float) -> None:
    assert ideal_bond(cation, state, anion, coordination) == pytest.approx(published, rel=0.04)


def test_radii_are_shannons_at_the_nearest_coordination() -> None:
    assert shannon_radius("Ti", 4, 6) == 0.605
    assert shannon_radius("Ti", 4, 9) == 0.74
    assert shannon_radius("Fe", 2, 6) == 0.78  # high spin
    with pytest.raises(DataError, match="no ionic radius tabulated for Ti in state"):
        shannon_radius("Ti", 7, 6)


def test_only_known_coordinations_are_taken() -> None:
    assert takes("Cr", 6, 4, False)
    assert not takes("Cr", 3, 4, False)
    assert takes("Cu", 2, 4, True)
    assert not takes("Ti", 4, 4, True)
    assert not takes("Ni", 4, 12, False)
    assert [number for number in range(1, 13) if takes("Zn", 2, number, False)] == [4, 5, 6]


def test_every_family_state_has_a_bond_length() -> None:
    for symbol, states in ABSORBERS.items():
        for state in states:
            assert 1.4 < bond_r0(symbol, state, "O") < 1.9
    with pytest.raises(DataError, match="no bond-valence parameter for Tc with Cl"):
        bond_r0("Tc", 4, "Cl")
