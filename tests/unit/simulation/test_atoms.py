"""Free atoms against published totals, exact limits and conservation laws; and the cache they are kept in."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engine.simulation import atoms, xc
from engine.simulation.atoms import free_atom
from engine.simulation.exchange import coupling, kli_exchange
from engine.simulation.free_atom import (
    RADII,
    SolvedAtom,
    bonding_configuration,
    configuration,
    hartree_potential,
    local_exchange,
    solve,
    sum_of_states,
)
from engine.simulation.radial import integrate
from engine.simulation.units import HARTREE_EV

SPHERE = 4 * np.pi * RADII**2


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RANKAAE_CACHE", str(tmp_path / "atoms"))
    free_atom.cache_clear()
    return tmp_path / "atoms"


def without_relativity(z: int, exchange) -> SolvedAtom:
    return solve(z, configuration(z), exchange, light_speed=np.inf)


def energy_of(solved: SolvedAtom, n: int, angular: int) -> float:
    return next(state.energy for state in solved.states if (state.n, state.l) == (n, angular))


# Kotochigova, Levine, Shirley, Stiles & Clark, Phys. Rev. A 55, 191 (1997): LDA (VWN), not relativistic.
@pytest.mark.parametrize(
    ("z", "total"),
    [
        (1, -0.445671),
        (2, -2.834836),
        (10, -128.233481),
        (18, -525.946195),
        (29, -1637.785861),
        (36, -2750.147940),
        (54, -7228.856107),
        (86, -21861.346869),
    ],
)
def test_total_energies_of_published_tables(z: int, total: float) -> None:
    solved = without_relativity(z, local_exchange(xc.vwn_potential, xc.vwn_energy_density))
    assert solved.total_energy == pytest.approx(total, rel=2e-6)


def test_levels_of_published_tables() -> None:
    vwn = local_exchange(xc.vwn_potential, xc.vwn_energy_density)
    assert energy_of(without_relativity(10, vwn), 2, 1) == pytest.approx(-0.498034, abs=2e-6)
    copper = without_relativity(29, vwn)
    assert energy_of(copper, 3, 2) == pytest.approx(-0.202272, abs=2e-6)
    assert energy_of(copper, 4, 0) == pytest.approx(-0.172056, abs=2e-6)


@pytest.mark.parametrize("z", [2, 10, 21, 36])
def test_virial_theorem_for_exchange_that_scales_as_the_coulomb_energy(z: int) -> None:
    solved = without_relativity(z, local_exchange(xc.exchange_potential, lambda n: n * xc.exchange_energy(n)))
    density = sum_of_states(solved.states, solved.occupation)
    potential = solved.hartree - z / RADII + xc.exchange_potential(density / SPHERE)
    kinetic = solved.occupation @ [s.energy for s in solved.states] - integrate(density * potential, RADII)
    assert solved.total_energy == pytest.approx(-kinetic, rel=1e-6)


def test_exact_exchange_of_one_and_two_electrons() -> None:
    exact = partial(kli_exchange, r=RADII)
    hydrogen = without_relativity(1, exact)
    assert hydrogen.total_energy == pytest.approx(-0.5, abs=1e-8)
    helium = without_relativity(2, exact)
    assert energy_of(helium, 1, 0) == pytest.approx(-0.91796, abs=1e-5)  # Hartree-Fock
    assert helium.total_energy == pytest.approx(-2.861680, abs=1e-6)


def test_exact_exchange_of_neon_and_argon() -> None:
    # Totals: Krieger, Li & Iafrate, Phys. Rev. A 45, 101 (1992). <r^2> is that of Hartree-Fock, a little different.
    exact = partial(kli_exchange, r=RADII)
    neon = without_relativity(10, exact)
    assert neon.total_energy == pytest.approx(-128.5448, abs=1e-4)
    spread = integrate(sum_of_states(neon.states, neon.occupation) * RADII**2, RADII)
    assert spread == pytest.approx(9.372, rel=1e-3)
    assert without_relativity(18, exact).total_energy == pytest.approx(-526.8105, abs=1e-4)


def test_exact_exchange_falls_as_one_over_r() -> None:
    solved = without_relativity(18, partial(kli_exchange, r=RADII))
    potential, _ = kli_exchange(solved.states, solved.occupation, RADII)
    far = RADII > 11
    np.testing.assert_allclose(potential[far] * RADII[far], -1, atol=0.015)


def test_exchange_couplings() -> None:
    # Squares of 3j symbols, and their sum rule over k.
    assert coupling(1, 2, 1) == pytest.approx(2 / 15)
    assert coupling(2, 2, 2) == pytest.approx(2 / 35)
    assert coupling(1, 1, 2) == pytest.approx(2 / 15)
    assert sum((2 * k + 1) * coupling(3, k, 2) for k in range(6)) == pytest.approx(1)


def test_hartree_potential_of_a_hydrogen_density() -> None:
    density = 4 * RADII**2 * np.exp(-2 * RADII)
    np.testing.assert_allclose(
        hartree_potential(density), 1 / RADII - np.exp(-2 * RADII) * (1 + 1 / RADII), rtol=1e-7, atol=1e-8
    )


def test_configurations() -> None:
    assert configuration(6) == ((1, 0, 2), (2, 0, 2), (2, 1, 2))
    assert configuration(24)[-2:] == ((3, 2, 5), (4, 0, 1))
    assert configuration(29)[-2:] == ((3, 2, 10), (4, 0, 1))
    assert configuration(46)[-1] == (4, 2, 10)
    assert (4, 3, 7) in configuration(64)
    assert (5, 2, 1) in configuration(64)
    for z in range(1, 98):
        assert sum(electrons for _, _, electrons in configuration(z)) == z
    assert sum(electrons for _, _, electrons in configuration(29, core_hole=True)) == 29
    with pytest.raises(ValueError, match="atomic number 0"):
        configuration(0)
    with pytest.raises(ValueError, match="atomic number 98"):
        configuration(98)


@pytest.mark.parametrize("method", ["lda", "kli"])
@pytest.mark.parametrize("z", [1, 3, 13, 26, 46, 58, 92])
def test_atoms_hold_their_electrons(z: int, method: atoms.Method) -> None:
    atom = free_atom(z, method)
    assert integrate(atom.density * SPHERE, RADII) == pytest.approx(z, abs=1e-6)
    core = sum(level.occupation for level in atom.levels if atoms.is_core(level))
    assert integrate(atom.core_density * SPHERE, RADII) == pytest.approx(core, abs=1e-6)
    assert atom.coulomb[0] * RADII[0] == pytest.approx(-z, rel=0.01)
    assert abs(atom.coulomb[-1]) < 1e-6
    assert all(level.energy < 0 for level in atom.levels)


def test_core_of_titanium_and_germanium() -> None:
    def core(z: int) -> set[tuple[int, int]]:
        return {(level.n, level.l) for level in free_atom(z).levels if atoms.is_core(level)}

    assert core(22) == {(1, 0), (2, 0), (2, 1), (3, 0)}
    assert core(32) == {(1, 0), (2, 0), (2, 1), (3, 0), (3, 1)}


def test_relativity_deepens_and_contracts_copper() -> None:
    slow = without_relativity(29, local_exchange(xc.lda_potential, xc.lda_energy_density))
    copper = free_atom(29)
    assert copper.levels[0].energy < energy_of(slow, 1, 0) - 3
    assert copper.levels[-1].energy < energy_of(slow, 4, 0)
    assert copper.levels[-2].energy > energy_of(slow, 3, 2)


def test_core_hole_costs_about_the_binding_energy_of_copper() -> None:
    # Total energies of two neutral atoms; measured K edge: Bearden & Burr, Rev. Mod. Phys. 39, 125 (1967).
    cost = free_atom(29, core_hole=True).total_energy - free_atom(29).total_energy
    assert cost * HARTREE_EV == pytest.approx(8979, rel=0.005)
    assert free_atom(29, core_hole=True).levels[0].occupation == 1


def test_an_atom_is_computed_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_atom(8)
    assert free_atom(8) is first
    assert len(list(cache.iterdir())) == 1
    free_atom.cache_clear()
    monkeypatch.setattr(atoms, "solve", None)
    second = free_atom(8)
    assert second.levels == first.levels
    assert second.total_energy == first.total_energy
    np.testing.assert_array_equal(second.density, first.density)
    np.testing.assert_array_equal(second.orbital_1s, first.orbital_1s)
    with pytest.raises(ValueError, match="read-only"):
        second.coulomb[0] = 0


def test_a_damaged_file_is_replaced(cache: Path) -> None:
    whole = free_atom(8)
    (path,) = cache.iterdir()
    content = path.read_bytes()
    scaled = atoms.load(content)
    scaled["level_density"] = scaled["level_density"] * 1.01
    other = atoms.load(content)
    other["levels"][2, 2] = 5
    for damage in (b"", b"not an atom", content[:-100], atoms.save(scaled), atoms.save(other)):
        path.write_bytes(damage)
        free_atom.cache_clear()
        np.testing.assert_array_equal(free_atom(8).density, whole.density)
        assert path.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RANKAAE_CACHE", str(tmp_path / "file"))
    assert free_atom(2).levels[0].occupation == 2


def test_atoms_on_their_way_into_a_solid() -> None:
    assert bonding_configuration(6)[1:] == ((2, 0, 1), (2, 1, 3))
    assert bonding_configuration(20)[-2:] == ((4, 0, 1), (4, 1, 1))
    assert bonding_configuration(24)[-3:] == ((3, 2, 4), (4, 0, 1), (4, 1, 1))
    assert bonding_configuration(29) == configuration(29)
    for z in range(1, 97):
        assert sum(electrons for _, _, electrons in bonding_configuration(z)) == z
