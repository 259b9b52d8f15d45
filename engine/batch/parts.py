"""Finished sites on disk: one file each, found again by what was computed, ignored when damaged."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pymatgen.core import Molecule, Structure

import engine
from engine.io.files import atomic_target

FloatArray = npt.NDArray[np.float64]
MAX_BYTES = 10_000_000


@dataclass(frozen=True, eq=False)
class Finished:
    """One simulated site: energies (m,) in eV, mu (m,), background mu0 (m,), and everything said about it.

    ``about`` is ready for JSON: settings, mode, diagnostics (numbers) and notes.
    """

    energy_ev: FloatArray
    mu: FloatArray
    mu0: FloatArray
    about: dict[str, object]


def key_of(structure: Structure | Molecule, index: int, settings: dict[str, object]) -> str:
    """SHA-256 (hex) of what decides a spectrum: lattice, species and positions, site, settings and program version."""
    digest = hashlib.sha256(f"rankaae {engine.__version__} {json.dumps(settings, sort_keys=True)} {index}\n".encode())
    if isinstance(structure, Structure):
        digest.update(np.ascontiguousarray(structure.lattice.matrix, dtype="<f8").tobytes())
    digest.update("\n".join(site.species_string for site in structure).encode())
    digest.update(np.ascontiguousarray(structure.cart_coords, dtype="<f8").tobytes())
    return digest.hexdigest()


def load_part(folder: Path, key: str) -> Finished | None:
    """What was kept under ``key``; None where the file is missing, damaged or too large."""
    path = folder / f"{key[:40]}.npz"
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            energy, mu, mu0 = (np.asarray(stored[name], dtype=np.float64) for name in ("energy_ev", "mu", "mu0"))
        if not isinstance(about, dict) or about.pop("key", None) != key or not energy.shape == mu.shape == mu0.shape:
            return None
        return Finished(energy, mu, mu0, about)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError, RecursionError):
        return None


def save_part(folder: Path, key: str, finished: Finished) -> None:
    """Keeps a finished site under ``key``, in one step."""
    packed = io.BytesIO()
    about = json.dumps({**finished.about, "key": key}, allow_nan=False)
    np.savez_compressed(packed, energy_ev=finished.energy_ev, mu=finished.mu, mu0=finished.mu0, about=np.array(about))
    with atomic_target(folder / f"{key[:40]}.npz") as temporary:
        temporary.write_bytes(packed.getvalue())


def clear_parts(folder: Path) -> None:
    """Removes the kept sites, and the folder if nothing else is in it."""
    for path in [*folder.glob("*.npz"), *folder.glob(".*.part")]:
        path.unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        return
