"""Tasks in processes of one thread each, results as they come; a process that dies is a failure, not the end.

Where the processes are is one argument: here, or on the workers of a Dask scheduler (``cluster.py``).
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import TypeVar

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from engine.batch.cluster import on_cluster

Workers = int | str
"""How many processes of this machine, or the address of a Dask scheduler, such as tcp://host:8786."""
Task = TypeVar("Task")
Result = TypeVar("Result")

WAITING = 4
"""Tasks handed out per process at a time, so that structures do not pile up in memory."""


def in_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: Workers
) -> Iterator[tuple[Task, Result | Exception]]:
    """(task, result or the exception it raised), in the order they finish; ``workers`` 1 works in this process.

    When a process dies (out of memory), the tasks that were under way are tried once more, one at a time, each in a
    process of its own, so that only the one that kills it fails. On a cluster, see ``on_cluster``.
    """
    if isinstance(workers, str):
        yield from on_cluster(work, tasks, workers)
        return
    if workers == 1 or len(tasks) < 2:
        for task in tasks:
            yield task, _outcome(work, task)
        return
    broken: list[Task] = []
    remaining = iter(tasks)
    pool = _pool(min(workers, len(tasks)))
    running: dict[Future[Result], Task] = {}
    try:
        while True:
            for task in remaining:
                try:
                    running[pool.submit(work, task)] = task
                except BrokenProcessPool:
                    broken.append(task)
                    break
                if len(running) >= WAITING * workers:
                    break
            if not running and not broken:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                task = running.pop(future)
                try:
                    yield task, future.result()
                except BrokenProcessPool:
                    broken.append(task)
                except Exception as problem:
                    yield task, problem
            if broken:
                broken += running.values()
                running.clear()
                pool.shutdown(wait=True, cancel_futures=True)
                for task in broken:
                    yield task, _alone(work, task)
                broken.clear()
                pool = _pool(min(workers, len(tasks)))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


def _alone(work: Callable[[Task], Result], task: Task) -> Result | Exception:
    with _pool(1) as pool:
        try:
            return pool.submit(work, task).result()
        except BrokenProcessPool:
            return MemoryError("the process died (out of memory?)")
        except Exception as problem:
            return problem


def _outcome(work: Callable[[Task], Result], task: Task) -> Result | Exception:
    try:
        return work(task)
    except Exception as problem:
        return problem


def _begin() -> None:
    """Each process computes on one core (torch, where it comes in later, is told by the environment) and ends with
    the one that started it, however that one ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
    threadpool_limits(limits=1)


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
