"""The command ``rankaae sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.console import AsJson, Scheduler, parse_setting, print_json, print_text
from engine.errors import ConfigError
from engine.progress import Progress

if TYPE_CHECKING:
    from engine.study.sweep import Band, Step


def sweep(
    path: Annotated[Path, typer.Argument(metavar="SET.parquet", help="A set written by rankaae import.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the runs; a sweep in it goes on.")],
    descriptors: Annotated[str, typer.Option(help="Descriptors to begin with, separated by commas.")] = "OS",
    swap: Annotated[bool, typer.Option("--swap", help="Replace descriptors one by one instead of adding.")] = False,
    most: Annotated[int, typer.Option(min=1, help="Most changes to the first set.")] = 8,
    free: Annotated[int, typer.Option(min=1, help="Free axes.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, help="Members of each ensemble.")] = 8,
    preset: Annotated[str, typer.Option(help="default or paper.")] = "default",
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting, as NAME=VALUE; may be repeated.")
    ] = None,
    element: Annotated[str | None, typer.Option(help="Only the sites of this absorber, such as Cu.")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 for all.")] = 0,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Train a chain of descriptor sets, each with the descriptor that the last run asks for, until nothing is left.

    Example: rankaae sweep cu.parquet --descriptors OS --seeds 8 --out sweeps/cu
    """
    from functools import partial

    import torch

    from engine.io import load_set
    from engine.model.apart import train_apart
    from engine.model.config import make_config
    from engine.model.training import train
    from engine.study.sweep import sweep as run_sweep

    names = tuple(name.strip() for name in descriptors.split(",") if name.strip())
    if not names:
        raise ConfigError("a sweep needs a descriptor to begin with, such as --descriptors OS")
    given: dict[str, Any] = {"descriptors": names, "free_axes": free, "seeds": tuple(range(seeds))}
    config = make_config(preset, **{**given, **dict(parse_setting(text) for text in setting or [])})
    if threads > 0:
        torch.set_num_threads(threads)

    begin = partial(train_apart, workers=scheduler, threads=threads) if scheduler else train

    def report(step: Step) -> None:
        if not as_json:
            print_text(step_line(step))

    with Progress("training") as progress:
        found = run_sweep(
            load_set(path, element), path, config, out, swap=swap, most=most, begin=begin, report=report,
            on_event=progress.follow,
        )  # fmt: skip
    if as_json:
        print_json(found.to_json())
        return
    noise = found.control.srcc["NOISE"]
    print_text(
        f"stopped: {found.stopped}\n"
        f"NOISE: |SRCC| {_band(noise)}, chance stays below {found.chance:.3f}; its axis moves mu by "
        f"{_band(found.noise_amplitude)}\n"
        f"wrote {out}: {len(found.steps) + 1} runs"
    )


def step_line(step: Step) -> str:
    """One step as a line of text."""
    scores = "  ".join(f"{name} {_band(band)}" for name, band in step.srcc.items())
    return (
        f"{step.change:14} free axis {_band(step.free)}  noise level {step.noise_level:.4f}  "
        f"RMSE {step.rmse.median:.4f}  |SRCC| {scores}"
    )


def _band(band: Band) -> str:
    return f"{band.median:.3f} ({band.low:.3f} to {band.high:.3f})"
