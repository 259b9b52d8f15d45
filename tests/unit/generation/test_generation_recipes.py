"""Prototypes, substitution and both recipes: neutral, plausible, new, and the same for the same seed."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from engine.embedded.manifest import data_folder, read_embedded
from engine.errors import DataError
from engine.generation.materials import Material, build, check, is_new, material_id_of
from engine.generation.oxides import SITES_OF, oxide_classes, oxide_materials
from engine.generation.periodic import ELEMENTS, GROUPS, allotropes, periodic_classes, periodic_materials
from engine.generation.prototypes import SALTS, prototypes
from engine.generation.relaxation import instability
from engine.generation.standard import standard_compounds
from engine.generation.substitution import Substitution, substitutions
from engine.structures import describe_sites


def test_prototypes_have_the_slots_of_their_type() -> None:
    found = {p.name: [(s.coordination, s.planar) for s in p.slots] for p in prototypes()}
    assert found["spinel"] == [(6, False), (4, False)]
    assert found["perovskite"] == [(12, False), (6, False)]
    assert found["infinite layer"] == [(8, False), (4, True)]
    assert found["cuprite"] == [(2, False)]
    assert found["zircon"] == [(4, False), (8, False)]  # one of pymatgen's
    assert found["copper germanate"] == [(4, True), (4, False)]
    assert found["dolomite"] == [(3, False), (6, False), (6, False)]
    assert found["strontium copper borate"] == [(3, False), (4, True), (8, False)]
    assert set(found) >= SALTS
    assert len(found) > 60


def test_substitutions_are_neutral_and_know_famous_compounds() -> None:
    by_name = {p.name: p for p in prototypes()}
    perovskites = {s.formula for s in substitutions(by_name["perovskite"], "Ti", (2, 3, 4), "O")}
    assert {"SrTiO3", "BaTiO3"} <= perovskites
    for chosen in islice(substitutions(by_name["spinel"], "Mn", (2, 3, 4), "O"), 20):
        charge = sum(q * len(slot.index) for (_, q), slot in zip(chosen.ions, chosen.prototype.slots, strict=True))
        assert charge == 2 * len(chosen.prototype.anions)
        assert len({symbol for symbol, _ in chosen.ions}) == len(set(chosen.ions))


def test_a_built_copy_is_repeatable_fits_its_valences_and_shares_the_material() -> None:
    chosen = next(substitutions(next(p for p in prototypes() if p.name == "ilmenite"), "Ni", (2,), "O"))
    first, again, other = build(chosen, 1, 0), build(chosen, 1, 0), build(chosen, 2, 0)
    np.testing.assert_array_equal(first.structure.frac_coords, again.structure.frac_coords)
    assert first.material_id == other.material_id == material_id_of(chosen)
    assert (first.structure_id, other.structure_id) == (f"{first.material_id}-v1", f"{first.material_id}-v2")
    assert first.states is not None
    assert instability(first.structure, first.states) < 0.25
    assert not np.allclose(first.structure.lattice.abc, other.structure.lattice.abc, atol=1e-3)


def test_atoms_too_near_are_refused() -> None:
    crowded = Structure(Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.2, 0, 0]])
    with pytest.raises(DataError, match=r"Mg and O are 0\.84 Å apart"):
        check(Material("m", "m-v0", crowded, (2, -2), "", "", 0, True))


def test_equal_surroundings_are_not_new() -> None:
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    seen: list[np.ndarray] = []
    assert is_new(salt, 0, seen)
    assert not is_new(salt, 1, seen)
    assert is_new(salt, 4, seen)


def test_oxide_sites_are_sound_balanced_and_repeatable() -> None:
    first = list(oxide_materials("Fe", sites=24, seed=3))
    again = list(oxide_materials("Fe", sites=24, seed=3))
    assert [(m.structure_id, s) for m, s in first] == [(m.structure_id, s) for m, s in again]
    structures = {m.structure_id: m.structure for m, _ in first}
    sites = [(m.structure_id, i) for m, chosen in first for i in chosen]
    assert len(sites) == 24
    frame = describe_sites(structures, sites, ["OS", "CN", "OCN", "NNRS", "MOOD", "O_FRAC"]).frame
    assert frame.notna().all().all()
    assert (frame["O_FRAC"] == 1).all()
    assert {2, 3} <= set(frame["OS"])
    assert {4, 6} <= set(frame["CN"])
    assert max(len(m.structure) for m, _ in first) <= 80
    assert max(Counter(m.kind for m, chosen in first for _ in chosen).values()) <= 4  # 15 % of 24
    with pytest.raises(DataError, match="no oxide family of Sc"):
        next(oxide_materials("Sc", sites=1))


def test_zinc_has_one_state_four_to_six_neighbours_and_its_reference_compounds() -> None:
    found = list(oxide_materials("Zn", sites=20))
    published = {m.material_id for m, _ in found if m.published}
    assert {"wurtzite-Zn2-O", "calcite-C4-Zn2-O"} <= published
    structures = {m.structure_id: m.structure for m, _ in found}
    frame = describe_sites(structures, [(m.structure_id, i) for m, c in found for i in c], ["OS", "CN"]).frame
    assert set(frame["OS"]) == {2}
    assert set(frame["CN"]) == {4, 5, 6}
    for candidates in oxide_classes("Zn", 0).values():
        for chosen in candidates:
            if isinstance(chosen, Substitution):
                slots = zip(chosen.prototype.slots, chosen.ions, strict=True)
                assert {slot.coordination for slot, (symbol, _) in slots if symbol == "Zn"} <= {4, 5, 6}


@pytest.mark.parametrize("element", ["Ni", "Cu"])
def test_a_family_begins_with_the_materials_of_the_embedded_set(element: str) -> None:
    embedded = read_embedded(data_folder())
    assert embedded is not None
    stored = [site.rsplit("_", 1)[0] for site in embedded.spectra("oxides-3d", element).site_id]
    made = [m.structure_id for m, _ in islice(oxide_materials(element, sites=SITES_OF[element]), 12)]
    assert made == list(dict.fromkeys(stored))[:12]


def test_periodic_set_reaches_every_element() -> None:
    assert len(ELEMENTS) == 47
    assert ELEMENTS[0] == "H"
    assert ELEMENTS[-1] == "Sb"
    have = {e.symbol for c in standard_compounds() for e in c.structure.elements}
    assert set(ELEMENTS) <= have


def test_periodic_sites_come_from_several_groups() -> None:
    assert set(periodic_classes("Zn", 0)) == set(GROUPS)
    given = list(periodic_materials("Cl", sites=10))
    assert sum(len(chosen) for _, chosen in given) == 10
    assert all(m.structure[i].specie.symbol == "Cl" for m, chosen in given for i in chosen)


def test_allotropes_keep_the_volume_per_atom() -> None:
    copper = next(c for c in standard_compounds() if c.formula == "Cu" and c.states is None)
    made = allotropes("Cu")
    assert {c.kind for c in made} == {"body-centred cubic metal", "hexagonal close-packed metal"}
    for compound in made:
        assert compound.structure.volume / len(compound.structure) == pytest.approx(copper.structure.volume, rel=1e-6)
    assert allotropes("C") == []
