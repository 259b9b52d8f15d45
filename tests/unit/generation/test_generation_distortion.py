"""Distortions: what symmetry they leave, and what they do to octahedra."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from engine.generation.distortion import displaced, elongated

RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.594, 2.958), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)
PEROVSKITE = Structure(
    Lattice.cubic(3.9), ["La", "Mn", "O", "O", "O"],
    [[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
)  # fmt: skip


def operations(structure: Structure) -> int:
    return len(SpacegroupAnalyzer(structure, 1e-3).get_symmetry_operations())


def test_displacements_keep_a_subgroup_whose_order_divides_that_of_the_group() -> None:
    full = operations(RUTILE)
    orders = {
        operations(displaced(RUTILE, np.random.default_rng(seed), amplitude_angstrom=0.1, strain=0.01))
        for seed in range(12)
    }
    assert all(full % order == 0 for order in orders)
    assert len(orders) >= 3


def test_displacements_have_the_size_asked_for_and_are_repeatable() -> None:
    cell = RUTILE * (2, 2, 2)
    cell.translate_sites([0], [0.003, 0.005, 0.007])  # no symmetry left: every displacement is free
    moved = displaced(cell, np.random.default_rng(1), amplitude_angstrom=0.05, strain=0.0)
    shift = moved.cart_coords - cell.cart_coords
    assert 0.04 < np.sqrt(np.mean(shift**2)) < 0.06
    again = displaced(cell, np.random.default_rng(1), amplitude_angstrom=0.05, strain=0.0)
    np.testing.assert_array_equal(moved.frac_coords, again.frac_coords)


def test_jahn_teller_octahedra_have_two_long_bonds_along_one_axis() -> None:
    drawn = elongated(PEROVSKITE, [3, 3, -2, -2, -2], np.random.default_rng(0), by_angstrom=0.2)
    bonds = sorted(n.nn_distance for n in drawn.get_neighbors(drawn[1], 2.6))
    assert len(bonds) == 6
    assert bonds[4] - bonds[3] > 0.1
    assert bonds[3] - bonds[0] < 1e-6
    assert bonds[5] - bonds[4] < 1e-6


def test_other_ions_are_left_as_they_are() -> None:
    same = elongated(PEROVSKITE, [2, 4, -2, -2, -2], np.random.default_rng(0), by_angstrom=0.2)
    assert same is PEROVSKITE
