"""Files of measured spectra in, prepared spectra out; what cannot be used is listed with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.errors import ConfigError, DataError
from engine.experiment.measured import FloatArray, Measured, element_around
from engine.experiment.preparing import Preparation, Prepared, element_shift, prepare, series_state
from engine.experiment.reading import Columns, read_measured
from engine.experiment.series import given_series, series_in_names
from engine.spectra import SpectraSet


@dataclass(frozen=True, eq=False)
class Intake:
    """What came of some files.

    prepared  spectra on the model's grid, names unique · refused  one reason for every file or spectrum left out
    how       the preparation with absorber and shift as they were found
    notes     what reference compounds said about the shift, and what orders the series
    """

    prepared: tuple[Prepared, ...]
    refused: tuple[str, ...]
    how: Preparation
    notes: tuple[str, ...]


def take_in(
    files: Sequence[Path],
    grid_ev: FloatArray,
    how: Preparation,
    *,
    columns: Mapping[Path, Columns],
    references: Sequence[tuple[Path, str]] = (),
    simulated: Callable[[str], SpectraSet],
    series: str | None = None,
) -> Intake:
    """Reads and prepares ``files`` for a grid (m,); an empty ``how.element`` is found in the files or their energies.

    ``columns`` says by file which column is what; those of files that are not in it are guessed.

    With ``references``, files with the material or site of the set ``simulated(element)`` that each is, the shift is
    the one that they ask for. ``series`` gives the values of a series as text, see ``given_series``; "" looks for them
    in the names, None takes what the files hold. DataError when no spectrum can be used.
    """
    measured: list[Measured] = []
    refused: list[str] = []
    for path in files:
        try:
            measured += read_measured(path, columns.get(path), how.element or None)
        except DataError as error:
            refused.append(str(error))
    if not measured:
        raise DataError(f"no spectrum could be read: {'; '.join(refused[:5])}")
    how = replace(how, element=how.element or _element(measured))
    measured, notes = _ordered(_named(measured), series)
    if references:
        how, said = _aligned(references, how, simulated(how.element), columns)
        notes += said
    as_most = replace(how, state=how.state or series_state(measured, how))
    prepared: list[Prepared] = []
    for one in measured:
        try:
            prepared.append(prepare(one, as_most if np.isfinite(one.series) else how, grid_ev))
        except DataError as error:
            refused.append(str(error))
    if not prepared:
        raise DataError(f"none of {len(measured)} spectra can be used: {'; '.join(refused[:5])}")
    return Intake(tuple(prepared), tuple(refused), how, tuple(notes))


def _element(measured: Sequence[Measured]) -> str:
    """The absorber that the files declare, or the one whose edge the first of them spans."""
    said = {one.element for one in measured if one.element}
    if len(said) > 1:
        raise DataError(f"the files were measured on {', '.join(sorted(said))}; choose one element")
    first = measured[0].energy_ev
    return said.pop() if said else element_around(float(np.min(first)), float(np.max(first)))


def _ordered(measured: Sequence[Measured], series: str | None) -> tuple[list[Measured], list[str]]:
    if series is None:
        return list(measured), []
    names = [one.name for one in measured]
    found = given_series(series, names) if series.strip() else series_in_names(names)
    if found is None:
        return list(measured), ["no numbers in the names tell the spectra apart: no series"]
    return [replace(one, series=float(v)) for one, v in zip(measured, found.values, strict=True)], [found.words]


def _aligned(
    references: Sequence[tuple[Path, str]], how: Preparation, simulated: SpectraSet, columns: Mapping[Path, Columns]
) -> tuple[Preparation, list[str]]:
    """The preparation with the shift that references ask for, and lines that say so."""
    if how.shift_ev:
        raise ConfigError("references find the shift; give no shift beside them")
    pairs = []
    for path, material in references:
        spectra = read_measured(path, columns.get(path), how.element)
        if len(spectra) != 1:
            raise DataError(f"{path.name}: holds {len(spectra)} spectra; a reference is one")
        mine = (simulated.material_id == material) | (simulated.site_id == material)
        if not mine.any():
            raise DataError(f"reference {path.name}: the simulated set has no material or site '{material}'")
        pairs.append((spectra[0], simulated.mu[mine].mean(axis=0, dtype=np.float64)))
    shift = element_shift(pairs, how, simulated.energy_ev)
    notes = [
        f"reference {r.name}: shift {r.shift_ev:+.3f} eV leaves {r.rmse:.4f}" + (
            "" if np.isnan(r.at_zero) else f" (unshifted {r.at_zero:.4f})"
        )
        for r in shift.references
    ]  # fmt: skip
    count = len(shift.references)
    notes.append(
        f"{how.element} energies: shift {shift.shift_ev:+.3f} eV from {count} reference{'s' if count > 1 else ''}"
        + (f", {shift.spread_ev:.3f} eV apart" if count > 1 else "")
    )
    return replace(how, shift_ev=shift.shift_ev), notes


def _named(measured: Sequence[Measured]) -> list[Measured]:
    """The spectra with unique names: repeats get a number."""
    seen: dict[str, int] = {}
    out = []
    for one in measured:
        seen[one.name] = seen.get(one.name, 0) + 1
        out.append(one if seen[one.name] == 1 else replace(one, name=f"{one.name} ({seen[one.name]})"))
    return out
