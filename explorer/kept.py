"""Measured files that stay in the workspace, and what was said of them, for reload, undo, links and sessions.

    measured/<sha256>/<name>   a file as it was dropped, byte for byte; its name reduced to safe characters
    experiments/<id>.json      what a link names: files and choices, under a hash of this text

The state holds an ``Experiment`` as JSON. What comes from outside is read value by value; the bad ones are left out.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from engine.errors import ConfigError, DataError, RunError
from engine.experiment.intake import Intake, take_in
from engine.experiment.measured import FloatArray
from engine.experiment.reading import Columns, column_names
from engine.io.files import atomic_target, check_file
from engine.spectra import SpectraSet
from explorer.measurement import Corrections
from explorer.workspace import Workspace, check_upload, make_folder, safe_name

MAX_KEPT_MB = 2000
MOST_FILES = 1000
MOST_COMPONENTS = 8
MAX_RECORD_BYTES = 1_000_000
LONGEST, LONGEST_LIST = 1000, 50_000
MOST_NAMED = 20
Values = dict[str, Any]
_SHA256, _ID = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class MeasuredFile:
    """A file as its user calls it, the hash of its bytes, and which of its columns are what ("" as guessed)."""

    name: str
    sha256: str
    columns: str = ""


@dataclass(frozen=True)
class Experiment:
    """What was opened under Experiment, names unique, and what was chosen there.

    components, basis  of the domain map that was made; 0 where none was
    chosen             name of the spectrum that is looked at; "" for the first
    standards          spectra whose descriptors are known, see ``standards_of``
    """

    files: tuple[MeasuredFile, ...] = ()
    said: Corrections = field(default_factory=Corrections)
    components: int = 0
    basis: str = ""
    chosen: str = ""
    standards: str = ""

    def with_files(self, files: Sequence[MeasuredFile]) -> Experiment:
        """The same for other files; a map of those before counts no more, nor does a reference that is gone."""
        if tuple(files) == self.files:
            return self
        reference = self.said.reference if self.said.reference in {file.name for file in files} else ""
        said = replace(self.said, reference=reference)
        return replace(self, files=tuple(files), said=said, components=0, basis="")

    def to_json(self) -> Values:
        """Everything that is not as at the beginning; ConfigError when that could not be read again."""
        nothing = Experiment()
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["files"] = [_without(asdict(file), {"columns": ""}) for file in self.files]
        values["said"] = _without(asdict(self.said), asdict(nothing.said))
        values = _without(values, {**vars(nothing), "files": [], "said": {}})
        _, notes = read_experiment(values)
        if notes:
            raise ConfigError(notes[0])
        return values


def read_experiment(given: Any) -> tuple[Experiment, list[str]]:
    """What can be taken of the JSON of an experiment, and a sentence for each thing that cannot."""
    if not isinstance(given, dict):
        return Experiment(), ["need an object"]
    known = {one.name for one in fields(Experiment)}
    notes = [f"{_short(name)}: not part of an experiment" for name in given if name not in known]
    files, problems = _files(given.get("files", []))
    said, more = _corrections(given.get("said", {}), {file.name for file in files})
    notes += problems + more
    taken: Values = {}
    for name, sound, need in (
        (
            "standards",
            lambda v: isinstance(v, str) and len(v) <= LONGEST_LIST,
            f"text of at most {LONGEST_LIST} characters",
        ),
        ("components", lambda v: type(v) is int and (v == 0 or 2 <= v <= MOST_COMPONENTS), f"2 to {MOST_COMPONENTS}"),
        ("basis", lambda v: isinstance(v, str) and len(v) <= LONGEST, f"text of at most {LONGEST} characters"),
        ("chosen", lambda v: isinstance(v, str) and len(v) <= LONGEST, f"text of at most {LONGEST} characters"),
    ):
        if name in given:
            if sound(given[name]):
                taken[name] = given[name]
            else:
                notes.append(f"{name} = {_short(given[name])}: need {need}")
    return Experiment(files, said, **taken), notes


def restored(workspace: Workspace, given: Any) -> tuple[Values, list[str]]:
    """What this workspace can bring back of a session's experiment or of the id in a link; a sentence for the rest."""
    try:
        found, notes = read_experiment(_linked(workspace, given) if isinstance(given, str) else given)
    except DataError as error:
        return {}, [str(error)]
    missing = [file for file in found.files if not kept_path(workspace, file).is_file()]
    if missing:
        map_too = ", nor the domain map that they were part of" if found.components else ""
        found = found.with_files([file for file in found.files if file not in missing])
        notes.append(f"not in this workspace: {named([file.name for file in missing])}{map_too}; open them here again")
    return found.to_json(), notes


