"""The command ``rankaae forward``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.console import AsJson, print_json, print_text


def forward(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder.")],
    networks: Annotated[int, typer.Option(min=2, help="Networks of an ensemble and of a bootstrap.")] = 8,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 for all.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Predict spectra from descriptors and from structures by networks, beside the decoder; the report shows the table.

    Spreads are too narrow; each comes with the factor that makes it an error bar, found on the validation part.

    Example: rankaae forward runs/cu
    """
    import torch

    from engine.model.run import Run
    from engine.study.forward import forward as run_forward
    from engine.study.forward import spread_cells

    if threads > 0:
        torch.set_num_threads(threads)
    found = run_forward(Run(run), networks=networks)
    if as_json:
        print_json(found.to_json())
        return
    lines = [
        f"{'from':20} {'by':24} {'error, % (quartiles)':>24} {'within ±3σ, %':>14} {'factor f (90 % range)':>22} "
        f"{'within ±3fσ, %':>15} {'±3fσ, % of μ':>13}"
    ]
    for row in found.rows:
        error = f"{row.percent:.2f} ({row.low:.2f}–{row.high:.2f})"
        covered, factor, after, width = spread_cells(row, found)
        lines.append(
            f"{row.source:20} {row.method:24} {error:>24} {covered:>14} {factor:>22} {after:>15} {width:>13}".rstrip()
        )
    lines.append(f"{found.sites} test sites; 99.7 % within ±3σ would be right")
    lines.append(
        f"f: what σ must be multiplied by to have 99.7 % within ±3fσ on {found.validation} validation sites; its range "
        "is over draws of their materials"
    )
    if found.importance:
        steps = ", ".join(f"{distance:g}–{distance + 0.5:g} Å {rise:+.2f}" for distance, rise in found.importance)
        lines.append(f"error gained, in %, where other sites lend what is at a distance: {steps}")
    print_text("\n".join([*lines, *([found.remarks] if found.remarks else [])]))
