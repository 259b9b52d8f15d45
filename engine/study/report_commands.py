"""The commands ``rankaae report`` and ``rankaae reproduce``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from engine.console import AsJson, Out, print_json, print_text
from engine.errors import RunError
from engine.progress import Progress


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Out,
    beside: Annotated[
        list[Path] | None,
        typer.Option("--with", help="Another run, or a folder of runs, to put it next to; may be repeated."),
    ] = None,
) -> None:
    """Write all about a run into one HTML file that opens without a network.

    Runs given with --with appear where they fit: other elements beside it (Fig. 8), sets of descriptors that differ by
    one (Figs. S3, S4), a plain autoencoder (Fig. S1).

    Example: rankaae report runs/cu --with runs --out report.html
    """
    from engine.io.files import atomic_target
    from engine.model.run import Run
    from engine.study.report import report_page

    page = report_page(Run(run), beside or [], jobs=os.cpu_count() or 1)
    with atomic_target(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print_text(f"wrote {out}: {len(page.encode()) / 1e6:.1f} MB")


def reproduce(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[Path | None, typer.Option("--out", help="Keep the new run in this folder.")] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="Largest difference of a score that passes.")] = 1e-3,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 for all.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train a run again from its folder and compare the scores; exit code 1 when they differ by more than --tolerance.

    On one machine, with the same number of threads, they are the same to the last digits.

    Example: rankaae reproduce runs/cu
    """
    import torch

    from engine.model.run import Run
    from engine.study.reproduce import reproduce as again

    if threads > 0:
        torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as temporary, Progress("training") as progress:
        found = again(Run(run), out or Path(temporary) / "run", on_event=progress.follow)
    worst = max(found.differences, key=lambda name: found.differences[name])
    if as_json:
        print_json({"members": found.members, "differences": found.differences, "largest": found.largest})
    else:
        print_text(f"{found.members} members trained again: largest difference {found.largest:.2g}, in {worst}")
    if not found.largest <= tolerance:
        raise RunError(f"{run}: not reproduced, {worst} differs by {found.largest:.3g}, more than {tolerance:g}")
