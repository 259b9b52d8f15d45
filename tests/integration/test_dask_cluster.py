"""The same work on a Dask cluster: results equal to those of this process, lost workers, errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from engine.batch.processes import in_processes
from engine.batch.simulate import simulate_sites
from engine.batch.sites import choose_sites
from engine.errors import Cancelled, ConfigError
from engine.io import read_set, write_set
from engine.model.apart import train_apart
from engine.model.config import make_config
from engine.model.run import Event, Run
from engine.model.training import train
from engine.simulation.simulate import Settings
from engine.structures import describe_sites
from tests.command import rankaae
from tests.fake_simulation import fails_on_site_1
from tests.local_cluster import LocalCluster, local_cluster
from tests.synthetic import make_set

pytest.importorskip("distributed")

RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.594, 2.958), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)
TINY = {"epochs": 6, "hidden": 16, "layers": 3, "batch_size": 40}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with local_cluster(tmp_path_factory.mktemp("cluster"), workers=3) as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("set") / "made.parquet"
    write_set(make_set(120), path)
    return path


def test_tasks_come_back_with_results_or_exceptions(cluster: LocalCluster) -> None:
    found = dict(in_processes(len, ["", "a", "bcd"], cluster.address))
    assert found == {"": 0, "a": 1, "bcd": 3}
    failed = dict(in_processes(int, ["1", "x"], cluster.address))
    assert failed["1"] == 1
    assert isinstance(failed["x"], ValueError)


def test_sites_are_simulated_and_described_as_here(cluster: LocalCluster, tmp_path: Path) -> None:
    sites = choose_sites("rutile", RUTILE, "Ti", all_sites=True)
    here, there = (
        simulate_sites({"rutile": RUTILE}, sites, Settings(), tmp_path / str(i), workers=w, simulate=fails_on_site_1)
        for i, w in enumerate((1, cluster.address))
    )
    assert [site.site_id for site in there.sites] == [site.site_id for site in here.sites]
    assert there.failures == here.failures
    for one, other in zip(here.finished, there.finished, strict=True):
        np.testing.assert_array_equal(one.mu, other.mu)
    wanted = [(site.material_id, site.index) for site in sites]
    names = ["OS", "CN", "BL_MEAN", "NOISE"]
    tables = [describe_sites({"rutile": RUTILE}, wanted, names, workers=w).frame for w in (1, cluster.address)]
    pd.testing.assert_frame_equal(*tables)


def test_a_worker_lost_in_a_training_changes_nothing(cluster: LocalCluster, made: Path, tmp_path: Path) -> None:
    spectra = read_set(made)
    config = make_config("default", descriptors=("OS", "CN"), seeds=(0, 1, 2, 5), **TINY)

    def lose_a_worker(event: Event) -> None:
        if event["event"] == "seed" and event["done"] == 1:
            cluster.workers[0].kill()

    there = train_apart(spectra, made, config, tmp_path / "there", cluster.address, threads=1, on_event=lose_a_worker)
    here = train_apart(spectra, made, config, tmp_path / "here", 1, threads=1)
    stacked = train(spectra, made, config, tmp_path / "stacked")
    assert cluster.workers[0].wait(10) != 0
    assert files(there) == files(stacked)
    pd.testing.assert_frame_equal(there.scores(), here.scores(), check_exact=True)
    pd.testing.assert_frame_equal(there.history(), here.history(), check_exact=True)
    ours, theirs = (run.read_arrays("weights.safetensors") for run in (here, there))
    assert ours[1] == theirs[1]
    assert all(np.array_equal(ours[0][name], theirs[0][name]) for name in ours[0])
    pd.testing.assert_frame_equal(there.scores(), stacked.scores(), atol=1e-3)


def files(run: Run) -> set[str]:
    return {path.name for path in run.path.iterdir()}


def test_a_stopped_training_goes_on(cluster: LocalCluster, made: Path, tmp_path: Path) -> None:
    spectra = read_set(made)
    config = make_config("default", descriptors=("OS",), seeds=(0, 1, 2), **TINY)

    def stop(event: Event) -> None:
        if event["event"] == "seed":
            (tmp_path / "run" / "stop").touch()

    with pytest.raises(Cancelled, match="--resume goes on"):
        train_apart(spectra, made, config, tmp_path / "run", 1, threads=1, on_event=stop)
    assert [path.name for path in (tmp_path / "run" / "seeds").iterdir()] == ["0"]
    resumed = train_apart(spectra, made, config, tmp_path / "run", cluster.address, resume=True, threads=1)
    whole = train_apart(spectra, made, config, tmp_path / "whole", 1, threads=1)
    pd.testing.assert_frame_equal(resumed.scores(), whole.scores(), check_exact=True)
    assert list(resumed.events())[-1]["status"] == "done"


def test_the_command_trains_on_a_cluster_and_says_what_is_wrong(
    cluster: LocalCluster, made: Path, tmp_path: Path
) -> None:
    tiny = [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
    ask = ("train", made, "--descriptors", "OS", "--seeds", 2, *tiny, "--threads", 1, "--out", tmp_path / "run")
    shown = rankaae(*ask, "--scheduler", "127.0.0.1:1", code=1).stderr
    assert shown.startswith("error: scheduler '127.0.0.1:1': nobody answers")
    assert not (tmp_path / "run").exists()
    assert "*seed" in rankaae(*ask, "--scheduler", cluster.address).stdout


def test_without_the_package_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'rankaae-explorer\[cluster\]'"):
        list(in_processes(len, ["a"], "tcp://127.0.0.1:1"))
