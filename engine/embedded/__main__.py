"""``python -m engine.embedded``: makes the embedded sets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from engine.embedded.build import ENERGY_MAX_EV, ENERGY_MIN_EV, build_set
from engine.embedded.recipes import RECIPES, recipe_of
from engine.errors import EngineError
from engine.simulation.simulate import Settings

app = typer.Typer(help="Make the sets that come with the program.", add_completion=False, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Make the sets that come with the program."""


@app.command()
def build(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(RECIPES)}.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for files, card and manifest.toml.")],
    work: Annotated[Path | None, typer.Option(help="Folder of finished parts; default: OUT/.parts/NAME.")] = None,
    element: Annotated[list[str] | None, typer.Option(help="Only this element; may be repeated.")] = None,
    sites: Annotated[int | None, typer.Option(help="Sites per element; default: the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the structures.")] = 0,
    scf: Annotated[
        bool, typer.Option("--scf/--fast", help="Density from larger clusters, or from small ones.")
    ] = False,
    atoms: Annotated[int | None, typer.Option(help="Atoms that scatter; default: as rankaae simulate.")] = None,
    lmax: Annotated[int | None, typer.Option(help="Highest angular momentum; default: as rankaae simulate.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
) -> None:
    """Make a set; run it again to go on where it stopped.

    Example: python -m engine.embedded build oxides-3d --out data --workers 2
    """
    settings = Settings(mode="scf" if scf else "fast", energy_min_ev=ENERGY_MIN_EV, energy_max_ev=ENERGY_MAX_EV)
    settings = replace(settings, n_atoms=atoms or settings.n_atoms, lmax=lmax or settings.lmax)
    account = build_set(
        recipe_of(name), out, work or out / ".parts" / name, settings, elements=element, sites=sites, seed=seed,
        workers=workers, announce=_announce,
    )  # fmt: skip
    size = sum(file.stat().st_size for file in account.files) / 1e6
    failed = f", {len(account.failures)} failed (listed in the card)" if account.failures else ""
    typer.echo(f"{name}: {account.n} spectra in {len(account.files)} files, {size:.1f} MB{failed}")


def _announce(label: str) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == total or done % 50 == 0:
            typer.echo(f"{label}: {done} of {total}", err=True)

    return progress


if __name__ == "__main__":
    try:
        app()
    except EngineError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
