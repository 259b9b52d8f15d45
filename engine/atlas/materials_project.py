"""Site-resolved K-edge XANES of the Materials Project, batch by batch, into a folder: resumable and slow on purpose.

Asked through the public client ``mp-api``, as documented for ``MPRester.materials.xas.search``. A document of that
collection is the mean over an element's sites where these differ by symmetry; it is a site's spectrum, and carries its
``absorbing_index``, where the element has one kind of site. Only the latter are kept, the others are counted.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import ConfigError, DataError
from engine.io.files import atomic_target
from engine.io.parquet import open_table
from engine.names import site_name

KEY_VARIABLE = "MP_API_KEY"
PAUSE_S = 0.25
ATTEMPTS = 4
BATCH = 100
PARTS = "fetched"
_ASKED = {"edge": "K", "spectrum_type": "XANES"}
_SCHEMA = pa.schema([
    ("material_id", pa.string()), ("site_id", pa.string()), ("element", pa.string()), ("kind", pa.string()),
    ("energy_ev", pa.list_(pa.float64())), ("mu", pa.list_(pa.float64())),
])  # fmt: skip
_PART_NAME = re.compile(r"[A-Z][a-z]?-\d{5}\.parquet")

Search = Callable[..., Sequence[Any]]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Fetched:
    """What a folder holds now: by element, materials by what their document was.

    "site" a site's spectrum, "mean" the mean over several kinds of sites, "none" no document came, "unreadable" no
    numbers in it.
    """

    path: Path
    counts: dict[str, dict[str, int]]

    def to_json(self) -> dict[str, object]:
        """A JSON-ready dict."""
        return {"out": str(self.path), "elements": self.counts}

    def lines(self) -> list[str]:
        """The account as lines for people."""
        lines = []
        for element, of in self.counts.items():
            kept = of.get("site", 0)
            others = ", ".join(f"{count} {kind}" for kind, count in sorted(of.items()) if kind != "site")
            lines.append(f"{element:3} {kept} site spectra" + (f"; left out: {others}" if others else ""))
        return [*lines, f"wrote {self.path}"]


def fetch(
    elements: Sequence[str],
    out: Path,
    search: Search,
    *,
    pause_s: float = PAUSE_S,
    sleep: Callable[[float], None] = time.sleep,
    progress: Progress | None = None,
) -> Fetched:
    """Ask for the K-edge XANES of ``elements`` and write ``out/spectra.parquet``, a site table.

    Each batch of materials is one file in ``out/fetched``, written in one step; those that are there are not asked for
    again. At most one request in ``pause_s`` seconds; a request that fails is tried four times with growing pauses.
    Raises DataError when it fails for good (run again to go on) and when nothing is left to write.
    """
    parts = out / PARTS
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out}: cannot be made ({error.strerror or error})") from error

    def ask(**query: Any) -> Sequence[Any]:
        for attempt in range(ATTEMPTS):
            sleep(pause_s if attempt == 0 else 2.0**attempt)
            try:
                return search(**_ASKED, **query)
            except (DataError, KeyboardInterrupt):
                raise
            except Exception as error:  # the client raises errors of several packages
                problem = " ".join(str(error).split())[:160]
        raise DataError(f"the Materials Project did not answer ({problem}); run the command again to go on")

    for number, element in enumerate(elements):
        done = {row["material_id"] for part in _parts(parts, element) for row in _rows(part, ("material_id",))}
        listed = ask(absorbing_element=element, all_fields=False, fields=["material_id"])
        names = sorted({str(_get(doc, "material_id")) for doc in listed} - done)
        first = max((int(part.stem.split("-")[1]) + 1 for part in _parts(parts, element)), default=0)
        for start in range(0, len(names), BATCH):
            if progress is not None:
                share = f"{element}: {len(done) + start} of {len(done) + len(names)} materials"
                progress(number, len(elements), share)
            batch = names[start : start + BATCH]
            fields = ["material_id", "absorbing_element", "edge", "spectrum_type", "spectrum"]
            answer = ask(absorbing_element=element, material_ids=batch, all_fields=False, fields=fields)
            _write(_batch_rows(batch, answer, element), parts / f"{element}-{first + start // BATCH:05d}.parquet")
    return _join(parts, out / "spectra.parquet", elements)


def client_search() -> Search:
    """The search of the Materials Project's client with the key in MP_API_KEY; ConfigError without key or client.

    The key is handed to the client and nowhere else; it is cut out of error messages.
    """
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise ConfigError(
            f"the Materials Project needs your API key in the environment variable {KEY_VARIABLE} "
            "(from https://next-gen.materialsproject.org/api)"
        )
    try:
        from mp_api.client import MPRester
    except ImportError:
        raise ConfigError("fetching needs the package mp-api; pip install mp-api") from None

    client: Any = None

    def search(**query: Any) -> Sequence[Any]:
        nonlocal client
        try:
            client = client or MPRester(key, mute_progress_bars=True)
            return list(client.materials.xas.search(**query))
        except Exception as error:
            raise OSError(str(error).replace(key, "…")) from None

    return search


def _get(document: Any, name: str) -> Any:
    """A field of a document, which is a dict or one of the client's objects, or None."""
    return document.get(name) if isinstance(document, dict) else getattr(document, name, None)


