"""What a set holds, in numbers ready for JSON, and a hash of its contents."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from engine.spectra.spectra_set import FloatArray, SpectraSet

MAX_CLASSES = 15


@dataclass(frozen=True)
class Normalisation:
    """Medians over a set of mu at both ends of the grid, and whether they suit edge-normalised spectra."""

    normalised: bool
    first: float
    last: float


def normalisation(energy_ev: FloatArray, mu: FloatArray) -> Normalisation:
    """Whether spectra mu (n, m) on ``energy_ev`` (m,) look edge-normalised, judged on the set's medians.

    They do when mu over the first 1 eV is -0.05 to 0.25 (a model grid starts at the foot of the edge, and calculated
    spectra have a broad foot) and over the last fifth of the grid 0.7 to 1.3, and the middle 90 % of spectra end
    within 25 % of their median. Spectra on one absolute scale end wherever the cross-section puts them.
    """
    if len(mu) == 0:
        return Normalisation(True, float("nan"), float("nan"))
    head = energy_ev <= energy_ev[0] + 1.0
    tail = energy_ev >= energy_ev[-1] - 0.2 * (energy_ev[-1] - energy_ev[0])
    first = float(np.median(mu[:, head]))
    ends = mu[:, tail].mean(axis=1)
    last = float(np.median(ends))
    low, high = np.quantile(ends, [0.05, 0.95])
    fits = -0.05 <= first <= 0.25 and 0.7 <= last <= 1.3 and high - low <= 0.5 * last
    return Normalisation(bool(fits), first, last)


def set_hash(spectra: SpectraSet) -> str:
    """SHA-256 (hex) over energies, mu, ids, elements, edge and descriptors in their order; not over origin or steps.

    Equal sets have equal hashes whatever file they come from: numbers enter as little-endian float64 and float32 with
    one NaN and one zero, text as length-prefixed UTF-8.
    """
    digest = hashlib.sha256()

    def add(label: str, data: bytes) -> None:
        digest.update(f"{label}:{len(data)};".encode())
        digest.update(data)

    add("energy_ev", _canonical(spectra.energy_ev, "<f8"))
    add("mu", _canonical(spectra.mu, "<f4"))
    add("edge", spectra.edge.encode())
    for name in ("site_id", "material_id", "element"):
        encoded = [str(text).encode() for text in getattr(spectra, name)]
        add(name, b"".join(len(text).to_bytes(4, "little") + text for text in encoded))
    for position, column in enumerate(spectra.descriptors.columns):
        add(f"descriptor {column}", _canonical(spectra.descriptors.iloc[:, position].to_numpy(dtype=np.float64), "<f8"))
    return digest.hexdigest()


def set_info(spectra: SpectraSet) -> dict[str, object]:
    """What a set holds, JSON-ready: counts, grid, origin, steps, each descriptor's range or classes, and the hash.

    A descriptor of at most 15 whole values is given as counts per class as well. Unknown statistics are None.
    """
    elements, counts = np.unique(spectra.element, return_counts=True)
    energy = spectra.energy_ev
    step = np.diff(energy)
    state = normalisation(energy, spectra.mu)
    return {
        "n": len(spectra),
        "materials": len(np.unique(spectra.material_id)),
        "elements": {str(symbol): int(count) for symbol, count in zip(elements, counts, strict=True)},
        "edge": spectra.edge,
        "grid": {
            "start_ev": float(energy[0]),
            "end_ev": float(energy[-1]),
            "points": int(energy.size),
            "step_ev": float(step.mean()),
            "even": bool(np.allclose(step, step.mean(), rtol=0, atol=1e-6)),
        },
        "origin": spectra.origin,
        "steps": list(spectra.steps),
        "descriptors": {
            str(name): _describe(spectra.descriptors[name].to_numpy(dtype=np.float64))
            for name in spectra.descriptors.columns
        },
        "normalised": state.normalised,
        "mu_first": None if np.isnan(state.first) else state.first,
        "mu_last": None if np.isnan(state.last) else state.last,
        "hash": set_hash(spectra),
    }


def _describe(values: FloatArray) -> dict[str, object]:
    """Known count, min, median, max of one descriptor (n,), and counts per class where it has few whole values."""
    known = values[~np.isnan(values)]
    if known.size == 0:
        return {"known": 0, "min": None, "median": None, "max": None, "classes": None}
    levels, counts = np.unique(known, return_counts=True)
    whole = levels.size <= MAX_CLASSES and bool((levels == np.round(levels)).all())
    classes = {f"{level:g}": int(count) for level, count in zip(levels, counts, strict=True)} if whole else None
    return {
        "known": int(known.size),
        "min": float(known.min()),
        "median": float(np.median(known)),
        "max": float(known.max()),
        "classes": classes,
    }


def _canonical(values: FloatArray, kind: str) -> bytes:
    """Numbers as bytes with one representation each of zero and NaN."""
    plain = np.ascontiguousarray(values, dtype=kind) + 0.0
    plain[np.isnan(plain)] = np.nan
    return plain.astype(kind).tobytes()
