"""Unpacking a zip of FEFF runs: only the files that are needed, only below the target folder, only up to limits."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from engine.errors import DataError
from engine.io.files import MAX_BYTES, check_file, gigabytes

MAX_ENTRIES = 500_000
MAX_RATIO = 200.0
# Small files may compress well; the ratio is judged only above this size.
RATIO_FREE_BYTES = 16 * 1024**2
WANTED = frozenset({"POSCAR", "xmu.dat", "feff.out"})


def is_zip(path: Path) -> bool:
    """Whether the file begins like a zip archive."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


def unpack(path: Path, target: Path) -> None:
    """Write the archive's POSCAR, xmu.dat and feff.out files below the existing folder ``target``.

    Raises DataError before anything is written for names that lead out of the folder (absolute, "..", drive letters),
    links, encrypted entries, more than 500,000 entries, more than 4 GB in all, or a compression ratio above 200; and
    for an archive that is damaged or holds more than it declares.
    """
    check_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            chosen = [entry for entry in _checked(archive, path.name) if PurePosixPath(entry.filename).name in WANTED]
            for entry in chosen:
                place = target.joinpath(*PurePosixPath(entry.filename).parts)
                place.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as packed, place.open("wb") as out:
                    shutil.copyfileobj(packed, out)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError) as error:
        raise DataError(f"{path.name}: the zip archive is damaged or cannot be unpacked ({error})") from error
    except OSError as error:
        raise DataError(f"{path.name}: cannot be unpacked ({error.strerror or error})") from error


def _checked(archive: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    """The archive's files, once all of its entries have passed the rules."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise DataError(f"{name}: {len(entries)} entries are more than the limit of {MAX_ENTRIES}")
    total = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if total > MAX_BYTES:
        raise DataError(f"{name}: {gigabytes(total)} once unpacked is more than the limit of {gigabytes(MAX_BYTES)}")
    if total > RATIO_FREE_BYTES and total > MAX_RATIO * max(packed, 1):
        raise DataError(f"{name}: unpacks to {total / max(packed, 1):.0f} times its size; the limit is {MAX_RATIO:.0f}")
    for entry in entries:
        where = PurePosixPath(entry.filename)
        bad = where.is_absolute() or ".." in where.parts or "\\" in entry.filename or ":" in entry.filename
        if bad:
            raise DataError(f"{name}: entry '{entry.filename[:80]}' leads out of the archive; refused")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(f"{name}: entry '{entry.filename[:80]}' is a link; refused")
        if entry.flag_bits & 0x1:
            raise DataError(f"{name}: entry '{entry.filename[:80]}' is encrypted; need a plain archive")
    return [entry for entry in entries if not entry.is_dir()]
