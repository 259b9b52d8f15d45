"""What the folder of embedded data holds: ``manifest.toml`` read and checked, its sets read, its entries written.

The manifest names sets (``[[set]]``) and models (``[[model]]``) with the size and SHA-256 of each of their files. Paths
in it are relative to its folder and stay inside it.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w

from engine.errors import DataError
from engine.io import StepTable, load_set, read_steps
from engine.io.files import atomic_target, check_file
from engine.spectra import SpectraSet

MANIFEST = "manifest.toml"
VARIABLE = "RANKAAE_DATA"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredFile:
    """One file of the embedded data, with the size and SHA-256 (hex) that the manifest gives."""

    path: Path
    sha256: str
    bytes: int

    def check(self) -> None:
        """DataError when the file is missing or is not the one that the manifest names."""
        size = check_file(self.path)
        if size != self.bytes:
            raise DataError(f"{self.path}: has {size} bytes; {MANIFEST} says {self.bytes}; make it again")
        found = sha256_of(self.path)
        if found != self.sha256:
            raise DataError(
                f"{self.path}: its SHA-256 begins with {found[:12]}; {MANIFEST} says {self.sha256[:12]}; make it again"
            )


@dataclass(frozen=True)
class StoredSet:
    """An embedded set of n ``spectra``: one file per element, ``<name>-<element>.parquet``, or one for all.

    ``atlas`` is the file of its map, or None.
    """

    name: str
    title: str
    card: Path
    spectra: int
    elements: tuple[str, ...]
    files: tuple[StoredFile, ...]
    atlas: StoredFile | None = None

    def file_of(self, element: str) -> StoredFile:
        """The file that holds the spectra of ``element``; DataError when the set has none."""
        if element not in self.elements:
            raise DataError(f"{self.name}: has no {element}; it has {', '.join(self.elements)}")
        return self._files_of(element)[0]

    def has_file_of(self, element: str) -> bool:
        """Whether one of the files is that of ``element``."""
        return bool(self._files_of(element))

    def _files_of(self, element: str) -> list[StoredFile]:
        names = (f"{self.name}-{element}.parquet", f"{self.name}.parquet")
        return [file for name in names for file in self.files if file.path.name == name]


@dataclass(frozen=True)
class StoredModel:
    """A trained run on one element of an embedded set; ``path`` is its run folder, ``selected`` the preferred seed."""

    name: str
    set_name: str
    element: str
    path: Path
    descriptors: tuple[str, ...]
    free_axes: int
    seeds: tuple[int, ...]
    selected: int
    files: tuple[StoredFile, ...]


@dataclass(frozen=True)
class Embedded:
    """The sets and models that the manifest of ``folder`` (absolute) names."""

    folder: Path
    sets: tuple[StoredSet, ...]
    models: tuple[StoredModel, ...]

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """Every file that the manifest names."""
        groups = [stored.files for stored in self.sets] + [model.files for model in self.models]
        maps = [stored.atlas for stored in self.sets if stored.atlas]
        return tuple(file for files in [*groups, maps] for file in files)

    def set_of(self, name: str) -> StoredSet:
        """The set called ``name``; DataError lists those there are."""
        found = next((stored for stored in self.sets if stored.name == name), None)
        if found is None:
            there = ", ".join(stored.name for stored in self.sets) or "none"
            raise DataError(f"{self.folder / MANIFEST}: names no set '{name}'; it has {there}")
        return found

    def spectra(self, name: str, element: str) -> SpectraSet:
        """The spectra of one element of the set ``name``, as stored."""
        return load_set(self.set_of(name).file_of(element).path, element)

    def table(self, name: str) -> StepTable:
        """All elements of a set that is kept in one file, each on energies relative to its own start."""
        return read_steps(self.common_file(name))

    def common_file(self, name: str) -> Path:
        """The file of all elements of a set; DataError when it is kept in one file per element."""
        path = next((file.path for file in self.set_of(name).files if file.path.name == f"{name}.parquet"), None)
        if path is None:
            raise DataError(f"{name}: is kept in one file per element; it has no common table")
        return path


def data_folder() -> Path:
    """Where the embedded data is: what RANKAAE_DATA names, or ``data`` in the repository that the program runs from."""
    default = Path(__file__).resolve().parents[2] / "data"
    return Path(os.environ.get(VARIABLE) or default).expanduser().resolve()


def read_embedded(folder: Path) -> Embedded | None:
    """What the manifest of ``folder`` names, or None without a manifest; DataError when it cannot be right.

    Whether the files are there, and are those that the manifest means, is seen when they are read or checked.
    """
    folder = folder.resolve()
    if not (folder / MANIFEST).exists():
        return None
    content = _read(folder)
    reader = _Reader(folder)
    sets = tuple(reader.stored_set(entry) for entry in _entries(folder, content, "set"))
    models = tuple(reader.stored_model(entry) for entry in _entries(folder, content, "model"))
    return Embedded(folder, sets, models)


def put_entry(folder: Path, kind: Literal["set", "model"], entry: Mapping[str, Any]) -> None:
    """Puts an entry into the manifest of ``folder`` in place of the one of the same kind and name; keeps the others."""
    content = _read(folder) if (folder / MANIFEST).is_file() else {}
    others = [other for other in _entries(folder, content, kind) if other.get("name") != entry["name"]]
    content[kind] = sorted([*others, dict(entry)], key=lambda other: str(other.get("name")))
    with atomic_target(folder / MANIFEST) as temporary:
        temporary.write_text(tomli_w.dumps(content), encoding="utf-8")


def put_map(folder: Path, name: str, path: Path) -> None:
    """Names the file ``path`` as the map of the set ``name`` in the manifest of ``folder``."""
    entry = next((entry for entry in _entries(folder, _read(folder), "set") if entry.get("name") == name), None)
    if entry is None:
        raise DataError(f"{folder / MANIFEST}: names no set '{name}'")
    put_entry(folder, "set", {**entry, "atlas": file_entry(path, folder)})


def file_entry(path: Path, folder: Path) -> dict[str, Any]:
    """What the manifest of ``folder`` says of a file: its path in the folder, SHA-256 and size."""
    return {"path": path.relative_to(folder).as_posix(), "sha256": sha256_of(path), "bytes": path.stat().st_size}


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    check_file(path, 10_000_000)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _entries(folder: Path, content: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    entries = content.get(kind, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{folder / MANIFEST}: '{kind}' must be a list of tables, written [[{kind}]]")
    return entries


class _Reader:
    """Entries of one manifest as typed values; a DataError names the manifest, the entry, and what is wrong in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def stored_set(self, entry: Mapping[str, Any]) -> StoredSet:
        name = self._name(entry, "name", "[[set]]")
        where = f"set {name}"
        stored = StoredSet(
            name=name,
            title=self._get(entry, "title", str, where),
            card=self._path(self._get(entry, "card", str, where), where),
            spectra=self._get(entry, "spectra", int, where),
            elements=self._list(entry, "elements", str, where),
            files=self._files(entry, where),
            atlas=self._file(self._get(entry, "atlas", dict, where), where) if "atlas" in entry else None,
        )
        for element in stored.elements:
            if not stored.has_file_of(element):
                raise self._wrong(where, f"names no file for {element}")
        return stored

    def stored_model(self, entry: Mapping[str, Any]) -> StoredModel:
        name = self._name(entry, "name", "[[model]]")
        where = f"model {name}"
        return StoredModel(
            name=name,
            set_name=self._name(entry, "set", where),
            element=self._name(entry, "element", where),
            path=self._path(self._get(entry, "path", str, where), where),
            descriptors=self._list(entry, "descriptors", str, where),
            free_axes=self._get(entry, "free_axes", int, where),
            seeds=self._list(entry, "seeds", int, where),
            selected=self._get(entry, "selected", int, where),
            files=self._files(entry, where),
        )

    def _files(self, entry: Mapping[str, Any], where: str) -> tuple[StoredFile, ...]:
        files = tuple(self._file(file, where) for file in self._list(entry, "files", dict, where))
        if not files:
            raise self._wrong(where, "files is empty; need at least one")
        return files

    def _file(self, file: Mapping[str, Any], where: str) -> StoredFile:
        path = self._path(self._get(file, "path", str, where), where)
        digest = self._get(file, "sha256", str, where)
        if not _SHA256.fullmatch(digest):
            raise self._wrong(where, f"sha256 of {path.name} is '{digest}'; need 64 hexadecimal digits")
        return StoredFile(path, digest, self._get(file, "bytes", int, where))

    def _path(self, text: str, where: str) -> Path:
        """A path of the manifest, absolute; DataError when it leaves the folder."""
        try:
            path = (self.folder / text).resolve()
        except (OSError, ValueError) as error:
            raise self._wrong(where, f"path '{text}' is none ({error})") from error
        if not path.is_relative_to(self.folder) or path == self.folder:
            raise self._wrong(where, f"path '{text}' leaves the folder of the manifest")
        return path

    def _name(self, entry: Mapping[str, Any], key: str, where: str) -> str:
        value: str = self._get(entry, key, str, where)
        if not _NAME.fullmatch(value):
            raise self._wrong(where, f"{key} is '{value}'; need letters, digits, dash and underscore")
        return value

    def _list(self, entry: Mapping[str, Any], key: str, item: type, where: str) -> tuple[Any, ...]:
        values = self._get(entry, key, list, where)
        if not all(type(value) is item for value in values):
            raise self._wrong(where, f"{key} is {values!r}; need a list of {item.__name__}")
        return tuple(values)

    def _get(self, entry: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
        if type(entry.get(key)) is not kind:
            found = repr(entry[key]) if key in entry else "missing"
            raise self._wrong(where, f"{key} is {found}; need {kind.__name__}")
        return entry[key]

    def _wrong(self, where: str, what: str) -> DataError:
        return DataError(f"{self.folder / MANIFEST}: {where}: {what}")
