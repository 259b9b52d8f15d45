"""``python -m engine.embedded``: makes the embedded sets and the models trained on them, and checks their files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from engine.console import Scheduler
from engine.embedded.build import build_set
from engine.embedded.manifest import data_folder, put_map, read_embedded
from engine.embedded.recipes import RECIPES, recipe_of
from engine.errors import DataError, EngineError

app = typer.Typer(
    help="Make and check the sets and models that come with the program.", add_completion=False, rich_markup_mode=None
)


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
    atoms: Annotated[int | None, typer.Option(help="Atoms that scatter; default: the recipe's.")] = None,
    lmax: Annotated[int | None, typer.Option(help="Highest angular momentum; default: the recipe's.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    scheduler: Scheduler = None,
) -> None:
    """Make a set; run it again to go on where it stopped.

    Example: python -m engine.embedded build oxides-3d --out data --workers 2
    """
    recipe = recipe_of(name)
    usual = recipe.settings
    settings = replace(usual, mode="scf" if scf else "fast", n_atoms=atoms or usual.n_atoms, lmax=lmax or usual.lmax)
    account = build_set(
        recipe, out, (work or out / ".parts" / name).resolve(), settings, elements=element, sites=sites, seed=seed,
        workers=scheduler or workers, announce=_announce,
    )  # fmt: skip
    size = sum(file.stat().st_size for file in account.files) / 1e6
    failed = f", {len(account.failures)} failed (listed in the card)" if account.failures else ""
    typer.echo(f"{name}: {account.n} spectra in {len(account.files)} files, {size:.1f} MB{failed}")


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="A set that is named in OUT/manifest.toml.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the set; models go into its folder models.")],
    work: Annotated[Path | None, typer.Option(help="Folder of unfinished runs; default: OUT/.parts/models.")] = None,
    element: Annotated[list[str] | None, typer.Option(help="Only this element; may be repeated.")] = None,
    workers: Annotated[int, typer.Option(help="Processes, one element each.")] = 1,
    scheduler: Scheduler = None,
    threads: Annotated[int, typer.Option(help="CPU threads per process.")] = 1,
) -> None:
    """Train a model on each element of a set; run it again to go on where it stopped.

    Example: python -m engine.embedded train oxides-3d --out data
    """
    from engine.embedded.models import print_epoch, train_models

    done = train_models(
        name, out, work or out / ".parts" / "models", elements=element, workers=scheduler or workers,
        threads=threads, progress=print_epoch,
    )  # fmt: skip
    for model in done:
        kept = ", kept as it was" if model.kept else ""
        without = f", without {', '.join(model.constant)} (the same for all sites)" if model.constant else ""
        typer.echo(f"{model.name}: {model.bytes / 1e6:.1f} MB{kept}{without}")


@app.command(name="map")
def make_map(
    name: Annotated[str, typer.Argument(help="A set of one file that is named in OUT/manifest.toml.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the set; the map goes beside it.")],
    neighbours: Annotated[int, typer.Option(help="Neighbours of UMAP.")] = 94,
) -> None:
    """Map a set as rankaae atlas does, and name the map in its manifest; after build, which takes the name out.

    Spectra that are not 1 after their edge are divided by what they are there, not left out: the set's own are
    normalised above the end of a map's grid, where light elements have fallen far below what they are on it.

    Example: python -m engine.embedded map periodic-47 --out data
    """
    from engine.atlas.cleaning import CleaningRules
    from engine.atlas.commands import score_lines
    from engine.atlas.embedding import Embedding
    from engine.atlas.make import make_atlas
    from engine.atlas.store import write_atlas

    embedded = read_embedded(out)
    if embedded is None:
        raise DataError(f"{out}: has no manifest.toml")
    source, path = embedded.common_file(name), embedded.folder / f"{name}.atlas.parquet"
    made = make_atlas(source, CleaningRules(absolute="divide"), Embedding(neighbours=neighbours))
    write_atlas(made.atlas, path)
    put_map(embedded.folder, name, path)
    typer.echo("\n".join([*made.report.lines(), *score_lines(dict(made.atlas.scores))]))
    typer.echo(f"{path.name}: {len(made.atlas.xy)} sites, {path.stat().st_size / 1e6:.1f} MB")


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="Default: what RANKAAE_DATA names, or data.")] = None,
) -> None:
    """Compare every file that the manifest names with its size and SHA-256.

    Example: python -m engine.embedded check data
    """
    folder = folder or data_folder()
    embedded = read_embedded(folder)
    if embedded is None:
        raise DataError(f"{folder}: has no manifest.toml")
    wrong = 0
    for file in embedded.files:
        try:
            file.check()
        except DataError as problem:
            wrong += 1
            typer.echo(f"wrong: {problem}", err=True)
    if wrong:
        raise DataError(f"{wrong} of {len(embedded.files)} files are not those of the manifest")
    typer.echo(f"{len(embedded.files)} files are those of the manifest")


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
