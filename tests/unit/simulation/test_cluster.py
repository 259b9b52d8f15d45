"""Clusters and surroundings: right atoms, no dependence on how the structure is written down, clear messages."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Molecule, Structure
from scipy.spatial.transform import Rotation

from engine.errors import DataError
from engine.simulation.cluster import build_cluster, build_surroundings
from engine.simulation.units import BOHR_ANGSTROM


def rutile() -> Structure:
    lattice = Lattice.tetragonal(4.594, 2.959)
    return Structure.from_spacegroup("P4_2/mnm", lattice, ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]])


def turned(structure: Structure, seed: int) -> tuple[Structure, int]:
    """The same crystal rotated, its sites shuffled and moved by lattice vectors, and where site 0 went."""
    rng = np.random.default_rng(seed)
    rotation = Rotation.random(random_state=rng).as_matrix()
    order = rng.permutation(len(structure))
    fractional = structure.frac_coords[order] + rng.integers(-2, 3, (len(structure), 3)) + rng.random(3)
    species = [structure[int(i)].specie for i in order]
    matrix = structure.lattice.matrix @ rotation
    return Structure(Lattice(matrix), species, fractional), int(np.flatnonzero(order == 0)[0])


def test_whole_shells_nearest_first() -> None:
    cluster = build_cluster(rutile(), 0, n_atoms=5)
    distance = np.linalg.norm(cluster.position, axis=1) * BOHR_ANGSTROM
    assert cluster.atomic_number.tolist() == [22, 8, 8, 8, 8]
    assert cluster.kind.tolist() == [0, 1, 1, 1, 1]
    np.testing.assert_allclose(distance, [0] + 4 * [1.9465], atol=2e-4)
    more = build_cluster(rutile(), 0, n_atoms=6)
    assert len(more.kind) == 7  # four and two oxygen atoms, never five and a half shells


def test_radius_takes_everything_within() -> None:
    copper = Structure(Lattice.cubic(3.615), ["Cu"] * 4, [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    assert [len(build_cluster(copper, 0, radius_angstrom=r).kind) for r in (2.0, 2.6, 3.7, 4.5)] == [1, 13, 19, 43]
    assert build_cluster(copper, 0, radius_angstrom=2.6).kind.tolist() == [0] + 12 * [1]


@pytest.mark.parametrize("seed", range(3))
def test_rotation_translation_and_order_do_not_matter(seed: int) -> None:
    structure = rutile()
    other, site = turned(structure, seed)
    a, b = build_cluster(structure, 0, n_atoms=40), build_cluster(other, site, n_atoms=40)
    assert a.atomic_number.tolist() == b.atomic_number.tolist()
    assert a.kind.tolist() == b.kind.tolist()
    np.testing.assert_allclose(np.linalg.norm(a.position, axis=1), np.linalg.norm(b.position, axis=1), atol=1e-8)
    for x, y in zip(
        build_surroundings(structure, 0).neighbours, build_surroundings(other, site).neighbours, strict=True
    ):
        assert x.kind.tolist() == y.kind.tolist()
        np.testing.assert_allclose(x.distance, y.distance, atol=1e-8)


def test_molecule_alone_and_in_a_box() -> None:
    positions = [[0, 0, 0], [1.5, 0, 0], [-1.5, 0, 0], [0, 1.5, 0], [0, -1.5, 0]]
    alone = Molecule(["Si", "F", "F", "F", "F"], positions)
    boxed = Structure(Lattice.cubic(40), alone.species, np.array(positions) + 20, coords_are_cartesian=True)
    a, b = build_cluster(alone, 0), build_cluster(boxed, 0, n_atoms=5)
    np.testing.assert_allclose(np.linalg.norm(a.position, axis=1), np.linalg.norm(b.position, axis=1), atol=1e-9)
    assert len(a.kind) == 5
    x, y = build_surroundings(alone, 0), build_surroundings(boxed, 0)
    assert [len(n.distance) for n in x.neighbours] == [len(n.distance) for n in y.neighbours] == [4, 4, 4]


def test_two_thousand_atoms() -> None:
    big = rutile() * (7, 7, 7)
    assert len(big) == 2058
    small, large = build_cluster(rutile(), 0, n_atoms=60), build_cluster(big, 0, n_atoms=60)
    np.testing.assert_allclose(
        np.linalg.norm(small.position, axis=1), np.linalg.norm(large.position, axis=1), atol=1e-6
    )


def test_hydrogen_moves_away_for_the_potential_only() -> None:
    water = Molecule(["O", "H", "H"], [[0, 0, 0], [0.757, 0.586, 0], [-0.757, 0.586, 0]])
    length = float(np.hypot(0.757, 0.586)) / BOHR_ANGSTROM
    np.testing.assert_allclose(np.linalg.norm(build_cluster(water, 0).position[1:], axis=1), length)
    near = build_surroundings(water, 0).neighbours[0].distance
    np.testing.assert_allclose(near, length + 4 / length**2)


def test_messages() -> None:
    structure = rutile()
    with pytest.raises(DataError, match="site 6: the structure has 6 sites"):
        build_cluster(structure, 6)
    mixed = Structure(structure.lattice, [{"Ti": 0.5, "V": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(DataError, match="site 0 is partly occupied"):
        build_cluster(mixed, 1)
    dummy = Structure(structure.lattice, ["X", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(DataError, match="site 0 is X"):
        build_surroundings(dummy, 1)
    close = Structure(structure.lattice, ["Ti", "O", "O"], [[0, 0, 0], [0.4, 0.4, 0], [0.4, 0.4, 0.05]])
    with pytest.raises(DataError, match=r"site 1 \(O\) and site 2 \(O\) are 0.15 Å apart|site 2 .* site 1"):
        build_cluster(close, 0)
