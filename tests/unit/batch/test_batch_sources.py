"""Where structures come from: files, folders, ids, and what is said when one is no good."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Molecule, Structure
from pymatgen.io.vasp.inputs import Poscar

from engine.batch.sites import boxed, choose_sites
from engine.batch.sources import read_sources
from engine.errors import ConfigError, DataError

RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.594, 2.958), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)
OXYGEN_FIRST = Structure(RUTILE.lattice, [*["O"] * 4, *["Ti"] * 2], [*RUTILE.frac_coords[2:], *RUTILE.frac_coords[:2]])
XYZ = "5\nmethane\nC 0 0 0\nH 0.63 0.63 0.63\nH -0.63 -0.63 0.63\nH -0.63 0.63 -0.63\nH 0.63 -0.63 -0.63\n"


def test_names_come_from_folders_for_poscar_and_from_files_otherwise(tmp_path: Path) -> None:
    (tmp_path / "mp-1").mkdir()
    (tmp_path / "mp-1" / "POSCAR").write_text(Poscar(RUTILE).get_str())
    RUTILE.to(str(tmp_path / "rutile.cif"))
    (tmp_path / "methane.xyz").write_text(XYZ)
    (tmp_path / "notes.txt").write_text("nothing")
    sources, failed = read_sources([str(tmp_path)])
    assert [s.material_id for s in sources] == ["methane", "mp-1", "rutile"]
    assert failed == []
    assert isinstance(sources[0].structure, Molecule)
    one, _ = read_sources([str(tmp_path / "mp-1" / "POSCAR")])
    assert one[0].material_id == "mp-1"
    assert len(one[0].structure) == 6


def test_what_cannot_be_read_is_listed_and_stops_nothing(tmp_path: Path) -> None:
    RUTILE.to(str(tmp_path / "a.cif"))
    (tmp_path / "bad.cif").write_text("_cell_length_a nonsense")
    (tmp_path / "bad.xyz").write_text("nonsense")
    (tmp_path / "deep").mkdir()
    RUTILE.to(str(tmp_path / "deep" / "a.cif"))
    sources, failed = read_sources([str(tmp_path)])
    assert [s.material_id for s in sources] == ["a"]
    assert {name for name, _ in failed} == {"a", "bad"}
    assert any("same name" in reason for _, reason in failed)
    assert any("cannot be read as XYZ" in reason for _, reason in failed)


def test_arguments_that_are_nothing_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nor a Materials Project id"):
        read_sources([str(tmp_path / "nowhere.cif")])
    with pytest.raises(ConfigError, match="no CIF, POSCAR or XYZ file"):
        read_sources([str(tmp_path)])


def test_an_id_needs_a_key_and_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MP_API_KEY", "PMG_MAPI_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="environment variable MP_API_KEY"):
        read_sources(["mp-2657"])
    monkeypatch.setenv("MP_API_KEY", "secret-key")
    monkeypatch.setitem(sys.modules, "mp_api", None)
    with pytest.raises(ConfigError, match="pip install mp-api"):
        read_sources(["mp-2657"])


def test_an_id_is_fetched_and_the_key_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def __init__(self, key: str, **_: object) -> None:
            assert key == "secret-key"

        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_: object) -> None: ...

        def get_structure_by_material_id(self, identifier: str) -> Structure:
            if identifier == "mp-1":
                raise ValueError("no access with key secret-key")
            return RUTILE

    package, module = types.ModuleType("mp_api"), types.ModuleType("mp_api.client")
    module.MPRester = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mp_api", package)
    monkeypatch.setitem(sys.modules, "mp_api.client", module)
    monkeypatch.setenv("MP_API_KEY", "secret-key")
    sources, failed = read_sources(["mp-2657", "mp-1"])
    assert sources[0].structure == RUTILE
    assert failed[0][0] == "mp-1"
    assert "secret-key" not in failed[0][1]


def test_distinct_sites_stand_for_their_class() -> None:
    sites = choose_sites("m", RUTILE, "O", all_sites=False)
    assert [(s.index, s.multiplicity, s.site_id) for s in sites] == [(2, 4, "m_002")]
    assert [s.index for s in choose_sites("m", RUTILE, "O", all_sites=True)] == [2, 3, 4, 5]
    assert [(s.index, s.multiplicity) for s in choose_sites("m", OXYGEN_FIRST, "Ti", all_sites=False)] == [(4, 2)]
    distorted = RUTILE.copy()
    distorted.translate_sites([0, 3], [0.01, 0.02, 0.03])
    assert len(choose_sites("m", distorted, "O", all_sites=False)) == 4


def test_sites_that_cannot_be_are_errors() -> None:
    with pytest.raises(DataError, match="no Cu; it has O, Ti"):
        choose_sites("m", RUTILE, "Cu", all_sites=False)
    with pytest.raises(DataError, match="'Xx' is not a chemical element"):
        choose_sites("m", RUTILE, "Xx", all_sites=False)
    shared = Structure(Lattice.cubic(4), [{"Ti": 0.5, "V": 0.5}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(DataError, match="partial occupancy"):
        choose_sites("m", shared, "O", all_sites=False)


def test_a_molecule_in_its_box_keeps_order_and_distances() -> None:
    molecule = Molecule.from_str(XYZ, fmt="xyz")
    box = boxed(molecule)
    assert [s.specie.symbol for s in box] == ["C", "H", "H", "H", "H"]
    assert box.get_distance(0, 1) == pytest.approx(molecule.get_distance(0, 1))
    assert len(box.get_neighbors(box[0], 10.0)) == 4
