"""Published compounds: formulas, charges, cells and bond-valence sums agree with chemistry."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.generation.relaxation import valence_sums
from engine.generation.standard import Compound, parse_ion, standard_compounds


def test_ions_are_parsed() -> None:
    assert parse_ion("Ti4+") == ("Ti", 4)
    assert parse_ion("F-") == ("F", -1)
    assert parse_ion("Cu") == ("Cu", None)
    with pytest.raises(DataError, match="need a symbol and a charge"):
        parse_ion("4+")


def test_every_compound_is_neutral_cited_and_spaced() -> None:
    compounds = standard_compounds()
    assert len(compounds) > 350
    for compound in compounds:
        assert compound.states is None or sum(compound.states) == 0
        assert len(compound.source) > 10
        distances = compound.structure.distance_matrix + 9 * np.eye(len(compound.structure))
        assert distances.min() > 0.9, compound.formula


@pytest.mark.parametrize(
    ("kind", "formula", "density"),
    [
        ("rutile", "TiO2", 4.25), ("anatase", "TiO2", 3.89), ("brookite", "TiO2", 4.13), ("corundum", "Fe2O3", 5.27),
        ("tenorite", "CuO", 6.51), ("cuprite", "Cu2O", 6.10), ("spinel", "Co3O4", 6.06), ("perovskite", "SrTiO3", 5.12),
        ("vanadium pentoxide", "V2O5", 3.37), ("olivine", "Mg2SiO4", 3.22), ("garnet", "Mg3Al2(SiO4)3", 3.56),
        ("calcite", "CaCO3", 2.71), ("rocksalt", "NaCl", 2.16), ("pyrite", "FeS2", 5.02), ("wurtzite", "ZnO", 5.68),
        ("face-centred cubic metal", "Cu", 8.93), ("diamond", "C", 3.52), ("chalcopyrite", "FeCuS2", 4.2),
    ],
)  # fmt: skip
def test_densities_are_the_handbooks(kind: str, formula: str, density: float) -> None:
    compound = next(c for c in standard_compounds() if (c.kind, c.formula) == (kind, formula))
    assert compound.structure.density == pytest.approx(density, rel=0.02)


def test_bond_valence_sums_of_published_oxides_are_near_their_states() -> None:
    def is_oxide(compound: Compound) -> bool:
        symbols = {element.symbol for element in compound.structure.elements}
        return compound.states is not None and "O" in symbols and not compound.model

    ratios = []
    for compound in filter(is_oxide, standard_compounds()):
        states = np.array(compound.states)
        ratios += (valence_sums(compound.structure, states)[states > 0] / states[states > 0]).tolist()
    assert np.quantile(np.abs(np.array(ratios) - 1), 0.9) < 0.25
