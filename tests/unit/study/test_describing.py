"""Candidates from structures and from the user: values with known answers, cheap ones first, and a set to train on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from engine.errors import DataError
from engine.io import read_set, read_site_structure, structures_path, write_set
from engine.io.structures import write_structures
from engine.model.config import make_config
from engine.model.run import Run
from engine.model.training import train
from engine.spectra import SpectraSet, set_hash
from engine.structures import CATALOGUE
from engine.study import describing
from engine.study.describing import DEAR, compute_missing
from engine.study.suggest_command import suggest
from tests.synthetic import make_set

SITES = 240
CORNERS = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
FULL = make_set(SITES, 32, per_material=1)
CN = FULL.descriptors["CN"].to_numpy()
BOND = 1.95 + 0.02 * FULL.descriptors["WAVE"].to_numpy()


def lacking(*names: str) -> SpectraSet:
    """The made-up set with OS and a constant for all of the catalogue but ``names`` and NOISE."""
    rest = [name for name in CATALOGUE if name not in (*names, "OS", "NOISE")]
    table = FULL.descriptors[["OS"]].assign(**dict.fromkeys(rest, 1.0))
    return replace(FULL, descriptors=table)


def put_set(spectra: SpectraSet, path: Path, sites: int = SITES) -> None:
    """Writes a set with a structure for its first ``sites``: a Cu atom with CN oxygen atoms at the length BOND."""
    structures = {}
    for name, count, bond in list(zip(spectra.material_id, CN, BOND, strict=True))[:sites]:
        places = np.vstack([[4, 4, 4], 4 + bond * CORNERS[: int(count)]])
        structures[str(name)] = Structure(
            Lattice.cubic(8), ["Cu"] + ["O"] * int(count), places, coords_are_cartesian=True
        )
    write_set(spectra, path)
    write_structures(structures, spectra, structures_path(path))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained on OS alone; CN, which the free axis holds, is in the structures only."""
    folder = tmp_path_factory.mktemp("describing")
    put_set(lacking("CN", "BL_MEAN"), folder / "set.parquet")
    config = make_config("default", descriptors=("OS",), seeds=(0,), epochs=30, hidden=32)
    return train(read_set(folder / "set.parquet"), folder / "set.parquet", config, folder / "run")


def test_values_are_those_of_the_structures_and_unknown_without_one(tmp_path: Path) -> None:
    spectra = lacking("CN", "BL_MEAN", "PGSO")
    empty = spectra.descriptors.assign(CN=np.nan, MINE=2.0)
    put_set(replace(spectra, descriptors=empty), tmp_path / "set.parquet", sites=20)
    found = compute_missing(read_set(tmp_path / "set.parquet"), tmp_path / "set.parquet", ["PGSO"], minutes=5)
    assert list(found.frame) == ["CN", "BL_MEAN"]
    np.testing.assert_array_equal(found.frame["CN"][:20], CN[:20])
    np.testing.assert_allclose(found.frame["BL_MEAN"][:20], BOND[:20], atol=1e-5)
    assert found.frame[20:].isna().all(axis=None)
    [note] = found.notes
    assert note.startswith(f"computed from the structures of 20 of {SITES} sites in ")
    assert note.endswith(": CN, BL_MEAN")


