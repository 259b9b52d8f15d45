"""Input of one FEFF run: ``feff.inp`` for the K-edge XANES of a site, with the cards of the published Cu set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import DataError
from engine.io.files import atomic_target

if TYPE_CHECKING:
    from pymatgen.core import Structure

CLUSTER_ANGSTROM = 9.0
CARDS = """CONTROL 1 1 1 1 1 1
COREHOLE RPA
S02 0
EXCHANGE 0 0.0 0.0 2
SCF 7.0 0 100 0.2 3
FMS 9.0 0
XANES 4 0.04 0.1
EDGE K
RPATH -1
EGRID
k_grid -1 0 0.04
k_grid 0 6 0.04
"""
"""Self-consistent within 7 Å, full multiple scattering within 9 Å, screened (RPA) hole, Hedin–Lundqvist exchange, K."""


def feff_input(structure: Structure, site_index: int) -> str:
    """The text of ``feff.inp`` for site ``site_index`` (0-based) of an ordered structure.

    One potential per element that is within 9 Å, the absorber's own as potential 0; atoms nearest first, the absorber
    at the origin. A DataError names a site that is not there or partly occupied.
    """
    if not 0 <= site_index < len(structure):
        raise DataError(f"site {site_index}: the structure has {len(structure)} sites, numbered from 0")
    for i, site in enumerate(structure):
        if not site.is_ordered:
            raise DataError(f"site {i} holds {site.species.formula}: partial occupancy; need an ordered structure")
    absorber = structure[site_index]
    near = structure.get_neighbors(absorber, CLUSTER_ANGSTROM)
    near = sorted(near, key=lambda n: (round(float(n.nn_distance), 6), n.index, *np.round(n.coords, 6).tolist()))
    symbols = [site.specie.symbol for site in structure]
    present = {symbols[n.index] for n in near}
    potential = {s: i for i, s in enumerate((s for s in dict.fromkeys(symbols) if s in present), start=1)}
    lines = [
        "TITLE written by rankaae",
        f"TITLE {structure.composition.reduced_formula}, site {site_index} ({absorber.specie.symbol})",
        "",
        CARDS,
        "POTENTIALS",
        "* ipot    Z  tag   lmax1 lmax2  xnatph  spinph",
        f"{0:5d} {absorber.specie.Z:5d}  {absorber.specie.symbol:4s} {-1:5d} {-1:5d}  0.0001  0",
    ]
    for symbol, number in potential.items():
        z = next(site.specie.Z for site in structure if site.specie.symbol == symbol)
        lines.append(f"{number:5d} {z:5d}  {symbol:4s} {-1:5d} {-1:5d}  {symbols.count(symbol)}  0")
    lines += ["", "ATOMS", "*        x            y            z   ipot  atom   distance  number"]
    lines.append(_atom(np.zeros(3), 0, absorber.specie.symbol, 0.0, 0))
    for number, n in enumerate(near, start=1):
        symbol = symbols[n.index]
        lines.append(_atom(n.coords - absorber.coords, potential[symbol], symbol, n.nn_distance, number))
    return "\n".join([*lines, "END", ""])


def write_feff_input(structure: Structure, site_index: int, folder: Path) -> None:
    """``feff.inp`` in an existing folder, written in one step."""
    text = feff_input(structure, site_index)
    with atomic_target(folder / "feff.inp") as temporary:
        temporary.write_text(text, encoding="utf-8")


def _atom(position: np.ndarray, potential: int, symbol: str, distance: float, number: int) -> str:
    x, y, z = (float(value) + 0.0 for value in position)
    return f"{x:12.6f} {y:12.6f} {z:12.6f} {potential:4d}  {symbol:4s} {distance:10.5f} {number:6d}"
