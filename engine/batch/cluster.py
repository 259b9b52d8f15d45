"""Tasks on a Dask cluster, results as they come; the task of a worker that is lost is given to another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import engine
from engine.errors import ConfigError, RunError

if TYPE_CHECKING:
    from distributed import Client, Future

Task = TypeVar("Task")
Result = TypeVar("Result")

WAITING = 4
"""Tasks handed out per worker thread at a time, so that structures do not pile up in the scheduler."""
SECONDS_TO_ANSWER = 10
SECONDS_FOR_WORKERS = 60
_ONE = threading.Lock()


def on_cluster(
    work: Callable[[Task], Result], tasks: Sequence[Task], address: str
) -> Generator[tuple[Task, Result | Exception], None, None]:
    """(task, result or the exception it raised), in the order they finish on the workers of a Dask scheduler.

    A worker process does one task at a time. A task whose worker is lost is started again on another; one that has
    lost four workers (Dask's ``allowed-failures`` and one) comes back as MemoryError. ConfigError without the package
    ``distributed``, when nobody answers at ``address``, or no worker has this version of this program; RunError when
    the scheduler is lost.
    """
    if not tasks:
        return
    client = _connected(address)
    try:
        from distributed import as_completed

        waiting, running, finished = iter(tasks), dict[str, Task](), as_completed(loop=client.loop)

        def hand_out() -> None:
            for task in islice(waiting, max(1, WAITING * sum(client.nthreads().values()) - len(running))):
                future = client.submit(_alone, work, task, pure=False)
                running[future.key] = task
                finished.add(future)

        hand_out()
        for future in finished:
            yield running.pop(future.key), _outcome(future, address)
            hand_out()
    finally:
        client.close()


def check_scheduler(address: str) -> None:
    """The ConfigErrors of ``on_cluster``, before anything is begun."""
    _connected(address).close()


def _connected(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError(
            "a scheduler needs the package distributed; pip install 'rankaae-explorer[cluster]', or work without one"
        ) from None
    try:
        client = Client(address, timeout=SECONDS_TO_ANSWER, set_as_default=False)
    except (OSError, ValueError) as problem:
        raise ConfigError(
            f"scheduler '{address}': nobody answers ({problem}); need the address that dask scheduler prints, "
            "such as tcp://host:8786"
        ) from None
    try:
        client.wait_for_workers(1, timeout=SECONDS_FOR_WORKERS)
        versions: dict[str, str | Exception] = client.run(_version, on_error="return")
    except TimeoutError:
        client.close()
        raise ConfigError(
            f"scheduler '{address}' has had no worker for {SECONDS_FOR_WORKERS} s; start some with "
            f"dask worker {address} --nthreads 1"
        ) from None
    other = next(((worker, found) for worker, found in versions.items() if found != engine.__version__), None)
    if other is not None:
        client.close()
        raise ConfigError(
            f"worker {other[0]} has RankAAE {other[1]}, here it is {engine.__version__}; start all workers from one "
            "installation"
        )
    return client


def _version() -> str:
    return engine.__version__


def _alone(work: Callable[[Task], Result], task: Task) -> Result:
    """In a worker: one task at a time, also where it was started with several threads, which would share settings."""
    with _ONE:
        return work(task)


def _outcome(future: Future, address: str) -> Any:
    from distributed import KilledWorker

    if future.cancelled():
        raise RunError(f"scheduler '{address}' was lost; what is finished is kept, run the command again to go on")
    problem = future.exception()
    if isinstance(problem, KilledWorker):
        return MemoryError("the workers that had it died (out of memory?)")
    return future.result() if problem is None else problem
