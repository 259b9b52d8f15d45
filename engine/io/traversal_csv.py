"""A traversal as CSV: one row per energy, one column per latent level, the differential last."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from engine.analysis.traversal import Traversal
from engine.io.files import atomic_target


def traversal_table(traversal: Traversal) -> pd.DataFrame:
    """``energy_ev``, one ``level …`` column per latent level, and ``differential``; one row per energy."""
    columns = {f"level {level:+.4f}": spectrum for level, spectrum in zip(traversal.level, traversal.mu, strict=True)}
    return pd.DataFrame({"energy_ev": traversal.energy_ev, **columns, "differential": traversal.differential})


def write_traversal(traversal: Traversal, path: Path, provenance: str = "") -> None:
    """Writes the ``traversal_table``; its last column is highest minus lowest level.

    Lines starting with # say what it is and where it comes from. DataError when the file cannot be written.
    """
    table = traversal_table(traversal)
    lines = [
        f"# mean decoded mu (edge-normalised) along latent axis {traversal.axis}; energies in eV",
        f"# {len(traversal.level)} levels from {traversal.level[0]:.6f} to {traversal.level[-1]:.6f}",
        *([f"# {provenance}"] if provenance else []),
    ]
    with atomic_target(path) as temporary:
        temporary.write_text(
            "\n".join(lines) + "\n" + table.to_csv(index=False, float_format="%.10g"), encoding="utf-8"
        )
