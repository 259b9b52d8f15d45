"""Features of a site's surroundings: closed forms for two and three atoms, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from engine.structures.errors import NotDefinedError
from engine.structures.radial import (
    ANGULAR_CUTOFF_ANGSTROM,
    ANGULAR_SHELLS,
    ANGULAR_WIDTH_ANGSTROM,
    CUTOFF_ANGSTROM,
    FEATURE_DISTANCE,
    SHELL_WIDTH_ANGSTROM,
    SHELLS,
    site_features,
)

BOX = Lattice.cubic(30)
RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.594, 2.958), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)


def cutoff(distance: float, radius: float) -> float:
    return float((np.cos(np.pi * distance / radius) + 1) / 2)


def test_one_neighbour_is_one_gaussian_weighted_with_its_number() -> None:
    pair = Structure(BOX, ["Cu", "O"], [[5, 5, 5], [5, 5, 6.9]], coords_are_cartesian=True)
    found = site_features(pair, 0)
    assert found.shape == FEATURE_DISTANCE.shape
    expected = np.exp(-((1.9 - SHELLS) ** 2) / (2 * SHELL_WIDTH_ANGSTROM**2)) * cutoff(1.9, CUTOFF_ANGSTROM)
    np.testing.assert_allclose(found[: len(SHELLS)], expected, atol=1e-12)
    np.testing.assert_allclose(found[len(SHELLS) : 2 * len(SHELLS)], 8 * expected, atol=1e-11)
    np.testing.assert_array_equal(found[2 * len(SHELLS) :], 0)


def test_two_neighbours_give_the_angle_between_them() -> None:
    bent = Structure(BOX, ["Cu", "O", "S"], [[5, 5, 5], [7, 5, 5], [6, 5 + 3**0.5, 5]], coords_are_cartesian=True)
    angular = site_features(bent, 0)[2 * len(SHELLS) :].reshape(2, 2, -1)  # sign, power, distance; 60 degrees, 2 Å
    radial = np.exp(-2 * (2 - ANGULAR_SHELLS) ** 2 / (2 * ANGULAR_WIDTH_ANGSTROM**2))
    radial *= 8 * 16 * cutoff(2, ANGULAR_CUTOFF_ANGSTROM) ** 2
    for i, sign in enumerate((1, -1)):
        for j, power in enumerate((1, 4)):
            np.testing.assert_allclose(angular[i, j], 2 ** (1 - power) * (1 + sign * 0.5) ** power * radial, rtol=1e-9)


@pytest.mark.parametrize("site", [0, 1, 3])
def test_the_choice_of_cell_changes_nothing(site: int) -> None:
    expected = site_features(RUTILE, site)
    assert np.isfinite(expected).all()
    moved = RUTILE.copy()
    moved.translate_sites(list(range(len(moved))), [0.3, -0.2, 0.7])
    np.testing.assert_allclose(site_features(moved, site), expected, atol=1e-8)
    large = RUTILE * (2, 1, 2)
    np.testing.assert_allclose(site_features(large, 4 * site + 1), expected, atol=1e-8)
    turned = Structure(Lattice(RUTILE.lattice.matrix[:, [1, 2, 0]]), RUTILE.species, RUTILE.frac_coords)
    np.testing.assert_allclose(site_features(turned, site), expected, atol=1e-8)


def test_what_has_no_features_says_why() -> None:
    with pytest.raises(NotDefinedError, match="out of range"):
        site_features(RUTILE, 6)
    shared = Structure(BOX, [{"Cu": 0.5, "Zn": 0.5}], [[0, 0, 0]])
    with pytest.raises(NotDefinedError, match="shared by several elements"):
        site_features(shared, 0)
