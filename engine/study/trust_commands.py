"""The commands ``rankaae stability`` and ``rankaae validity``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from engine.console import AsJson, print_json, print_text
from engine.errors import ConfigError


def stability(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder with several members.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV to write: medians and 90 % bands of differentials and both ends.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how far the members of a run agree on each trend, and at which energies spectra stay (isosbestic points).

    Members differ by their seed, and by the materials they were trained on where --set bootstrap=true asked for it.

    Example: rankaae stability runs/cu --out trends.csv
    """
    from engine.io.files import atomic_target
    from engine.model.run import Run
    from engine.study.trust import trends, trends_json, trends_table

    opened = Run(run)
    found = trends(opened)
    if len(next(iter(found.values())).cosine) < 2:
        raise ConfigError(f"{run} has one member, which agrees with itself; train with --seeds 2 or more")
    if out is not None:
        with atomic_target(out) as temporary:
            trends_table(found).to_csv(temporary, index=False, float_format="%.8g")
    content = trends_json(opened, found)
    if as_json:
        print_json(content)
        return
    what = "seeds, each with its own draw of the training materials" if content["bootstrap"] else "seeds"
    lines = [f"{content['members']} {what}; errors of the model alone: rms Δμ {content['noise_level']:.4f}"]
    for axis, row in content["axes"].items():
        points = ", ".join(
            f"{point['energy_ev']:.1f} ± {point['spread_ev']:.1f} eV ({100 * point['confidence']:.0f} %)"
            for point in row["isosbestic"]
        )
        lines.append(
            f"{axis:12} rms Δμ {row['amplitude']:.4f}  cosine between members {row['cosine_mean']:.3f}, least "
            f"{row['cosine_least']:.3f}  isosbestic: {points or 'none'}"
        )
    print_text("\n".join([*lines, *([f"wrote {out}"] if out else [])]))


def validity(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders; one with preset autoencoder to compare with.")
    ],
    as_json: AsJson = False,
) -> None:
    """Count decoded spectra that no data looks like, over the box between 5th and 95th percentile of all latent axes.

    Example: rankaae validity runs/cu runs/cu-autoencoder
    """
    from engine.model.run import Run
    from engine.study.trust import KINDS
    from engine.study.trust import validity as look

    found = {str(path): [vars(one) for one in look(Run(path))] for path in runs}
    if as_json:
        print_json(found)
        return
    lines = [f"{'unlike the data, % of 5000':32} " + " ".join(f"{kind.replace('_', ' '):>18}" for kind in KINDS)]
    for path, members in found.items():
        cells = [np.array([100 * one[kind] for one in members]) for kind in KINDS]
        shown = " ".join(f"{f'{np.median(c):.2f} ({c.min():.2f}–{c.max():.2f})':>18}" for c in cells)
        lines.append(f"{Path(path).name:32} {shown}")
    print_text("\n".join([*lines, "median over the members, and their range"]))
