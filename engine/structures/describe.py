"""Descriptors for many sites: serial or parallel over structures, cached, every failure recorded with its reason."""

from __future__ import annotations

import math
import multiprocessing
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pymatgen.core import Structure
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from engine.batch.cluster import on_cluster
from engine.batch.processes import Workers
from engine.errors import ConfigError, EngineError
from engine.names import site_name
from engine.structures.cache import Outcome, Remembered, load, open_cache, save, structure_hash
from engine.structures.catalogue import CATALOGUE
from engine.structures.environment import SiteContext, StructureContext
from engine.structures.errors import NotDefinedError, TimedOutError
from engine.structures.shells import find_second_shell

SHELL_COLUMNS = frozenset({"CN2", "METAL2"})
NOT_CACHED = frozenset({"NOISE"})


@dataclass(frozen=True, eq=False)
class Described:
    """Descriptors of n sites.

    frame                  (n, d) float64, one row per site in the order asked for, index ``site_id``; NaN: no value
    failures               one row per NaN: site_id, descriptor, reason
    second_shell_angstrom  per element the bounds used for CN2 and METAL2, empty when neither was asked for
    """

    frame: pd.DataFrame
    failures: pd.DataFrame
    second_shell_angstrom: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class _Task:
    """One structure's missing values: site index to names."""

    material_id: str
    wanted: dict[int, tuple[str, ...]]
    second_shell: dict[str, tuple[float, float]]
    noise_seed: int
    valence_seconds: float


Outcomes = dict[int, dict[str, Outcome]]
Result = tuple[Outcomes, set[tuple[int, str]]]
"""Outcomes per site and name, and the (site, name) that must not be remembered."""


def describe_sites(
    structures: Mapping[str, Structure],
    sites: Sequence[tuple[str, int]],
    names: Sequence[str] | None = None,
    *,
    workers: Workers = 1,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    second_shell_angstrom: Mapping[str, tuple[float, float]] | None = None,
    noise_seed: int = 0,
    valence_seconds: float = 10.0,
) -> Described:
    """Descriptors ``names`` (default: the whole catalogue) of ``sites``, each a (material_id, 0-based site index).

    workers                processes, or a Dask scheduler; 1 works in this one. Values do not depend on it
    cache                  folder of JSON files, one per structure content; created when missing
    progress               called with (structures done, structures in all); may raise Cancelled to stop
    second_shell_angstrom  bounds per absorber element for CN2 and METAL2; fitted to this set where not given
    noise_seed             seed of NOISE
    valence_seconds        time given to the bond-valence analysis of one structure

    A site without a value (unknown material, index out of range, partial occupancy, no neighbours, a method that fails)
    is NaN in the frame and a row in failures; it stops nothing. Unknown names and impossible settings are ConfigErrors.
    """
    columns = _checked_names(names)
    if isinstance(workers, int) and workers < 1:
        raise ConfigError(f"workers is {workers}; need 1 or more")
    shells = _checked_shells(second_shell_angstrom or {})
    folder = open_cache(cache) if cache is not None else None
    pairs = [(str(material_id), int(index)) for material_id, index in sites]
    wanted: dict[str, list[int]] = {}
    for material_id, index in dict.fromkeys(pairs):
        wanted.setdefault(material_id, []).append(index)
    uses_shells = bool(SHELL_COLUMNS.intersection(columns))
    shells = {**_fitted(structures, pairs, shells), **shells} if uses_shells else {}

    outcomes: dict[str, Outcomes] = {}
    tasks: list[tuple[_Task, Structure]] = []
    hashes: dict[str, str] = {}
    remembered: dict[str, Remembered] = {}
    for material_id, indices in wanted.items():
        structure = _structure(structures, material_id)
        if isinstance(structure, str):
            outcomes[material_id] = {index: dict.fromkeys(columns, structure) for index in indices}
            continue
        known: Outcomes = {index: {} for index in indices}
        if folder is not None:
            key = hashes[material_id] = structure_hash(structure)
            remembered[material_id] = load(folder, key)
            known = _recalled(remembered[material_id], structure, indices, columns, shells)
        outcomes[material_id] = known
        missing = {i: tuple(name for name in columns if name not in known[i]) for i in indices}
        missing = {i: absent for i, absent in missing.items() if absent}
        if missing:
            tasks.append((_Task(material_id, missing, shells, noise_seed, valence_seconds), structure))

    done, total = len(wanted) - len(tasks), len(wanted)
    if progress is not None:
        progress(done, total)
    structure_of = {task.material_id: structure for task, structure in tasks}
    with closing(_work(tasks, workers)) as results:
        for task, (found, transient) in results:
            for index, values in found.items():
                outcomes[task.material_id][index].update(values)
            if folder is not None:
                memory = remembered[task.material_id]
                if _remember(memory, structure_of[task.material_id], found, transient, shells):
                    save(folder, hashes[task.material_id], memory)
            done += 1
            if progress is not None:
                progress(done, total)
    return _assembled(pairs, columns, outcomes, shells)


