"""A traversal as CSV: one row per energy, one column per latent level, the differential last."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from engine.analysis.traversal import Traversal
from engine.io.files import atomic_target


def write_traversal(traversal: Traversal, path: Path, provenance: str = "") -> None:
    """Writes ``energy_ev``, one ``level …`` column per latent level and ``differential`` (highest minus lowest level).

    Lines starting with # say what it is and where it comes from. DataError when the file cannot be written.
    """
    columns = {f"level {level:+.4f}": spectrum for level, spectrum in zip(traversal.level, traversal.mu, strict=True)}
    table = pd.DataFrame({"energy_ev": traversal.energy_ev, **columns, "differential": traversal.differential})
    lines = [
        f"# mean decoded mu (edge-normalised) along latent axis {traversal.axis}; energies in eV",
        f"# {len(traversal.level)} levels from {traversal.level[0]:.6f} to {traversal.level[-1]:.6f}",
        *([f"# {provenance}"] if provenance else []),
    ]
    with atomic_target(path) as temporary:
        temporary.write_text(
            "\n".join(lines) + "\n" + table.to_csv(index=False, float_format="%.10g"), encoding="utf-8"
        )
