"""Polyhedron geometry against closed forms."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from engine.structures.errors import NotDefinedError
from engine.structures.geometry import (
    TETRAHEDRAL_DEGREES,
    bond_angle_variance,
    pair_angles,
    pair_distances,
    polyhedron_edges,
    polyhedron_volume,
    quadratic_elongation,
    smallest_angles,
)

FloatArray = npt.NDArray[np.float64]

OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=float)
TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=float) / np.sqrt(3)
SQUARE = OCTAHEDRON[:4]
CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float) / np.sqrt(3)
PYRAMID = OCTAHEDRON[:5]


def edge_count(vectors: FloatArray) -> int:
    return len(polyhedron_edges(vectors))


@pytest.mark.parametrize(
    ("vectors", "edges"),
    [
        (OCTAHEDRON, 12),
        (TETRAHEDRON, 6),
        (SQUARE, 4),
        (CUBE, 12),
        (PYRAMID, 8),
        (OCTAHEDRON[:2], 1),
        (TETRAHEDRON[:3], 3),
    ],
)
def test_regular_polyhedra_have_their_number_of_edges(vectors: FloatArray, edges: int) -> None:
    assert edge_count(2.1 * vectors) == edges


def test_edges_of_an_octahedron_are_its_cis_pairs() -> None:
    cis = {(a, b) for a, b in combinations(range(6), 2) if abs(OCTAHEDRON[a] @ OCTAHEDRON[b]) < 0.5}
    assert set(polyhedron_edges(OCTAHEDRON)) == cis


def test_an_almost_flat_square_keeps_four_edges_and_a_puckered_one_gets_six() -> None:
    def pucker(height: float) -> FloatArray:
        return 1.95 * SQUARE + np.array([[0, 0, height], [0, 0, height], [0, 0, -height], [0, 0, -height]])

    assert edge_count(pucker(0.02)) == 4
    assert edge_count(pucker(0.6)) == 6


def test_volumes_are_the_closed_forms() -> None:
    d = 2.1
    assert polyhedron_volume(d * OCTAHEDRON) == pytest.approx(4 / 3 * d**3)
    assert polyhedron_volume(d * TETRAHEDRON) == pytest.approx(8 * np.sqrt(3) / 27 * d**3)
    assert polyhedron_volume(d * CUBE) == pytest.approx((2 * d / np.sqrt(3)) ** 3)
    assert polyhedron_volume(d * SQUARE) == 0.0
    with pytest.raises(NotDefinedError, match="needs four"):
        polyhedron_volume(d * SQUARE[:3])


def test_regular_polyhedra_have_no_angle_variance_and_unit_elongation() -> None:
    for vectors in (OCTAHEDRON, TETRAHEDRON):
        assert bond_angle_variance(1.9 * vectors) == pytest.approx(0.0, abs=1e-9)
        assert quadratic_elongation(1.9 * vectors) == pytest.approx(1.0)


def test_elongated_octahedron_follows_the_formula() -> None:
    short, long = 1.95, 2.45
    vectors = OCTAHEDRON * np.array([short, short, long])
    volume = 4 / 3 * short**2 * long
    ideal = (3 * volume / 4) ** (1 / 3)
    assert polyhedron_volume(vectors) == pytest.approx(volume)
    assert quadratic_elongation(vectors) == pytest.approx((4 * short**2 + 2 * long**2) / (6 * ideal**2))
    assert bond_angle_variance(vectors) == pytest.approx(0.0, abs=1e-9)


def test_sheared_octahedron_follows_the_formula() -> None:
    tilt = np.radians(5.0)
    vectors = OCTAHEDRON.copy()
    vectors[0] = [np.cos(tilt), np.sin(tilt), 0]
    vectors[1] = -vectors[0]
    angles = [85.0, 95.0, 85.0, 95.0] + [90.0] * 8
    assert bond_angle_variance(2 * vectors) == pytest.approx(sum((a - 90) ** 2 for a in angles) / 11)


def test_square_plane_angle_variance_is_about_the_tetrahedron() -> None:
    expected = (4 * (90 - TETRAHEDRAL_DEGREES) ** 2 + 2 * (180 - TETRAHEDRAL_DEGREES) ** 2) / 5
    assert bond_angle_variance(SQUARE) == pytest.approx(expected)
    with pytest.raises(NotDefinedError, match="one plane"):
        quadratic_elongation(SQUARE)


@pytest.mark.parametrize("function", [bond_angle_variance, quadratic_elongation])
def test_other_coordination_numbers_are_not_defined(function: object) -> None:
    assert callable(function)
    with pytest.raises(NotDefinedError, match="4 and 6"):
        function(PYRAMID)


def test_angles_and_distances_of_a_square() -> None:
    assert sorted(pair_angles(SQUARE)) == pytest.approx([90, 90, 90, 90, 180, 180])
    assert np.std(pair_angles(SQUARE)) == pytest.approx(np.sqrt(1800))
    assert pair_distances(SQUARE).min() == pytest.approx(np.sqrt(2))
    assert smallest_angles(SQUARE) == pytest.approx([90] * 4)
