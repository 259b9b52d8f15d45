"""The same sites by an installed FEFF: inputs in the tree that workflow tools leave, runs, and the reader for them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from pymatgen.core import Structure
from pymatgen.io.vasp.inputs import Poscar

from engine.batch.simulate import Progress
from engine.batch.sites import choose_sites
from engine.batch.sources import Source
from engine.errors import ConfigError, DataError
from engine.io.feff import read_log, read_xmu
from engine.io.feff_input import write_feff_input
from engine.io.feff_tree import RUNS_FOLDER
from engine.io.files import atomic_target
from engine.io.parquet import write_set
from engine.io.source import import_source
from engine.io.structures import structures_path
from engine.spectra import GridSpec, ImportReport

COMMAND_VARIABLE = "RANKAAE_FEFF"
USUAL_NAMES = ("feff", "feff9", "feff90", "feff10")
MAX_SECONDS = 24 * 3600.0


@dataclass(frozen=True, eq=False)
class FeffOutcome:
    """``runs`` inputs written below ``folder``; ``report`` of the import, None where FEFF was not run.

    ``failures`` are (name, reason) of structures without an input and of runs without a spectrum.
    """

    folder: Path
    runs: int
    resumed: int
    failures: tuple[tuple[str, str], ...]
    report: ImportReport | None
    written: tuple[Path, ...]
    advice: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """A JSON-ready dict."""
        return {
            **(self.report.to_json() if self.report else {}),
            "folder": str(self.folder),
            "inputs": self.runs,
            "resumed": self.resumed,
            "failures": [{"site": name, "reason": reason} for name, reason in self.failures],
            "written": [str(path) for path in self.written],
            "advice": list(self.advice),
        }

    def lines(self) -> list[str]:
        """The account for people."""
        lines = [f"{self.runs} FEFF inputs in {self.folder}"]
        if self.resumed:
            lines.append(f"{self.resumed} runs were finished before and taken from there")
        lines += [f"failed {name}: {reason}" for name, reason in self.failures]
        lines += self.report.lines() if self.report else []
        return [*lines, *self.advice, *(f"wrote {path}" for path in self.written)]


def find_feff(command: str | None) -> list[str] | None:
    """The command that runs FEFF: the one given, that of RANKAAE_FEFF, or one of the usual names on the path.

    None where there is none; ConfigError where one was asked for that is not there.
    """
    asked = command or os.environ.get(COMMAND_VARIABLE)
    if asked:
        words = shlex.split(asked)
        program = shutil.which(words[0]) if words else None
        if program is None:
            raise ConfigError(f"FEFF command '{asked}' was not found; need the path of an executable")
        return [str(Path(program).resolve()), *words[1:]]
    return next(([found] for name in USUAL_NAMES if (found := shutil.which(name))), None)


def feff_sources(
    sources: Sequence[Source],
    failed: Sequence[tuple[str, str]],
    element: str,
    out: Path,
    *,
    command: str | None = None,
    all_sites: bool = False,
    grid: GridSpec | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> FeffOutcome:
    """Writes ``<out>.feff/<material>/POSCAR`` and ``FEFF-XANES/NNN_El/feff.inp``, runs FEFF, imports to ``out``.

    A run that has a complete ``xmu.dat`` is not run again. Without FEFF the inputs are left with advice. DataError when
    there is nothing to run or no run gave a spectrum.
    """
    executable = find_feff(command)
    root = out.with_name(out.name + ".feff")
    failures = list(failed)
    runs: list[tuple[str, Path]] = []
    for source in sources:
        try:
            runs += _write_inputs(source, element, root, all_sites=all_sites)
        except DataError as problem:
            failures.append((source.material_id, str(problem)))
    if not runs:
        shown = "; ".join(f"{name}: {reason}" for name, reason in failures[:5])
        raise DataError(f"no FEFF input could be written: {shown}")
    if executable is None:
        advice = (
            f"FEFF was not found ({', '.join(USUAL_NAMES)} on the path, --feff-command or {COMMAND_VARIABLE})",
            "run it in each folder, its output in feff.out, for example:",
            f"  for d in {root}/*/{RUNS_FOLDER}/*/; do (cd $d && feff > feff.out); done",
            f"then: rankaae import {root} --element {element} --first-shell any --out {out}",
        )
        return FeffOutcome(root, len(runs), 0, tuple(failures), None, (), advice)
    waiting = [(name, folder) for name, folder in runs if not _finished(folder)]
    resumed = len(runs) - len(waiting)
    done = resumed
    if progress is not None:
        progress(done, len(runs))
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        jobs = {pool.submit(_run, executable, folder): name for name, folder in waiting}
        for job in as_completed(jobs):
            reason = job.result()
            done += 1
            if reason:
                failures.append((jobs[job], reason))
            if progress is not None:
                progress(done, len(runs))
    if not any(_finished(folder) for _, folder in runs):
        shown = "; ".join(f"{name}: {reason}" for name, reason in failures[:5])
        raise DataError(f"no FEFF run gave a spectrum: {shown}")
    beside = structures_path(out)
    spectra, report = import_source(
        root, element=element, grid=grid, first_shell="any", workers=workers, structures=beside
    )
    write_set(spectra, out)
    return FeffOutcome(root, len(runs), resumed, tuple(failures), report, (out, beside))


def _write_inputs(source: Source, element: str, root: Path, *, all_sites: bool) -> list[tuple[str, Path]]:
    """The inputs of one structure: (site_id, folder) of each run."""
    structure = source.structure
    if not isinstance(structure, Structure):
        raise DataError(f"{source.material_id}: no lattice; FEFF trees need a POSCAR or CIF (put a molecule in a box)")
    sites = choose_sites(source.material_id, structure, element, all_sites=all_sites)
    home = root / source.material_id
    made = []
    try:
        for site in sites:
            folder = home / RUNS_FOLDER / f"{site.index:03d}_{element}"
            folder.mkdir(parents=True, exist_ok=True)
            write_feff_input(structure, site.index, folder)
            made.append((site.site_id, folder))
        plain = Structure(structure.lattice, [s.specie.symbol for s in structure], structure.frac_coords)
        with atomic_target(home / "POSCAR") as temporary:
            temporary.write_text(Poscar(plain).get_str(significant_figures=12), encoding="utf-8")
    except OSError as problem:
        raise DataError(f"{home}: cannot be written ({problem.strerror or problem})") from problem
    return made


def _finished(folder: Path) -> bool:
    try:
        read_xmu(folder / "xmu.dat")
        return not (folder / "feff.out").is_file() or read_log(folder / "feff.out").finished
    except DataError:
        return False


def _run(executable: Sequence[str], folder: Path) -> str | None:
    """Runs FEFF in a folder, what it prints in ``feff.out``; the reason where there is no spectrum afterwards."""
    (folder / "xmu.dat").unlink(missing_ok=True)
    try:
        with (folder / "feff.out").open("wb") as log:
            code = subprocess.run(
                list(executable), cwd=folder, stdout=log, stderr=subprocess.STDOUT, timeout=MAX_SECONDS, check=False
            ).returncode
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"FEFF did not run ({type(problem).__name__})"
    if _finished(folder):
        return None
    text = (folder / "feff.out").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"FEFF ended with code {code} and no complete xmu.dat; it said: {text[-1][:120] if text else 'nothing'}"
