"""The program's own Parquet: exact round trips, atomic writing, and every way a file can be wrong."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import DataError
from engine.io import parquet, read_set, write_set
from engine.spectra import SpectraSet, set_hash


def a_set(n: int = 6, points: int = 32) -> SpectraSet:
    rng = np.random.default_rng(0)
    return SpectraSet(
        energy_ev=np.linspace(8984.0, 9034.0, points),
        mu=rng.random((n, points)),
        descriptors=pd.DataFrame({"OS": [np.nan, *range(1, n)], "χ mean": rng.random(n)}),
        site_id=[f"mp-{i // 2}_{i % 2:03d}" for i in range(n)],
        material_id=[f"mp-{i // 2}" for i in range(n)],
        element=["Cu"] * n,
        origin="made up, Å and µ",
        steps=("first step", "second"),
    )


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "set.parquet"
    write_set(a_set(), path)
    return path


def rewrite(path: Path, table: pa.Table, metadata: dict[bytes, bytes] | None = None) -> None:
    kept = pq.read_schema(path).metadata if metadata is None else metadata
    pq.write_table(table.replace_schema_metadata(kept), path)


def test_round_trip_is_exact(stored: Path) -> None:
    written, read = a_set(), read_set(stored)
    assert np.array_equal(written.energy_ev, read.energy_ev)
    assert np.array_equal(written.mu, read.mu)
    pd.testing.assert_frame_equal(written.descriptors, read.descriptors)
    assert (read.origin, read.steps, read.edge) == (written.origin, written.steps, written.edge)
    assert set_hash(read) == set_hash(written)


def test_pandas_reads_it_without_help(stored: Path) -> None:
    frame = pd.read_parquet(stored)
    assert list(frame.columns) == ["site_id", "material_id", "element", "OS", "χ mean", "mu"]
    assert frame["OS"].dtype == np.float64
    assert np.array_equal(np.stack(frame["mu"].to_list()), a_set().mu)
    kind = pq.read_schema(stored).field("mu").type
    assert kind.list_size == 32
    assert kind.value_type == pa.float32()


def test_an_empty_set_and_one_without_descriptors_round_trip(tmp_path: Path) -> None:
    empty = a_set().take([])
    write_set(empty, tmp_path / "empty.parquet")
    assert len(read_set(tmp_path / "empty.parquet")) == 0
    bare = a_set()
    bare = SpectraSet(
        bare.energy_ev, bare.mu, pd.DataFrame(index=range(6)), bare.site_id, bare.material_id, bare.element
    )
    write_set(bare, tmp_path / "bare.parquet")
    assert read_set(tmp_path / "bare.parquet").descriptors.shape == (6, 0)


def test_a_descriptor_named_like_a_column_of_the_format_is_refused(tmp_path: Path) -> None:
    spectra = a_set()
    spectra.descriptors.columns = ["mu", "OS"]
    with pytest.raises(DataError, match="descriptor name 'mu'"):
        write_set(spectra, tmp_path / "set.parquet")
    spectra.descriptors.columns = ["OS", "OS"]
    with pytest.raises(DataError, match="descriptor name 'OS'"):
        write_set(spectra, tmp_path / "set.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file_and_no_half_of_a_new_one(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored.read_bytes()

    def full(table: pa.Table, where: Path, **options: object) -> None:
        where.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(parquet.pq, "write_table", full)
    with pytest.raises(DataError, match=r"set\.parquet: cannot be written \(No space left on device\)"):
        write_set(a_set(), stored)
    assert stored.read_bytes() == before
    assert list(stored.parent.iterdir()) == [stored]


def test_a_write_that_the_system_cuts_short_leaves_nothing(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path; import numpy as np, pandas as pd\n"
        "from engine.io.parquet import write_set; from engine.spectra import SpectraSet\n"
        "from engine.errors import DataError\n"
        "n = 400; rng = np.random.default_rng(0)\n"
        "s = SpectraSet(np.linspace(0, 1, 256), rng.random((n, 256)), pd.DataFrame(index=range(n)),"
        " [str(i) for i in range(n)], ['m'] * n, ['Cu'] * n)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n    write_set(s, Path(sys.argv[1]))\n"
        "except DataError as error:\n    sys.stdout.write(str(error)); sys.exit(7)\n"
    )
    root = Path(parquet.__file__).resolve().parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "set.parquet")],
        capture_output=True,
        text=True,
        cwd=root,
        timeout=60,
    )
    assert ran.returncode == 7, ran.stderr
    assert "cannot be written" in ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_missing_and_unwritable_folders_are_clear(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        write_set(a_set(), tmp_path / "nowhere" / "set.parquet")
    with pytest.raises(DataError, match="is a folder"):
        write_set(a_set(), tmp_path)
    with pytest.raises(DataError, match="cannot be written"):
        write_set(a_set(), Path("/proc/set.parquet"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_permission_is_clear(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataError, match="Permission denied"):
            write_set(a_set(), tmp_path / "set.parquet")
    finally:
        tmp_path.chmod(0o700)


def test_files_that_are_not_ours(tmp_path: Path, stored: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        read_set(tmp_path / "no.parquet")
    (tmp_path / "empty.parquet").touch()
    with pytest.raises(DataError, match="empty"):
        read_set(tmp_path / "empty.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(DataError, match="not a readable Parquet"):
        read_set(tmp_path / "text.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DataError, match="without 'rankaae' metadata"):
        read_set(tmp_path / "other.parquet")
    stored.write_bytes(stored.read_bytes()[:-200])
    with pytest.raises(DataError, match="not a readable Parquet"):
        read_set(stored)


def test_one_flipped_byte_of_the_spectra_is_noticed(stored: Path) -> None:
    raw = bytearray(stored.read_bytes())
    column = pq.ParquetFile(stored).metadata.row_group(0).column(5)
    start = column.dictionary_page_offset or column.data_page_offset
    raw[start + column.total_compressed_size // 2] ^= 0x01
    stored.write_bytes(raw)
    with pytest.raises(DataError, match="not a readable Parquet"):
        read_set(stored)


def test_damage_in_the_middle_of_a_file_is_a_data_error(stored: Path) -> None:
    raw = bytearray(stored.read_bytes())
    raw[200:1200] = b"\xff" * 1000
    stored.write_bytes(raw)
    with pytest.raises(DataError):
        read_set(stored)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {**m, "version": 2}, "format version is 2"),
        (lambda m: {**m, "format": "x"}, "does not describe"),
        (lambda m: {**m, "energy_ev": "x"}, "list of numbers"),
        (lambda m: {**m, "energy_ev": m["energy_ev"][:-1]}, "mu has 32 points; need 31"),
        (lambda m: {**m, "energy_ev": m["energy_ev"][::-1]}, "rise strictly"),
        (lambda m: {**m, "energy_ev": [*m["energy_ev"][:-1], float("nan")]}, "rise strictly"),
        (lambda m: {**m, "edge": None}, "'edge' is None"),
        (lambda m: {**m, "steps": [1]}, "'steps'"),
        (lambda m: [], "does not describe"),
    ],
)
def test_wrong_metadata_is_named(stored: Path, change: object, message: str) -> None:
    table = pq.read_table(stored)
    metadata = json.loads(table.schema.metadata[b"rankaae"])
    rewrite(stored, table, {b"rankaae": json.dumps(change(metadata)).encode()})  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        read_set(stored)


def test_metadata_that_is_not_json(stored: Path) -> None:
    rewrite(stored, pq.read_table(stored), {b"rankaae": b"{"})
    with pytest.raises(DataError, match="not JSON"):
        read_set(stored)


def replaced(path: Path, column: str, values: pa.Array) -> None:
    table = pq.read_table(path)
    rewrite(path, table.set_column(table.column_names.index(column), column, values))


def test_wrong_columns_are_named(stored: Path) -> None:
    original = stored.read_bytes()
    lists = [[0.5] * 32] * 6
    cases = [
        ("OS", pa.array(["six"] * 6), "column 'OS' holds string, e.g. 'six'"),
        ("OS", pa.array([float("inf")] * 6), "OS is infinite"),
        ("site_id", pa.array(["same"] * 6), "occurs 6 times"),
        ("site_id", pa.array(["a", None, "c", "d", "e", "f"]), "row 2: 'site_id' is empty"),
        ("element", pa.array([29] * 6), "column 'element' holds int64"),
        ("mu", pa.array([*lists[:5], [0.5] * 31]), "row 6: mu has 31 points"),
        ("mu", pa.array([*lists[:5], None]), "row 6: 'mu' is empty"),
        ("mu", pa.array([*lists[:5], [float("nan")] * 32]), "mu at 8984.000 eV is nan"),
        ("mu", pa.array([["x"] * 32] * 6), "need a list of numbers"),
        ("mu", pa.array([1.0] * 6), "need a list of numbers"),
    ]
    for column, values, message in cases:
        stored.write_bytes(original)
        replaced(stored, column, values)
        with pytest.raises(DataError, match=message):
            read_set(stored)
    stored.write_bytes(original)
    rewrite(stored, pq.read_table(stored).drop_columns(["element"]))
    with pytest.raises(DataError, match="column 'element' is missing"):
        read_set(stored)


def test_a_file_that_unpacks_to_too_much_is_refused_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    n, points = 2000, 4000
    flat = pa.array(np.zeros(n * points, dtype=np.float32))
    pq.write_table(pa.table({"mu": pa.FixedSizeListArray.from_arrays(flat, points)}), path, compression="zstd")
    assert path.stat().st_size < 200_000
    with pytest.raises(DataError, match="once unpacked is more than the limit"):
        parquet.open_table(path, max_bytes=10_000_000)
