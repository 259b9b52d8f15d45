"""Rules for files from outside and for writing: size limits, readable errors, nothing half written."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DataError

MAX_BYTES = 4 * 1024**3


def gigabytes(size: float) -> str:
    """A size for people, with two digits."""
    return f"{size / 1024**3:.2g} GB" if size >= 0.1 * 1024**3 else f"{size / 1024**2:.2g} MB"


def check_file(path: Path, max_bytes: int = MAX_BYTES) -> int:
    """The size of a regular, non-empty file in bytes; a DataError says what is wrong with anything else."""
    try:
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder")
        if not path.is_file():
            raise DataError(f"{path}: is not a file")
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if size == 0:
        raise DataError(f"{path.name}: the file is empty")
    if size > max_bytes:
        raise DataError(f"{path.name}: {gigabytes(size)} is more than the limit of {gigabytes(max_bytes)}")
    return size


def check_target(path: Path) -> None:
    """DataError when nothing can be written to ``path`` because its folder is missing or it is a folder itself."""
    if not path.parent.is_dir():
        raise DataError(f"{path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; need the name of a file to write")


@contextmanager
def atomic_target(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it replaces ``path`` on success and vanishes on any failure.

    A folder that is missing or not writable and a full disk are DataErrors in one line.
    """
    check_target(path)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.part"
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
