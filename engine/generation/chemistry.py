"""What an ion may be: its oxidation states and coordinations (Shannon's table), and how long its bonds are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from pymatgen.core import Element
from pymatgen.core.bond_valence import BV_PARAMS

from engine.errors import DataError
from engine.structures.bond_valence import OXIDE_R0_ANGSTROM, SOFTNESS_ANGSTROM

ANION_STATES: Mapping[str, int] = MappingProxyType(
    {"O": -2, "F": -1, "Cl": -1, "Br": -1, "S": -2, "Se": -2, "N": -3, "P": -3, "As": -3, "C": -4, "H": -1}
)

# fmt: off
MORE_OXIDE_R0_ANGSTROM: Mapping[str, Mapping[int, float]] = MappingProxyType({
    "Ti": {2: 1.68}, "V": {2: 1.66}, "Cr": {4: 1.755, 5: 1.78}, "Mn": {5: 1.785, 6: 1.81, 7: 1.827},
    "Fe": {4: 1.775, 6: 1.81}, "Co": {3: 1.664, 4: 1.765}, "Ni": {1: 1.48, 3: 1.70, 4: 1.734},
    "Mo": {4: 1.834}, "Nb": {4: 1.88}, "Tc": {4: 1.84},
})
# fmt: on
"""R0 in Å for states that the tables of Brown and Altermatt and of Brese and O'Keeffe lack, and for low-spin Co3+.

From the mean bond lengths of TiO, VO, SrCrO3, Sr3(CrO4)2, Ba3(MnO4)2, K2MnO4, KMnO4, SrFeO3, K2FeO4, LiCoO2, SrCoO3,
LaNiO2, LaNiO3, BaNiO3, SrMoO3, NbO2 and SrTcO3, R0 = d + 0.37 Å ln(state / coordination number).
"""

SQUARE_PLANAR: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"Cu": (2, 3), "Ni": (1, 2), "Fe": (2,), "Cr": (2,), "Co": (2,), "Pd": (2,)}
)
"""States in which an element takes square-planar coordination, with Shannon's IVSQ and known compounds."""

SPECTATORS: Mapping[str, tuple[int, ...]] = MappingProxyType({
    "Li": (1,), "Na": (1,), "K": (1,), "Rb": (1,), "Cs": (1,), "Ag": (1,), "Be": (2,), "Mg": (2,), "Ca": (2,),
    "Sr": (2,), "Ba": (2,), "Zn": (2,), "Cd": (2,), "Pb": (2,), "B": (3,), "Al": (3,), "Ga": (3,), "In": (3,),
    "Sc": (3,), "Y": (3,), "La": (3,), "Nd": (3,), "Gd": (3,), "Lu": (3,), "Bi": (3,), "C": (4,), "Si": (4,),
    "Ge": (4,), "Sn": (4,), "Zr": (4,), "N": (5,), "P": (5,), "As": (5,), "Sb": (5,), "Nb": (5,), "Ta": (5,),
    "S": (6,), "Se": (6,), "Mo": (6,), "W": (6,),
})  # fmt: skip
"""Cations that keep one state: what stands beside a transition metal without making its own state uncertain."""

CLOSED_TRANSITION: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"Ti": (4,), "V": (5,), "Cr": (3, 6), "Mn": (2,), "Fe": (3,), "Ni": (2,), "Cu": (1, 2)}
)
"""Transition metals that also stand beside another one, in the states least in doubt."""

ABSORBERS: Mapping[str, tuple[int, ...]] = MappingProxyType({
    "Ti": (2, 3, 4), "V": (2, 3, 4, 5), "Cr": (2, 3, 4, 5, 6), "Mn": (2, 3, 4, 5, 6, 7), "Fe": (2, 3, 4),
    "Co": (2, 3, 4), "Ni": (1, 2, 3, 4), "Cu": (1, 2, 3), "Zn": (2,),
})  # fmt: skip
"""The families of the 3d oxides and the states they are given; Fe6+ is left out, as bond valence does not find it."""

_ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
NUMBERS: Mapping[str, int] = MappingProxyType({name: number for number, name in enumerate(_ROMAN) if name})
"""Coordination numbers by their Roman numbers."""