def _checked_names(names: Sequence[str] | None) -> list[str]:
    columns = list(CATALOGUE) if names is None else list(dict.fromkeys(names))
    unknown = [name for name in columns if name not in CATALOGUE]
    if unknown:
        raise ConfigError(f"descriptor '{unknown[0]}' is not in the catalogue; it has: {', '.join(CATALOGUE)}")
    return columns


def _checked_shells(given: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    shells = {}
    for element, (low, high) in given.items():
        if not (math.isfinite(low) and math.isfinite(high) and 0 <= low < high <= 10):
            raise ConfigError(f"second shell of {element} is {low:g} to {high:g} Å; need 0 <= low < high <= 10")
        shells[element] = (float(low), float(high))
    return shells


def _structure(structures: Mapping[str, Structure], material_id: str) -> Structure | str:
    """The structure, or the reason why there is none."""
    try:
        return structures[material_id]
    except KeyError:
        return f"no structure named {material_id}"
    except EngineError as problem:
        return str(problem)


def _fitted(
    structures: Mapping[str, Structure],
    pairs: Sequence[tuple[str, int]],
    given: Mapping[str, tuple[float, float]],
) -> dict[str, tuple[float, float]]:
    """Second-shell bounds fitted to the set, for the elements without given ones."""
    usable: dict[str, Structure] = {}
    unfitted = []
    for material_id, index in pairs:
        if material_id not in usable:
            structure = _structure(structures, material_id)
            if isinstance(structure, str) or not structure.is_ordered:
                continue
            usable[material_id] = structure
        structure = usable[material_id]
        if 0 <= index < len(structure) and structure[index].specie.symbol not in given:
            unfitted.append((material_id, index))
    return find_second_shell(usable, unfitted) if unfitted else {}


def _cache_column(name: str, symbol: str, shells: Mapping[str, tuple[float, float]]) -> str:
    """Name under which a value is remembered; it carries the shell bounds where the value depends on them."""
    if name not in SHELL_COLUMNS:
        return name
    return f"{name}@{shells[symbol][0]:.4f}-{shells[symbol][1]:.4f}" if symbol in shells else f"{name}@none"


def _symbol(structure: Structure, index: int) -> str:
    """Chemical symbol of a site, "" where there is no such site or several elements share it."""
    known = 0 <= index < len(structure) and structure[index].is_ordered
    return str(structure[index].specie.symbol) if known else ""


def _recalled(
    memory: Remembered,
    structure: Structure,
    indices: Sequence[int],
    columns: Sequence[str],
    shells: Mapping[str, tuple[float, float]],
) -> Outcomes:
    known: Outcomes = {}
    for index in indices:
        stored = memory.sites.get(index, {})
        symbol = _symbol(structure, index)
        keys = {name: _cache_column(name, symbol, shells) for name in columns if name not in NOT_CACHED}
        known[index] = {name: stored[key] for name, key in keys.items() if key in stored}
    return known


def _remember(
    memory: Remembered,
    structure: Structure,
    found: Outcomes,
    transient: set[tuple[int, str]],
    shells: Mapping[str, tuple[float, float]],
) -> bool:
    """Adds what may be kept to ``memory``; whether there was any."""
    changed = False
    for index, values in found.items():
        symbol = _symbol(structure, index)
        for name, outcome in values.items():
            if name not in NOT_CACHED and (index, name) not in transient:
                memory.sites.setdefault(index, {})[_cache_column(name, symbol, shells)] = outcome
                changed = True
    return changed


def _work(tasks: Sequence[tuple[_Task, Structure]], workers: Workers) -> Generator[tuple[_Task, Result], None, None]:
    """Results as they come, from this process, from a pool that holds few structures at a time or from a cluster."""
    if isinstance(workers, str):
        for (task, _), result in on_cluster(_describe_pair, tasks, workers):
            yield task, _lost(task) if isinstance(result, Exception) else result
        return
    if workers == 1 or len(tasks) < 2:
        for task, structure in tasks:
            yield task, _describe_structure(task, structure)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_one_thread)
    running: dict[Future[Result], _Task] = {}
    waiting = iter(tasks)
    try:
        for task, structure in waiting:
            try:
                running[pool.submit(_describe_structure, task, structure)] = task
            except BrokenProcessPool:
                yield task, _lost(task)
            if len(running) >= 4 * workers:
                yield from _finished(running)
        while running:
            yield from _finished(running)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _finished(running: dict[Future[Result], _Task]) -> Iterator[tuple[_Task, Result]]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        task = running.pop(future)
        try:
            yield task, future.result()
        except BrokenProcessPool:
            yield task, _lost(task)


