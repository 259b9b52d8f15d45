"""The manifest of embedded data: what it names is read and checked, what it must not name is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from engine.embedded.manifest import Embedded, data_folder, put_entry, read_embedded
from engine.errors import DataError
from tests.embedded_data import POINTS, STEP_EV, family, put_family, put_table

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two sets and no model."""
    put_family(tmp_path, {"Cu": family("Cu", 12), "Ni": family("Ni", 12)})
    put_table(tmp_path)
    return tmp_path


def read(folder: Path) -> Embedded:
    embedded = read_embedded(folder)
    assert embedded is not None
    return embedded


def rewrite(folder: Path, change: Change) -> None:
    path = folder / "manifest.toml"
    content = tomllib.loads(path.read_text())
    change(content)
    path.write_text(tomli_w.dumps(content))


def test_without_a_manifest_there_is_no_embedded_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_embedded(tmp_path) is None
    assert read_embedded(tmp_path / "nothing") is None
    monkeypatch.setenv("RANKAAE_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("RANKAAE_DATA")
    assert data_folder() == Path(__file__).resolve().parents[3] / "data"


def test_a_family_is_read_as_it_was_written(folder: Path) -> None:
    embedded = read(folder)
    assert [stored.name for stored in embedded.sets] == ["oxides-3d", "periodic-47"]
    spectra = embedded.spectra("oxides-3d", "Ni")
    assert set(spectra.element) == {"Ni"}
    np.testing.assert_array_equal(spectra.mu, family("Ni", 12).mu)
    for file in embedded.files:
        file.check()


def test_one_element_and_all_elements_of_a_common_table(folder: Path) -> None:
    embedded = read(folder)
    sodium = embedded.spectra("periodic-47", "Na")
    assert (len(sodium), sodium.origin) == (3, "made up, Na")
    np.testing.assert_allclose(sodium.energy_ev, 1066.0 + STEP_EV * np.arange(POINTS))
    table = embedded.table("periodic-47")
    assert table.mu.shape == (5, POINTS)
    assert table.sites["element"].tolist() == ["Na"] * 3 + ["Cl"] * 2
    np.testing.assert_array_equal(sodium.mu, table.mu[:3])
    np.testing.assert_allclose(table.relative_ev, STEP_EV * np.arange(POINTS))
    assert table.start_ev["Cl"] == 2817.0
    assert np.isnan(table.descriptors["CN"].iloc[4])
    with pytest.raises(DataError, match="kept in one file per element"):
        embedded.table("oxides-3d")


def test_unknown_names_are_answered_with_the_known(folder: Path) -> None:
    embedded = read(folder)
    with pytest.raises(DataError, match="names no set 'oxides'; it has oxides-3d, periodic-47"):
        embedded.set_of("oxides")
    with pytest.raises(DataError, match="has no Zn; it has Na, Cl"):
        embedded.spectra("periodic-47", "Zn")


def test_missing_and_changed_files_are_named(folder: Path) -> None:
    embedded = read(folder)
    copper, nickel = (embedded.set_of("oxides-3d").file_of(element) for element in ("Cu", "Ni"))
    copper.path.unlink()
    for look in (copper.check, lambda: embedded.spectra("oxides-3d", "Cu")):
        with pytest.raises(DataError, match=r"oxides-3d-Cu\.parquet: there is no such file"):
            look()
    content = bytearray(nickel.path.read_bytes())
    nickel.path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=rf"oxides-3d-Ni\.parquet: has {len(content) - 1} bytes; manifest.toml says"):
        nickel.check()
    content[100] ^= 1
    nickel.path.write_bytes(content)
    with pytest.raises(DataError, match=r"oxides-3d-Ni\.parquet: its SHA-256 begins with"):
        nickel.check()
    nickel.path.write_bytes(b"no table")
    with pytest.raises(DataError, match=r"oxides-3d-Ni\.parquet: not a readable Parquet file"):
        embedded.spectra("oxides-3d", "Ni")


def first_set(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["set"][0]
    return found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: first_set(c)["files"][0].update(path="../secret.parquet"), "leaves the folder"),
        (lambda c: first_set(c)["files"][0].update(path="/etc/passwd"), "leaves the folder"),
        (lambda c: first_set(c)["files"][0].update(path="a\0b"), "path"),
        (lambda c: first_set(c).update(card="."), "leaves the folder"),
        (lambda c: first_set(c).update(name="../x"), r"name is '\.\./x'; need letters"),
        (lambda c: first_set(c)["files"][0].update(sha256="12"), "need 64 hexadecimal digits"),
        (lambda c: first_set(c)["files"][0].update(bytes="many"), "set oxides-3d: bytes is 'many'; need int"),
        (lambda c: first_set(c).pop("elements"), "set oxides-3d: elements is missing; need list"),
        (lambda c: first_set(c).update(elements=[1]), r"elements is \[1\]; need a list of str"),
        (lambda c: first_set(c).update(files=[]), "files is empty"),
        (lambda c: first_set(c).update(elements=["Zn"]), "set oxides-3d: names no file for Zn"),
        (lambda c: c.update(set=3), "'set' must be a list of tables"),
        (lambda c: c.update(model=[{"name": "m", "set": "s", "element": "Cu"}]), "model m: path is missing"),
    ],
)
def test_a_manifest_that_cannot_be_right_is_refused(folder: Path, change: Change, message: str) -> None:
    rewrite(folder, change)
    with pytest.raises(DataError, match=rf"(?s)manifest\.toml: .*{message}"):
        read_embedded(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = folder / "periodic-47.parquet"
    outside = tmp_path_factory.mktemp("outside") / "table.parquet"
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(DataError, match="leaves the folder"):
        read_embedded(folder)


def test_text_that_is_no_toml_is_refused(folder: Path) -> None:
    (folder / "manifest.toml").write_text("[[set\n")
    with pytest.raises(DataError, match=r"manifest\.toml: cannot be read"):
        read_embedded(folder)
    with pytest.raises(DataError, match=r"manifest\.toml: cannot be read"):
        put_entry(folder, "set", {"name": "a"})


def test_entries_of_either_kind_leave_the_others_alone(tmp_path: Path) -> None:
    put_entry(tmp_path, "model", {"name": "b", "n": 1})
    put_entry(tmp_path, "set", {"name": "s"})
    put_entry(tmp_path, "model", {"name": "a"})
    put_entry(tmp_path, "model", {"name": "b", "n": 2})
    content = tomllib.loads((tmp_path / "manifest.toml").read_text())
    assert content == {"model": [{"name": "a"}, {"name": "b", "n": 2}], "set": [{"name": "s"}]}
