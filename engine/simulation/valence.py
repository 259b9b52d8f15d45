"""Which levels of the atoms are core and which make the valence bands, and where the gap between them lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.simulation.atoms import FreeAtom, Level
from engine.simulation.muffin_tin import FloatArray, MuffinTin
from engine.simulation.radial import bound_state

LOWEST, HIGHEST = -3.0, -0.9
"""The gap is sought between these energies, in hartree, at least CLEAR below the interstitial potential."""

CLEAR = 0.18


@dataclass(frozen=True)
class CoreValence:
    """The energy, in hartree, that divides core from valence; core density (P, n), valence electrons (P,) per kind."""

    energy: float
    core_density: FloatArray
    electrons: FloatArray


def divide(muffin_tin: MuffinTin, atoms: list[FreeAtom]) -> CoreValence:
    """Divide the levels of the ``atoms`` of each kind at the middle of the widest gap in their energies in the solid.

    The energies are those of the muffin-tin potential; f levels stay with the core as they are in the free atom.
    """
    inside = [[_level_in_solid(muffin_tin, kind, level) for level in atom.levels] for kind, atom in enumerate(atoms)]
    top = min(HIGHEST, muffin_tin.interstitial_potential - CLEAR)
    levels = np.array([e for energies in inside for e in energies if LOWEST < e < top])
    edges = np.concatenate([[LOWEST], np.sort(levels), [top]])
    widest = int(np.argmax(np.diff(edges)))
    energy = float(0.5 * (edges[widest] + edges[widest + 1]))
    core, electrons = [], []
    for atom, energies in zip(atoms, inside, strict=True):
        is_core = np.array([e < energy or level.l == 3 for e, level in zip(energies, atom.levels, strict=True)])
        held = np.array([level.occupation for level in atom.levels]) * is_core
        core.append(held @ atom.level_density / (4 * np.pi * atom.r**2))
        electrons.append(atom.atomic_number - held.sum())
    return CoreValence(energy, np.stack(core), np.array(electrons))


def _level_in_solid(muffin_tin: MuffinTin, kind: int, level: Level) -> float:
    """Energy of a free atom's level in the potential of the solid; its own where that holds no such level."""
    if level.l == 3 or not 2 * LOWEST < level.energy < 0.5 * HIGHEST:
        return level.energy
    r = muffin_tin.r
    potential = np.where(r < muffin_tin.radius[kind], muffin_tin.potential[kind], muffin_tin.interstitial_potential)
    try:
        return bound_state(potential, r, level.n, level.l).energy
    except ValueError:
        return level.energy
