"""Simulated spectra of many sites: the work behind ``rankaae simulate`` and behind the embedded sets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pymatgen.core import Molecule, Structure

from engine.batch.parts import Finished, clear_parts, key_of, load_part, save_part
from engine.batch.processes import Workers, in_processes
from engine.batch.sites import Site, boxed, choose_sites
from engine.batch.sources import Source
from engine.errors import DataError, EngineError
from engine.io.files import atomic_target
from engine.io.parquet import write_set
from engine.io.structures import structures_path, write_structures
from engine.simulation.simulate import Settings, SiteSpectrum, simulate_site
from engine.spectra import GridSpec, ImportReport, Ledger, RawSpectra, SpectraSet, assemble
from engine.spectra.grid import mu_problem
from engine.structures import describe_sites

Progress = Callable[[int, int], None]
Simulate = Callable[[Structure | Molecule, int, Settings], SiteSpectrum]
MEAN_SITE = "mean"


@dataclass(frozen=True, eq=False)
class Simulated:
    """Sites that were simulated, with their spectra, in the order asked for, and (name, reason) of what failed.

    ``resumed`` counts the spectra that were found finished.
    """

    sites: tuple[Site, ...]
    finished: tuple[Finished, ...]
    failures: tuple[tuple[str, str], ...]
    resumed: int


@dataclass(frozen=True, eq=False)
class Outcome:
    """What ``simulate_sources`` wrote and could not do. ``report`` accounts for the spectra of the set."""

    report: ImportReport
    failures: tuple[tuple[str, str], ...]
    resumed: int
    written: tuple[Path, ...]
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, object]:
        """A JSON-ready dict."""
        return {
            **self.report.to_json(),
            "failures": [{"site": name, "reason": reason} for name, reason in self.failures],
            "resumed": self.resumed,
            "notes": list(self.notes),
            "written": [str(path) for path in self.written],
        }

    def lines(self) -> list[str]:
        """The account for people."""
        lines = self.report.lines()
        if self.resumed:
            lines.append(f"{self.resumed} sites were finished before and taken from there")
        lines += [f"failed {name}: {reason}" for name, reason in self.failures]
        lines += [f"note: {note}" for note in self.notes]
        return [*lines, *(f"wrote {path}" for path in self.written)]


@dataclass(frozen=True, eq=False)
class _Task:
    site: Site
    structure: Structure | Molecule
    settings: Settings
    simulate: Simulate
    folder: Path


def simulate_sites(
    structures: Mapping[str, Structure | Molecule],
    sites: Sequence[Site],
    settings: Settings,
    parts: Path,
    *,
    workers: Workers = 1,
    progress: Progress | None = None,
    simulate: Simulate = simulate_site,
) -> Simulated:
    """Spectra of ``sites``; each is kept in the folder ``parts`` as soon as it is finished, and found there again.

    A site that fails is listed with its reason and tried again next time. ``simulate`` is the physics, for tests.
    """
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise DataError(f"{parts}: cannot be made ({problem.strerror})") from problem
    parameters: dict[str, object] = asdict(settings)
    keys = {site: key_of(structures[site.material_id], site.index, parameters) for site in sites}
    done = {site: part for site in sites if (part := load_part(parts, keys[site])) is not None}
    resumed = len(done)
    tasks = [_Task(s, structures[s.material_id], settings, simulate, parts) for s in sites if s not in done]
    failures: dict[Site, str] = {}
    if progress is not None:
        progress(len(done), len(sites))
    for task, result in in_processes(_work, tasks, workers):
        if isinstance(result, Exception):
            failures[task.site] = reason_of(result)
        else:
            done[task.site] = result
        if progress is not None:
            progress(len(done) + len(failures), len(sites))
    kept = tuple(site for site in sites if site in done)
    return Simulated(
        kept,
        tuple(done[site] for site in kept),
        tuple((site.site_id, failures[site]) for site in sites if site in failures),
        resumed,
    )


def simulate_on(structure: Structure | Molecule, site_index: int, settings: Settings, *, device: str) -> SiteSpectrum:
    """``simulate_site`` on the device that ``device`` ("auto", "cpu", "cuda") means where the work is done."""
    from engine.model.training import pick_device

    return simulate_site(structure, site_index, settings, device=str(pick_device(device)))


def reason_of(problem: Exception) -> str:
    """Why a site failed, in one line."""
    text = str(problem) if isinstance(problem, EngineError | MemoryError) else f"{type(problem).__name__}: {problem}"
    return " ".join(text.split())[:300] or type(problem).__name__


def _work(task: _Task) -> Finished:
    """One site, in a worker process: simulated, checked, kept."""
    result = task.simulate(task.structure, task.site.index, task.settings)
    problem = mu_problem(result.energy_ev, result.mu)
    if problem is not None:
        raise DataError(": ".join(filter(None, problem)))
    about: dict[str, object] = {
        "settings": result.settings.parameters(),
        "mode": result.mode,
        "diagnostics": result.diagnostics,
        "notes": list(result.notes),
    }
    finished = Finished(result.energy_ev, result.mu, result.mu0, about)
    save_part(task.folder, key_of(task.structure, task.site.index, asdict(task.settings)), finished)
    return finished


def simulate_sources(
    sources: Sequence[Source],
    failed: Sequence[tuple[str, str]],
    element: str,
    settings: Settings,
    out: Path,
    *,
    all_sites: bool = False,
    average: bool = True,
    grid: GridSpec | None = None,
    workers: Workers = 1,
    progress: Progress | None = None,
    simulate: Simulate = simulate_site,
) -> Outcome:
    """Simulates the sites of ``element`` and writes a set, with descriptors, to ``out``.

    Beside it: ``….structures.parquet`` with the structures; ``….sites.parquet``, one row per site with the spectrum on
    its own energies, the atomic background, the multiplicity and every parameter and diagnostic; ``….mean.parquet``, a
    set with the multiplicity-weighted mean spectrum of each material all of whose sites are there (with ``average``),
    in a file of its own because a mean is no site and must not be trained on; and, while sites are missing, the folder
    ``….parts`` of finished ones.
    ``failed`` are structures that could not be read, for the account. DataError when nothing is left.
    """
    failures = list(failed)
    structures: dict[str, Structure | Molecule] = {}
    sites: list[Site] = []
    for source in sources:
        try:
            sites += choose_sites(source.material_id, source.structure, element, all_sites=all_sites)
            structures[source.material_id] = source.structure
        except DataError as problem:
            failures.append((source.material_id, str(problem)))
    if not sites:
        raise DataError(_nothing(failures))
    parts = out.with_name(out.name + ".parts")
    result = simulate_sites(structures, sites, settings, parts, workers=workers, progress=progress, simulate=simulate)
    failures += result.failures
    if not result.sites:
        raise DataError(_nothing(failures))
    frame, second_shell = _described(structures, result.sites, workers)
    raw = raw_spectra(result, element, settings, frame, second_shell)
    spectra, report = assemble(raw, grid)
    write_set(spectra, out)
    write_structures({name: boxed(structure) for name, structure in structures.items()}, spectra, structures_path(out))
    table = out.with_name(f"{out.stem}.sites.parquet")
    write_sites(result, element, frame, table)
    written = [out, structures_path(out), table]
    notes: list[str] = []
    if average:
        means, notes = mean_spectra(spectra, sites)
        if means is not None:
            written.append(out.with_name(f"{out.stem}.mean.parquet"))
            write_set(means, written[-1])
    if not result.failures:
        clear_parts(parts)
    notes += [f"{site.site_id}: {note}" for site, part in _pairs(result) for note in notes_of(part)]
    return Outcome(report, tuple(failures), result.resumed, tuple(written), tuple(notes))


def _nothing(failures: Sequence[tuple[str, str]]) -> str:
    shown = "; ".join(reason if name in reason else f"{name}: {reason}" for name, reason in failures[:5])
    more = f"; and {len(failures) - 5} more" if len(failures) > 5 else ""
    return f"nothing could be simulated: {shown}{more}"


def _pairs(result: Simulated) -> list[tuple[Site, Finished]]:
    return list(zip(result.sites, result.finished, strict=True))


def notes_of(part: Finished) -> list[str]:
    """What the simulation had to say about a spectrum."""
    notes = part.about.get("notes")
    return [str(note) for note in notes] if isinstance(notes, list) else []


def _described(
    structures: Mapping[str, Structure | Molecule], sites: Sequence[Site], workers: Workers
) -> tuple[pd.DataFrame, dict[str, tuple[float, float]]]:
    """Descriptors (n, d) of the sites, and the second shells they use."""
    crystals = {name: boxed(structure) for name, structure in structures.items()}
    described = describe_sites(crystals, [(site.material_id, site.index) for site in sites], workers=workers)
    return described.frame.reset_index(drop=True), described.second_shell_angstrom


def raw_spectra(
    result: Simulated,
    element: str,
    settings: Settings,
    descriptors: pd.DataFrame,
    second_shell: Mapping[str, tuple[float, float]],
) -> RawSpectra:
    """Simulated sites as an import would hand them on; the settings are the first step of the set's history."""
    modes = [str(part.about["mode"]) for part in result.finished]
    steps = [f"simulated with {json.dumps(settings.parameters(), sort_keys=True)}"]
    fell_back = sum(mode != settings.mode for mode in modes)
    if fell_back:
        steps.append(f"{fell_back} of {len(modes)} sites fell back from {settings.mode} mode")
    steps += [f"second shell of {symbol}: {low:.3f} to {high:.3f} Å" for symbol, (low, high) in second_shell.items()]
    return RawSpectra(
        energy_ev=[part.energy_ev for part in result.finished],
        mu=[part.mu for part in result.finished],
        site_id=[site.site_id for site in result.sites],
        material_id=[site.material_id for site in result.sites],
        element=[element] * len(result.sites),
        descriptors=descriptors,
        source="simulation",
        kind="simulated sites",
        origin="multiple-scattering simulation of this program, atomic background 1 at 50 eV above the Fermi level",
        steps=tuple(steps),
        ledger=Ledger(),
    )