_MORE_COORDINATIONS: Mapping[tuple[str, int], tuple[str, ...]] = MappingProxyType({
    ("Cu", 3): ("IVSQ",), ("Ni", 1): ("IVSQ",), ("Co", 2): ("IVSQ",), ("Mn", 3): ("V", "VI"),
    ("Ti", 4): ("VII",), ("Fe", 3): ("VII",), ("Co", 3): ("V",), ("V", 4): ("IV",), ("Cr", 2): ("IVSQ", "V"),
    ("Cu", 1): ("III",), ("Ti", 3): ("V",), ("V", 3): ("V",), ("Fe", 2): ("V",), ("Cr", 3): ("V",),
})  # fmt: skip
"""Coordinations known from compounds that Shannon's table does not list."""

_HARDLY_KNOWN = frozenset({
    ("Cr", 6, 6), ("Cr", 5, 6), ("Cr", 5, 8), ("Mn", 7, 6), ("Mn", 4, 4), ("Zn", 2, 8),
})  # fmt: skip
"""Coordinations that the table lists, but that oxides at ambient pressure all but never have."""


def shannon_radius(symbol: str, state: int, coordination: int) -> float:
    """Ionic radius in Å at the tabulated coordination nearest to the one asked for, high spin where there are two.

    Shannon, Acta Cryst. A 32, 751 (1976), as pymatgen tabulates it. DataError for an ion that is not there.
    """
    table = Element(symbol).data["Shannon radii"].get(str(state)) if Element(symbol).data.get("Shannon radii") else None
    if not table:
        raise DataError(f"no ionic radius tabulated for {symbol} in state {state:+d}")
    known = {_ROMAN.index(key): by_spin for key, by_spin in table.items() if key in _ROMAN}
    if not known:
        raise DataError(f"no ionic radius tabulated for {symbol} in state {state:+d}")
    by_spin = known[min(known, key=lambda number: (abs(number - coordination), number))]
    entry = by_spin.get("High Spin") or by_spin.get("") or next(iter(by_spin.values()))
    return float(entry["ionic_radius"])


@cache
def coordinations(symbol: str, state: int) -> frozenset[str]:
    """Coordinations (Roman numbers, IVSQ for square planar) in which an ion is known."""
    table = (Element(symbol).data.get("Shannon radii") or {}).get(str(state), {})
    return frozenset(table) | frozenset(_MORE_COORDINATIONS.get((symbol, state), ()))


MOST_ANIONS: Mapping[str, int] = MappingProxyType({"B": 4, "C": 3, "N": 3, "P": 4, "S": 4, "Cl": 3, "Br": 3})
"""Small cations at ambient pressure: no more anions than this (no orthocarbonates, no six-fold phosphorus)."""

ONLY_OXIDES = frozenset({"C", "N", "S", "Cl", "Br"})
"""Elements that are cations among oxygen only (carbonate, nitrate, sulfate, chlorate, bromate)."""


@cache
def takes(symbol: str, state: int, coordination: int, planar: bool) -> bool:
    """Whether a 3d metal is known in a coordination number, four ligands in one plane or not."""
    if planar:
        return state in SQUARE_PLANAR.get(symbol, ())
    if (symbol, state, coordination) in _HARDLY_KNOWN or coordination >= len(_ROMAN):
        return False
    return _ROMAN[coordination] in coordinations(symbol, state)


@cache
def bond_r0(cation: str, state: int, anion: str) -> float:
    """R0 in Å of a bond for a softness of 0.37 Å.

    Oxides: the tables of ``engine.structures.bond_valence`` and the ones above. Everything else, and oxides that are in
    neither: the atoms' size and softness parameters of O'Keeffe and Brese, J. Am. Chem. Soc. 113, 3226 (1991).
    DataError for an element that has none.
    """
    if anion == "O":
        for table in (MORE_OXIDE_R0_ANGSTROM, OXIDE_R0_ANGSTROM):
            if state in table.get(cation, {}):
                return table[cation][state]
    try:
        first, second = BV_PARAMS[Element(cation)], BV_PARAMS[Element(anion)]
    except KeyError:
        raise DataError(f"no bond-valence parameter for {cation} with {anion}") from None
    r1, r2, c1, c2 = first["r"], second["r"], first["c"], second["c"]
    return float(r1 + r2 - r1 * r2 * (math.sqrt(c1) - math.sqrt(c2)) ** 2 / (c1 * r1 + c2 * r2))


def ideal_bond(cation: str, state: int, anion: str, coordination: int) -> float:
    """Length in Å of each of ``coordination`` equal bonds that add up to the cation's state."""
    return bond_r0(cation, state, anion) - SOFTNESS_ANGSTROM * math.log(state / coordination)
