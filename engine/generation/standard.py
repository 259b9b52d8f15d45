"""Standard compounds from their published lattice parameters: ``compounds.toml``, one structure per member."""

from __future__ import annotations

import re
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.groups import SpaceGroup

from engine.errors import DataError

_ION = re.compile(r"^([A-Z][a-z]?)(?:(\d*)([+-]))?$")
SAME_SITE_ANGSTROM = 0.05


@dataclass(frozen=True, eq=False)
class Compound:
    """A structure (primitive cell) with the label and oxidation state of every site, and where it was published.

    ``model`` marks rounded or idealised coordinates. States are None for elements and alloys.
    """

    kind: str
    structure: Structure
    labels: tuple[str, ...]
    states: tuple[int, ...] | None
    source: str
    model: bool

    @property
    def formula(self) -> str:
        """Reduced formula."""
        return str(self.structure.composition.reduced_formula)


@cache
def standard_compounds() -> tuple[Compound, ...]:
    """Every member of every family of ``compounds.toml``, in its order; a DataError names the entry that is wrong."""
    content = tomllib.loads((files("engine.generation") / "compounds.toml").read_text(encoding="utf-8"))
    return tuple(
        _compound(family, member, content["sources"]) for family in content["family"] for member in family["members"]
    )


def parse_ion(text: str) -> tuple[str, int | None]:
    """Symbol and oxidation state of an ion such as ``Ti4+``, ``F-`` or ``Cu`` (no state)."""
    match = _ION.match(text)
    if match is None:
        raise DataError(f"ion '{text}': need a symbol and a charge, such as Ti4+")
    symbol, number, sign = match.groups()
    return symbol, None if sign is None else int(number or 1) * (1 if sign == "+" else -1)


def _compound(family: Mapping[str, Any], member: Sequence[Any], sources: Mapping[str, str]) -> Compound:
    name = f"{family['type']}, {member[0]}"
    labels = list(dict.fromkeys(site[0] for site in family["sites"]))
    ions = [parse_ion(text) for text in member[0].split()]
    if len(ions) != len(labels):
        raise DataError(f"{name}: {len(ions)} ions for {len(labels)} labels")
    ion_of = dict(zip(labels, ions, strict=True))
    given = member[2] if len(member) > 2 else []
    values = dict(zip(family.get("parameters", []), given, strict=True))
    group, lattice = _group(family["group"]), _lattice(family["group"], member[1], name)
    points: list[Any] = []
    marks: list[str] = []
    for label, *raw in family["sites"]:
        position = [values[value] if isinstance(value, str) else float(value) for value in raw]
        for point in _orbit(group, position, lattice):
            points.append(point)
            marks.append(label)
    cell = Structure(lattice, [ion_of[m][0] for m in marks], points, site_properties={"label": marks})
    cell = cell.get_primitive_structure(tolerance=0.05, use_site_props=True)
    marks = [str(mark) for mark in cell.site_properties["label"]]
    cell.remove_site_property("label")
    states = None
    if all(state is not None for _, state in ions):
        states = tuple(int(ion_of[mark][1] or 0) for mark in marks)
        if sum(states) != 0:
            raise DataError(f"{name}: charges add up to {sum(states):+d}; need 0")
    source = member[3] if len(member) > 3 else family["source"]
    return Compound(
        family["type"], cell, tuple(marks), states, sources.get(source, source), bool(family.get("model", False))
    )


@cache
def _group(symbol: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SpaceGroup(symbol)


def _orbit(group: Any, position: Sequence[float], lattice: Lattice) -> list[Any]:
    """Distinct images of a position; those within 0.05 Å of one another are one (rounded special positions)."""
    found: list[Any] = []
    for operation in group.symmetry_ops:
        point = operation.operate(np.asarray(position, dtype=np.float64)) % 1.0
        if not found or lattice.get_all_distances(found, point).min() > SAME_SITE_ANGSTROM:
            found.append(point)
    return found


def _lattice(symbol: str, cell: Sequence[float], name: str) -> Lattice:
    """The lattice from the lengths and angles that the crystal system leaves free."""
    system = str(_group(symbol).crystal_system)
    if symbol.startswith("R"):
        system = "hexagonal"
    free = {"cubic": 1, "tetragonal": 2, "trigonal": 2, "hexagonal": 2, "orthorhombic": 3, "monoclinic": 4}
    if len(cell) != free.get(system):
        raise DataError(f"{name}: {len(cell)} cell parameters; a {system} cell has {free.get(system)}")
    if system == "cubic":
        return Lattice.cubic(*cell)
    if system == "tetragonal":
        return Lattice.tetragonal(*cell)
    if system in ("trigonal", "hexagonal"):
        return Lattice.hexagonal(*cell)
    return Lattice.orthorhombic(*cell) if system == "orthorhombic" else Lattice.monoclinic(*cell)
