"""The command ``rankaae predict``: descriptors of spectra, with intervals and a look at the domain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from engine.console import AsJson, Out, print_json, print_text
from engine.errors import ConfigError, DataError

if TYPE_CHECKING:
    from engine.experiment.measured import FloatArray
    from engine.experiment.prediction import Prediction
    from engine.model.run import Run
    from engine.spectra import SpectraSet

GRID_TOLERANCE_EV = 1e-3


def predict(
    path: Annotated[
        Path, typer.Argument(metavar="SET.parquet", help="Spectra on the model's grid, see rankaae prepare.")
    ],
    out: Out,
    model: Annotated[Path, typer.Option(metavar="RUN", help="A run folder.")],
    descriptors: Annotated[
        str, typer.Option(help="Descriptors, separated by commas; default: those with an axis.")
    ] = "",
    coverage: Annotated[
        float, typer.Option(help="Share of new materials whose sites the intervals shall cover.")
    ] = 0.9,
    standard: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME OS=3'",
            help="A spectrum of the set whose descriptors are known; from two on they put predictions right.",
        ),
    ] = None,
    member: Annotated[int | None, typer.Option(help="Member to use; default: the selected one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Predict descriptors with calibrated intervals, and say which spectra lie outside what the model was trained on.

    Example: rankaae predict measured.parquet --model runs/cu --out predictions.csv
    """
    from engine.experiment.aligning import shift_sensitivity
    from engine.experiment.calibration import coverage_on, fit_predictor
    from engine.experiment.prediction import AVERAGE, MAPPED, prediction_table
    from engine.experiment.standards import on_standards, standards_of
    from engine.io import read_set
    from engine.io.files import atomic_target
    from engine.model.latent_model import load_member
    from engine.model.run import Run

    if not 0.5 <= coverage < 1.0:
        raise ConfigError(f"--coverage is {coverage}; need 0.5 to below 1")
    run, spectra = Run(model), read_set(path)
    chosen = load_member(run, member)
    _check(spectra, chosen.energy_ev, run, path)
    trained, split = run.spectra(), run.split()
    names = [name.strip() for name in descriptors.split(",") if name.strip()]
    predictor = fit_predictor(chosen, trained, split, names)
    known = spectra.site_id.tolist()
    standards = standards_of("\n".join(standard or ()), known, predictor.names)
    found = on_standards(predictor.predict(spectra.mu, coverage), known, standards)
    per_ev = shift_sensitivity(predictor.values, spectra.energy_ev, spectra.mu)
    table = prediction_table(spectra, found, per_ev)
    achieved = coverage_on(predictor, trained, split.test, coverage)
    notes = [AVERAGE] if spectra.origin.startswith("measured") else []
    if spectra.origin.endswith(", mapped"):
        notes.append(MAPPED)
    notes += [put_right.line for put_right in found.standards.values()]
    if not np.isfinite(table[[f"{name} high" for name in found.names]].to_numpy()).all():
        notes.append("too few validation materials for intervals of this coverage: they are infinite")
    materials = np.unique(trained.material_id[split.validation]).size
    head = [
        f"# run {model.name}, seed {chosen.seed}; spectra {path.name} ({spectra.origin})",
        f"# intervals: {coverage:g} of new materials, calibrated on {materials} validation materials",
        *(f"# {note}" for note in notes),
    ]
    with atomic_target(out) as temporary:
        temporary.write_text("\n".join(head) + "\n" + table.to_csv(index=False, float_format="%.6g"), encoding="utf-8")
    if as_json:
        rows = [
            {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in row.items()}
            for row in table.to_dict("records")
        ]
        print_json({"predictions": rows, "coverage_on_test": achieved, "notes": notes, "out": str(out)})
        return
    lines = _lines(spectra, found)
    for name, (share, count) in achieved.items():
        lines.append(f"{name}: intervals of {coverage:g} cover {share:.3f} of {count} test sites of unseen materials")
    print_text("\n".join([*lines, *notes, f"wrote {out}: {len(spectra)} predictions"]))


def _check(spectra: SpectraSet, energy_ev: FloatArray, run: Run, path: Path) -> None:
    """DataError unless the spectra are of the run's element, on the model's grid."""
    same = spectra.energy_ev.size == energy_ev.size
    if not same or not np.allclose(spectra.energy_ev, energy_ev, rtol=0, atol=GRID_TOLERANCE_EV):
        raise DataError(
            f"{path.name} is on {spectra.energy_ev.size} points, {spectra.energy_ev[0]:.2f} to "
            f"{spectra.energy_ev[-1]:.2f} eV; the model needs {energy_ev.size}, {energy_ev[0]:.2f} to "
            f"{energy_ev[-1]:.2f} eV: prepare it with --model"
        )
    element = run.data().get("element")
    others = sorted(set(spectra.element.tolist()) - {element})
    if element is not None and others:
        raise DataError(f"{path.name} holds spectra of {', '.join(others)}; the run was trained on {element}")


def _lines(spectra: SpectraSet, found: Prediction) -> list[str]:
    from engine.experiment.prediction import MEASURES

    width = max(10, *(len(str(name)) for name in spectra.site_id[:40]))
    shown = {name: found.ensemble[name] for name in found.names}
    shown |= {f"{name} by standards": put_right.interval for name, put_right in found.standards.items()}
    heads = "  ".join(f"{name:>20}" for name in shown)
    lines = [f"{'spectrum':{width}}  {heads}  outside by"]
    for row in range(min(len(spectra), 40)):
        cells = [f"{one.value[row]:.2f} [{one.low[row]:.2f}, {one.high[row]:.2f}]" for one in shown.values()]
        outside = ", ".join(measure for measure, odd in zip(MEASURES, found.flagged[row], strict=True) if odd)
        lines.append(
            f"{spectra.site_id[row]!s:{width}}  {'  '.join(f'{cell:>20}' for cell in cells)}  {outside or '–'}"
        )
    if len(spectra) > 40:
        lines.append(f"… and {len(spectra) - 40} more")
    return lines
