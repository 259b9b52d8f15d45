"""The ``rankaae`` command; every long job of the app is one of its subcommands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from engine.atlas.commands import atlas, fetch_mp
from engine.console import AsJson, Out, Scheduler, parse_setting
from engine.console import print_json as _print_json
from engine.console import print_text as _print
from engine.errors import Cancelled, ConfigError, EngineError
from engine.experiment.map_command import map_domain
from engine.experiment.predict_command import predict
from engine.experiment.prepare_command import prepare
from engine.progress import Progress
from engine.study.forward_command import forward
from engine.study.report_commands import report, reproduce
from engine.study.suggest_command import suggest
from engine.study.sweep_command import sweep
from engine.study.trust_commands import stability, validity

if TYPE_CHECKING:
    from engine.spectra import GridSpec, SpectraSet

app = typer.Typer(
    help="What an X-ray absorption spectrum says about structure: import spectra, train RankAAE models, score, use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
app.command()(prepare)
app.command()(map_domain)
app.command()(predict)
app.command()(suggest)
app.command()(sweep)
app.command()(stability)
app.command()(validity)
app.command()(forward)
app.command()(report)
app.command()(reproduce)
app.command()(atlas)
app.command("fetch-mp")(fetch_mp)
OfElement = Annotated[str | None, typer.Option("--element", help="Only the sites of this absorber, such as Cu.")]


def main() -> NoReturn:
    """Entry point: runs a command; an error is one line on stderr and exit code 1, a cancelled job 130."""
    try:
        app(standalone_mode=True)
    except Cancelled as error:
        _complain("cancelled", str(error))
        sys.exit(130)
    except EngineError as error:
        _complain("error", str(error))
    except KeyboardInterrupt:
        _complain("cancelled", "interrupted from the keyboard")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def _complain(kind: str, message: str) -> None:
    sys.stderr.write(f"{kind}: {' '.join(message.split())}\n")


@app.command("import")
def import_command(
    source: Annotated[
        Path, typer.Argument(help="CSV in the RankAAE layout, folder or zip of FEFF runs, xmu.dat, Parquet.")
    ],
    out: Out,
    element: Annotated[str | None, typer.Option(help="Absorber to take, such as Cu.")] = None,
    start: Annotated[
        float | None, typer.Option(help="First energy of the grid in eV; default: the edge start.")
    ] = None,
    width: Annotated[float | None, typer.Option(help="Width of the grid in eV; default: 50.")] = None,
    points: Annotated[int | None, typer.Option(help="Points of the grid; default: 256.")] = None,
    shift_ev: Annotated[
        float, typer.Option("--shift-ev", help="Added to all energies, in eV, to bring one scale to another's.")
    ] = 0.0,
    first_shell: Annotated[
        str | None, typer.Option(help="'O' keeps sites with oxygen neighbours only, 'any' all. Default: O.")
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Calculation to take where a table holds several, such as FEFF.")
    ] = None,
    columns: Annotated[
        Path | None, typer.Option(help="CSV with site_id and descriptor columns of your own to add.")
    ] = None,
    expression: Annotated[
        list[str] | None, typer.Option(help="Descriptor from others, as NAME=EXPRESSION; may be repeated.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that compute descriptors.")] = os.cpu_count() or 1,
    scheduler: Scheduler = None,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps computed descriptors between imports.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read spectra and descriptors into one set file, with a report of what was kept and what was refused.

    Example: rankaae import feff_runs/ --element Cu --out cu.parquet --expression "RATIO=OS/CN"
    """
    from engine.io import import_source, structures_path, write_set

    grid = _grid(start, width, points)
    with Progress("describing sites") as progress:
        spectra, report = import_source(
            source,
            element=element,
            grid=grid,
            shift_ev=shift_ev,
            first_shell=first_shell,  # type: ignore[arg-type]  # checked there
            code=code,
            workers=scheduler or workers,
            cache=cache,
            progress=progress,
            structures=structures_path(out),
        )
    notes: list[str] = []
    if columns is not None:
        spectra, notes = _with_columns(spectra, columns)
    for text in expression or []:
        spectra = _with_expression(spectra, text)
    write_set(spectra, out)
    if as_json:
        _print_json(report.to_json() | {"notes": notes, "out": str(out)})
    else:
        _print("\n".join([*report.lines(), *notes, f"wrote {out}: {len(spectra)} spectra"]))


