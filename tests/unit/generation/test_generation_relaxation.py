"""Relaxation: closed forms, published volumes, and the gradient against differences."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from engine.errors import DataError
from engine.generation import relaxation
from engine.generation.chemistry import ideal_bond
from engine.generation.relaxation import instability, relax, scale_to_valence, valence_sums
from engine.generation.standard import Compound, standard_compounds


def published(kind: str, formula: str) -> Compound:
    return next(c for c in standard_compounds() if (c.kind, c.formula) == (kind, formula))


def test_the_volume_of_rock_salt_is_that_of_six_equal_bonds() -> None:
    wrong = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.0), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    scaled = scale_to_valence(wrong, [2] * 4 + [-2] * 4)
    # Eight farther oxygens add a little to the valence, which makes the bonds a little longer than alone.
    assert scaled.lattice.a / 2 == pytest.approx(ideal_bond("Mg", 2, "O", 6), abs=0.02)
    np.testing.assert_allclose(valence_sums(scaled, [2] * 4 + [-2] * 4), 2.0, atol=0.01)  # sums end at 4.5 Å


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        ("rutile", "TiO2"), ("corundum", "Cr2O3"), ("corundum", "Fe2O3"), ("tenorite", "CuO"), ("spinel", "MgCr2O4"),
        ("orthorhombic perovskite", "LaMnO3"), ("olivine", "Mg2SiO4"), ("perovskite", "SrTiO3"), ("wurtzite", "ZnO"),
    ],
)  # fmt: skip
def test_relaxed_volumes_are_within_five_percent_of_published_ones(kind: str, formula: str) -> None:
    compound = published(kind, formula)
    assert compound.states is not None
    start = compound.structure.copy()
    start.scale_lattice(1.3 * start.volume)
    relaxed = relax(scale_to_valence(start, compound.states), compound.states)
    assert relaxed.volume == pytest.approx(compound.structure.volume, rel=0.05)
    assert instability(relaxed, compound.states) < 0.02


def test_relaxation_brings_displaced_atoms_back_to_their_valences_and_keeps_symmetry() -> None:
    compound = published("rutile", "TiO2")
    assert compound.states is not None
    stretched = compound.structure.copy()
    stretched.apply_strain([0.04, 0.04, -0.03])
    before = SpacegroupAnalyzer(stretched, 0.01).get_space_group_number()
    relaxed = relax(stretched, compound.states)
    assert instability(stretched, compound.states) > 10 * instability(relaxed, compound.states)
    assert SpacegroupAnalyzer(relaxed, 0.01).get_space_group_number() == before == 136


def test_the_gradient_is_that_of_the_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    compound = published("olivine", "Mg2SiO4")
    assert compound.states is not None

    def check(fun, x0, **_):  # type: ignore[no-untyped-def]
        x = 0.004 * np.random.default_rng(0).normal(size=x0.size)
        gradient = fun(x)[1]
        for k in (0, 5, 40, x.size - 9, x.size - 5, x.size - 2):
            step = np.zeros(x.size)
            step[k] = 1e-6
            numeric = (fun(x + step)[0] - fun(x - step)[0]) / 2e-6
            assert gradient[k] == pytest.approx(numeric, rel=1e-4, abs=1e-6)
        raise StopIteration

    monkeypatch.setattr(relaxation, "minimize", check)
    crowded = compound.structure.copy()
    crowded.scale_lattice(0.8 * crowded.volume)
    with pytest.raises(StopIteration):
        relax(crowded, compound.states)


def test_no_volume_is_an_error() -> None:
    far = Structure(Lattice.cubic(60.0), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(DataError, match="no volume gives"):
        scale_to_valence(far, [2, -2])