def _lost(task: _Task) -> Result:
    reason = "the worker process died (out of memory?)"
    outcomes: Outcomes = {index: dict.fromkeys(names, reason) for index, names in task.wanted.items()}
    return outcomes, {(index, name) for index, names in task.wanted.items() for name in names}


def _one_thread() -> None:
    threadpool_limits(limits=1)


def _describe_pair(task: tuple[_Task, Structure]) -> Result:
    with threadpool_limits(limits=1):
        return _describe_structure(*task)


def _describe_structure(task: _Task, structure: Structure) -> Result:
    """Outcomes of every wanted site and name of one structure; the work of one process."""
    transient: set[tuple[int, str]] = set()
    outcomes: Outcomes = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            context = StructureContext(
                structure, second_shell_angstrom=task.second_shell, valence_seconds=task.valence_seconds
            )
        except Exception as problem:
            return {index: dict.fromkeys(names, _reason(problem)) for index, names in task.wanted.items()}, transient
        for index, names in task.wanted.items():
            try:
                site = SiteContext(context, index, site_name(task.material_id, index), task.noise_seed)
            except NotDefinedError as problem:
                outcomes[index] = dict.fromkeys(names, str(problem))
                continue
            outcomes[index] = {}
            for name in names:
                outcome, lasting = _value(site, name)
                outcomes[index][name] = outcome
                if not lasting:
                    transient.add((index, name))
    return outcomes, transient


def _value(site: SiteContext, name: str) -> tuple[Outcome, bool]:
    """A finite value or a reason, and whether it may be remembered."""
    try:
        value = float(CATALOGUE[name].function(site))
    except TimedOutError as problem:
        return str(problem), False
    except MemoryError:
        return "out of memory", False
    except Exception as problem:
        return _reason(problem), True
    return (value, True) if math.isfinite(value) else (f"the result is {value}", True)


def _reason(problem: Exception) -> str:
    return str(problem) if isinstance(problem, EngineError) else f"{type(problem).__name__}: {problem}"


def _assembled(
    pairs: Sequence[tuple[str, int]],
    columns: Sequence[str],
    outcomes: Mapping[str, Outcomes],
    shells: dict[str, tuple[float, float]],
) -> Described:
    values = np.full((len(pairs), len(columns)), np.nan)
    failures: list[tuple[str, str, str]] = []
    ids = [site_name(material_id, index) for material_id, index in pairs]
    for row, (material_id, index) in enumerate(pairs):
        found = outcomes[material_id][index]
        for column, name in enumerate(columns):
            outcome = found[name]
            if isinstance(outcome, str):
                failures.append((ids[row], name, outcome))
            else:
                values[row, column] = outcome
    frame = pd.DataFrame(values, columns=pd.Index(columns), index=pd.Index(ids, name="site_id", dtype=object))
    return Described(frame, pd.DataFrame(failures, columns=["site_id", "descriptor", "reason"]), shells)
