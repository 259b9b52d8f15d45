"""Fetching, against responses made up after the documented schema of the client's XAS documents."""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.atlas.materials_project import BATCH, PAUSE_S, client_search, fetch
from engine.atlas.source import read_spectra
from engine.cli import app
from engine.errors import ConfigError, DataError

KEY = "a-secret-key-of-32-characters-000"
STRUCTURE = {"@module": "pymatgen.core.structure", "@class": "Structure", "sites": []}


def document(number: int, element: str = "Ti", index: int | None = 0) -> dict[str, Any]:
    """A document as the client gives it without its document models."""
    energy = 4960.0 + 0.5 * np.arange(100) + 0.01 * (number % 7)
    return {
        "material_id": f"mp-{number}",
        "spectrum_id": f"mp-{number}-XANES-{element}-K",
        "absorbing_element": element,
        "edge": "K",
        "spectrum_type": "XANES",
        "spectrum": {
            "@module": "pymatgen.analysis.xas.spectrum",
            "@class": "XAS",
            "x": energy.tolist(),
            "y": (0.5 + np.arctan((energy - 4970 - number % 5) * 2) / np.pi).tolist(),
            "structure": STRUCTURE,
            "absorbing_element": element,
            "edge": "K",
            "spectrum_type": "XANES",
            "absorbing_index": index,
        },
    }


class Recorded:
    """Answers queries from documents as the service does, and keeps what was asked."""

    def __init__(self, documents: Sequence[dict[str, Any]], fail: Sequence[int] = ()) -> None:
        self.documents, self.fail = list(documents), set(fail)
        self.asked: list[dict[str, Any]] = []

    def __call__(self, **query: Any) -> list[Any]:
        self.asked.append(query)
        if len(self.asked) in self.fail:
            raise ConnectionError("REST query returned with error status code 429: too many requests")
        assert (query["edge"], query["spectrum_type"], query["all_fields"]) == ("K", "XANES", False)
        found = [doc for doc in self.documents if doc["absorbing_element"] == query["absorbing_element"]]
        if "material_ids" in query:
            found = [doc for doc in found if doc["material_id"] in query["material_ids"]]
        return [{name: doc[name] for name in query["fields"]} for doc in found]


def test_site_spectra_are_kept_and_means_counted(tmp_path: Path) -> None:
    service = Recorded([document(1), document(2, index=None), document(3, "Cu", 4), document(4, "V")])
    pauses: list[float] = []
    fetched = fetch(("Ti", "Cu"), tmp_path / "mp", service, sleep=pauses.append)
    assert fetched.counts == {"Ti": {"site": 1, "mean": 1}, "Cu": {"site": 1}}
    raw = read_spectra(fetched.path)
    assert raw.site_id == ["mp-1_000", "mp-3_004"]
    assert raw.element == ["Ti", "Cu"]
    np.testing.assert_array_equal(raw.energy_ev[0], document(1)["spectrum"]["x"])
    np.testing.assert_array_equal(raw.mu[1], document(3)["spectrum"]["y"])
    assert pauses == [PAUSE_S] * len(service.asked)
    assert "1 site spectra; left out: 1 mean" in fetched.lines()[0]


def test_an_interrupted_fetch_goes_on_where_it_was(tmp_path: Path) -> None:
    documents = [document(number) for number in range(2 * BATCH + 5)]
    broken = Recorded(documents, fail=range(3, 100))
    with pytest.raises(DataError, match=r"429.*run the command again to go on"):
        fetch(("Ti",), tmp_path, broken, sleep=lambda _: None)
    again = Recorded(documents, fail=[2])  # one failure in between is only waited for
    pauses: list[float] = []
    fetched = fetch(("Ti",), tmp_path, again, sleep=pauses.append)
    assert fetched.counts == {"Ti": {"site": 2 * BATCH + 5}}
    asked = [name for query in again.asked[2:] for name in query["material_ids"]]
    assert len(asked) == len(set(asked)) == BATCH + 5
    assert max(pauses) == 2.0
    third = Recorded(documents)
    fetch(("Ti",), tmp_path, third, sleep=lambda _: None)
    assert len(third.asked) == 1  # the list of materials, and nothing more


def test_documents_that_are_wrong_or_missing_are_counted_and_objects_are_read(tmp_path: Path) -> None:
    broken, short, objects = document(1), document(2), document(3)
    broken["spectrum"]["y"] = ["nothing"] * 100
    short["spectrum"]["x"] = [1.0]
    objects["spectrum"] = types.SimpleNamespace(**objects["spectrum"])
    service = Recorded([broken, short, objects, document(5) | {"spectrum": None}, document(6)])

    def search(**query: Any) -> list[Any]:
        found = service(**query)
        if "material_ids" in query:
            found = [doc for doc in found if doc["material_id"] != "mp-6"]
        return [types.SimpleNamespace(**doc) for doc in found]

    fetched = fetch(("Ti",), tmp_path, search, sleep=lambda _: None)
    assert fetched.counts == {"Ti": {"unreadable": 3, "site": 1, "none": 1}}
    assert read_spectra(fetched.path).site_id == ["mp-3_000"]
    with pytest.raises(DataError, match="has no site spectra of Fe"):
        fetch(("Fe",), tmp_path / "iron", service, sleep=lambda _: None)


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MP_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="environment variable MP_API_KEY"):
        client_search()
    monkeypatch.setenv("MP_API_KEY", KEY)
    monkeypatch.setitem(sys.modules, "mp_api", None)
    with pytest.raises(ConfigError, match="pip install mp-api"):
        client_search()
    service = Recorded([document(number) for number in range(3)])
    keys: list[str] = []

    def make_client(key: str, mute_progress_bars: bool) -> Any:
        keys.append(key)
        assert mute_progress_bars
        return types.SimpleNamespace(materials=types.SimpleNamespace(xas=types.SimpleNamespace(search=service)))

    package, module = types.ModuleType("mp_api"), types.ModuleType("mp_api.client")
    module.MPRester = make_client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mp_api", package)
    monkeypatch.setitem(sys.modules, "mp_api.client", module)
    out = tmp_path / "mp"
    done = CliRunner().invoke(app, ["fetch-mp", "--elements", "Ti", "--out", str(out)], catch_exceptions=False)
    assert "3 site spectra" in done.stdout
    assert keys == [KEY]
    written = [path for path in out.rglob("*") if path.is_file()]
    assert len(written) == 2
    assert all(KEY.encode() not in path.read_bytes() for path in written)

    def refuse(**_: Any) -> list[Any]:
        raise ValueError(f"invalid key {KEY}")

    monkeypatch.setattr(service, "documents", [])
    module.MPRester = lambda key, mute_progress_bars: types.SimpleNamespace(  # type: ignore[attr-defined]
        materials=types.SimpleNamespace(xas=types.SimpleNamespace(search=refuse))
    )
    with pytest.raises(DataError, match="invalid key …") as caught:
        fetch(("Cu",), tmp_path / "other", client_search(), sleep=lambda _: None)
    assert KEY not in str(caught.value)
    assert all(KEY not in str(frame.frame.f_locals.get("problem", "")) for frame in caught.traceback)
