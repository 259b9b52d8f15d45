"""The command ``rankaae suggest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.console import AsJson, print_json, print_text

if TYPE_CHECKING:
    from engine.study.suggest import Suggestion


def suggest(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    columns: Annotated[
        Path | None, typer.Option(help="CSV with site_id and columns of your own to try beside those of the set.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rank the descriptors a run does not use by what they explain of its free axis and of its residual.

    Example: rankaae suggest runs/cu
    """
    from engine.model.run import Run
    from engine.progress import Progress
    from engine.structures import read_columns
    from engine.study.suggest import suggest as find

    opened = Run(run)
    extra = read_columns(columns, opened.spectra().site_id.tolist()).frame if columns is not None else None
    with Progress("looking at candidates") as progress:
        found = find(opened, extra, progress=progress)
    if as_json:
        print_json(found.to_json())
    else:
        print_text("\n".join(suggestion_lines(found)))


def suggestion_lines(found: Suggestion) -> list[str]:
    """The suggestion as a person reads it."""
    from engine.study.suggest import ALPHA

    many = f"{found.members} member{'s' if found.members > 1 else ''}"
    lines = [f"{found.sites} validation sites, {many}"]
    if found.used:
        lines.append(f"{'used':12} {'|SRCC|':>7} {'ceiling':>8} {'only it explains':>17}")
    for one in found.used:
        lines.append(f"{one.name:12} {_cell(one.srcc):>7} {_cell(one.ceiling):>8} {100 * one.only_share:>16.2f}%")
    lines.append(
        f"{'candidate':12} {'explains':>8} {'free ρ':>7} {'of free':>8} {'of residual':>11} {'p':>7} {'ceiling':>8} "
        f"{'redundant':>9}  nearest"
    )
    for proposal in found.proposals:
        row = proposal.candidate
        near = f"{row.nearest} {row.nearest_rho:+.2f}" if row.nearest else ""
        swap = f"; for {proposal.swap.out}: {100 * proposal.swap.gain:+.2f}% of the spectra" if proposal.swap else ""
        lines.append(
            f"{('*' if proposal.proposed else '') + row.name:12} {_cell(row.explained_mu, 4):>8} "
            f"{_cell(row.free_rho):>7} {_cell(row.free_share):>8} {_cell(row.residual_share):>11} {_cell(row.p, 4):>7} "
            f"{_cell(proposal.ceiling.srcc):>8} {_cell(row.redundancy, 2):>9}  {near}{swap}"
        )
    lines.append(
        f"* to try: p at most {ALPHA:g}, corrected for the number of candidates, and a ceiling above chance.\n"
        "explains: root mean square of mu on free axes and in the residual, beyond the used descriptors and chance; "
        "ceiling: |SRCC| of ExtraTrees from the spectra; redundant: share of its ranks that the used descriptors tell"
    )
    return lines


def _cell(value: float, digits: int = 3) -> str:
    return "–" if value != value else f"{value:.{digits}f}"
