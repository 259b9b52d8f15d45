"""A site's spectrum from end to end: one sane edge, no dependence on how the structure is written, clear messages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Molecule, Structure
from scipy.spatial.transform import Rotation

from engine.errors import ConfigError, DataError
from engine.simulation import multiple_scattering
from engine.simulation.cluster import build_surroundings
from engine.simulation.core_hole import edge_energy_ev, half_width_ev
from engine.simulation.potential import neutral_muffin_tin, overlapped_atoms
from engine.simulation.simulate import DENSITY_CLUSTERS, Settings, simulate_site

SMALL = Settings(n_atoms=15, lmax=2)


def copper_oxide() -> Structure:
    lattice = Lattice.monoclinic(4.684, 3.423, 5.129, 99.54)
    return Structure.from_spacegroup("C2/c", lattice, ["Cu", "O"], [[0.25, 0.25, 0], [0, 0.4184, 0.25]])


def shuffled(structure: Structure, seed: int) -> tuple[Structure, int]:
    """The same crystal turned, moved and with its sites in another order; where site 0 went."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(structure))
    matrix = structure.lattice.matrix @ Rotation.random(random_state=rng).as_matrix()
    species = [structure[int(i)].specie for i in order]
    moved = Structure(Lattice(matrix), species, structure.frac_coords[order] + rng.random(3))
    return moved, int(np.flatnonzero(order == 0)[0])


def test_lifetime_and_tabulated_edge() -> None:
    assert 2 * half_width_ev(29) == pytest.approx(1.729, abs=1e-3)  # as FEFF prints it
    assert edge_energy_ev("Cu") == 8979.0
    with pytest.raises(DataError, match="no K edge energy is tabulated for U"):
        edge_energy_ev("U")


def test_potential_does_not_depend_on_how_the_structure_is_written() -> None:
    structure = copper_oxide()
    other, site = shuffled(structure, 1)
    a = neutral_muffin_tin(overlapped_atoms(build_surroundings(structure, 0)))
    b = neutral_muffin_tin(overlapped_atoms(build_surroundings(other, site)))
    np.testing.assert_allclose(a.radius, b.radius, atol=1e-8)
    np.testing.assert_allclose(a.potential, b.potential, rtol=1e-8, atol=1e-8)
    assert a.fermi_energy == pytest.approx(b.fermi_energy, abs=1e-8)


def test_neutral_spheres_hold_their_electrons() -> None:
    base = overlapped_atoms(build_surroundings(copper_oxide(), 0))
    muffin_tin = neutral_muffin_tin(base, hole=False)
    assert muffin_tin.interstitial_density > 0
    assert (muffin_tin.radius < muffin_tin.norman_radius).all()
    assert -30 / 27.2 < muffin_tin.interstitial_potential < -8 / 27.2
    assert base.core_shift < 0


@pytest.mark.slow
def test_copper_oxide_has_one_sane_edge() -> None:
    spectrum = simulate_site(copper_oxide(), 0, SMALL)
    assert spectrum.mode == "fast"
    assert spectrum.notes == ()
    mu, relative = spectrum.mu, spectrum.relative_ev
    assert (mu > 0).all()
    assert mu[0] < 0.05
    assert mu.max() < 2.5
    half = relative[np.argmax(mu >= 0.5)]
    assert 1 < half < 12
    assert abs(mu[relative > 30].mean() - 1) < 0.15
    assert np.abs(np.diff(mu)).max() < 0.25
    assert spectrum.mu0[np.argmin(np.abs(relative - 50))] == pytest.approx(1, abs=1e-6)
    assert 8975 < spectrum.energy_ev[np.argmax(mu >= 0.5)] < 8995


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [(torch.complex64, 5e-3), (torch.complex128, 1e-8)])
def test_spectrum_does_not_depend_on_how_the_structure_is_written(
    precision: torch.dtype, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To rounding in double precision; in single precision the density may converge an iteration earlier or later."""
    monkeypatch.setattr(multiple_scattering, "PRECISION", precision)
    monkeypatch.setitem(DENSITY_CLUSTERS, "fast", ((15, 2),))
    structure = copper_oxide()
    other, site = shuffled(structure, 2)
    a, b = simulate_site(structure, 0, SMALL), simulate_site(other, site, SMALL)
    np.testing.assert_allclose(a.mu, b.mu, atol=tolerance)
    np.testing.assert_allclose(a.energy_ev, b.energy_ev, atol=1e-6)


@pytest.mark.slow
def test_molecule_in_a_box_is_the_molecule() -> None:
    positions = np.array(
        [[0, 0, 0], [1.05, 1.05, 1.05], [-1.05, -1.05, 1.05], [-1.05, 1.05, -1.05], [1.05, -1.05, -1.05]]
    )
    species = ["Ti", "Cl", "Cl", "Cl", "Cl"]
    alone = simulate_site(Molecule(species, positions * 1.19), 0, SMALL)
    box = Structure(Lattice.cubic(30), species, positions * 1.19 + 15, coords_are_cartesian=True)
    boxed = simulate_site(box, 0, Settings(radius_angstrom=6, lmax=2))
    np.testing.assert_allclose(alone.mu, boxed.mu, atol=1e-3)


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="mode is 'best'"):
        Settings(mode="best")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="lmax is 9"):
        Settings(lmax=9)
    with pytest.raises(ConfigError, match="n_atoms is 0"):
        Settings(n_atoms=0)
    assert Settings().parameters()["mode"] == "fast"