def _grid(start: float | None, width: float | None, points: int | None) -> GridSpec | None:
    """The grid that options ask for; None where they leave all of it to the set."""
    from engine.spectra import GridSpec
    from engine.spectra.grid import DEFAULT_POINTS

    if start is None and width is None and points is None:
        return None
    return GridSpec(start_ev=start, width_ev=width, points=points or DEFAULT_POINTS)


def _with_columns(spectra: SpectraSet, path: Path) -> tuple[SpectraSet, list[str]]:
    from dataclasses import replace

    from engine.structures import read_columns

    added = read_columns(path, spectra.site_id.tolist())
    table = spectra.descriptors.assign(**{name: added.frame[name].to_numpy() for name in added.frame.columns})
    names = ", ".join(added.frame.columns)
    notes = []
    if added.missing:
        notes.append(f"note: {path.name} has no row for {len(added.missing)} sites, such as {added.missing[0]}")
    if added.unknown:
        notes.append(
            f"note: {path.name} names {len(added.unknown)} sites that are not in the set, such as {added.unknown[0]}"
        )
    return replace(spectra, descriptors=table, steps=(*spectra.steps, f"columns {names} from {path.name}")), notes


def _with_expression(spectra: SpectraSet, text: str) -> SpectraSet:
    from dataclasses import replace

    from engine.structures import evaluate_expression

    name, found, expression = text.partition("=")
    name = name.strip()
    if not found or not name.isidentifier():
        raise ConfigError(f"expression '{text}': need NAME=EXPRESSION, such as RATIO=OS/CN")
    values = evaluate_expression(expression.strip(), spectra.descriptors)
    step = f"column {name} = {expression.strip()}"
    return replace(spectra, descriptors=spectra.descriptors.assign(**{name: values}), steps=(*spectra.steps, step))


@app.command()
def info(
    path: Annotated[Path, typer.Argument(metavar="SET.parquet", help="A set written by rankaae import.")],
    element: OfElement = None,
    as_json: AsJson = False,
) -> None:
    """Say what a set holds: sites, energies, descriptors, origin.

    Example: rankaae info cu.parquet --json
    """
    from engine.io import holds_steps, load_set, read_steps
    from engine.spectra import set_info

    content: dict[str, Any]
    content = read_steps(path).info() if element is None and holds_steps(path) else set_info(load_set(path, element))
    if as_json:
        _print_json(content)
        return
    for key, value in content.items():
        entries = value if isinstance(value, dict) else {"": value}
        for name, entry in entries.items():
            text = ", ".join(f"{k} {v}" for k, v in entry.items()) if isinstance(entry, dict) else str(entry)
            _print(f"{f'{key} {name}':28} {text}")


@app.command()
def descriptors(as_json: AsJson = False) -> None:
    """List the descriptors the program computes, with unit, kind and reference.

    Example: rankaae descriptors
    """
    from engine.structures import CATALOGUE

    if as_json:
        fields = ("symbol", "unit", "kind", "reference", "summary")
        _print_json({name: {field: getattr(d, field) for field in fields} for name, d in CATALOGUE.items()})
        return
    for name, d in CATALOGUE.items():
        _print(f"{name:12} {d.kind:12} {d.unit or '–':8} {d.summary} [{d.reference}]")


