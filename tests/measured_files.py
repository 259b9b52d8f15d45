"""Made-up measurements whose edge, step and shape are known, and files that hold them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def energies(edge_ev: float = 8990.0) -> Array:
    """Coarse before the edge, 0.25 eV around it, coarser behind, as scans are taken."""
    x = np.concatenate([np.arange(-180, -20, 5), np.arange(-20, 60, 0.25), np.arange(60, 400, 2.0)])
    return edge_ev + x


def step_spectrum(energy_ev: Array, edge_ev: float = 8990.0) -> Array:
    """A normalised arctangent edge (half height at ``edge_ev``) with a wiggle that dies out."""
    x = energy_ev - edge_ev
    return 0.5 + np.arctan(x / 0.5) / np.pi + np.where(x > 4, 0.1 * np.sin((x - 4) / 8) * np.exp(-(x - 4) / 20), 0)


def raw(energy_ev: Array, mu: Array, step: float = 1.3) -> Array:
    """As transmission records it: on a sloping background, of edge step ``step``."""
    return 0.4 - 2e-4 * (energy_ev - energy_ev[0]) + step * mu


def write_xdi(path: Path, energy_ev: Array, mu: Array, *, element: str = "Cu", unit: str = "eV") -> Path:
    """An XDI file of incoming and transmitted intensity."""
    i0 = 1e5 + 100 * np.sin(np.arange(energy_ev.size))
    head = ["# XDI/1.0", f"# Column.1: energy {unit}", "# Column.2: i0", "# Column.3: itrans", "# Element.edge: K"]
    head += [f"# Element.symbol: {element}", "# ///", "# a comment", "#----", "# energy i0 itrans"]
    rows = [f"{e:.5f} {a:.6f} {b:.6f}" for e, a, b in zip(energy_ev, i0, i0 * np.exp(-mu), strict=True)]
    path.write_text("\n".join([*head, *rows]) + "\n")
    return path


def write_athena(path: Path, groups: dict[str, tuple[Array, Array]], extra: str = "") -> Path:
    """A gzipped Athena project of some groups, with ``extra`` lines before the first."""
    lines = ["# Athena project file -- Demeter version 0.9.26", extra]
    for name, (energy_ev, mu) in groups.items():
        lines += [f"$old_group = '{name[:5]}';", f"@args = ('label','{name}','bkg_z','Cu','bkg_eshift','0.5');"]
        for key, values in (("x", energy_ev), ("y", mu)):
            lines.append(f"@{key} = ({','.join(repr(str(float(v))) for v in values)});")
        lines.append("[record]   # create object and set arrays in ifeffit")
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path
