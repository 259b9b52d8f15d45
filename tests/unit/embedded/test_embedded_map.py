"""A set of the manifest may name its map; the explorer finds it with the set that it is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.atlas.store import write_atlas
from engine.embedded.manifest import put_map, read_embedded
from engine.errors import DataError
from explorer.jobs import JobStore
from explorer.library import Library
from explorer.maps import open_map
from explorer.state import ExplorerState
from explorer.workspace import Workspace
from tests.embedded_data import put_table
from tests.made_maps import made_map
from tests.made_maps import put_map as put_map_of_user


def test_a_map_is_named_checked_and_offered_with_its_set(tmp_path: Path) -> None:
    data, workspace = tmp_path / "data", tmp_path / "workspace"
    data.mkdir()
    put_table(data)
    path = data / "periodic-47.atlas.parquet"
    write_atlas(made_map(), path)
    put_map(data, "periodic-47", path)
    embedded = read_embedded(data)
    assert embedded is not None
    assert embedded.sets[0].atlas is not None
    assert path in [file.path for file in embedded.files]
    embedded.sets[0].atlas.check()

    put_map_of_user(workspace, "mine", made_map())
    store, state = JobStore(Library(Workspace(workspace), embedded)), ExplorerState()
    state.look(store)
    assert state.maps == {"mine": "mine", "embedded:periodic-47": "periodic-47"}
    assert store.map_source("embedded:periodic-47") == data / "periodic-47.parquet"
    assert store.map_source("mine") is None
    assert len(open_map(store.library.map_path("embedded:periodic-47"), None)) == 100
    with pytest.raises(DataError, match="not among the embedded maps"):
        store.library.map_path("embedded:other")

    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataError, match="make it again"):
        embedded.sets[0].atlas.check()
    with pytest.raises(DataError, match="names no set 'other'"):
        put_map(data, "other", path)
