"""The command ``rankaae prepare``: files of measured spectra become a set that a model takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
import typer

from engine.console import AsJson, Out, print_json, print_text
from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.experiment.measured import FloatArray
    from engine.experiment.normalising import E0Rule, Ranges, State
    from engine.spectra import SpectraSet

MAX_SERIES_BYTES = 1024**2


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
    e0: Annotated[
        str, typer.Option(help="E0: half height, derivative, tabulated, or an energy in eV.")
    ] = "half height",
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
    series: Annotated[
        str | None,
        typer.Option(help="What orders a series: names (numbers in the files' names), or a file of NAME VALUE lines."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring measured spectra to a model's grid: normalised, aligned, every step recorded, refused with the reason.

    Example: rankaae prepare CuO.xdi foil.prj --model runs/cu --align CuO.xdi=mp-1692 --out measured.parquet
    """
    from engine.experiment.intake import take_in
    from engine.experiment.normalising import E0_RULES
    from engine.experiment.preparing import Preparation, prepared_set
    from engine.experiment.reading import Columns, check_kind
    from engine.io import write_set

    target_grid, symbol = _target(model, grid, element)
    e0_ev = _number(e0)
    if e0_ev is None and e0 not in E0_RULES:
        raise ConfigError(f"--e0 is '{e0}'; need {', '.join(E0_RULES)} or an energy in eV")
    if state not in (None, "raw", "normalised"):
        raise ConfigError(f"--state is '{state}'; need raw or normalised")
    how = Preparation(
        symbol or "",
        e0_rule=cast("E0Rule", e0) if e0_ev is None else "half height",
        e0_ev=e0_ev,
        ranges=_ranges(pre, post, degree),
        flatten=flatten,
        shift_ev=shift_ev,
        kind=None if kind is None else check_kind(kind),
        state=cast("State | None", state),
    )
    aligned = [_reference(text) for text in align or ()]
    taken = take_in(
        files,
        target_grid,
        how,
        columns=dict.fromkeys([*files, *(path for path, _ in aligned)], Columns.parse(columns or "")),
        references=aligned,
        simulated=lambda absorber: _simulated(model, references, absorber),
        series=None if series is None else "" if series == "names" else _series_text(series),
    )
    prepared, refused, notes = taken.prepared, taken.refused, taken.notes
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


def _reference(text: str) -> tuple[Path, str]:
    """File and material of one --align."""
    name, found, material = text.rpartition("=")
    if not found or not name:
        raise ConfigError(f"--align is '{text}'; need FILE=MATERIAL")
    return Path(name), material


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _series_text(path: str) -> str:
    from engine.io.files import check_file

    check_file(Path(path), MAX_SERIES_BYTES)
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    if not text.strip():
        raise ConfigError(f"--series {path}: the file is empty; need lines of name and value")
    return text


def _axis_sensitivity(model: Path, grid_ev: FloatArray, mu: FloatArray) -> tuple[tuple[str, ...], FloatArray]:
    from engine.experiment.aligning import shift_sensitivity
    from engine.model.latent_model import load_member
    from engine.model.run import Run

    member = load_member(Run(model))
    return member.axis_names, shift_sensitivity(member.encode, grid_ev, mu)
