"""Whether a simulated spectrum can be one: absorption is positive and blurred by the lifetime of its core hole."""

from __future__ import annotations

import numpy as np

from engine.simulation.muffin_tin import FloatArray
from engine.simulation.simulate import line_width_ev

UNSEEN_PER_EV2 = 0.1
"""A bend of mu that nobody sees: 0.006 between neighbouring points 0.25 eV apart."""


def excess_bend(energy_ev: FloatArray, mu: FloatArray, atomic_number: int) -> tuple[float, float]:
    """How much more ``mu`` (m,) bends somewhere than its core hole allows, in 1/eV², and at which energy in eV.

    Energies (m,) are equidistant. Positive absorption under a Lorentzian of half width w obeys |mu''| <= 2 mu / w²
    everywhere, as each Lorentzian does; w is the half width of the core hole, or of the sharpest lines. 0 or less, but
    for UNSEEN_PER_EV2, in a sound spectrum.
    """
    width = line_width_ev(atomic_number)
    bend = np.abs(mu[2:] - 2 * mu[1:-1] + mu[:-2]) / (energy_ev[1] - energy_ev[0]) ** 2
    excess = bend - 2 * np.abs(mu[1:-1]) / width**2
    worst = int(excess.argmax())
    return float(excess[worst]), float(energy_ev[worst + 1])


def fault_of(energy_ev: FloatArray, mu: FloatArray, atomic_number: int) -> str | None:
    """Why a spectrum on equidistant energies cannot be an absorption spectrum; None for a sound one."""
    if mu.min() < 0:
        where = float(energy_ev[mu.argmin()])
        return f"mu is {mu.min():.3g} at {where:.2f} eV; absorption is positive"
    excess, where = excess_bend(energy_ev, mu, atomic_number)
    if excess > UNSEEN_PER_EV2:
        return f"mu bends at {where:.2f} eV by {excess:.2g} per eV² more than the lifetime of the core hole allows"
    return None
