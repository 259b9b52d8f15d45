"""Atoms moved, and the cell strained, until bond-valence sums fit the oxidation states and like ions keep apart.

Distance least squares (Meier and Villiger, Z. Kristallogr. 129, 411 (1969)) with bond valences for the prescribed
distances: a substituted or displaced structure gets bond lengths like those of real ones without any electronic theory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pymatgen.core import Lattice, Structure
from scipy.optimize import brentq, minimize

from engine.errors import DataError
from engine.generation.chemistry import bond_r0
from engine.structures.bond_valence import SOFTNESS_ANGSTROM

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

BOND_CUTOFF_ANGSTROM = 4.5
ANION_DISTANCE_ANGSTROM = 2.6
CATION_DISTANCE_ANGSTROM = 2.85
REPULSION = 4.0
STRONG_BOND = 0.9
"""Anions that share a cation with bonds stronger than this are not pushed apart (carbonate, phosphate …)."""

CENTRING = 0.05
"""Weight of the bond-valence vector sum of a cation, which is zero in an undistorted environment."""

_OFF_CENTRE = frozenset(
    {("Ti", 4), ("V", 5), ("V", 4), ("Nb", 5), ("Mo", 6), ("W", 6), ("Pb", 2), ("Bi", 3), ("Cr", 6)}
)
"""Cations that like to leave the centre of their ligands, and are let."""


@dataclass(frozen=True)
class _Pairs:
    """Directed neighbour pairs: centre (q,), neighbour (q,), lattice translation (q, 3)."""

    centre: IntArray
    neighbour: IntArray
    image: FloatArray

    def take(self, mask: npt.NDArray[np.bool_]) -> _Pairs:
        return _Pairs(self.centre[mask], self.neighbour[mask], self.image[mask])

    def vectors(self, fractional: FloatArray, matrix: FloatArray) -> FloatArray:
        """Vectors (q, 3) in Å from centre to neighbour."""
        steps = fractional[self.neighbour] - fractional[self.centre] + self.image
        return np.asarray(steps @ matrix, dtype=np.float64)


def valence_sums(structure: Structure, states: Sequence[int]) -> FloatArray:
    """Bond-valence sum (n_sites,) of every site, bonds between cations and anions within 4.5 Å; all positive."""
    charge = np.asarray(states, dtype=np.float64)
    pairs = _pairs(structure)
    pairs = pairs.take(_unlike_pairs(charge, pairs))
    r0 = _r0(structure, charge, pairs)
    length = np.linalg.norm(pairs.vectors(structure.frac_coords, structure.lattice.matrix), axis=1)
    valence = np.exp((r0 - length) / SOFTNESS_ANGSTROM)
    return np.bincount(pairs.centre, valence, len(structure)).astype(np.float64)


def instability(structure: Structure, states: Sequence[int]) -> float:
    """Global instability index in valence units: root mean square of bond-valence sum minus |state| over all sites."""
    misfit = valence_sums(structure, states) - np.abs(np.asarray(states, dtype=np.float64))
    return float(np.sqrt(np.mean(misfit**2)))


def scale_to_valence(structure: Structure, states: Sequence[int]) -> Structure:
    """The structure scaled isotropically until the bond-valence sums of its cations add up to their states.

    DataError where no scale between 0.5 and 2 does it.
    """
    charge = np.asarray(states, dtype=np.float64)
    wide = structure.copy()
    wide.scale_lattice(structure.volume * 0.5**3)
    pairs = _pairs(wide)
    pairs = pairs.take(_unlike_pairs(charge, pairs))
    r0 = _r0(structure, charge, pairs)
    length = np.linalg.norm(pairs.vectors(structure.frac_coords, structure.lattice.matrix), axis=1)
    cation = charge[pairs.centre] > 0
    target = float(charge[charge > 0].sum())

    def excess(scale: float) -> float:
        return float(np.exp((r0[cation] - scale * length[cation]) / SOFTNESS_ANGSTROM).sum()) - target

    try:
        scale = float(brentq(excess, 0.5, 2.0, xtol=1e-6))
    except ValueError:
        raise DataError(
            f"{structure.composition.reduced_formula}: no volume gives its cations their valences"
        ) from None
    scaled = structure.copy()
    scaled.scale_lattice(structure.volume * scale**3)
    return scaled


def relax(
    structure: Structure, states: Sequence[int], *, steps: int = 60, rounds: int = 2, tether: float = 0.02
) -> Structure:
    """The structure after at most ``rounds`` × ``steps`` steps of L-BFGS on coordinates and strain.

    The cost, per site in valence units: squared misfit of the bond-valence sum over the state, squared vector sum of
    the bonds of a cation, repulsion of like ions that come too near, and ``tether`` (per Å²) times the squared
    displacement from where the atoms were, which keeps a prototype recognisable. Symmetry is kept, up to rounding.
    """
    charge = np.asarray(states, dtype=np.float64)
    current = structure.copy()
    for _ in range(rounds):
        current = _descend(current, charge, steps, tether)
    return current


def _descend(structure: Structure, charge: FloatArray, steps: int, tether: float) -> Structure:
    n = len(structure)
    matrix = np.array(structure.lattice.matrix)
    start = np.array(structure.frac_coords)
    everything = _pairs(structure)
    unlike = _unlike_pairs(charge, everything)
    bonds = everything.take(unlike)
    r0 = _r0(structure, charge, bonds)
    like, closest = _repelling(structure, charge, everything, bonds, r0)
    weight = 1.0 / np.abs(charge)
    centring = np.array(
        [CENTRING if q > 0 and (s, int(q)) not in _OFF_CENTRE else 0.0 for s, q in _ions(structure, charge)]
    )

    def cost(x: FloatArray) -> tuple[float, FloatArray]:
        moved = start + x[: 3 * n].reshape(n, 3)
        strain = x[3 * n :].reshape(3, 3)
        strain = (strain + strain.T) / 2
        deformed = matrix @ (np.eye(3) + strain)
        vector = bonds.vectors(moved, deformed)
        length = np.linalg.norm(vector, axis=1)
        unit = vector / length[:, None]
        valence = np.exp((r0 - length) / SOFTNESS_ANGSTROM)
        misfit = np.bincount(bonds.centre, valence, n) - np.abs(charge)
        total = float((weight * misfit**2).sum())
        slope = -valence / SOFTNESS_ANGSTROM
        on_vector = (2 * weight * misfit)[bonds.centre, None] * slope[:, None] * unit
        pull = np.stack([np.bincount(bonds.centre, valence * unit[:, k], n) for k in range(3)], axis=1)
        total += float((centring[:, None] * pull**2).sum())
        along = 2 * centring[bonds.centre, None] * pull[bonds.centre]
        radial = (along * unit).sum(axis=1)
        on_vector += (slope * radial)[:, None] * unit + (valence / length)[:, None] * (along - radial[:, None] * unit)
        near = like.vectors(moved, deformed)
        apart = np.linalg.norm(near, axis=1)
        overlap = np.maximum(closest - apart, 0.0)
        total += 0.5 * REPULSION * float((overlap**2).sum())
        on_near = -(REPULSION * overlap / apart)[:, None] * near
        gradient, on_strain = np.zeros((n, 3)), np.zeros((3, 3))
        for pairs, force, fractional in ((bonds, on_vector, vector), (like, on_near, near)):
            inner = force @ deformed.T
            np.add.at(gradient, pairs.neighbour, inner)
            np.add.at(gradient, pairs.centre, -inner)
            on_strain += (fractional @ np.linalg.inv(np.eye(3) + strain)).T @ force
        shift = (moved - start) @ matrix
        total += tether * float((shift**2).sum())
        gradient += 2 * tether * shift @ matrix.T
        total += n * tether * float((strain**2).sum()) * 10
        on_strain = (on_strain + on_strain.T) / 2 + 20 * n * tether * strain
        return total, np.concatenate([gradient.ravel(), on_strain.ravel()])

    found = minimize(cost, np.zeros(3 * n + 9), jac=True, method="L-BFGS-B", options={"maxiter": steps})
    x = np.asarray(found.x, dtype=np.float64)
    strain = x[3 * n :].reshape(3, 3)
    deformed = matrix @ (np.eye(3) + (strain + strain.T) / 2)
    return Structure(Lattice(deformed), structure.species, start + x[: 3 * n].reshape(n, 3))


def _pairs(structure: Structure, radius: float = BOND_CUTOFF_ANGSTROM) -> _Pairs:
    centre, neighbour, image, _ = structure.get_neighbor_list(radius)
    return _Pairs(np.asarray(centre), np.asarray(neighbour), np.asarray(image, dtype=np.float64))


def _unlike_pairs(charge: FloatArray, pairs: _Pairs) -> npt.NDArray[np.bool_]:
    """Which pairs are bonds, cation to anion."""
    return charge[pairs.centre] * charge[pairs.neighbour] < 0


def _ions(structure: Structure, charge: FloatArray) -> list[tuple[str, float]]:
    return [(site.specie.symbol, float(q)) for site, q in zip(structure, charge, strict=True)]


def _r0(structure: Structure, charge: FloatArray, bonds: _Pairs) -> FloatArray:
    """R0 (q,) in Å of bonds."""
    ions = _ions(structure, charge)
    table = np.zeros((len(ions), len(ions)))
    for i, (a, q) in enumerate(ions):
        for j, (b, p) in enumerate(ions):
            if q * p < 0:
                table[i, j] = bond_r0(a, round(q), b) if q > 0 else bond_r0(b, round(p), a)
    return np.asarray(table[bonds.centre, bonds.neighbour], dtype=np.float64)


def _repelling(
    structure: Structure, charge: FloatArray, everything: _Pairs, bonds: _Pairs, r0: FloatArray
) -> tuple[_Pairs, FloatArray]:
    """Pairs of like ions and the distances (q,) in Å that they should keep."""
    like = everything.take(~_unlike_pairs(charge, everything))
    length = np.linalg.norm(bonds.vectors(structure.frac_coords, structure.lattice.matrix), axis=1)
    strong = np.exp((r0 - length) / SOFTNESS_ANGSTROM) > STRONG_BOND
    held = set(bonds.centre[strong & (charge[bonds.centre] < 0)].tolist())
    anion = charge[like.centre] < 0
    both_held = np.array(
        [a in held and b in held for a, b in zip(like.centre.tolist(), like.neighbour.tolist(), strict=True)],
        dtype=bool,
    )
    size = np.array([_anion_distance(site.specie.symbol) for site in structure])
    closest = np.where(anion, (size[like.centre] + size[like.neighbour]) / 2, CATION_DISTANCE_ANGSTROM)
    keep = ~(anion & both_held)
    return like.take(keep), closest[keep]


def _anion_distance(symbol: str) -> float:
    return {"O": ANION_DISTANCE_ANGSTROM, "F": 2.5, "N": 2.7, "H": 2.2}.get(symbol, 3.3)
