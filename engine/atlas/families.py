"""Chemical families of the elements that a map shows, by their places in the periodic table."""

from __future__ import annotations

FAMILIES = {
    "alkali metals": "Li Na K Rb Cs Fr",
    "alkaline earths": "Be Mg Ca Sr Ba Ra",
    "3d metals": "Sc Ti V Cr Mn Fe Co Ni Cu Zn",
    "4d metals": "Y Zr Nb Mo Tc Ru Rh Pd Ag Cd",
    "other metals": "Al Ga In Sn Tl Pb Bi",
    "metalloids": "B Si Ge As Sb Te",
    "nonmetals": "H C N O P S Se",
    "halogens": "F Cl Br I",
}
"""Symbols by family; what is heavier and has no place here belongs to none."""

_FAMILY_OF = {symbol: family for family, symbols in FAMILIES.items() for symbol in symbols.split()}


def family_of(symbol: str) -> str | None:
    """The family of an element, or None where it has none here."""
    return _FAMILY_OF.get(symbol)