@app.command()
def ceiling(
    path: Annotated[Path, typer.Argument(metavar="SET.parquet", help="A set written by rankaae import.")],
    out: Annotated[Path, typer.Option("--out", help="JSON file to write; what it holds of this set is kept.")],
    descriptors: Annotated[str, typer.Option(help="Descriptors, separated by commas; default: all of the set.")] = "",
    element: OfElement = None,
    as_json: AsJson = False,
) -> None:
    """Say how well ExtraTrees predict each descriptor of unseen materials from spectra, beside random numbers (NOISE).

    Example: rankaae ceiling cu.parquet --descriptors OS,CN --out ceilings.json
    """
    from engine.analysis.ceiling import supervised_ceiling
    from engine.io import load_set
    from engine.io.ceiling_file import ceilings_json, read_ceilings, write_ceilings
    from engine.spectra import set_hash, split_by_material
    from engine.structures import with_noise

    spectra = load_set(path, element)
    names = [name.strip() for name in descriptors.split(",") if name.strip()] or list(spectra.descriptors.columns)
    spectra.descriptor_values(names)  # refuses unknown names
    table = with_noise(spectra.descriptors[names], spectra.site_id.tolist())
    split, key = split_by_material(spectra), set_hash(spectra)
    found = read_ceilings(out, key)
    missing = [name for name in table.columns if name not in found]
    with Progress("predicting descriptors") as progress:
        for done, name in enumerate(missing):
            progress(done, len(missing), name)
            found[name] = supervised_ceiling(spectra.mu, table[name].to_numpy(), split)
            write_ceilings(out, key, found)
    rows = ceilings_json({name: found[name] for name in table.columns})
    if as_json:
        _print_json({"split": split.how, "ceilings": rows, "out": str(out)})
        return
    for name, row in rows.items():
        _print(f"{name:12} |SRCC| {_cell(row['srcc'])}  on {row['n_test']} held-out sites")


