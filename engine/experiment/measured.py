"""A measured spectrum as it was read, and the checks that any file of spectra must pass before it is prepared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from engine.errors import DataError
from engine.spectra import K_EDGE_EV
from engine.spectra.edges import energy_problem
from engine.spectra.grid import MIN_POINTS, grid_problem

FloatArray = npt.NDArray[np.floating]
Kind = Literal["transmission", "fluorescence", "HERFD", "unknown"]
KINDS: tuple[Kind, ...] = ("transmission", "fluorescence", "HERFD", "unknown")
PLATEAU_POINTS = 5
# Encoders step back a little; a scan whose energies fall by more than this was put together wrongly.
JITTER_EV = 0.5


@dataclass(frozen=True, eq=False)
class Measured:
    """One measured spectrum, absolute energies in eV and absorption in whatever unit it was recorded.

    name       what the file calls it, or the file's name
    energy_ev  (p,) · mu (p,)
    element    absorber as the file declares it, or "" · edge as declared, "K" where it says nothing
    kind       how it was measured, as declared
    series     number that orders a series (composition, time, temperature), NaN when it belongs to none
    steps      what reading did, one line each
    """

    name: str
    energy_ev: FloatArray
    mu: FloatArray
    element: str = ""
    edge: str = "K"
    kind: Kind = "unknown"
    series: float = float("nan")
    steps: tuple[str, ...] = ()


def checked(spectrum: Measured, element: str) -> Measured:
    """The spectrum with sound, rising energies around the K edge of ``element``; DataError with the reason if not.

    Energies that fall throughout are turned round, repeated ones averaged, and steps back of at most 0.5 eV sorted;
    each is recorded. Refused: another element or edge, keV, energies away from the edge, too few points, values that
    are not finite, and a detector that stays at its greatest value for five points or more.
    """
    name = spectrum.name
    if spectrum.edge.upper() != "K":
        raise DataError(f"{name}: measured at the {spectrum.edge} edge; models here are for K edges")
    if spectrum.element and spectrum.element != element:
        raise DataError(f"{name}: the file says it was measured on {spectrum.element}, not on {element}")
    if element not in K_EDGE_EV:
        raise DataError(f"{name}: '{element}' is not an element with a known K edge")
    energy, mu = np.asarray(spectrum.energy_ev, np.float64), np.asarray(spectrum.mu, np.float64)
    if energy.shape != mu.shape or energy.ndim != 1 or energy.size < MIN_POINTS:
        raise DataError(f"{name}: too few points: {energy.size} energies; need at least {MIN_POINTS}")
    for what, values in (("energy", energy), ("absorption", mu)):
        if not np.isfinite(values).all():
            raise DataError(f"{name}: {what} of point {int(np.argmin(np.isfinite(values))) + 1} is not a finite number")
    steps = list(spectrum.steps)
    if (np.diff(energy) <= 0).all():
        energy, mu = energy[::-1], mu[::-1]
        steps.append("energies fall: order of the points turned round")
    back = np.diff(energy).min()
    if back < 0:
        if back < -JITTER_EV:
            at = int(np.argmin(np.diff(energy)))
            raise DataError(f"{name}: energies are not sorted: {energy[at + 1]:g} eV after {energy[at]:g} eV")
        order = np.argsort(energy, kind="stable")
        energy, mu = energy[order], mu[order]
        steps.append(f"energies step back by up to {-back:.3g} eV: points sorted")
    unique, where, counts = np.unique(energy, return_inverse=True, return_counts=True)
    if unique.size < energy.size:
        steps.append(f"{energy.size - unique.size} repeated energies: their values averaged")
        energy, mu = unique, np.bincount(where, weights=mu) / counts
    problem = grid_problem(energy) or energy_problem(float(energy[0]), float(energy[-1]), element)
    if problem is None and np.ptp(mu) == 0:
        problem = "absorption is constant", f"{mu[0]:g} throughout"
    problem = problem or _plateau(energy, mu)
    if problem is not None:
        raise DataError(f"{name}: {problem[0]}: {problem[1]}")
    return replace(spectrum, energy_ev=energy, mu=mu, element=element, steps=tuple(steps))


def _plateau(energy_ev: FloatArray, mu: FloatArray) -> tuple[str, str] | None:
    """(reason, detail) when mu (p,) stays at its greatest value over neighbouring points, as a full detector does."""
    top = mu >= mu.max() - 1e-9 * np.ptp(mu)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], top, [False]]).astype(np.int8)))
    longest = max(zip(edges[::2], edges[1::2], strict=True), key=lambda run: run[1] - run[0])
    if longest[1] - longest[0] < PLATEAU_POINTS:
        return None
    return "the detector looks saturated", (
        f"{longest[1] - longest[0]} points in a row at the greatest value, from {energy_ev[longest[0]]:.1f} eV on"
    )


def element_around(first_ev: float, last_ev: float) -> str:
    """The one element whose K edge lies between two energies with 10 eV to spare; DataError when there are others."""
    found = [symbol for symbol, edge in K_EDGE_EV.items() if first_ev + 10.0 <= edge <= last_ev - 10.0]
    if len(found) != 1:
        what = "no K edge lies" if not found else f"the K edges of {', '.join(found)} lie"
        raise DataError(f"{what} between {first_ev:g} and {last_ev:g} eV; say which element was measured")
    return found[0]
