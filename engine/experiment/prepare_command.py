"""The command ``rankaae prepare``: files of measured spectra become a set that a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
import typer

from engine.console import AsJson, Out, print_json, print_text
from engine.errors import ConfigError, DataError

if TYPE_CHECKING:
    from engine.experiment.measured import FloatArray, Measured
    from engine.experiment.normalising import Ranges, State
    from engine.experiment.preparing import Preparation
    from engine.spectra import SpectraSet


def prepare(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="XDI, columns of text, Athena projects, HDF5.")
    ],
    out: Out,
    model: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run whose grid and element to prepare for.")
    ] = None,
    grid: Annotated[str | None, typer.Option(help="Grid without a run: FIRST,LAST,POINTS in eV.")] = None,
    element: Annotated[str | None, typer.Option(help="Absorber; default: the run's, or what the files say.")] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="Columns by name or number where the guess is wrong: energy=1,i0=2,transmission=3."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="transmission, fluorescence or HERFD where files do not say.")
    ] = None,
    e0: Annotated[str, typer.Option(help="E0: half height, derivative or tabulated.")] = "half height",
    pre: Annotated[str | None, typer.Option(help="Pre-edge fit, FROM,TO in eV from E0, such as -150,-30.")] = None,
    post: Annotated[str | None, typer.Option(help="Post-edge fit, FROM,TO in eV from E0.")] = None,
    degree: Annotated[int | None, typer.Option(help="Degree of the post-edge polynomial.")] = None,
    state: Annotated[
        str | None, typer.Option(help="raw or normalised, where the program's own look at the numbers is wrong.")
    ] = None,
    flatten: Annotated[bool, typer.Option("--flatten", help="Take the post-edge's curvature out.")] = False,
    shift_ev: Annotated[float, typer.Option("--shift-ev", help="Added to measured energies, in eV.")] = 0.0,
    align: Annotated[
        list[str] | None,
        typer.Option(help="Find the shift on references, FILE=MATERIAL of the simulated set; may be repeated."),
    ] = None,
    references: Annotated[
        Path | None, typer.Option(metavar="SET.parquet", help="Simulated set for --align; default: the run's own.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring measured spectra to a model's grid: normalised, aligned, every step recorded, refused with the reason.

    Example: rankaae prepare CuO.xdi foil.prj --model runs/cu --align CuO.xdi=mp-1692 --out measured.parquet
    """
    from engine.experiment.measured import element_around
    from engine.experiment.normalising import E0_RULES
    from engine.experiment.preparing import Preparation, prepared_set, series_state
    from engine.experiment.preparing import prepare as prepare_one
    from engine.experiment.reading import Columns, check_kind, read_measured
    from engine.io import write_set

    target_grid, symbol = _target(model, grid, element)
    if e0 not in E0_RULES:
        raise ConfigError(f"--e0 is '{e0}'; need {', '.join(E0_RULES)}")
    if state not in (None, "raw", "normalised"):
        raise ConfigError(f"--state is '{state}'; need raw or normalised")
    chosen = Columns.parse(columns or "")
    measured: list[Measured] = []
    refused: list[str] = []
    for path in files:
        try:
            measured += read_measured(path, chosen, symbol)
        except DataError as error:
            refused.append(str(error))
    if not measured:
        raise DataError(f"no spectrum could be read: {'; '.join(refused)}")
    if symbol is None:
        said = {one.element for one in measured if one.element}
        if len(said) > 1:
            raise DataError(f"the files were measured on {', '.join(sorted(said))}; choose one with --element")
        first = measured[0].energy_ev
        symbol = said.pop() if said else element_around(float(np.min(first)), float(np.max(first)))
    how = Preparation(
        symbol,
        e0_rule=e0,
        ranges=_ranges(pre, post, degree),
        flatten=flatten,
        shift_ev=shift_ev,
        kind=None if kind is None else check_kind(kind),
        state=cast("State | None", state),
    )
    notes: list[str] = []
    if align:
        how, notes = _aligned(align, how, _simulated(model, references, symbol), chosen)
    prepared = []
    series = replace(how, state=how.state or series_state(measured, how))
    for one in _named(measured):
        try:
            prepared.append(prepare_one(one, series if np.isfinite(one.series) else how, target_grid))
        except DataError as error:
            refused.append(str(error))
    if not prepared:
        raise DataError(f"none of {len(measured)} spectra can be used: {'; '.join(refused[:5])}")
    write_set(prepared_set(prepared, target_grid, notes), out)
    sensitivity = None if model is None else _axis_sensitivity(model, target_grid, np.stack([p.mu for p in prepared]))
    if as_json:
        audits = [p.audit() for p in prepared]
        if sensitivity is not None:
            names, values = sensitivity
            for audit, row in zip(audits, values, strict=True):
                audit["axes_per_ev"] = dict(zip(names, row.tolist(), strict=True))
        print_json({"prepared": audits, "refused": refused, "notes": notes, "out": str(out)})
        return
    lines = list(notes)
    for p in prepared:
        lines += [p.measured.name, *(f"  {step}" for step in p.steps), *(f"  ! {flag}" for flag in p.flags)]
    if sensitivity is not None:
        names, values = sensitivity
        shown = ", ".join(f"{name} {value:.2f}" for name, value in zip(names, np.abs(values).mean(axis=0), strict=True))
        lines.append(f"mean change of the latent axes per eV of shift: {shown}")
    lines += [f"refused: {reason}" for reason in refused]
    print_text("\n".join([*lines, f"wrote {out}: {len(prepared)} spectra, {len(refused)} refused"]))