def _batch_rows(asked: Sequence[str], answer: Sequence[Any], element: str) -> list[dict[str, Any]]:
    """One row for each material asked for: of several documents of a material the first that is a site's."""
    best: dict[str, dict[str, Any]] = {}
    for document in answer:
        material = str(_get(document, "material_id"))
        row = _row(material, _get(document, "spectrum"), element)
        if material not in best or (row["kind"] == "site" and best[material]["kind"] != "site"):
            best[material] = row
    return [best.get(material) or _empty(material, element, "none") for material in asked]


def _empty(material: str, element: str, kind: str) -> dict[str, Any]:
    return {"material_id": material, "site_id": "", "element": element, "kind": kind, "energy_ev": [], "mu": []}


def _row(material: str, spectrum: Any, element: str) -> dict[str, Any]:
    index = _get(spectrum, "absorbing_index")
    if spectrum is not None and index is None:
        return _empty(material, element, "mean")
    try:
        energy, mu = (np.asarray(_get(spectrum, name), dtype=np.float64) for name in ("x", "y"))
        number = int(index)
    except (TypeError, ValueError):
        return _empty(material, element, "unreadable")
    if energy.ndim != 1 or energy.shape != mu.shape or energy.size < 2 or number < 0:
        return _empty(material, element, "unreadable")
    numbers = {"energy_ev": energy.tolist(), "mu": mu.tolist()}
    return _empty(material, element, "site") | {"site_id": site_name(material, number)} | numbers


def _parts(folder: Path, element: str) -> list[Path]:
    found = (path for path in folder.iterdir() if _PART_NAME.fullmatch(path.name))
    return sorted(path for path in found if path.name.split("-")[0] == element)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    table = open_table(path)
    if table.schema.names != _SCHEMA.names:
        raise DataError(f"{path}: is no batch of this command; remove it to ask again")
    yield from table.select(list(columns)).to_pylist()


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    with atomic_target(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), temporary, compression="zstd")


def _join(parts: Path, target: Path, elements: Sequence[str]) -> Fetched:
    """All site spectra of ``elements`` in one site table, and the counts."""
    counts: dict[str, dict[str, int]] = {}
    rows: list[dict[str, Any]] = []
    for element in elements:
        of = [row for part in _parts(parts, element) for row in _rows(part, _SCHEMA.names)]
        counts[element] = dict(Counter(row["kind"] for row in of))
        rows.extend(row for row in of if row["kind"] == "site")
    if not rows:
        raise DataError(f"{parts.parent}: the Materials Project has no site spectra of {', '.join(elements)}: {counts}")
    table = pa.Table.from_pylist(rows, schema=_SCHEMA).drop_columns(["kind"])
    with atomic_target(target) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return Fetched(target, counts)
