"""Structures from files, folders and the Materials Project, each under the name that its sites will carry."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymatgen.core import Molecule, Structure

from engine.errors import ConfigError, DataError
from engine.structures import read_structure

API_KEY_VARIABLES = ("MP_API_KEY", "PMG_MAPI_KEY")
MAX_DEPTH = 3
MAX_XYZ_BYTES = 1_000_000
_MP_ID = re.compile(r"^mp-\d{1,9}$")
_POSCAR = re.compile(r"^(POSCAR|CONTCAR)$", re.IGNORECASE)
_SUFFIXES = frozenset({".cif", ".vasp", ".poscar", ".xyz"})


@dataclass(frozen=True, eq=False)
class Source:
    """A structure under the name that its sites will carry; a Molecule where the file has no lattice."""

    material_id: str
    structure: Structure | Molecule


def read_sources(arguments: Iterable[str]) -> tuple[list[Source], list[tuple[str, str]]]:
    """Structures named on a command line, and (name, reason) of those that could not be read.

    An argument is a CIF, POSCAR or XYZ file, a folder of them (three levels deep), or a Materials Project id such as
    mp-2657. A POSCAR is called after its folder, any other file after itself. A name that comes twice is refused the
    second time. ConfigError for an argument that is none of these, and for an id without an API key or mp-api.
    """
    found: dict[str, Source] = {}
    failed: list[tuple[str, str]] = []
    for name, load in _each(arguments):
        if name in found:
            failed.append((name, "another structure has the same name; rename the file or its folder"))
            continue
        try:
            found[name] = Source(name, load())
        except DataError as problem:
            failed.append((name, str(problem)))
    return list(found.values()), failed


def _each(arguments: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Name and loader of every structure."""
    for argument in arguments:
        path = Path(argument)
        if not path.exists() and _MP_ID.match(argument):
            yield argument, lambda identifier=argument: _from_materials_project(identifier)
        elif not path.exists():
            raise ConfigError(f"{argument}: no such file or folder, nor a Materials Project id such as mp-2657")
        elif path.is_dir():
            files = sorted(_files(path, MAX_DEPTH))
            if not files:
                raise ConfigError(f"{argument}: no CIF, POSCAR or XYZ file in this folder")
            for file in files:
                yield _name(file), lambda file=file: _read(file)
        else:
            yield _name(path), lambda file=path: _read(file)


def _files(folder: Path, depth: int) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink() and depth > 1:
            yield from _files(entry, depth - 1)
        elif entry.is_file() and (_POSCAR.match(entry.name) or entry.suffix.lower() in _SUFFIXES):
            yield entry


def _name(path: Path) -> str:
    name = path.resolve().parent.name if _POSCAR.match(path.name) else path.stem
    return name.removeprefix("POSCAR_").removeprefix("POSCAR.") or path.name


def _read(path: Path) -> Structure | Molecule:
    if path.suffix.lower() != ".xyz":
        return read_structure(path)
    if path.stat().st_size > MAX_XYZ_BYTES:
        raise DataError(f"{path.name}: {path.stat().st_size} bytes; need at most {MAX_XYZ_BYTES}")
    try:
        return Molecule.from_str(path.read_text(encoding="utf-8"), fmt="xyz")
    except Exception as problem:
        raise DataError(f"{path.name}: cannot be read as XYZ ({type(problem).__name__})") from problem


def _from_materials_project(identifier: str) -> Structure:
    """The structure of a Materials Project id, with the key from the environment; nothing is stored."""
    key = next((os.environ[name] for name in API_KEY_VARIABLES if os.environ.get(name)), None)
    if key is None:
        raise ConfigError(
            f"{identifier}: the Materials Project needs your API key in the environment variable "
            f"{API_KEY_VARIABLES[0]} (from https://next-gen.materialsproject.org/api)"
        )
    try:
        from mp_api.client import MPRester
    except ImportError:
        raise ConfigError(f"{identifier}: needs the package mp-api; pip install mp-api") from None
    try:
        with MPRester(key, mute_progress_bars=True) as client:
            structure = client.get_structure_by_material_id(identifier)
    except Exception as problem:
        text = " ".join(str(problem).replace(key, "…").split())[:160]
        raise DataError(f"{identifier}: the Materials Project did not give it ({text})") from None
    if not isinstance(structure, Structure):
        raise DataError(f"{identifier}: the Materials Project has no such material")
    return structure
