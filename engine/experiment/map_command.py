"""The command ``rankaae map-domain``: a series of measured spectra mixed again from simulated ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
import typer

from engine.console import AsJson, Out, print_json, print_text
from engine.errors import ConfigError, DataError

if TYPE_CHECKING:
    from engine.experiment.measured import FloatArray
    from engine.experiment.mixtures import DomainMap, RankScan
    from engine.spectra import SpectraSet

    Usual = dict[str, tuple[FloatArray, FloatArray, FloatArray]]


def map_domain(
    path: Annotated[Path, typer.Argument(metavar="SET.parquet", help="Prepared spectra of one series.")],
    out: Out,
    model: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run whose training set is the simulated one.")
    ] = None,
    simulated: Annotated[Path | None, typer.Option(metavar="SET.parquet", help="Simulated set without a run.")] = None,
    components: Annotated[int, typer.Option(help="Clusters of the simulated set to take as components.")] = 3,
    basis: Annotated[
        list[str] | None,
        typer.Option(help="Site, material or class (OS=4&CN=6) of the simulated set as a component; may be repeated."),
    ] = None,
    starts: Annotated[int, typer.Option(help="Random starts to average over.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the starts and the clusters.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write measured spectra as mixtures of components that look like simulated ones, and mix them from these instead.

    Example: rankaae map-domain film.parquet --model runs/ti --components 3 --out mapped.parquet
    """
    from engine.experiment.domain_map import map_series
    from engine.experiment.mixtures import map_flags
    from engine.io import load_set, read_set, write_set
    from engine.model.run import Run

    if (model is None) == (simulated is None):
        raise ConfigError("give either --model RUN or --simulated SET.parquet")
    measured = read_set(path)
    known = Run(model).spectra() if model is not None else load_set(simulated or Path(), str(measured.element[0]))
    if not np.array_equal(known.element[:1], measured.element[:1]):
        raise DataError(
            f"{path.name} was measured on {measured.element[0]}, the simulated set is of {known.element[0]}"
        )
    result = map_series(
        measured.mu, measured.energy_ev, known, components=components, sites=basis or (), starts=starts, seed=seed
    )
    found, scan, usual = result.found, result.scan, result.usual
    flags = [f"flag: {reason}" for reason in map_flags(found)]
    write_set(mapped_set(measured, found, starts, seed), out)
    if as_json:
        print_json({**_content(measured, found, scan, usual), "flags": flags, "out": str(out)})
    else:
        print_text(
            "\n".join(
                [
                    *_lines(measured, found, scan, usual),
                    *flags,
                    f"wrote {out}: {len(measured)} mapped spectra",
                ]
            )
        )


def mapped_set(measured: SpectraSet, found: DomainMap, starts: int, seed: int) -> SpectraSet:
    columns = {f"WEIGHT_{i + 1}": found.weights[:, i] for i in range(found.weights.shape[1])}
    table = pd.DataFrame({**measured.descriptors, **columns, "MAP_RESIDUAL": found.residual})
    steps = [
        f"mapped onto simulated spectra: {len(found.basis.origin)} components, {starts} starts, seed {seed}",
        *(f"component {i}: {origin}" for i, origin in enumerate(found.basis.origin, start=1)),
    ]
    return replace(
        measured,
        mu=np.asarray(found.mapped, dtype=np.float32),
        descriptors=table,
        origin=f"{measured.origin}, mapped",
        steps=(*measured.steps, *steps),
    )


def _content(measured: SpectraSet, found: DomainMap, scan: RankScan, usual: Usual) -> dict[str, Any]:
    """What a reader needs to judge the map, ready for JSON."""
    return {
        "components": [
            {
                "origin": origin,
                "guess_residual": float(found.guess_residual[i]),
                "ambiguity": float(found.ambiguity[i]),
                "weight_mean": float(found.weights[:, i].mean()),
                "weight_spread": float(found.weight_spread[:, i].mean()),
            }
            for i, origin in enumerate(found.basis.origin)
        ],
        "spectra": [
            {"name": str(name), "weights": row.tolist(), "spread": spread.tolist(), "residual": float(residual)}
            for name, row, spread, residual in zip(
                measured.site_id, found.weights, found.weight_spread, found.residual, strict=True
            )
        ],
        "loss": found.loss.tolist(),
        "averaged": found.averaged,
        "balance": found.balance,
        "rank_scan": {
            "components": scan.components.tolist(),
            "singular_value": scan.singular_value.tolist(),
            "residual": scan.residual.tolist(),
        },
        "for_comparison": {
            how: {"weights": weights.tolist(), "residual": residual.tolist()}
            for how, (weights, _, residual) in usual.items()
        },
    }


def _lines(measured: SpectraSet, found: DomainMap, scan: RankScan, usual: Usual) -> list[str]:
    lines = ["component  mean weight  spread over starts  guess residual  ambiguity  origin"]
    for i, origin in enumerate(found.basis.origin):
        lines.append(
            f"{i + 1:9d}  {found.weights[:, i].mean():11.3f}  {found.weight_spread[:, i].mean():18.4f}  "
            f"{found.guess_residual[i]:14.4f}  {found.ambiguity[i]:9.3f}  {origin}"
        )
    worst = int(found.residual.argmax())
    lines.append(
        f"residual of the mixture: median {np.median(found.residual):.4f}, greatest {found.residual[worst]:.4f} "
        f"({measured.site_id[worst]})"
    )
    for how, (_, _, residual) in usual.items():
        lines.append(f"for comparison, {how} leaves: median {np.median(residual):.4f}, greatest {residual.max():.4f}")
    lines.append(
        f"loss over starts: {found.loss[0]:.3e} to {found.loss[-1]:.3e}; weights are the mean of {found.averaged} of "
        f"{found.loss.size} starts"
    )
    left = ", ".join(f"{n}: {value:.4f}" for n, value in zip(scan.components, scan.residual, strict=True))
    return [*lines, f"what n components leave, at best: {left}"]
