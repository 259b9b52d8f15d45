"""From spectra as read, each on its own energies, to one SpectraSet on one grid, with an account of the refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from engine.spectra.grid import GridSpec, choose_grid, cover_problem, mu_problem, resample, spectrum_problem
from engine.spectra.info import normalisation
from engine.spectra.report import ImportReport, Ledger
from engine.spectra.spectra_set import FloatArray, SpectraSet


@dataclass(eq=False)
class RawSpectra:
    """n spectra as a reader found them, before any check or interpolation.

    energy_ev    n arrays (p_i,) in eV; readers repeat one array object where spectra share their energies
    mu           n arrays (p_i,)
    descriptors  (n, d) float columns, NaN for "not known"
    where        n short notes for messages, such as "line 12"; may be empty
    source       name of the file or folder
    kind         which format it was
    origin       one line for ``SpectraSet.origin``
    steps        what the reader itself did, for ``SpectraSet.steps``
    on_one_grid  the energies are one even grid meant for models: keep it unless another is asked for
    structures   crystal structures by material_id, where the source has them
    """

    energy_ev: Sequence[FloatArray]
    mu: Sequence[FloatArray]
    site_id: Sequence[str]
    material_id: Sequence[str]
    element: Sequence[str]
    descriptors: pd.DataFrame
    source: str
    kind: str
    origin: str
    where: Sequence[str] = ()
    steps: tuple[str, ...] = ()
    on_one_grid: bool = False
    structures: Mapping[str, Any] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)

    def __len__(self) -> int:
        return len(self.site_id)


def assemble(raw: RawSpectra, grid: GridSpec | None) -> tuple[SpectraSet, ImportReport]:
    """The sound spectra of ``raw`` on one grid, and the account of the others.

    Refused, with reason and examples: what ``spectrum_problem`` finds, ids that repeat (the first is kept), spectra
    that do not reach over the grid. Without ``grid``, spectra that share one model grid stay as they are; any others
    are interpolated onto the grid that ``choose_grid`` picks. Raises DataError when nothing can be kept.
    """
    ledger = raw.ledger
    n_read = len(raw) + ledger.n_refused
    sound = _sound(raw, ledger)
    if not sound:
        raise ledger.none_left(raw.source, n_read)
    steps = list(raw.steps)
    keep_grid = raw.on_one_grid and grid is None
    if keep_grid:
        energies = raw.energy_ev[sound[0]]
        kept = _first_of_each_id(raw, sound, ledger)
        mu = np.stack([raw.mu[row] for row in kept])
    else:
        first = np.array([raw.energy_ev[row][0] for row in sound])
        last = np.array([raw.energy_ev[row][-1] for row in sound])
        spec = grid or GridSpec()
        energies = choose_grid(first, last, spec)
        kept, mu = _interpolated(raw, sound, energies, ledger)
        if not kept:
            raise ledger.none_left(raw.source, n_read)
        steps.append(
            f"interpolated by not-a-knot cubic spline onto {energies.size} points "
            f"from {energies[0]:.3f} to {energies[-1]:.3f} eV"
        )
        if grid is None or grid.width_ev is None:
            width = energies[-1] - energies[0]
            if width < 49.95:
                ledger.warn(f"the grid is {width:.1f} eV wide, not 50 eV: that is as far as 99 % of the spectra reach")
    spectra = SpectraSet(
        energy_ev=energies,
        mu=mu,
        descriptors=raw.descriptors.iloc[kept],
        site_id=np.array([raw.site_id[row] for row in kept], dtype=np.str_),
        material_id=np.array([raw.material_id[row] for row in kept], dtype=np.str_),
        element=np.array([raw.element[row] for row in kept], dtype=np.str_),
        origin=raw.origin,
        steps=tuple(steps),
    )
    add_set_warnings(spectra, (raw.mu[row] for row in kept), ledger)
    return spectra, ledger.report(raw.source, raw.kind, n_read, len(kept), describe_grid(spectra, not keep_grid))


def describe_grid(spectra: SpectraSet, interpolated: bool) -> dict[str, float | int | bool]:
    """The grid entry of an ImportReport."""
    energy = spectra.energy_ev
    return {
        "start_ev": float(energy[0]),
        "end_ev": float(energy[-1]),
        "points": int(energy.size),
        "step_ev": float(np.diff(energy).max()),
        "interpolated": interpolated,
    }


def add_set_warnings(spectra: SpectraSet, stored_mu: Iterable[FloatArray], ledger: Ledger) -> None:
    """What a reader of a set should know: labels known nowhere, repeated first values, no edge normalisation.

    ``stored_mu`` are the n spectra before any interpolation, in which repeated values are looked for.
    """
    for name in spectra.descriptors.columns:
        if spectra.descriptors[name].isna().all():
            ledger.warn(f"descriptor {name} is not known for any spectrum")
    run = np.array([repeated_start(values) for values in stored_mu], dtype=np.intp)
    repeated = int((run > 1).sum())
    if repeated:
        ledger.warn(
            f"{repeated} of {len(run)} spectra begin with one value repeated (up to {run.max()} points): "
            "their writer held the first computed value below it"
        )
    state = normalisation(spectra.energy_ev, spectra.mu)
    if not state.normalised:
        ledger.warn(
            f"mu does not look edge-normalised: median {state.first:.3g} at the first points, {state.last:.3g} at the "
            "last; need about 0 to 0.25 and 1. It is kept as it is"
        )


def repeated_start(mu: FloatArray) -> int:
    """How many points at the start of a spectrum (m,) carry exactly its first value, at least 1."""
    differs = mu != mu[0]
    return int(differs.argmax()) if differs.any() else mu.size


def _sound(raw: RawSpectra, ledger: Ledger) -> list[int]:
    """Rows without a problem of their own; the others go to the ledger."""
    grid_fine: dict[tuple[int, str], bool] = {}
    sound: list[int] = []
    for row, site in enumerate(raw.site_id):
        energy, mu = raw.energy_ev[row], raw.mu[row]
        key = (id(energy), raw.element[row])
        problem = None
        if grid_fine.get(key) and energy.shape == mu.shape:
            problem = mu_problem(energy, mu)
        else:
            problem = spectrum_problem(energy, mu, raw.element[row])
            grid_fine[key] = problem is None
        if problem is None and not raw.material_id[row]:
            problem = ("no material id", "")
        if problem is None:
            sound.append(row)
        else:
            ledger.refuse(problem[0], site, _note(raw, row, problem[1]))
    return sound


def _first_of_each_id(raw: RawSpectra, rows: Sequence[int], ledger: Ledger) -> list[int]:
    """Rows without those whose site id came before; the others go to the ledger."""
    seen: set[str] = set()
    first: list[int] = []
    for row in rows:
        if raw.site_id[row] in seen:
            ledger.refuse("site id repeats", raw.site_id[row], _note(raw, row, "the first one is kept"))
            continue
        seen.add(raw.site_id[row])
        first.append(row)
    return first


def _note(raw: RawSpectra, row: int, detail: str) -> str:
    """Where a spectrum stood in its source, and a detail."""
    return ": ".join(filter(None, (raw.where[row] if raw.where else "", detail)))


def _interpolated(
    raw: RawSpectra, sound: Sequence[int], grid_ev: FloatArray, ledger: Ledger
) -> tuple[list[int], FloatArray]:
    """Rows that reach over the grid and their spectra (len(rows), m) on it; rows with the same energies share work."""
    covering: list[int] = []
    for row in sound:
        problem = cover_problem(raw.energy_ev[row], grid_ev)
        if problem is None:
            covering.append(row)
        else:
            ledger.refuse(problem[0], raw.site_id[row], problem[1])
    kept = _first_of_each_id(raw, covering, ledger)
    groups: dict[int, list[int]] = {}
    for row in kept:
        groups.setdefault(id(raw.energy_ev[row]), []).append(row)
    place = {row: position for position, row in enumerate(kept)}
    mu = np.empty((len(kept), grid_ev.size), dtype=np.float32)
    for rows in groups.values():
        stacked = np.stack([raw.mu[row] for row in rows])
        mu[[place[row] for row in rows]] = resample(raw.energy_ev[rows[0]], stacked, grid_ev)
    return kept, mu
