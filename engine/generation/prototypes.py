"""Structure types with slots for cations: those that ship with pymatgen, and those of the published compounds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from pymatgen.core import Element, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from engine.errors import ConfigError
from engine.generation.standard import standard_compounds

FloatArray = npt.NDArray[np.float64]

SHELL_RATIO = 1.3
"""Anions up to this multiple of the shortest bond count as the first shell of a slot."""

FLAT_ANGSTROM = 0.35
MAX_ATOMS = 80

AFLOW_OXIDES: Mapping[str, str] = MappingProxyType({
    "A3B4_tI28_141_ad_h": "hausmannite", "AB2_oP6_58_a_g:Hydrophilite": "calcium chloride",
    "AB2_oP6_58_a_g:Marcasite": "marcasite", "ABC3_hR10_161_a_a_b": "lithium niobate",
    "A2B_mP12_14_2e_e": "baddeleyite", "A2B_hP9_152_c_a": "quartz", "A2B_cF24_227_c_a": "high cristobalite",
    "A2B_tP12_92_b_a": "low cristobalite", "A2B_tP36_96_3b_ab": "keatite",
    "ABC6D2_mC40_15_e_e_3f_f": "esseneite", "A4BC_tI24_141_h_b_a": "zircon", "AB4C_tI12_82_c_g_a": "boron phosphate",
    "A2BC4_tI14_82_bc_a_g": "defect chalcopyrite",
    "AB2C_oC16_63_c_2c_c": "strontium cuprate", "AB_tP8_136_g_f": "beta beryllia",
    "AB3C6_cI80_206_a_d_e": "ordered bixbyite", "AB3_hR8_155_c_de": "aluminium fluoride",
    "A2B_oP12_62_2c_c:Cotunnite": "cotunnite", "A2B3C7D_oP13_47_t_aq_eqrs_h": "yttrium barium cuprate 123-7",
    "ABC2_tI16_122_a_b_d": "oxide chalcopyrite",
    "A2B_hP12_194_cg_f": "high tridymite", "AB3C_oP20_62_c_cd_a": "calcium titanate",
    "AB2C4_tI14_139_a_e_ce": "lanthanum cuprate", "AB_tP4_131_c_e": "cooperite", "AB3C4_oP16_31_a_ab_2ab": "enargite",
})  # fmt: skip
"""pymatgen's prototypes (AFLOW label, and mineral where a label occurs twice) that oxides take, and names for them."""

AFLOW_SOURCE = "Mehl et al., Comput. Mater. Sci. 136, S1 (2017), as it ships with pymatgen"
NOT_OXIDES = frozenset({"nickeline", "molybdenite", "pyrite", "antifluorite", "carbon dioxide", "zincblende"})
"""Types of the published compounds that oxides of transition metals do not take."""

SALTS = frozenset({
    "copper germanate", "chromium vanadate", "chalcocyanite", "dolomite", "copper diphosphate", "kotoite",
    "strontium copper borate", "berlinite", "enargite",
})  # fmt: skip
"""Types of oxyanion salts: phosphates, sulfates, borates, carbonates, silicates. They serve the 3d oxides alone."""


@dataclass(frozen=True, eq=False)
class Slot:
    """Sites that hold one ion: indices (k,), coordination number and mean bond length in Å in the prototype."""

    index: tuple[int, ...]
    coordination: int
    planar: bool
    bond_angstrom: float


@dataclass(frozen=True, eq=False)
class Prototype:
    """A structure type: a primitive cell whose anions all become one element, and slots for the cations."""

    name: str
    structure: Structure
    slots: tuple[Slot, ...]
    anions: tuple[int, ...]
    source: str


@cache
def prototypes() -> tuple[Prototype, ...]:
    """All structure types with 1 to 4 slots, those of pymatgen first; a ConfigError where pymatgen lacks its file."""
    found = [_prototype(name, structure, None, AFLOW_SOURCE) for name, structure in _from_pymatgen()]
    seen: set[str] = set()
    for compound in standard_compounds():
        if compound.states is None or compound.kind in seen or "H" in {e.symbol for e in compound.structure.elements}:
            continue
        seen.add(compound.kind)
        groups = [
            (label, [i for i, mark in enumerate(compound.labels) if mark == label])
            for label in dict.fromkeys(compound.labels)
        ]
        if len({label for label, group in groups if compound.states[group[0]] < 0}) == 1:
            cations = [group for _, group in groups if compound.states[group[0]] > 0]
            found.append(_prototype(compound.kind, compound.structure, cations, compound.source))
    return tuple(p for p in found if 1 <= len(p.slots) <= 4 and len(p.structure) <= MAX_ATOMS)


def _from_pymatgen() -> list[tuple[str, Structure]]:
    try:
        packed = (files("pymatgen.analysis") / "prototypes" / "aflow_prototypes.json.gz").read_bytes()
    except (ModuleNotFoundError, OSError):
        raise ConfigError(
            "pymatgen's crystal prototypes are not installed (pymatgen-core lacks them); need: pip install pymatgen"
        ) from None
    found: dict[str, Structure] = {}
    for entry in json.loads(gzip.decompress(packed)):
        tags = entry["tags"]
        for key in (tags["aflow"], f"{tags['aflow']}:{tags['mineral']}"):
            if key in AFLOW_OXIDES and AFLOW_OXIDES[key] not in found:
                found[AFLOW_OXIDES[key]] = _structure(entry["snl"])
    return [(name, found[name]) for name in AFLOW_OXIDES.values() if name in found]


def _structure(content: Mapping[str, Any]) -> Structure:
    species = [site["species"][0]["element"] for site in content["sites"]]
    return Structure(content["lattice"]["matrix"], species, [site["abc"] for site in content["sites"]])


def _prototype(name: str, structure: Structure, cations: list[list[int]] | None, source: str) -> Prototype:
    """Slots as given, or one for every symmetry-distinct position that does not hold the anion."""
    symbols = [site.specie.symbol for site in structure]
    anion = max(set(symbols), key=lambda symbol: float(Element(symbol).X))
    if cations is None:
        orbit = SpacegroupAnalyzer(structure, 0.05).get_symmetry_dataset().equivalent_atoms
        cations = [
            [i for i in range(len(symbols)) if orbit[i] == first]
            for first in dict.fromkeys(orbit.tolist())
            if symbols[first] != anion
        ]
    taken = {i for group in cations for i in group}
    anions = tuple(i for i in range(len(symbols)) if i not in taken)
    return Prototype(name, structure, tuple(_slot(structure, group, anions) for group in cations), anions, source)


def _slot(structure: Structure, group: list[int], anions: tuple[int, ...]) -> Slot:
    held = set(anions)
    shells = []
    for i in group:
        near = [n for n in structure.get_neighbors(structure[i], 5.0) if n.index in held]
        shortest = min(n.nn_distance for n in near)
        shells.append([n.coords - structure[i].coords for n in near if n.nn_distance <= SHELL_RATIO * shortest])
    vectors = np.array(shells[0])
    flat = bool(len(vectors) == 4 and np.linalg.svd(vectors, compute_uv=False)[-1] < FLAT_ANGSTROM)
    bond = float(np.mean([np.mean(np.linalg.norm(shell, axis=1)) for shell in shells]))
    return Slot(tuple(group), len(vectors), flat, bond)
