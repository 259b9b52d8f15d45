"""Embedded sets and models in the page: offered beside the user's own, opened first, never written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.embedded.manifest import read_embedded
from engine.errors import DataError
from engine.io import write_set
from engine.model.run import Run
from explorer.app import LATENT_TAB, Explorer
from explorer.jobs import JobStore
from explorer.library import Library, is_embedded
from explorer.views.data import card_html
from explorer.workspace import Workspace
from tests.embedded_data import family, make_embedded, put_table

COPPER, NICKEL, SODIUM = "embedded:oxides-3d:Cu", "embedded:oxides-3d:Ni", "embedded:periodic-47:Na"
MODEL = "embedded:oxides-3d-Cu"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_embedded(tmp_path_factory.mktemp("embedded") / "data")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace; no real data is found."""
    monkeypatch.setenv("RANKAAE_REAL_DATA", str(tmp_path / "nothing"))
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def library(data: Path, workspace: Workspace) -> Library:
    return Library(workspace, read_embedded(data))


def started(workspace: Workspace, data: Path) -> Explorer:
    session = Explorer(workspace, data)
    session.start()
    return session


def test_a_first_visit_opens_on_copper_oxides_with_their_model_in_view(workspace: Workspace, data: Path) -> None:
    session = started(workspace, data)
    state = session.state
    assert (state.dataset, state.run) == (COPPER, MODEL)
    assert session.tabs.active == LATENT_TAB
    assert len(state.spectra) == 90
    assert len(state.latent) == 3
    assert (session.place._set.value, session.place._run.value) == (COPPER, MODEL)
    assert session.place._member.value == state.member
    assert list(session.data._choice.groups) == ["Embedded"]
    assert session.data._choice.groups["Embedded"] == {
        "oxides-3d Ni": NICKEL, "oxides-3d Cu": COPPER, "periodic-47 Na": SODIUM, "periodic-47 Cl": SODIUM[:-2] + "Cl",
    }  # fmt: skip
    assert "Must not be used for &lt;b&gt;anything" in session.data._details.object
    assert not workspace.root.exists()


def test_the_users_own_sets_come_first(workspace: Workspace, data: Path) -> None:
    workspace.sets.mkdir(parents=True)
    write_set(family("Cu", 12), workspace.set_path("mine"))
    session = started(workspace, data)
    assert session.state.dataset == "mine"
    assert session.tabs.active == 0
    assert list(session.data._choice.groups) == ["Yours", "Embedded"]
    assert session.data._choice.groups["Yours"] == {"mine": "mine"}
    assert "<details>" not in session.data._details.object


def test_one_element_of_a_table_is_a_set_and_a_set_without_a_model_leaves_the_model(
    workspace: Workspace, data: Path
) -> None:
    session = started(workspace, data)
    session.data._choice.value = SODIUM
    assert session.state.dataset == SODIUM
    assert len(session.state.spectra) == 3
    assert session.state.run == MODEL


def test_without_embedded_data_there_are_no_groups(workspace: Workspace, tmp_path: Path) -> None:
    workspace.sets.mkdir(parents=True)
    write_set(family("Cu", 12), workspace.set_path("mine"))
    session = started(workspace, tmp_path / "nothing")
    assert session.state.dataset == "mine"
    assert session.data._choice.options == {"mine": "mine"}
    assert session.data._choice.groups is None
    assert session.state.runs == {}


def test_the_real_set_is_offered_and_not_imported_beside_embedded_ones(
    workspace: Workspace, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cu_feff").mkdir()
    (tmp_path / "cu_feff" / "rankaae_layout.csv.gz").write_bytes(b"")
    monkeypatch.setenv("RANKAAE_REAL_DATA", str(tmp_path))
    session = started(workspace, data)
    assert session.data._real.visible
    assert session.store.jobs() == []


def test_a_manifest_that_cannot_be_read_is_a_message_without_paths(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "manifest.toml").write_text("[[")
    session = started(workspace, folder)
    assert session.state.dataset == ""
    words = session.notices._column.objects[0][0].object
    assert words.startswith("manifest.toml: cannot be read")


def test_an_embedded_file_that_is_gone_is_a_message_without_paths(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    put_table(folder)
    (folder / "periodic-47.parquet").unlink()
    session = started(workspace, folder)
    assert session.state.spectra is None
    assert session.notices._column.objects[0][0].object == "periodic-47.parquet: there is no such file or folder"


def test_trainings_on_embedded_sets_name_file_and_element(library: Library) -> None:
    embedded = library.embedded
    assert embedded is not None
    store = JobStore(library)
    arguments = store._train("run-1", SODIUM, Path("settings.toml"))
    assert arguments[:4] == ("train", str(embedded.folder / "periodic-47.parquet"), "--element", "Na")
    assert arguments[arguments.index("--out") + 1] == str(library.workspace.run_path("run-1"))
    own = store._train("run-1", "set-1", Path("settings.toml"))
    assert own[:3] == ("train", str(library.workspace.set_path("set-1")), "--config")


def test_runs_of_the_command_line_belong_to_the_sets_they_were_made_on(library: Library) -> None:
    embedded, workspace = library.embedded, library.workspace
    assert embedded is not None
    assert library.id_of(str(embedded.folder / "periodic-47.parquet"), "Na") == SODIUM
    assert library.id_of(str(embedded.folder / "oxides-3d" / "oxides-3d-Ni.parquet"), "Ni") == NICKEL
    assert library.id_of(str(workspace.set_path("mine")), "Cu") == "mine"
    assert library.id_of("/else/where.parquet", "Cu") == "/else/where.parquet"


def test_ids_lead_to_sets_and_runs_and_nowhere_else(library: Library) -> None:
    assert Run(library.run_path(MODEL)).finished
    assert library.set_of_model(MODEL) == COPPER
    assert library.run_path("run-1") == library.workspace.run_path("run-1")
    assert is_embedded(COPPER)
    for bad in ("embedded:oxides-3d:Zn", "embedded:other:Cu", "embedded:", "embedded:../x:Cu"):
        with pytest.raises(DataError):
            library.source_of(bad)
        with pytest.raises(DataError):
            library.run_path(bad)
    with pytest.raises(DataError, match="no embedded data"):
        Library(library.workspace).source_of(COPPER)
    assert Library(library.workspace).first_embedded_set() == ""


def test_a_card_is_formatted_and_html_in_it_is_text() -> None:
    assert card_html("") == ""
    shown = card_html("# set\n\n<img src=x>\n\n| a |\n|---|\n| <b> |\n\n* ![x](http://host/x.png) [l](http://host)")
    assert "&lt;img" in shown
    for part in ("<h1>set</h1>", "<td>&lt;b&gt;</td>", "<li>![x](http://host/x.png) [l](http://host)</li>"):
        assert part in shown
