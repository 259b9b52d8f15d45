"""Longer bonds to hydrogen, so that its sphere does not swallow its partner's."""

from __future__ import annotations

import numpy as np

from engine.simulation.lattice_points import Atoms, within


def lengthen_hydrogen_bonds(atoms: Atoms) -> Atoms:
    """The same atoms with every hydrogen moved away from its nearest, heavier neighbour A, for potentials only.

    From d to d + 4/d² bohr (FEFF's choice, after H2O and GeH4; Ankudinov et al., Phys. Rev. B 58, 7565, 1998), at most
    0.95 of A's shortest bond to another heavy atom, and never so far that another atom than A becomes the nearest.
    """
    moved = atoms.position.copy()
    for h in np.flatnonzero(atoms.atomic_number == 1):
        index, vector, distance = within(atoms, atoms.position[h], 7.0)
        if len(index) < 2 or atoms.atomic_number[index[1]] == 1:
            continue
        partner, length = atoms.position[h] + vector[1], float(distance[1])
        around, _, away = within(atoms, partner, 10.0)
        heavy = away[(atoms.atomic_number[around] > 1) & (away > 1e-6)]
        longest = length + 4.0 / length**2
        if len(heavy) and heavy[0] < longest:
            longest = 0.95 * float(heavy[0]) + 0.05 * length
        direction = -vector[1] / length
        others = vector[2:] + atoms.position[h] - partner
        # Farther than this along the bond, the atom at o would be nearer than A: |t n - o| = t.
        along = others @ direction
        limits = np.einsum("ij,ij->i", others, others)[along > 0] / (2 * along[along > 0])
        if len(limits) and limits.min() < longest:
            longest = 0.95 * float(limits.min()) + 0.05 * length
        if longest > length:
            moved[h] = partner + longest * direction
    return Atoms(atoms.atomic_number, moved, atoms.lattice)
