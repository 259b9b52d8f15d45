"""Atoms around a site and the polyhedron of the first shell, against rock salt and plane figures."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from engine.structures import NotDefinedError, surroundings
from engine.structures.surroundings import _faces

A = 4.18
ROCK_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(A), ["Ni", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_rock_salt_is_an_octahedron_with_two_more_shells_within_four_angstrom() -> None:
    around = surroundings(ROCK_SALT, 0)
    assert around.symbol[0] == "Ni"
    assert [around.shell.count(number) for number in (0, 1, 2)] == [1, 6, 12 + 8]
    shell, distance = np.array(around.shell), around.distance_angstrom
    assert distance[0] == 0
    assert np.allclose(distance[shell == 1], A / 2)
    assert np.allclose(np.sort(distance[shell == 2]), [A / np.sqrt(2)] * 12 + [A * np.sqrt(3) / 2] * 8)
    assert {around.symbol[i] for i in np.flatnonzero(shell == 1)} == {"O"}
    assert around.faces.shape == (8, 3)
    assert (shell[around.faces] == 1).all()


def test_faces_of_plane_figures_and_of_fewer_atoms() -> None:
    square = np.array([[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]])
    triangles = square[_faces(square)]
    area = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1) / 2
    assert area.sum() == pytest.approx(2.0)
    assert _faces(square[:3]).shape == (1, 3)
    assert _faces(square[:2]).shape == (0, 3)
    assert _faces(np.array([[1.0, 0, 0], [2, 0, 0], [3, 0, 0]])).shape == (0, 3)
    assert len(_faces(np.vstack([square, [[0, 0, 1.0]]]))) == 6


def test_a_site_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NotDefinedError, match="out of range"):
        surroundings(ROCK_SALT, 8)
