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
    from engine.experiment.domain_map import DomainMap, RankScan
    from engine.experiment.measured import FloatArray
    from engine.spectra import SpectraSet

    Usual = dict[str, tuple[FloatArray, FloatArray]]  # what is usually done: weights (N, n) and residuals (N,)


DISAGREE, UNLIKE = 0.1, 0.15


def map_domain(
    path: Annotated[Path, typer.Argument(metavar="SET.parquet", help="Prepared spectra of one series.")],
    out: Out,
    model: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Run whose training set is the simulated one.")
    ] = None,
    simulated: Annotated[Path | None, typer.Option(metavar="SET.parquet", help="Simulated set without a run.")] = None,
    components: Annotated[int, typer.Option(help="Clusters of the simulated set to take as components.")] = 3,
    basis: Annotated[
        list[str] | None, typer.Option(help="Site or material of the simulated set as a component; may be repeated.")
    ] = None,
    starts: Annotated[int, typer.Option(help="Random starts to average over.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the starts and the clusters.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write measured spectra as mixtures of components that look like simulated ones, and mix them from these instead.

    Example: rankaae map-domain film.parquet --model runs/ti --components 3 --out mapped.parquet
    """
    from engine.experiment import domain_map as dm
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
    spectra = _on_grid(known, measured.energy_ev)
    if basis:
        guesses = dm.basis_from_sites(spectra, known.site_id.tolist(), known.material_id.tolist(), basis)
    else:
        guesses = dm.basis_from_clusters(spectra, known.site_id.tolist(), components, seed)
    found = dm.map_domain(measured.mu, guesses, starts=starts, seed=seed)
    scan = dm.rank_scan(measured.mu)
    usual = {
        "linear combination of the simulated spectra": dm.combination_fit(measured.mu, guesses.mu),
        "non-negative factorisation": dm.factorise(measured.mu, guesses.mu)[::2],
    }
    write_set(_mapped_set(measured, found, starts, seed), out)
    if as_json:
        print_json({**_content(measured, found, scan, usual), "flags": map_flags(found), "out": str(out)})
    else:
        print_text(
            "\n".join(
                [
                    *_lines(measured, found, scan, usual),
                    *map_flags(found),
                    f"wrote {out}: {len(measured)} mapped spectra",
                ]
            )
        )


def _on_grid(simulated: SpectraSet, energy_ev: FloatArray) -> FloatArray:
    """Simulated spectra on the energies of the measured ones, (n, m); DataError where they do not cover them."""
    from engine.spectra import resample

    same = simulated.energy_ev.size == energy_ev.size and np.allclose(simulated.energy_ev, energy_ev, rtol=0, atol=1e-6)
    return simulated.mu.astype(np.float64) if same else resample(simulated.energy_ev, simulated.mu, energy_ev)


def _mapped_set(measured: SpectraSet, found: DomainMap, starts: int, seed: int) -> SpectraSet:
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


def map_flags(found: DomainMap) -> list[str]:
    """Reasons not to believe the map, one line each."""
    flags = []
    spread = float(found.weight_spread.mean())
    if spread > DISAGREE:
        flags.append(
            f"flag: starts disagree, weights differ by {spread:.2f} on average: the data do not determine them"
        )
    if found.averaged < found.loss.size / 2:
        flags.append(f"flag: only {found.averaged} of {found.loss.size} starts reached the least loss")
    unlike = [str(i + 1) for i, value in enumerate(found.guess_residual) if value > UNLIKE]
    if unlike:
        flags.append(
            f"flag: component {' and '.join(unlike)} unlike the simulated guess (more than {UNLIKE:g} apart): what is "
            "mixed in its place is another spectrum"
        )
    return flags


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
        "rank_scan": {
            "components": scan.components.tolist(),
            "singular_value": scan.singular_value.tolist(),
            "residual": scan.residual.tolist(),
        },
        "for_comparison": {
            how: {"weights": weights.tolist(), "residual": residual.tolist()}
            for how, (weights, residual) in usual.items()
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
    for how, (_, residual) in usual.items():
        lines.append(f"for comparison, {how} leaves: median {np.median(residual):.4f}, greatest {residual.max():.4f}")
    lines.append(
        f"loss over starts: {found.loss[0]:.3e} to {found.loss[-1]:.3e}; weights are the mean of {found.averaged} of "
        f"{found.loss.size} starts"
    )
    left = ", ".join(f"{n}: {value:.4f}" for n, value in zip(scan.components, scan.residual, strict=True))
    return [*lines, f"what n components leave, at best: {left}"]