def test_without_structures_one_line_says_so_and_with_all_there_is_nothing_to_say(tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    found = compute_missing(lacking("CN", "GII"), path, minutes=5)
    assert found.notes == ("not tried, as the set has no structures beside it: CN, GII",)
    assert found.frame.shape == (SITES, 0)
    assert compute_missing(lacking(), path, minutes=5).notes == ()
    assert compute_missing(lacking("CN"), path, minutes=0).notes == ()
    strangers = replace(FULL, site_id=np.array([f"x-{i}_000" for i in range(SITES)]))
    put_set(lacking("CN"), path, sites=2)
    spectra = replace(strangers, descriptors=lacking("CN").descriptors)
    assert compute_missing(spectra, path, minutes=5).notes == (
        "not tried, as set.structures.parquet has none of the set's sites: CN",
    )


def test_cheap_ones_come_first_and_dear_ones_only_if_there_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that only describing moves: 0.1 s per site for the cheap ones, 1 s for the dear ones."""
    put_set(lacking(*CATALOGUE), tmp_path / "set.parquet")
    clock = [0.0]
    asked: list[tuple[str, ...]] = []

    def describe(_: Any, sites: list[Any], names: list[str], **options: Any) -> Any:
        clock[0] += len(sites) * (1.0 if DEAR & set(names) else 0.1)
        asked.append(tuple(names))
        return type("Described", (), {"frame": pd.DataFrame(0.0, index=range(len(sites)), columns=names)})

    monkeypatch.setattr(describing, "describe_sites", describe)
    monkeypatch.setattr(describing.time, "monotonic", lambda: clock[0])
    spectra = read_set(tmp_path / "set.parquet")
    found = compute_missing(spectra, tmp_path / "set.parquet", minutes=1)
    cheap = [name for name in CATALOGUE if name not in {*DEAR, "OS", "NOISE"}]
    assert list(found.frame) == cheap
    dear = ", ".join(name for name in CATALOGUE if name in DEAR and name != "OS")
    assert found.notes == (
        f"computed from the structures of {SITES} of {SITES} sites in 25 s: {', '.join(cheap)}",
        f"not tried, as they would take about 4 min and 35 s of the 1 min allowed are left: {dear}",
    )
    assert asked[0] == tuple(cheap)
    everything = compute_missing(spectra, tmp_path / "set.parquet", minutes=5).frame
    assert set(everything) == set(CATALOGUE) - {"OS", "NOISE"}


def test_what_is_computed_is_ranked_and_written_to_train_on(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "more.parquet"
    suggest(run.path, out=out, workers=1, as_json=True)
    content = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in content["candidates"]}
    assert content["proposed"][0] == "CN"
    assert rows["CN"]["origin"] == rows["BL_MEAN"]["origin"] == "computed"
    assert rows["PGSO"]["origin"] == "set"
    more = read_set(out)
    assert set_hash(more) == content["set_hash"]
    np.testing.assert_array_equal(more.descriptors["CN"], CN)
    assert more.steps[-1] == "from the structures beside the set: CN, BL_MEAN"
    assert read_site_structure(structures_path(out), "m-0_000") is not None
    tiny = make_config("default", descriptors=("OS", "CN"), seeds=(0,), epochs=1, hidden=8)
    again = train(more, out, tiny, tmp_path / "run")
    assert again.split().to_json() == run.split().to_json()


def test_own_columns_come_from_a_table_or_from_another_set(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = pd.DataFrame({"site_id": FULL.site_id, "MINE": CN, "EMPTY": np.nan})
    mine.to_csv(tmp_path / "mine.csv", index=False)
    other = replace(FULL, descriptors=lacking("CN", "BL_MEAN").descriptors.assign(MINE=CN, EMPTY=np.nan))
    write_set(other.take(np.arange(SITES)[::-1]), tmp_path / "other.parquet")
    found = {}
    for name in ("mine.csv", "other.parquet"):
        suggest(run.path, columns=tmp_path / name, minutes=0, as_json=True)
        content = json.loads(capsys.readouterr().out)
        found[name] = next(row for row in content["candidates"] if row["name"] == "MINE")
        assert content["notes"] == []
    assert found["mine.csv"] == found["other.parquet"]
    assert found["mine.csv"]["origin"] == "own"
    assert found["mine.csv"]["proposed"]
    complaint = "useless.parquet: has no column with values of this run's sites that its own set lacks"
    for spectra in (lacking("CN", "BL_MEAN"), replace(other, site_id=np.array([f"x-{i}_000" for i in range(SITES)]))):
        write_set(spectra, tmp_path / "useless.parquet")
        with pytest.raises(DataError, match=complaint):
            suggest(run.path, columns=tmp_path / "useless.parquet")


def test_damaged_structures_are_named(tmp_path: Path) -> None:
    structures_path(tmp_path / "set.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match=r"set.structures.parquet: not a readable file of structures"):
        compute_missing(lacking("CN"), tmp_path / "set.parquet", minutes=5)