@app.command()
def simulate(
    structures: Annotated[
        list[str],
        typer.Argument(
            metavar="STRUCTURE...", help="CIF, POSCAR or XYZ files, folders of them, or ids such as mp-2657."
        ),
    ],
    element: Annotated[str, typer.Option(help="Absorber, such as Ti.")],
    out: Annotated[Path, typer.Option("--out", help="Set to write, SET.parquet.")],
    scf: Annotated[
        bool,
        typer.Option(
            "--scf/--fast", help="Density from larger clusters, at several times the cost, or from small ones."
        ),
    ] = False,
    all_sites: Annotated[bool, typer.Option("--all-sites", help="Every site, not one of each symmetry class.")] = False,
    average: Annotated[
        bool, typer.Option(help="Also write SET.mean.parquet, the mean spectrum of each material.")
    ] = True,
    engine: Annotated[str, typer.Option(help="rankaae, or feff for an installed FEFF.")] = "rankaae",
    feff_command: Annotated[
        str | None, typer.Option(help="Command that runs FEFF; default: RANKAAE_FEFF, or feff on the path.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting of the simulation, as NAME=VALUE; may be repeated.")
    ] = None,
    start: Annotated[
        float | None, typer.Option(help="First energy of the grid in eV; default: the edge start.")
    ] = None,
    width: Annotated[float | None, typer.Option(help="Width of the grid in eV; default: 50.")] = None,
    points: Annotated[int | None, typer.Option(help="Points of the grid; default: 256.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
    scheduler: Scheduler = None,
    device: Annotated[str, typer.Option(help="Where the scattering is solved: auto, cpu or cuda.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Compute the K-edge spectra of structures, with descriptors, as a set; run it again to go on where it stopped.

    Example: rankaae simulate TiO2.cif mp-2657 --element Ti --out ti.parquet
    """
    from engine.batch.feff import feff_sources
    from engine.batch.simulate import simulate_on, simulate_sources
    from engine.batch.sources import read_sources

    if engine not in ("rankaae", "feff"):
        raise ConfigError(f"engine is '{engine}'; need rankaae or feff")
    grid = _grid(start, width, points)
    with Progress("simulating") as progress:
        outcome: Any
        if engine == "feff":
            if setting or scf:
                raise ConfigError("--scf and --set are for this program's own engine; FEFF inputs have fixed cards")
            if scheduler:
                raise ConfigError("--scheduler is for this program's own engine; FEFF runs on this machine")
            sources, failed = read_sources(structures)
            outcome = feff_sources(
                sources, failed, element, out, command=feff_command, all_sites=all_sites, grid=grid, workers=workers,
                progress=progress,
            )  # fmt: skip
        else:
            from functools import partial

            from engine.model.training import pick_device

            settings = _simulation_settings(scf, setting or [])
            if not scheduler:
                pick_device(device)
            sources, failed = read_sources(structures)
            outcome = simulate_sources(
                sources, failed, element, settings, out.resolve() if scheduler else out, all_sites=all_sites,
                average=average, grid=grid, workers=scheduler or workers, progress=progress,
                simulate=partial(simulate_on, device=device),
            )  # fmt: skip
    if as_json:
        _print_json(outcome.to_json())
    else:
        _print("\n".join(outcome.lines()))


def _simulation_settings(scf: bool, texts: list[str]) -> Any:
    from dataclasses import fields

    from engine.simulation.simulate import Settings

    given = {"mode": "scf" if scf else "fast", **dict(parse_setting(text) for text in texts)}
    known = {f.name for f in fields(Settings)}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ConfigError(f"setting '{unknown[0]}' is not one of the simulation's: {', '.join(sorted(known))}")
    try:
        return Settings(**given)
    except TypeError as problem:
        raise ConfigError(f"settings of the simulation: {problem}") from None


@app.command()
def train(
    path: Annotated[Path, typer.Argument(metavar="SET.parquet", help="A set written by rankaae import.")],
    out: Annotated[Path, typer.Option("--out", help="Run folder to write.")],
    descriptors: Annotated[str, typer.Option(help="Descriptor columns, one axis each, separated by commas.")] = "",
    free: Annotated[int, typer.Option(help="Free axes beside them.")] = 1,
    seeds: Annotated[int, typer.Option(help="Members of the ensemble, seeds 0 to N - 1.")] = 8,
    preset: Annotated[str, typer.Option(help="default, paper or autoencoder.")] = "default",
    split: Annotated[str, typer.Option(help="material (no material on two sides) or random.")] = "material",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting, as NAME=VALUE; may be repeated.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings; replaces all options above.")] = None,
    element: OfElement = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 for all.")] = 0,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Train an ensemble of RankAAE models and score it; a file named 'stop' in the run folder stops it after an epoch.

    Example: rankaae train cu.parquet --descriptors OS,CN,OCN,NNRS,MOOD --free 1 --seeds 8 --out runs/cu
    """
    import torch

    from engine.io import load_set
    from engine.model.apart import train_apart
    from engine.model.config import TrainConfig, make_config
    from engine.model.training import train as run_training

    if config is not None:
        settings = TrainConfig.from_toml(config)
    else:
        if seeds < 1:
            raise ConfigError(f"seeds is {seeds}; need at least 1")
        names = tuple(name.strip() for name in descriptors.split(",") if name.strip())
        extra = dict(parse_setting(text) for text in setting or [])
        given = {"descriptors": names, "free_axes": free, "seeds": tuple(range(seeds)), "split": split}
        settings = make_config(preset, **{**given, **extra})
    if threads > 0:
        torch.set_num_threads(threads)
    with Progress("training") as progress:

        def follow(event: dict[str, Any]) -> None:
            if event["event"] == "epoch":
                validation = event["validation"] or {}
                best = max((v for v in validation.get("score", []) if v is not None), default=None)
                progress(
                    event["epoch"], event["epochs"], f"best validation score {best:.3f}" if best is not None else ""
                )
            elif event["event"] == "seed_failed":
                _complain("warning", f"seed {event['seed']}: {event['reason']}")
            else:
                progress.follow(event)

        spectra = load_set(path, element)
        how: dict[str, Any] = {"resume": resume, "device": device, "on_event": follow}
        if scheduler:
            run = train_apart(spectra, path, settings, out, scheduler, threads=threads, **how)
        else:
            run = run_training(spectra, path, settings, out, **how)
    if as_json:
        table = run.scores()
        _print_json({"run": str(out), "selected": run.selected(), "seeds": table["seed"].tolist()})
    else:
        _print("\n".join([*_score_lines(_scores(out, None, None, baselines=False)), f"wrote {out}"]))


def _scores(run: Path, on: Path | None, element: str | None, *, baselines: bool) -> dict[str, Any]:
    from engine.io import load_set
    from engine.model.report import score_run
    from engine.model.run import Run

    if element is not None and on is None:
        raise ConfigError("--element chooses among the sites of another set; name it with --on")
    other = load_set(on, element) if on is not None else None
    return score_run(Run(run), other, baselines=baselines, jobs=os.cpu_count() or 1)


def _score_lines(result: dict[str, Any]) -> list[str]:
    names = list(result["members"][0]["descriptors"])
    head = ["member", "RMSE", "MAE", *(f"{n} SRCC" for n in names)]
    f1 = [n for n in names if result["members"][0]["descriptors"][n]["f1"] is not None]
    head += [*(f"{n} F1" for n in f1), "free corr", "axis corr", "normality", "Eq. 2"]
    rows = [head]

    def cells(descriptors: dict[str, Any]) -> list[str]:
        return [_cell(descriptors[n]["srcc"]) for n in names] + [_cell(descriptors[n]["f1"]) for n in f1]

    for i, m in enumerate(result["members"]):
        mark = "*" if i == result["selected"] else ""
        start = [f"{mark}seed {m['seed']}", f"{m['reconstruction_rmse']:.4f}", f"{m['reconstruction_mae']:.4f}"]
        end = [m["free_axis_correlation_max"], m["axis_correlation_max"], m["normality"], m["selection_score"]]
        rows.append([*start, *cells(m["descriptors"]), *map(_cell, end)])
    if "baselines" in result:
        pca, trees = result["baselines"]["pca"], result["baselines"]["extra_trees"]
        errors = [f"{pca['reconstruction_rmse']:.4f}", f"{pca['reconstruction_mae']:.4f}"]
        rows.append([f"PCA-{pca['n_components']}", *errors, *[""] * (len(head) - 3)])
        rows.append(["ExtraTrees", "", "", *cells(trees), *[""] * 4])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return [f"split: {result['split']}, {result['n_test']} test spectra; * selected by Eq. 2", *lines]


def _spectral_lines(result: dict[str, Any]) -> list[str]:
    table = result["spectral_correlation"]
    features = list(next(iter(table.values())))
    lines = ["", "rank correlation of the selected member's axes with spectral descriptors"]
    lines.append(" " * 10 + "".join(f"{feature:>9}" for feature in features))
    return lines + [f"{axis:10}" + "".join(f"{_cell(row[f]):>9}" for f in features) for axis, row in table.items()]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@app.command()
def score(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    on: Annotated[
        Path | None, typer.Option(help="Score on every site of this set instead of the run's test part.")
    ] = None,
    element: OfElement = None,
    baselines: Annotated[bool, typer.Option(help="Fit and score PCA and ExtraTrees beside it.")] = True,
    as_json: AsJson = False,
) -> None:
    """Score every member of a run next to PCA and ExtraTrees.

    Example: rankaae score runs/cu --json
    """
    result = _scores(run, on, element, baselines=baselines)
    if as_json:
        _print_json(result)
    else:
        _print("\n".join([*_score_lines(result), *_spectral_lines(result)]))


@app.command()
def traverse(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    axis: Annotated[str, typer.Option(help="Axis to move along, such as CN or 'free 1'.")],
    out: Out,
    member: Annotated[int | None, typer.Option(help="Member to use; default: the selected one.")] = None,
    levels: Annotated[int, typer.Option(help="Points between the 5th and 95th percentile.")] = 50,
    samples: Annotated[
        int, typer.Option(help="Gaussian draws of the other axes to average over; 0 holds them at 0.")
    ] = 10_000,
    as_json: AsJson = False,
) -> None:
    """Write the decoded spectra along one axis as CSV: one row per energy, one column per level.

    Example: rankaae traverse runs/cu --axis CN --out cn.csv
    """
    from engine.io.traversal_csv import write_traversal
    from engine.model.latent_model import load_member, traverse_axis
    from engine.model.run import Run

    opened = Run(run)
    traversal = traverse_axis(load_member(opened, member), axis, levels=levels, samples=samples)
    seed = opened.scores()["seed"][member if member is not None else opened.selected()]
    write_traversal(traversal, out, f"run {run.name}, seed {seed}, {samples} draws of the other axes")
    if as_json:
        _print_json({"axis": axis, "out": str(out), "level": traversal.level.tolist()})
    else:
        _print(f"wrote {out}: {axis} from {traversal.level[0]:.2f} to {traversal.level[-1]:.2f}, {levels} levels")


if __name__ == "__main__":
    main()
