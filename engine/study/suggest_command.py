"""The command ``rankaae suggest``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.console import AsJson, print_json, print_text

if TYPE_CHECKING:
    import pandas as pd

    from engine.spectra import SpectraSet
    from engine.study.suggest import Suggestion


def suggest(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    columns: Annotated[
        Path | None,
        typer.Option(help="Columns of your own to try as well: CSV with site_id, or a set (.parquet) that has them."),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(min=0, help="Time to compute what the set lacks from structures beside it, cheap ones first."),
    ] = 5.0,
    out: Annotated[
        Path | None, typer.Option(help="Set to write: that of the run with all that was tried, to train on.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that compute descriptors.")] = os.cpu_count() or 1,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps computed descriptors.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rank the descriptors a run does not use by what they explain of its free axis and of its residual.

    Descriptors of the catalogue that its set lacks are computed where the set's structures are beside it.

    Example: rankaae suggest runs/cu --out more.parquet
    """
    from engine.io import structures_path, write_set
    from engine.io.structures import copy_structures
    from engine.model.run import Run
    from engine.progress import Progress
    from engine.spectra import set_hash
    from engine.study.describing import compute_missing
    from engine.study.suggest import extended
    from engine.study.suggest import suggest as find

    opened = Run(run)
    spectra, path = opened.spectra(), opened.set_path()
    own = _own_columns(columns, spectra, opened.data().get("element")) if columns is not None else None
    taken = [] if own is None else [str(name) for name in own]
    with Progress("looking at candidates") as progress:
        computed = compute_missing(
            spectra, path, taken, minutes=minutes, workers=workers, cache=cache, progress=progress
        )
        found = find(opened, own, computed.frame, progress=progress)
    content = found.to_json() | {"notes": list(computed.notes)}
    lines = [*suggestion_lines(found), *computed.notes]
    if out is not None:
        more = extended(spectra, own, computed.frame)
        write_set(more, out)
        copy_structures(structures_path(path), more, structures_path(out))
        lines.append(f"wrote {out}: {len(more)} spectra with {more.descriptors.shape[1]} descriptors")
        content["set_hash"] = set_hash(more)
    if as_json:
        print_json(content)
    else:
        print_text("\n".join(lines))


def _own_columns(path: Path, spectra: SpectraSet, element: str | None) -> pd.DataFrame:
    """Columns (n, c) for the sites of a set: those of a CSV, or of another set those that this one has no values of."""
    from engine.errors import DataError
    from engine.io import load_set
    from engine.structures import read_columns

    ids = spectra.site_id.tolist()
    if path.suffix.lower() != ".parquet":
        return read_columns(path, ids).frame
    other = load_set(path, element)
    table = other.descriptors.set_axis(other.site_id.tolist()).reindex(ids)
    known = {name for name in spectra.descriptors if spectra.descriptors[name].notna().any()}
    table = table.loc[:, [name not in known and bool(table[name].notna().any()) for name in table]]
    if table.empty:
        raise DataError(f"{path.name}: has no column with values of this run's sites that its own set lacks")
    return table


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
        origin = "" if proposal.origin == "set" else f"; {proposal.origin}"
        swap = f"; for {proposal.swap.out}: {100 * proposal.swap.gain:+.2f}% of the spectra" if proposal.swap else ""
        lines.append(
            f"{('*' if proposal.proposed else '') + row.name:12} {_cell(row.explained_mu, 4):>8} "
            f"{_cell(row.free_rho):>7} {_cell(row.free_share):>8} {_cell(row.residual_share):>11} {_cell(row.p, 4):>7} "
            f"{_cell(proposal.ceiling.srcc):>8} {_cell(row.redundancy, 2):>9}  {near}{origin}{swap}"
        )
    lines.append(
        f"* to try: p at most {ALPHA:g}, corrected for the number of candidates, and a ceiling above chance.\n"
        "explains: root mean square of mu on free axes and in the residual, beyond the used descriptors and chance; "
        "ceiling: |SRCC| of ExtraTrees from the spectra; redundant: share of its ranks that the used descriptors tell"
    )
    return lines


def _cell(value: float, digits: int = 3) -> str:
    return "–" if value != value else f"{value:.{digits}f}"
