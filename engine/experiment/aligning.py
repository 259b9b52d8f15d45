"""Bringing a measured energy scale to a simulated one: the shift under which references match, and what it matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar

from engine.errors import DataError
from engine.experiment.measured import FloatArray

MAX_SHIFT_EV = 20.0
STEP_EV = 0.25
SENSITIVITY_STEP_EV = 0.1


@dataclass(frozen=True)
class Alignment:
    """The shift of one reference: added to measured energies in eV, with the root mean square difference it leaves.

    at_zero  the difference without a shift
    """

    name: str
    shift_ev: float
    rmse: float
    at_zero: float


def align(
    energy_ev: FloatArray,
    mu: FloatArray,
    target_energy_ev: FloatArray,
    target: FloatArray,
    *,
    name: str = "reference",
    limit_ev: float = MAX_SHIFT_EV,
) -> Alignment:
    """The shift of a normalised measured spectrum (p,) that brings it nearest to a simulated one, target (m,).

    The root mean square difference over the target's energies is least; it is looked for on a grid of 0.25 eV within
    ``limit_ev`` and refined to 0.001 eV. Only shifts under which the measurement still covers the target count, and
    nothing but the energies is changed. Raises DataError when none does, or the best is at the end of those tried.
    """
    low = max(-limit_ev, float(target_energy_ev[-1] - energy_ev[-1]))
    high = min(limit_ev, float(target_energy_ev[0] - energy_ev[0]))
    if low > high:
        raise DataError(
            f"{name}: {energy_ev[0]:.1f} to {energy_ev[-1]:.1f} eV covers the simulated {target_energy_ev[0]:.1f} to "
            f"{target_energy_ev[-1]:.1f} eV under no shift within {limit_ev:g} eV"
        )
    spline = CubicSpline(energy_ev, mu)

    def difference(shift: float) -> float:
        return float(np.sqrt(np.mean((spline(target_energy_ev - shift) - target) ** 2)))

    shifts = np.linspace(low, high, max(3, round((high - low) / STEP_EV) + 1))
    losses = [difference(shift) for shift in shifts]
    best = int(np.argmin(losses))
    if best in (0, shifts.size - 1):
        raise DataError(
            f"{name}: the best shift, {shifts[best]:.1f} eV, is the last that can be tried; the reference does not "
            "look like the simulated spectrum, or was not measured far enough"
        )
    refined = minimize_scalar(
        difference, bounds=(shifts[best - 1], shifts[best + 1]), method="bounded", options={"xatol": 1e-4}
    )
    at_zero = difference(0.0) if low <= 0.0 <= high else float("nan")
    return Alignment(name, round(float(refined.x), 3), float(refined.fun), at_zero)


@dataclass(frozen=True)
class ElementShift:
    """The shift of an element's scale from references: their median, and how far apart they are (greatest - least)."""

    shift_ev: float
    spread_ev: float
    references: tuple[Alignment, ...]

    @classmethod
    def of(cls, references: Sequence[Alignment]) -> ElementShift:
        shifts = np.array([reference.shift_ev for reference in references])
        return cls(float(np.median(shifts)), float(np.ptp(shifts)), tuple(references))


def shift_sensitivity(predict: Callable[[FloatArray], FloatArray], energy_ev: FloatArray, mu: FloatArray) -> FloatArray:
    """d(prediction)/d(shift) per eV, (n, q), of ``predict`` (n, m) -> (n, q) for spectra mu (n, m) on a grid (m,).

    Central difference over 0.1 eV to both sides; the spectrum moves by its spline's slope on the grid, so that nothing
    beyond the grid is needed. A positive value: moving the spectrum to higher energies raises the prediction.
    """
    slope = CubicSpline(energy_ev, np.asarray(mu, dtype=np.float64), axis=1)(energy_ev, 1)
    up, down = mu - SENSITIVITY_STEP_EV * slope, mu + SENSITIVITY_STEP_EV * slope
    return np.asarray((predict(up) - predict(down)) / (2 * SENSITIVITY_STEP_EV), dtype=np.float64)