def _target(model: Path | None, grid: str | None, element: str | None) -> tuple[FloatArray, str | None]:
    """The grid (m,) to prepare for, and the absorber where it is known."""
    if (model is None) == (grid is None):
        raise ConfigError("give either --model RUN or --grid FIRST,LAST,POINTS")
    if model is not None:
        from engine.model.latent_model import load_member
        from engine.model.run import Run

        run = Run(model)
        own = run.data().get("element")
        if own is not None and element not in (None, own):
            raise ConfigError(f"the run was trained on {own}, not on {element}")
        return load_member(run).energy_ev, element or own
    first, last, points = _numbers(grid or "", 3, "--grid")
    if not (last > first and points == int(points) and 16 <= points <= 100_000):
        raise ConfigError(f"--grid is {grid}; need FIRST,LAST,POINTS with LAST above FIRST and 16 points or more")
    return np.linspace(first, last, int(points)), element


def _simulated(model: Path | None, references: Path | None, element: str) -> SpectraSet:
    """The simulated set that references are aligned to: the one named, or the one the run was trained on."""
    from engine.io import load_set
    from engine.model.run import Run

    if references is not None:
        return load_set(references, element)
    if model is None:
        raise ConfigError("--align needs simulated spectra: give --references SET.parquet or --model RUN")
    return Run(model).spectra()


def _numbers(text: str, count: int, option: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise ConfigError(f"{option} is '{text}'; need {count} numbers separated by commas")
    return values


def _ranges(pre: str | None, post: str | None, degree: int | None) -> Ranges | None:
    from engine.experiment.normalising import Ranges

    if pre is None and post is None and degree is None:
        return None
    before = _numbers(pre, 2, "--pre") if pre is not None else [None, None]
    behind = _numbers(post, 2, "--post") if post is not None else [None, None]
    return Ranges(before[0], before[1], behind[0], behind[1], degree)


def _aligned(
    texts: Sequence[str], how: Preparation, simulated: SpectraSet, columns: Any
) -> tuple[Preparation, list[str]]:
    """The preparation with the shift that references ask for, and lines that say so."""
    from engine.experiment.preparing import element_shift
    from engine.experiment.reading import read_measured

    if how.shift_ev:
        raise ConfigError("--align finds the shift; leave out --shift-ev")
    pairs = []
    for text in texts:
        name, found, material = text.rpartition("=")
        if not found or not name:
            raise ConfigError(f"--align is '{text}'; need FILE=MATERIAL")
        spectra = read_measured(Path(name), columns, how.element)
        if len(spectra) != 1:
            raise DataError(f"{name}: holds {len(spectra)} spectra; a reference is one")
        mine = (simulated.material_id == material) | (simulated.site_id == material)
        if not mine.any():
            raise DataError(f"--align {text}: the simulated set has no material or site '{material}'")
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


def _axis_sensitivity(model: Path, grid_ev: FloatArray, mu: FloatArray) -> tuple[tuple[str, ...], FloatArray]:
    from engine.experiment.aligning import shift_sensitivity
    from engine.model.latent_model import load_member
    from engine.model.run import Run

    member = load_member(Run(model))
    return member.axis_names, shift_sensitivity(member.encode, grid_ev, mu)
