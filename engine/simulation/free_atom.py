"""Self-consistent spherical atoms: configurations, Hartree field, exchange and correlation, iteration to a fixed point.

Hartree atomic units; every function of radius lives on `RADII`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.simulation import xc
from engine.simulation.radial import BoundState, bound_state, cumulative, integrate
from engine.simulation.units import SPEED_OF_LIGHT

FloatArray = npt.NDArray[np.float64]
Shells = tuple[tuple[int, int, int], ...]
# (states, occupation (k,)) -> (potential (n,) in hartree, energy in hartree)
Exchange = Callable[[list[BoundState], FloatArray], tuple[FloatArray, float]]

RADII: FloatArray = np.exp(-8.8 + 0.0125 * np.arange(1001))
HEAVIEST = 97

# (n, l) in order of n + l, then n
_FILLING = sorted(((n, m) for n in range(1, 8) for m in range(min(n, 4))), key=lambda shell: (sum(shell), shell[0]))
# Electrons moved out of the outer s shell into d, against the filling order.
_PROMOTED = {24: 1, 29: 1, 41: 1, 42: 1, 44: 1, 45: 1, 46: 2, 47: 1, 78: 1, 79: 1}
_PROMOTED_TO_P = (6, 12, *range(20, 29), 30)
_ITERATIONS, _MIXING, _HISTORY = 200, 0.4, 8


@dataclass(frozen=True)
class SolvedAtom:
    """Levels in order of energy with their occupation (k,), Hartree potential (n,) and total energy in hartree."""

    states: list[BoundState]
    occupation: FloatArray
    hartree: FloatArray
    total_energy: float


def configuration(z: int, core_hole: bool = False) -> Shells:
    """Shells (n, l, electrons) of the neutral ground state, by filling order with the known exceptions.

    Lanthanides and actinides have one f electron in d, as they do in solids. With ``core_hole`` the configuration of
    Z + 1 with one 1s electron: the hole and the valence electron that screens it.
    """
    if core_hole:
        return ((1, 0, 1), *configuration(z + 1)[1:])
    if not 1 <= z <= HEAVIEST:
        raise ValueError(f"atomic number {z}: atoms from 1 to {HEAVIEST} are known")
    shells: dict[tuple[int, int], int] = {}
    left = z
    for shell in _FILLING:
        shells[shell] = min(left, 2 * (2 * shell[1] + 1))
        left -= shells[shell]
    period = max(n for (n, _), electrons in shells.items() if electrons)
    moved = _PROMOTED.get(z, 0)
    shells[period, 0] -= moved
    if moved:
        shells[period - 1, 2] += moved
    for first, f_shell, d_shell in ((57, (4, 3), (5, 2)), (89, (5, 3), (6, 2))):
        if first <= z < first + 14:
            more = 2 if z == 90 else 1
            shells[f_shell] -= more
            shells[d_shell] += more
    return tuple((*shell, electrons) for shell, electrons in sorted(shells.items()) if electrons > 0)


def bonding_configuration(z: int, core_hole: bool = False) -> Shells:
    """Shells (n, l, electrons) of a neutral atom on its way into a solid: as `configuration`, with one s electron in p.

    So for C, Mg, Ca to Ni, whose 3d holds Z - 20 electrons, and Zn: the choice of FEFF (Ankudinov et al., Phys. Rev. B
    58, 7565, 1998). The wider p shell changes the potential at neighbouring sites by up to some eV. With ``core_hole``
    as in `configuration`, since what screens a hole is drawn close to it.
    """
    if core_hole:
        return configuration(z, core_hole=True)
    shells = {(n, angular): electrons for n, angular, electrons in configuration(z)}
    if z in _PROMOTED_TO_P:
        period = max(n for n, _ in shells)
        if 20 < z < 30:
            shells[3, 2] = z - 20
        shells[period, 0] = 1
        shells[period, 1] = shells.get((period, 1), 0) + 1
    return tuple((*shell, electrons) for shell, electrons in sorted(shells.items()))


def local_exchange(
    potential: Callable[[FloatArray], FloatArray], energy_density: Callable[[FloatArray], FloatArray]
) -> Exchange:
    """Exchange and correlation of a local functional of the density, for `solve`."""

    def of_states(states: list[BoundState], occupation: FloatArray) -> tuple[FloatArray, float]:
        sphere = 4 * np.pi * RADII**2
        density = sum_of_states(states, occupation) / sphere
        return potential(density), float(integrate(energy_density(density) * sphere, RADII))

    return of_states


von_barth_hedin = local_exchange(xc.lda_potential, xc.lda_energy_density)


def sum_of_states(states: list[BoundState], occupation: FloatArray) -> FloatArray:
    """Radial density 4 pi r^2 n(r) (n,) in electrons per bohr."""
    return np.asarray(occupation @ np.stack([state.radial_density for state in states]))


def solve(z: int, shells: Shells, exchange: Exchange, light_speed: float = SPEED_OF_LIGHT) -> SolvedAtom:
    """The self-consistent neutral atom or ion of nuclear charge ``z``; RuntimeError if it does not converge.

    The potential times r is mixed (Anderson, J. ACM 12, 547, 1965) until it changes by less than 1e-7. Starts from a
    Thomas-Fermi atom.
    """
    shells = tuple(sorted(shells, key=lambda shell: (shell[0], shell[1])))
    occupation = np.array([electrons for _, _, electrons in shells], dtype=np.float64)
    charge = _thomas_fermi(z)
    states: list[BoundState | None] = [None] * len(shells)
    mixer = _Anderson()
    for _ in range(_ITERATIONS):
        potential = -charge / RADII
        found = [
            bound_state(potential, RADII, n, angular, state, light_speed)
            for (n, angular, _), state in zip(shells, states, strict=True)
        ]
        states = [*found]
        density = sum_of_states(found, occupation)
        hartree = hartree_potential(density)
        exchange_potential, exchange_energy = exchange(found, occupation)
        new = z - RADII * (hartree + exchange_potential)
        if np.abs(new - charge).max() < 1e-7:
            band = float(occupation @ [state.energy for state in found])
            double = integrate(density * (hartree / 2 + exchange_potential), RADII)
            # The levels belong to the potential that went in; this makes the energy stationary in it.
            correction = integrate(density * (charge - new) / RADII, RADII)
            return SolvedAtom(found, occupation, hartree, float(band - double + correction + exchange_energy))
        charge = mixer.next(charge, new)
    raise RuntimeError(f"the free atom of Z = {z} did not converge")


def hartree_potential(radial_density: FloatArray) -> FloatArray:
    """Potential (n,) in hartree of a radial density 4 pi r^2 n(r) (n,) of electrons per bohr."""
    inside = cumulative(radial_density, RADII)
    outside = cumulative(radial_density / RADII, RADII)
    return np.asarray(inside / RADII + outside[-1] - outside)


def _thomas_fermi(z: int) -> FloatArray:
    """-r V (n,) of a Thomas-Fermi atom that keeps unit charge far away (Latter, Phys. Rev. 99, 510, 1955)."""
    x = RADII * z ** (1 / 3) / 0.8853
    root = np.sqrt(x)
    screening = 1 + 0.02747 * root + 1.243 * x - 0.1486 * x * root + 0.2302 * x**2 + 0.007298 * x**2 * root
    return np.asarray(np.maximum(z / (screening + 0.006944 * x**3), 1.0))


class _Anderson:
    """Fixed-point iteration that remembers the last steps."""

    def __init__(self) -> None:
        self.points: list[FloatArray] = []
        self.residuals: list[FloatArray] = []

    def next(self, point: FloatArray, result: FloatArray) -> FloatArray:
        """The next point (n,) to try, after ``result`` (n,) was found at ``point``."""
        self.points = [*self.points[-_HISTORY:], point]
        self.residuals = [*self.residuals[-_HISTORY:], result - point]
        residual = self.residuals[-1]
        if len(self.points) > 1:
            change = np.stack([residual - old for old in self.residuals[:-1]], axis=1)
            weights = np.linalg.lstsq(change, residual, rcond=1e-10)[0]
            point = point - np.stack([point - old for old in self.points[:-1]], axis=1) @ weights
            residual = residual - change @ weights
        return point + _MIXING * residual
