"""What surrounds a site as numbers that depend on it smoothly: a radial density and weighted symmetry functions.

Source: weighted atom-centred symmetry functions (wACSF), M. Gastegger et al., J. Chem. Phys. 148, 241709 (2018). The
angular ones here are of the kind without the distance between the two neighbours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pymatgen.core import Structure

from engine.structures.errors import NotDefinedError
from engine.structures.surroundings import SAME_ATOM_ANGSTROM

FloatArray = npt.NDArray[np.float64]

CUTOFF_ANGSTROM, ANGULAR_CUTOFF_ANGSTROM = 6.0, 4.0
SHELLS = np.round(np.arange(1.0, 6.0, 0.2), 3)
SHELL_WIDTH_ANGSTROM = 0.2
ANGULAR_SHELLS = np.array([1.5, 2.0, 2.5, 3.0, 3.5])
ANGULAR_WIDTH_ANGSTROM = 0.5
SIGNS, POWERS = (1.0, -1.0), (1.0, 4.0)

FEATURE_DISTANCE = np.concatenate([SHELLS, SHELLS, np.tile(ANGULAR_SHELLS, len(SIGNS) * len(POWERS))])
"""Distance (f,) in Å that each feature looks at: radial density, wACSF radial, wACSF angular."""


def site_features(structure: Structure, index: int) -> FloatArray:
    """Features (f,) of a site; the same for a rotated, moved or repeated crystal.

    f runs over: the smeared number of neighbours at each distance r, Σ exp(-(r_j - r)²/2w²) c(r_j), with the cutoff
    c(r) = (cos(πr/r_c) + 1)/2; the same weighted with their atomic numbers; and over pairs of neighbours
    Σ Z_j Z_k 2^(1-ζ) (1 + λ cos θ_jk)^ζ exp(-((r_j - r)² + (r_k - r)²)/2w²) c(r_j) c(r_k) for λ = ±1 and ζ = 1, 4.
    NotDefinedError on partial occupancy and an index out of range.
    """
    if not structure.is_ordered:
        raise NotDefinedError("a site of the structure is shared by several elements")
    if not 0 <= index < len(structure):
        raise NotDefinedError(f"site index {index} is out of range: the structure has sites 0 to {len(structure) - 1}")
    _, points, images, distance = structure.get_neighbor_list(CUTOFF_ANGSTROM, sites=[structure[index]])
    others = distance > SAME_ATOM_ANGSTROM  # the site itself is among them
    points, images, distance = points[others], images[others], distance[others]
    number = np.array([structure[int(p)].specie.Z for p in points], dtype=np.float64)
    seen = np.exp(-((distance[:, None] - SHELLS) ** 2) / (2 * SHELL_WIDTH_ANGSTROM**2))
    seen *= _cutoff(distance, CUTOFF_ANGSTROM)[:, None]
    near = distance < ANGULAR_CUTOFF_ANGSTROM
    vectors = (structure.frac_coords[points[near]] + images[near]) @ structure.lattice.matrix - structure[index].coords
    angular = _angular(vectors, distance[near], number[near])
    return np.concatenate([seen.sum(axis=0), number @ seen, angular])


def _cutoff(distance: FloatArray, radius: float) -> FloatArray:
    inside: FloatArray = np.where(distance < radius, (np.cos(np.pi * distance / radius) + 1) / 2, 0.0)
    return inside


def _angular(vectors: FloatArray, distance: FloatArray, number: FloatArray) -> FloatArray:
    """Angular functions, by sign, power and distance, of q neighbours: vectors (q, 3), distances and numbers (q,)."""
    first, second = np.triu_indices(len(distance), 1)
    cosine = np.einsum("ij,ij->i", vectors[first], vectors[second]) / (distance[first] * distance[second])
    shell = np.exp(-((distance[:, None] - ANGULAR_SHELLS) ** 2) / (2 * ANGULAR_WIDTH_ANGSTROM**2))
    shell *= (number * _cutoff(distance, ANGULAR_CUTOFF_ANGSTROM))[:, None]
    pairs = shell[first] * shell[second]
    bent = [2 ** (1 - power) * np.maximum(1 + sign * cosine, 0) ** power for sign in SIGNS for power in POWERS]
    return np.concatenate([weight @ pairs for weight in bent])
