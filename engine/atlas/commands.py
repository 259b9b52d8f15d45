"""``rankaae atlas``: a file of spectra to a map, headless; ``rankaae fetch-mp``: spectra to map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from engine.console import AsJson, Out, print_json, print_text
from engine.errors import ConfigError
from engine.progress import Progress


def atlas(
    path: Annotated[
        Path, typer.Argument(metavar="SET.parquet", help="A set, or a common-step or site table of spectra.")
    ],
    out: Out,
    preset: Annotated[str, typer.Option(help="all, or paper: a quarter of the spectra, as published.")] = "all",
    elements: Annotated[
        str, typer.Option(help="Elements, separated by commas; default: H to Sb without noble gases.")
    ] = "",
    code: Annotated[str | None, typer.Option(help="Calculation to take where a table holds several.")] = None,
    absolute: Annotated[
        str, typer.Option(help="Spectra that are not edge-normalised but only on another scale: drop, or divide.")
    ] = "drop",
    least_count: Annotated[int, typer.Option(help="Elements with fewer spectra are left out.")] = 10,
    near: Annotated[float, typer.Option(help="Near duplicates differ by no more than this anywhere; 0: keep.")] = 0.005,
    near_elements: Annotated[str, typer.Option(help="Elements whose near duplicates go; default: all.")] = "",
    sigma: Annotated[float, typer.Option(help="Outliers lie beyond so many standard deviations; 0: keep.")] = 3.0,
    fraction: Annotated[float | None, typer.Option(help="Share of each element to map; default: the preset's.")] = None,
    method: Annotated[str, typer.Option(help="umap, densmap or pca.")] = "umap",
    neighbours: Annotated[int, typer.Option(help="Neighbours of UMAP.")] = 94,
    min_dist: Annotated[float, typer.Option(help="Smallest distance on the map of UMAP.")] = 0.1,
    metric: Annotated[str, typer.Option(help="euclidean, manhattan, chebyshev, cosine or correlation.")] = "euclidean",
    seed: Annotated[int, typer.Option(help="Seed of the draw and of the map.")] = 1579,
    fast: Annotated[bool, typer.Option("--fast", help="All threads; the map differs a little each time.")] = False,
    gpu: Annotated[bool, typer.Option("--gpu", help="UMAP on an NVIDIA GPU by cuML, which must be installed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Clean spectra of many elements and map them in two dimensions, with scores and an account of every step.

    Example: rankaae atlas periodic-47.parquet --preset paper --out atlas.parquet
    """
    from engine.atlas.cleaning import CleaningRules
    from engine.atlas.embedding import Embedding
    from engine.atlas.make import PRESETS, make_atlas
    from engine.atlas.store import write_atlas
    from engine.io.files import check_target

    if preset not in PRESETS:
        raise ConfigError(f"preset is '{preset}'; need one of {', '.join(PRESETS)}")
    rules = CleaningRules(
        absolute=absolute,  # type: ignore[arg-type]  # checked there
        elements=_symbols(elements),
        least_count=least_count,
        near=near,
        near_elements=_symbols(near_elements),
        sigma=sigma,
        fraction=PRESETS[preset] if fraction is None else fraction,
        seed=seed,
    )
    how = Embedding(method, neighbours, min_dist, metric, seed, fast, gpu)  # type: ignore[arg-type]  # checked there
    check_target(out)
    with Progress("mapping") as progress:
        made = make_atlas(path, rules, how, code=code, progress=_say_stage if as_json else progress)
    write_atlas(made.atlas, out)
    scores = dict(made.atlas.scores)
    if as_json:
        print_json({
            "out": str(out), "n": len(made.atlas.xy), "cleaning": made.report.to_json(), "scores": scores,
            "seconds": made.seconds,
        })  # fmt: skip
        return
    times = ", ".join(f"{stage} {value:g} s" for stage, value in made.seconds.items())
    print_text(
        "\n".join([*made.report.lines(), *score_lines(scores), times, f"wrote {out}: {len(made.atlas.xy)} sites"])
    )


def _say_stage(done: int, total: int, stage: str) -> None:
    """Progress for the program that started the command: a line on stderr."""
    typer.echo(f"{done} of {total}: {stage}", err=True)


def fetch_mp(
    elements: Annotated[str, typer.Option(help="Absorbers, separated by commas, such as Ti,Cu.")],
    out: Annotated[Path, typer.Option("--out", help="Folder; run again on it to go on.")],
    as_json: AsJson = False,
) -> None:
    """Fetch site-resolved K-edge spectra from the Materials Project, with your key in MP_API_KEY.

    Example: rankaae fetch-mp --elements Ti,Cu --out materials_project
    """
    from engine.atlas.materials_project import client_search, fetch

    symbols = _symbols(elements)
    if symbols is None:
        raise ConfigError("no elements are named; need symbols such as Ti,Cu")
    with Progress("fetching") as progress:
        fetched = fetch(symbols, out, client_search(), progress=progress)
    if as_json:
        print_json(fetched.to_json())
    else:
        print_text("\n".join(fetched.lines()))


def _symbols(text: str) -> tuple[str, ...] | None:
    """Chemical symbols in an option, None without any; ConfigError for what is none of the map's."""
    from engine.spectra import K_EDGE_EV

    symbols = tuple(dict.fromkeys(symbol.strip() for symbol in text.split(",") if symbol.strip()))
    unknown = [symbol for symbol in symbols if symbol not in K_EDGE_EV and symbol not in ("H", "He")]
    if unknown:
        raise ConfigError(f"'{unknown[0]}' is no element with a K edge in the tables; need symbols such as Ti,Cu")
    return symbols or None


def score_lines(scores: dict[str, Any]) -> list[str]:
    """Scores of a map as lines for people."""

    def cell(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    k = scores["neighbours"]
    lines = [
        f"trustworthiness {scores['trustworthiness']:.3f}, {100 * scores['preserved']:.0f} % of {k} nearest spectra "
        f"are also nearest on the map ({scores['sites']} sites looked at)"
    ]
    for where, table in scores["purity"].items():
        of = f"of the {k} nearest " + ("on the map" if where == "map" else "spectra")
        for label, row in table.items():
            lines.append(f"{of}, share with the same {label}: {cell(row['share'])} (chance {cell(row['chance'])})")
        for label, row in scores["universality"][where].items():
            if row["share"] is not None:
                lines.append(
                    f"{of}, those of another element with the same {label}: {cell(row['share'])} (chance "
                    f"{cell(row['chance'])}); for {cell(row['sites'])} of the sites they are the majority"
                )
    return lines
