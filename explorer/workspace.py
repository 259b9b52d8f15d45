"""The folder where the app keeps what it is given and what it makes.

    uploads/<id>/<name>      dropped files; the folder's name is generated, the file's is reduced to safe characters
    measured/, experiments/  measured files that were opened, and what links say of them; see explorer.kept
    sets/<id>.parquet        imported sets, with their structures beside them
    runs/<id>/               run folders of the engine
    maps/<id>/atlas.parquet  maps of sets
    reports/<job>.html       reports of runs
    jobs/<id>/               job.json, settings.toml, log.txt, output.json of the command

``RANKAAE_WORKSPACE`` names the folder; without it, it is ``.rankaae-explorer`` in the home folder. All sessions of a
server share it, and sets and runs that the command line writes there are found as well.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError, RunError
from engine.io.structures import SUFFIX as STRUCTURES

VARIABLE = "RANKAAE_WORKSPACE"
REAL_DATA_VARIABLE = "RANKAAE_REAL_DATA"
REAL_SET = "cu_feff"
MAP = "atlas.parquet"
MAX_UPLOAD_MB = 200
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Workspace:
    """The workspace at ``root`` (absolute); its folders are made when something is first put there."""

    root: Path

    @property
    def sets(self) -> Path:
        return self.root / "sets"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def maps(self) -> Path:
        return self.root / "maps"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    def set_path(self, set_id: str) -> Path:
        """Where the set ``set_id`` is or will be."""
        return self.sets / f"{checked(set_id)}.parquet"

    def run_path(self, run_id: str) -> Path:
        """Where the run ``run_id`` is or will be."""
        return self.runs / checked(run_id)

    def map_path(self, map_id: str) -> Path:
        """Where the map ``map_id`` is or will be."""
        return self.maps / checked(map_id) / MAP

    def job_path(self, job_id: str) -> Path:
        """Where the record of the job ``job_id`` is or will be."""
        return self.jobs / checked(job_id)

    def set_ids(self) -> list[str]:
        """Every set that is there, newest first."""
        found = _newest_first(self.sets, "*.parquet")
        return [path.name.removesuffix(".parquet") for path in found if not path.name.endswith(STRUCTURES)]

    def run_ids(self) -> list[str]:
        """Every run folder that is there, newest first."""
        return [path.parent.name for path in _newest_first(self.runs, "*/config.toml")]

    def map_ids(self) -> list[str]:
        """Every map that is there, newest first."""
        return [path.parent.name for path in _newest_first(self.maps, f"*/{MAP}")]

    def save_upload(self, name: str, content: bytes) -> Path:
        """Keeps a dropped file; DataError when it is empty or too large, RunError when it cannot be written."""
        check_upload(name, content)
        path = self.root / "uploads" / new_id("upload") / safe_name(name)
        make_folder(path.parent)
        try:
            path.write_bytes(content)
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error
        return path


def workspace_from_environment() -> Workspace:
    """The workspace that the environment names, or the one in the home folder."""
    return Workspace(Path(os.environ.get(VARIABLE) or Path.home() / ".rankaae-explorer").expanduser().resolve())


def check_upload(name: str, content: bytes) -> None:
    """DataError when a dropped file is empty or larger than a page takes."""
    if not content:
        raise DataError(f"{name}: the file is empty")
    if len(content) > MAX_UPLOAD_MB * 1024**2:
        raise DataError(
            f"{name}: {len(content) / 1024**2:.0f} MB is more than a page takes ({MAX_UPLOAD_MB} MB); "
            "use the command: rankaae import"
        )


def real_data_file() -> Path | None:
    """The published Cu K-edge set in its CSV layout, where the real data is found."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get(REAL_DATA_VARIABLE) or default) / REAL_SET / "rankaae_layout.csv.gz"
    return path.resolve() if path.is_file() else None


def new_id(kind: str) -> str:
    """A name for a folder that sorts by time and that nothing from outside has a part in."""
    return f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def checked(name: str) -> str:
    """``name`` when it can only be a plain entry of a folder; DataError otherwise."""
    if not _ID.fullmatch(name):
        raise DataError(f"'{name}' is not a name in the workspace")
    return name


def safe_name(name: str) -> str:
    """The last part of a file's name with only letters, digits, dot, dash and underscore, at most 80 characters."""
    last = re.split(r"[/\\]", name)[-1]
    return _UNSAFE.sub("_", last)[-80:].lstrip("._-") or "file"


def make_folder(path: Path) -> None:
    """Makes a folder and those above it; RunError when that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be made ({error.strerror or error})") from error


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    def age(path: Path) -> float:
        try:
            return -path.stat().st_mtime
        except OSError:
            return 0.0

    named = (path for path in folder.glob(pattern) if _ID.fullmatch(path.relative_to(folder).parts[0]))
    return sorted(named, key=lambda path: (age(path), path.name))