def write_sites(result: Simulated, element: str, descriptors: pd.DataFrame, path: Path) -> None:
    """One row per site: ids, multiplicity, energy_ev, mu and mu0 as lists, mode, settings and notes as text, and a
    ``sim_…`` column per diagnostic; then the descriptors. ``rankaae import`` reads it."""
    names = dict.fromkeys(name for part in result.finished for name in _diagnostics(part))
    columns: dict[str, pa.Array] = {
        "site_id": pa.array([site.site_id for site in result.sites]),
        "material_id": pa.array([site.material_id for site in result.sites]),
        "element": pa.array([element] * len(result.sites)),
        "site": pa.array([site.index for site in result.sites]),
        "multiplicity": pa.array([site.multiplicity for site in result.sites]),
        "mode": pa.array([str(part.about["mode"]) for part in result.finished]),
        "settings": pa.array([json.dumps(part.about["settings"], sort_keys=True) for part in result.finished]),
        "notes": pa.array(["; ".join(notes_of(part)) for part in result.finished]),
    }
    for name in ("energy_ev", "mu", "mu0"):
        values = [np.asarray(getattr(part, name)) for part in result.finished]
        columns[name] = pa.array(values, type=pa.list_(pa.float64() if name == "energy_ev" else pa.float32()))
    for name in names:
        columns[f"sim_{name}"] = pa.array([_diagnostics(part).get(name) for part in result.finished], type=pa.float64())
    for name in descriptors.columns:
        columns[str(name)] = pa.array(descriptors[name].to_numpy(dtype=np.float64))
    with atomic_target(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def _diagnostics(part: Finished) -> dict[str, float]:
    found = part.about.get("diagnostics")
    return {str(k): float(v) for k, v in found.items()} if isinstance(found, dict) else {}


def mean_spectra(spectra: SpectraSet, sites: Sequence[Site]) -> tuple[SpectraSet | None, list[str]]:
    """The multiplicity-weighted mean spectrum and descriptors of each material, and notes on materials left out.

    A material has a mean only when every one of ``sites`` is in the set; a descriptor only when all its sites have it.
    """
    row = {str(site_id): i for i, site_id in enumerate(spectra.site_id)}
    by_material: dict[str, list[Site]] = {}
    for site in sites:
        by_material.setdefault(site.material_id, []).append(site)
    notes: list[str] = []
    names, mu, values = [], [], []
    for material, members in by_material.items():
        missing = [site.site_id for site in members if site.site_id not in row]
        if missing:
            notes.append(f"{material}: no mean spectrum, {missing[0]} is missing")
            continue
        weights = np.array([site.multiplicity for site in members], dtype=np.float64)
        rows = [row[site.site_id] for site in members]
        names.append(material)
        mu.append(np.average(spectra.mu[rows], axis=0, weights=weights))
        values.append(np.average(spectra.descriptors.to_numpy()[rows], axis=0, weights=weights))
    if not names:
        return None, notes
    table = pd.DataFrame(np.array(values), columns=spectra.descriptors.columns)
    step = "multiplicity-weighted mean over the sites of each material"
    ids = np.array([f"{name}_{MEAN_SITE}" for name in names])
    elements = np.full(len(names), spectra.element[0])
    means = SpectraSet(
        spectra.energy_ev, np.array(mu), table, ids, np.array(names), elements, spectra.edge, spectra.origin,
        (*spectra.steps, step),
    )  # fmt: skip
    return means, notes
