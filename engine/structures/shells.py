"""Where the second coordination shell lies, from the radial distribution of a whole set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from pymatgen.core import Structure
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

FloatArray = npt.NDArray[np.float64]

PAPER_SECOND_SHELL_ANGSTROM = (2.6, 4.0)
"""Bounds of the second shell used for the published Cu set."""

LARGEST_ANGSTROM = 6.0
STEP_ANGSTROM = 0.01
SMOOTHING_ANGSTROM = 0.15
MIN_PROMINENCE = 0.05
MAX_SITES = 2000


def find_second_shell(
    structures: Mapping[str, Structure], sites: Sequence[tuple[str, int]]
) -> dict[str, tuple[float, float]]:
    """Bounds (low, high) in Å of the second shell, per element of the absorbing ``sites`` (material_id, index).

    The distribution g(r) of all atoms around the element's sites up to 6 Å (counts / 4πr², at most 2,000 sites, evenly
    taken) is smoothed with a Gaussian of 0.15 Å; low is its minimum between the first and second peak, high the one
    between the second and third. An element without three peaks, and sites that cannot be found, are left out.
    On the published Cu set this gives 2.50 and 4.03, near the 2.6 and 4.0 used there; sets of a few sites give bounds
    that scatter by some tenths of an Å.
    """
    by_element: dict[str, list[tuple[str, int]]] = {}
    for material_id, index in sorted(set(sites)):
        structure = structures.get(material_id)
        if structure is None or not 0 <= index < len(structure) or not structure.is_ordered:
            continue
        by_element.setdefault(str(structure[index].specie.symbol), []).append((material_id, index))
    bounds = {}
    for element, members in by_element.items():
        chosen = members[:: -(-len(members) // MAX_SITES)]
        distances = [
            [n.nn_distance for n in structures[m].get_neighbors(structures[m][i], LARGEST_ANGSTROM)] for m, i in chosen
        ]
        found = second_shell_of(np.concatenate([np.asarray(d, dtype=np.float64) for d in distances]))
        if found is not None:
            bounds[element] = found
    return bounds


def second_shell_of(distances_angstrom: FloatArray) -> tuple[float, float] | None:
    """Bounds (low, high) in Å of the second shell in pooled neighbour distances (q,), or None without three peaks."""
    bins = round(LARGEST_ANGSTROM / STEP_ANGSTROM)
    counts, edges = np.histogram(distances_angstrom, bins=bins, range=(0.0, LARGEST_ANGSTROM))
    r = (edges[1:] + edges[:-1]) / 2
    density = gaussian_filter1d(counts / r**2, SMOOTHING_ANGSTROM / STEP_ANGSTROM, mode="constant")
    candidates = find_peaks(density, prominence=0.0)
    peaks = candidates[0][candidates[1]["prominences"] >= MIN_PROMINENCE * density[candidates[0]]]
    if len(peaks) < 3:
        return None
    low, high = (_lowest(density, int(peaks[i]), int(peaks[i + 1])) for i in (0, 1))
    return round(float(r[low]), 2), round(float(r[high]), 2)


def _lowest(density: FloatArray, start: int, stop: int) -> int:
    """Position of the lowest density between two peaks; the middle of the stretch where it is empty."""
    between = density[start : stop + 1]
    lowest = np.flatnonzero(between <= between.min() + 1e-9 * between.max())
    return start + int(lowest[len(lowest) // 2])
