"""A Dask cluster of this machine: a scheduler and workers, each a process of one thread that a test may kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class LocalCluster:
    """The scheduler's address and the worker processes."""

    address: str
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def local_cluster(folder: Path, workers: int = 2) -> Iterator[LocalCluster]:
    """As ``dask scheduler`` and ``dask worker`` start them on the nodes of a cluster, with logs in ``folder``."""
    where = folder / "scheduler.json"
    ones = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = os.environ | ones | {"PYTHONPATH": str(REPOSITORY)}

    def start(*command: str) -> subprocess.Popen[bytes]:
        with (folder / "cluster.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *command], cwd=folder, env=environment, stdout=log, stderr=log
            )

    local = ("--host", "127.0.0.1", "--no-dashboard")
    scheduler = start("scheduler", "--port", "0", "--scheduler-file", str(where), *local)
    ask = ("worker", "--scheduler-file", str(where), "--nthreads", "1", "--no-nanny", *local)
    started = [start(*ask) for _ in range(workers)]
    try:
        yield LocalCluster(_address(where), started)
    finally:
        for process in (*started, scheduler):
            process.kill()
            process.wait()


def _address(where: Path, seconds: float = 120) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if where.is_file() and (text := where.read_text()):
            return str(json.loads(text)["address"])
        time.sleep(0.1)
    raise TimeoutError(f"no scheduler after {seconds} s; see {where.parent / 'cluster.log'}")
