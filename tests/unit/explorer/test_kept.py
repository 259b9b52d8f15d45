"""Measured files in the workspace: kept by their bytes, brought back with what was said, forgotten on request."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import ConfigError, DataError
from explorer import kept
from explorer.kept import Experiment, MeasuredFile, keep, kept_files, kept_path, read_experiment, restored
from explorer.measurement import Corrections
from explorer.workspace import Workspace
from tests.measured_files import energies, raw, step_spectrum, write_xdi

HOSTILE = "../../<b>x\n.dat"
SHA = "0f" * 32
GRID = np.linspace(8980.0, 9030.0, 64)
FULL = Experiment(
    (MeasuredFile("a.dat", SHA), MeasuredFile("b.dat", SHA, "energy=1,mu=3")),
    Corrections(element="Cu", e0="8990", pre="-150,-30", shift_ev="1.5", reference="b.dat", material="m-1", series=""),
    standards="a OS=2\nb OS=3",
    components=3,
    basis="m-1, OS=2",
    chosen="b",
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_an_experiment_survives_the_way_through_json() -> None:
    assert read_experiment(json.loads(json.dumps(FULL.to_json()))) == (FULL, [])
    assert Experiment().to_json() == {}
    assert read_experiment({}) == (Experiment(), [])
    assert FULL.to_json()["files"][0] == {"name": "a.dat", "sha256": SHA}
    with pytest.raises(ConfigError, match="the pre-edge range is '3'"):
        Experiment(said=Corrections(pre="3")).to_json()


def test_other_files_end_the_map_and_the_reference_that_they_were_part_of() -> None:
    fewer = FULL.with_files(FULL.files[:1])
    assert (fewer.components, fewer.basis, fewer.said.reference) == (0, "", "")
    assert fewer.said.shift_ev == "1.5"
    assert FULL.with_files(FULL.files[1:]).said.reference == "b.dat"
    assert FULL.with_files(list(FULL.files)) == FULL


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"files": "a.dat"}, "files: a page takes a list"),
        ({"files": [{"name": "a.dat", "sha256": "../../etc"}]}, "file a.dat: '../../etc' is not the SHA-256"),
        ({"files": [{"name": "", "sha256": SHA}]}, "need a name and a hash"),
        ({"files": [7]}, "need a name and a hash"),
        ({"files": [{"name": "a.dat", "sha256": SHA, "columns": "x=1"}]}, "file a.dat: columns: 'x=1'"),
        ({"files": [{"name": "a.dat", "sha256": SHA, "columns": ["mu"]}]}, "columns: need text"),
        ({"said": {"shift_ev": "1e999"}}, "the shift is '1e999'"),
        ({"said": {"shift_ev": 1}}, "shift_ev = 1: need text"),
        ({"said": {"kind": "by ear"}}, "kind is 'by ear'"),
        ({"said": {"reference": "gone.dat"}}, "reference = gone.dat: none of the files"),
        ({"said": {"__class__": "x"}}, "__class__ = x: not a correction"),
        ({"said": []}, "said: need an object"),
        ({"components": True}, "components = True: need 2 to 8"),
        ({"components": 10**9}, "need 2 to 8"),
        ({"basis": "x" * 2000}, "need text of at most"),
        ({"chosen": {}}, "chosen = {}: need text"),
        ({"evil": 1}, "evil: not part of an experiment"),
    ],
)
def test_a_bad_value_does_not_take_the_others_along(bad: dict[str, Any], told: str) -> None:
    found, notes = read_experiment({**FULL.to_json(), **bad})
    assert len(notes) >= 1
    assert any(told in note for note in notes)
    untouched = {"files", "said", "components", "basis", "chosen"} - set(bad) - ({"said"} if "files" in bad else set())
    assert all(getattr(found, name) == getattr(FULL, name) for name in untouched)


@pytest.mark.parametrize("given", [None, [], "gone", 5, {"files": [[]] * 2000}])
def test_what_is_no_experiment_is_told(workspace: Workspace, given: Any) -> None:
    values, notes = restored(workspace, given)
    assert (values, len(notes)) == ({}, 1)


def test_bytes_are_kept_once_under_their_hash_whatever_they_are_called(workspace: Workspace) -> None:
    content = b"# energy mu\n1 2\n"
    one, again, other = (keep(workspace, name, content) for name in ("a.dat", "a.dat", HOSTILE))
    assert one == again == MeasuredFile("a.dat", hashlib.sha256(content).hexdigest())
    assert other.name == HOSTILE
    assert [path.name for path, _ in kept_files(workspace)] == ["a.dat", "b_x_.dat"]
    for file in (one, other):
        path = kept_path(workspace, file)
        assert path.read_bytes() == content
        assert path.parent.parent == workspace.root / "measured"


def test_what_is_empty_or_too_much_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"a\.dat: the file is empty"):
        keep(workspace, "a.dat", b"")
    monkeypatch.setattr(kept, "MAX_KEPT_MB", 1)
    keep(workspace, "a.dat", bytes(900_000))
    with pytest.raises(DataError, match=r"b\.dat: 195 kB beside the 879 kB .* more than 1 MB; press Forget files"):
        keep(workspace, "b.dat", bytes(200_000))


def test_files_that_are_not_here_are_named_and_the_others_brought_back(workspace: Workspace) -> None:
    here = keep(workspace, "here.dat", b"1")
    given = Experiment((here, MeasuredFile("gone <b>.dat", SHA)), Corrections(reference="gone <b>.dat"), 3, "x", "here")
    values, [note] = restored(workspace, given.to_json())
    assert read_experiment(values)[0] == Experiment((here,), chosen="here")
    assert note == (
        "not in this workspace: gone <b>.dat, nor the domain map that they were part of; open them here again"
    )
    many = Experiment(tuple(MeasuredFile(f"{i}.dat", SHA) for i in range(50)))
    assert restored(workspace, many.to_json())[1][0].endswith("19.dat and 30 more; open them here again")


def test_a_link_names_what_was_kept_and_nothing_else(workspace: Workspace) -> None:
    values = Experiment((keep(workspace, "a.dat", b"1"),), chosen="a").to_json()
    name = kept.keep_for_link(workspace, values)
    assert kept.keep_for_link(workspace, values) == name
    assert restored(workspace, name) == (values, [])
    (workspace.root / "secret.json").write_text(json.dumps(values))
    for bad in ("../secret", "f" * 32, name.upper(), f"{name}\n"):
        assert "no link of this workspace" in restored(workspace, bad)[1][0]
    (workspace.root / "experiments" / f"{name}.json").write_text("[" * 100_000)
    assert "cannot be read" in restored(workspace, name)[1][0]


def test_files_are_prepared_each_by_its_own_columns(workspace: Workspace, tmp_path: Path) -> None:
    energy = energies()
    mu = raw(energy, step_spectrum(energy))
    rows = "\n".join(f"{m:.6f} {e:.3f} {2 * m:.6f}" for e, m in zip(energy, mu, strict=True)).encode()
    plain = keep(workspace, "plain.xdi", write_xdi(tmp_path / "plain.xdi", energy, mu).read_bytes())
    first, second = (keep(workspace, f"{name}.dat", rows) for name in ("first", "second"))
    said = [plain, *(MeasuredFile(f.name, f.sha256, "energy=2,mu=" + c) for f, c in ((first, "1"), (second, "3")))]

    def prepare(files: list[MeasuredFile]) -> Any:
        return kept.prepare_kept(workspace, Experiment(tuple(files)), GRID, "Cu", lambda _: pytest.fail("no set"))

    intake = prepare(said)
    assert [one.measured.name for one in intake.prepared] == ["plain", "first", "second"]
    assert intake.refused == ()
    steps = [one.normalised.edge_step for one in intake.prepared]
    assert steps[2] == pytest.approx(2 * steps[1], rel=1e-6)
    for one in intake.prepared:
        np.testing.assert_allclose(one.mu, intake.prepared[0].mu, atol=1e-4)
    again = prepare(read_experiment(json.loads(json.dumps(Experiment(tuple(said)).to_json())))[0].files)
    for one, other in zip(intake.prepared, again.prepared, strict=True):
        np.testing.assert_array_equal(one.mu, other.mu)
    found = kept.layouts(workspace, said)
    assert found == {plain.sha256: ("energy", "i0", "itrans"), first.sha256: ("1", "2", "3")}

    kept_path(workspace, first).write_bytes(rows + b"\n")
    kept.forget([kept_path(workspace, plain)])
    intake = prepare(said)
    assert [one.measured.name for one in intake.prepared] == ["second"]
    assert "plain.xdi: is no longer in the workspace" in intake.refused[0]
    assert "first.dat: in the workspace it is not what was opened" in intake.refused[1]
    with pytest.raises(DataError, match=r"plain\.xdi: is no longer"):
        prepare(said[:1])


def test_forgetting_takes_what_is_named(workspace: Workspace) -> None:
    for name in ("a.dat", "b.dat"):
        keep(workspace, name, name.encode())
    (a, _), _ = kept_files(workspace)
    kept.forget([a, a])
    assert [path.name for path, _ in kept_files(workspace)] == ["b.dat"]
    kept.forget([a])
