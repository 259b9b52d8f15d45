"""Results as files for other programs, CSV or HDF5, each with where its numbers come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.errors import ConfigError
from engine.io.files import atomic_target

FORMATS = ("csv", "h5")


@dataclass(frozen=True, eq=False)
class Exported:
    """A result to be written.

    title   what it is, in a line · name  for a file, without ending
    table   the numbers as rows and columns, for CSV
    arrays  the same numbers by name, for HDF5: floating point of any shape, or text · units  of arrays that have one
    about   where they come from, by name: hash of the set, run, member, program, date
    """

    title: str
    name: str
    table: pd.DataFrame
    arrays: Mapping[str, npt.NDArray[Any]]
    units: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)


def content_of(exported: Exported, form: str) -> bytes:
    """The file as bytes; ``form`` is one of FORMATS, ConfigError otherwise."""
    if form not in FORMATS:
        raise ConfigError(f"format is '{form}'; need {' or '.join(FORMATS)}")
    return _csv(exported) if form == "csv" else _hdf5(exported)


def write_exported(exported: Exported, path: Path) -> None:
    """Writes the file in the format that the ending of ``path`` names."""
    content = content_of(exported, path.suffix.removeprefix("."))
    with atomic_target(path) as temporary:
        temporary.write_bytes(content)


def _csv(exported: Exported) -> bytes:
    """Lines starting with # say what it is and where it comes from; then the table, numbers with ten digits."""
    about = {"content": exported.title, **exported.about}
    if exported.units:
        about["units"] = ", ".join(f"{name}: {unit}" for name, unit in exported.units.items())
    lines = "".join(f"# {name}: {' '.join(text.split())}\n" for name, text in about.items())
    return (lines + exported.table.to_csv(index=False, float_format="%.10g")).encode("utf-8")


def _hdf5(exported: Exported) -> bytes:
    """One dataset per array, its unit as attribute; what it is and where it comes from as attributes of the file."""
    import h5py

    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["content"] = exported.title
        for name, text in exported.about.items():
            file.attrs[name] = text
        names = {}
        for place, (name, values) in enumerate(exported.arrays.items()):
            key = name if _plain(name) else f"array {place}"
            names[key] = name
            kind = h5py.string_dtype() if np.asarray(values).dtype.kind in "UO" else None
            data = np.asarray(values, dtype=object) if kind is not None else np.asarray(values)
            dataset = file.create_dataset(key, data=data, dtype=kind)
            if name in exported.units:
                dataset.attrs["unit"] = exported.units[name]
        file.attrs["names"] = json.dumps(names)
    return buffer.getvalue()


def _plain(name: str) -> bool:
    """Whether a name can be that of a dataset: "/" and "." mean something else there, and NUL cannot be stored."""
    return bool(name.strip(". ")) and "/" not in name and "\0" not in name