def keep_for_link(workspace: Workspace, values: Values) -> str:
    """Puts the JSON of an experiment where a link can name it; returns the name. EngineError when it cannot."""
    text = json.dumps(values, sort_keys=True, allow_nan=False)
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    path = workspace.root / "experiments" / f"{name}.json"
    if not path.is_file():
        make_folder(path.parent)
        with atomic_target(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return name


def _linked(workspace: Workspace, name: str) -> Any:
    path = workspace.root / "experiments" / f"{name}.json"
    if not _ID.fullmatch(name) or not path.is_file():
        raise DataError(f"{_short(name)}: no link of this workspace names measured files so")
    check_file(path, MAX_RECORD_BYTES)
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: cannot be read ({str(error)[:80]})") from error


# the files


def kept_path(workspace: Workspace, file: MeasuredFile) -> Path:
    """Where the bytes of a measured file are or will be."""
    return workspace.root / "measured" / file.sha256 / safe_name(file.name)


def keep(workspace: Workspace, name: str, content: bytes) -> MeasuredFile:
    """Keeps a measured file that was dropped; the same bytes of the same name are kept once.

    DataError when it is empty, too large, or more than there is room for; EngineError when it cannot be written.
    """
    check_upload(name, content)
    file = MeasuredFile(name[-LONGEST:], hashlib.sha256(content).hexdigest())
    path = kept_path(workspace, file)
    if path.is_file():
        return file
    total = sum(size for _, size in kept_files(workspace))
    if total + len(content) > MAX_KEPT_MB * 1024**2:
        raise DataError(
            f"{name}: {size_words(len(content))} beside the {size_words(total)} of measured files kept here is more "
            f"than {MAX_KEPT_MB} MB; press Forget files to remove what is not open"
        )
    make_folder(path.parent)
    with atomic_target(path) as temporary:
        temporary.write_bytes(content)
    return file


def kept_files(workspace: Workspace) -> list[tuple[Path, int]]:
    """Every measured file in the workspace with its bytes, by name."""
    found = []
    for path in (workspace.root / "measured").glob("*/*"):
        if _SHA256.fullmatch(path.parent.name) and not path.name.startswith("."):
            try:
                found.append((path, path.stat().st_size))
            except OSError:
                continue  # another page has just forgotten it
    return sorted(found, key=lambda one: (one[0].name, one[0].parent.name))


def forget(files: Collection[Path]) -> None:
    """Removes kept files; RunError when one of them cannot be."""
    for folder in {path.parent for path in files}:
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RunError(f"{folder}: cannot be removed ({error.strerror or error})") from error


def prepare_kept(
    workspace: Workspace,
    experiment: Experiment,
    grid_ev: FloatArray,
    element: str,
    simulated: Callable[[str], SpectraSet],
) -> Intake:
    """The files of an experiment prepared for a grid (m,) and ``element`` as was said; files that are gone are refused.

    ``simulated`` gives the set of an element that a reference is aligned on. DataError when no spectrum can be used.
    """
    said, columns, gone = experiment.said, {}, []
    paths: dict[str, Path] = {}
    for file in experiment.files:
        try:
            paths[file.name] = _sound(workspace, file)
            columns[paths[file.name]] = Columns.parse(file.columns)
        except DataError as error:
            gone.append(str(error))
    if not paths:
        raise DataError("; ".join(gone))
    references = [(paths[said.reference], said.material)] if said.material and said.reference in paths else []
    intake = take_in(
        list(paths.values()), grid_ev, said.preparation(element), columns=columns, references=references,
        simulated=simulated, series=said.series,
    )  # fmt: skip
    return replace(intake, refused=(*gone, *intake.refused))


def _sound(workspace: Workspace, file: MeasuredFile) -> Path:
    """Where a file is; DataError when it is gone or its bytes are not those that were opened."""
    path = kept_path(workspace, file)
    if not path.is_file():
        raise DataError(f"{file.name}: is no longer in the workspace; open it again")
    with path.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != file.sha256:
            raise DataError(f"{file.name}: in the workspace it is not what was opened any more; open it again")
    return path


def layouts(workspace: Workspace, files: Sequence[MeasuredFile]) -> dict[str, tuple[str, ...]]:
    """By hash, the names of the columns of each file; none where it has none that can be named."""
    found: dict[str, tuple[str, ...]] = {}
    for file in files:
        try:
            found[file.sha256] = _layout(kept_path(workspace, file))
        except DataError:
            found[file.sha256] = ()
    return found


@functools.lru_cache(4 * MOST_FILES)
def _layout(path: Path) -> tuple[str, ...]:
    return column_names(path)


# words and checks


def named(names: Sequence[str]) -> str:
    """Some names in a line, the first of them where there are many."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def size_words(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1024**2:.1f} MB" if size >= 1024**2 else f"{max(1, round(size / 1024))} kB"


def _files(given: Any) -> tuple[tuple[MeasuredFile, ...], list[str]]:
    if not isinstance(given, list) or len(given) > MOST_FILES:
        return (), [f"files: a page takes a list of at most {MOST_FILES}"]
    found: dict[str, MeasuredFile] = {}
    notes = []
    for one in given:
        values = one if isinstance(one, dict) else {}
        name, sha256, columns = (values.get(key, "") for key in ("name", "sha256", "columns"))
        if not (isinstance(name, str) and 0 < len(name) <= LONGEST and isinstance(sha256, str)):
            notes.append(f"file {_short(name)}: need a name and a hash")
        elif not _SHA256.fullmatch(sha256):
            notes.append(f"file {_short(name)}: '{_short(sha256)}' is not the SHA-256 of a file")
        else:
            try:
                if not isinstance(columns, str) or len(columns) > LONGEST:
                    raise ConfigError(f"columns: need text of at most {LONGEST} characters")
                Columns.parse(columns)
            except ConfigError as error:
                notes.append(f"file {_short(name)}: {error}")
                columns = ""
            found[name] = MeasuredFile(name, sha256, columns)
    return tuple(found.values()), notes


def _corrections(given: Any, files: Collection[str]) -> tuple[Corrections, list[str]]:
    if not isinstance(given, dict):
        return Corrections(), ["said: need an object"]
    taken, notes = {}, []
    for name, value in given.items():
        try:
            if name not in {one.name for one in fields(Corrections)}:
                raise ConfigError("not a correction")
            if not isinstance(value, str) or len(value) > (LONGEST_LIST if name == "series" else LONGEST):
                raise ConfigError("need text, not longer than the page takes")
            if name == "reference" and value not in files:
                raise ConfigError("none of the files is called so")
            Corrections(**{name: value}).preparation("")
            taken[name] = value
        except ConfigError as error:
            notes.append(f"{_short(name)} = {_short(value)}: {error}")
    return Corrections(**taken), notes


def _without(values: Values, plain: Values) -> Values:
    """The values that are not as plain as these."""
    return {name: value for name, value in values.items() if name not in plain or value != plain[name]}


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:60]}…"
