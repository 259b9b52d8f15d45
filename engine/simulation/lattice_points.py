"""Atoms of a crystal or a molecule as numbers, and those within a distance of a point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.simulation.muffin_tin import FloatArray, IntArray


@dataclass(frozen=True)
class Atoms:
    """atomic_number (N,), position (N, 3) and lattice vectors (3, 3) as rows, in bohr; no lattice for a molecule."""

    atomic_number: IntArray
    position: FloatArray
    lattice: FloatArray | None


def within(atoms: Atoms, centre: FloatArray, radius: float) -> tuple[IntArray, FloatArray, FloatArray]:
    """Site index (n,), vector (n, 3) from ``centre`` and distance (n,) of all atoms and images within ``radius`` bohr.

    Nearest first; of equally near ones (to 1e-6 bohr) the lower atomic number first.
    """
    shifts = _lattice_shifts(atoms, centre, radius)
    vector = (atoms.position - centre)[None] + shifts[:, None]
    squared = np.einsum("sni,sni->sn", vector, vector)
    image, index = np.nonzero(squared <= radius**2)
    vector, distance = vector[image, index], np.sqrt(squared[image, index])
    order = np.lexsort((atoms.atomic_number[index], np.round(distance, 6)))
    return index[order].astype(np.int64), vector[order], distance[order]


def _lattice_shifts(atoms: Atoms, centre: FloatArray, radius: float) -> FloatArray:
    """Translations (S, 3) that can bring an atom within ``radius`` of ``centre``."""
    if atoms.lattice is None:
        return np.zeros((1, 3))
    inverse = np.linalg.inv(atoms.lattice)
    offset = (atoms.position - centre) @ inverse
    reach = radius * np.linalg.norm(inverse, axis=0)
    low = np.ceil(-reach - offset.max(axis=0))
    high = np.floor(reach - offset.min(axis=0))
    axes = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(cells @ atoms.lattice)
