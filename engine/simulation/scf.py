"""Self-consistent muffin-tin potential of a material, with the Fermi level found by counting electrons.

Ankudinov, Ravel, Rehr & Conradson, Phys. Rev. B 58, 7565 (1998), section II.C. Hartree and bohr. Shapes: P kinds, n
radii of the atoms' grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.integrate import cumulative_simpson

from engine.simulation.atoms import free_atom
from engine.simulation.interstitial import interstitial_density, muffin_tin_potential
from engine.simulation.local_density import Environment, LocalResponse, local_responses
from engine.simulation.muffin_tin import FloatArray, IntArray, MuffinTin
from engine.simulation.overlap import at_radii, charges, enclosed, norman_radius
from engine.simulation.partial_waves import ComplexArray
from engine.simulation.potential import Overlapped, neutral_muffin_tin
from engine.simulation.units import HARTREE_EV
from engine.simulation.valence import divide
from engine.simulation.xc import lda_potential

CONTOUR_POINTS = 16
MOST_ITERATIONS = 40
ENERGY_TOLERANCE = 0.02 / HARTREE_EV
CHARGE_TOLERANCE = 0.01
MIXING, HISTORY = 0.3, 6
LARGEST_CHARGE = 0.4
LARGEST_PLAUSIBLE_CHARGE = 1.5
"""Ions with more than this many electrons too few or too many are no solution: core levels were counted as bands."""

EARLY_TOLERANCE = 5.0
"""So many times the tolerances end all stages but the last."""

ABOVE_AXIS = 0.3 / HARTREE_EV
FEWEST_STATES = 1e-3
"""States per hartree and atom that are assumed at least, so that no step is endless in a gap."""

STEADY = 0.3
"""Less charge moved than this (electrons) leaves the count of two iterations comparable."""

FIRST_MISSING = 0.1
"""Electrons per atom that the first Fermi energy may leave missing: the density moves more than that."""

LARGEST_STEP = 1.5 / HARTREE_EV


@dataclass(frozen=True)
class SelfConsistent:
    """A self-consistent potential without a core hole, and how it came about.

    charge (P,) electrons each kind has lost (positive) or won within its Norman sphere; missing electrons per atom
    of the material when the iteration ended; band_bottom the energy (hartree) from which states were counted.
    """

    muffin_tin: MuffinTin
    converged: bool
    iterations: int
    charge: FloatArray
    missing: float
    band_bottom: float


def self_consistent(base: Overlapped, stages: Sequence[tuple[Environment, ...]]) -> SelfConsistent:
    """Iterate density and potential from neutral atoms (``base``), with Green functions of clusters about each kind.

    Each of the ``stages`` is such a set of clusters, (P,); it starts from the density the one before it ended with, so
    that a large cluster needs few iterations. Only the last need converge in full.
    """
    neutral = neutral_muffin_tin(base, hole=False)
    parts = divide(neutral, [free_atom(int(z), base.method) for z in base.atomic_number])
    spheres = neutral_spheres(base.r, base.density, base.atomic_number)
    share = base.spheres.share / base.spheres.share.sum()
    wanted = float(share @ parts.electrons)
    outside = base.density - parts.core_density
    valence = outside
    fermi = _first_fermi_energy(neutral, stages[0], parts.energy, share, wanted)
    total, mixer = 0, _Anderson(base.r, base.norman_radius)
    for stage, clusters in enumerate(stages, 1):
        mixer.begin_stage()
        level = _Level()
        looser = 1.0 if stage == len(stages) else EARLY_TOLERANCE
        converged = False
        for _ in range(MOST_ITERATIONS):
            total += 1
            muffin_tin = _with_density(neutral, base, spheres, parts.core_density + valence, fermi)
            bands = _fill(muffin_tin, clusters, parts.energy, fermi, share, wanted)
            new = _on_grid(base.r, bands.responses, bands.density, outside)
            moved = mixer.moved(new - valence)
            step = level.step(fermi, bands.missing, bands.states, steady=moved < STEADY)
            fermi += step
            converged = abs(step) < looser * ENERGY_TOLERANCE and moved < looser * CHARGE_TOLERANCE
            if converged:
                break
            valence = mixer.next(valence, new)
    charge = parts.electrons - bands.held
    plausible = bool(np.abs(charge).max() < LARGEST_PLAUSIBLE_CHARGE)
    muffin_tin = replace(muffin_tin, fermi_energy=fermi)
    return SelfConsistent(muffin_tin, converged and plausible, total, charge, bands.missing, parts.energy)


class _Level:
    """Finds the Fermi energy (hartree) at which no electrons are missing, while the potential still moves a little.

    Newton's steps, at most LARGEST_STEP; where the last one went too far, no longer than the secant's, as the states
    near a gap are not those within it.
    """

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None

    def step(self, fermi: float, missing: float, states: float, *, steady: bool) -> float:
        """How far to go from ``fermi``, where so many electrons are ``missing`` and there are ``states`` per hartree.

        ``steady`` where the potential has hardly moved since the last step.
        """
        slope = max(states, FEWEST_STATES)
        if steady and self._last is not None:
            before, missing_before = self._last
            if missing * missing_before < 0:
                slope = max(slope, (missing_before - missing) / (fermi - before))
        self._last = fermi, missing
        return float(np.clip(missing / slope, -LARGEST_STEP, LARGEST_STEP))


@dataclass(frozen=True)
class _Bands:
    """Valence bands filled up to a Fermi energy: density of each kind on its own grid, electrons held (P,).

    missing electrons per atom and states per hartree and atom at the Fermi energy.
    """

    responses: tuple[LocalResponse, ...]
    density: list[FloatArray]
    held: FloatArray
    missing: float
    states: float


def _fill(
    muffin_tin: MuffinTin,
    clusters: tuple[Environment, ...],
    bottom: float,
    fermi: float,
    share: FloatArray,
    wanted: float,
) -> _Bands:
    """Fill the bands from ``bottom`` to ``fermi``, and then as much more or less as the electrons ask for."""
    energy, weight = contour(bottom, fermi)
    at_fermi = np.array([fermi + 1j * ABOVE_AXIS])
    responses = local_responses(muffin_tin, clusters, np.concatenate([energy, at_fermi]))
    held = np.array([(weight @ x.count[:-1]).imag.sum() for x in responses])
    states = np.array([x.count[-1].imag.sum() for x in responses])
    missing, total = wanted - float(share @ held), float(share @ states)
    more = float(np.clip(missing / max(total, FEWEST_STATES), -LARGEST_STEP, LARGEST_STEP))
    density = [(weight @ x.density[:-1]).imag + more * x.density[-1].imag for x in responses]
    return _Bands(responses, density, held + more * states, missing, total)


def contour(bottom: float, top: float) -> tuple[ComplexArray, ComplexArray]:
    """Energies and weights of the integral from ``bottom`` to ``top`` along a half circle above the real axis."""
    x, w = np.polynomial.legendre.leggauss(CONTOUR_POINTS)
    turn = np.exp(0.5j * np.pi * (1 - x))
    radius = 0.5 * (top - bottom)
    return 0.5 * (top + bottom) + radius * turn, -0.5j * np.pi * radius * turn * w


def _first_fermi_energy(
    muffin_tin: MuffinTin, clusters: tuple[Environment, ...], bottom: float, share: FloatArray, wanted: float
) -> float:
    """Fermi energy of the starting potential: bracketed, then by regula falsi (Illinois)."""

    def missing(fermi: float) -> float:
        energy, weight = contour(bottom, fermi)
        responses = local_responses(muffin_tin, clusters, energy)
        return wanted - float(share @ np.array([(weight @ x.count).imag.sum() for x in responses]))

    low = high = muffin_tin.fermi_energy
    f_low = f_high = missing(low)
    step = 3.0 / HARTREE_EV
    while f_high > 0 and high < muffin_tin.interstitial_potential + 2.0:
        low, f_low = high, f_high
        high += step
        f_high = missing(high)
    while f_low < 0 and low > bottom + 3 * step:
        high, f_high = low, f_low
        low -= step
        f_low = missing(low)
    middle = 0.5 * (low + high)
    for _ in range(6):
        if f_low <= f_high:
            break
        middle = low + (high - low) * f_low / (f_low - f_high)
        f_middle = missing(middle)
        if abs(f_middle) < FIRST_MISSING or high - low < ENERGY_TOLERANCE:
            break
        if f_middle > 0:
            low, f_low, f_high = middle, f_middle, 0.5 * f_high
        else:
            high, f_high, f_low = middle, f_middle, 0.5 * f_low
    return middle


def _with_density(
    neutral: MuffinTin, base: Overlapped, spheres: FloatArray, density: FloatArray, fermi: float
) -> MuffinTin:
    """The potential of a density (P, n), from those of ``neutral`` atoms and of their neutral ``spheres`` (P, n).

    The Coulomb potential is that of the overlapped atoms changed by as much as the potential of a neutral sphere is
    (Norman's picture), so that no charge reaches beyond its own sphere.
    """
    density = np.maximum(density, 1e-12)
    coulomb = base.coulomb + neutral_spheres(base.r, density, base.atomic_number) - spheres
    exchange = lda_potential(density)
    potential, constant = muffin_tin_potential(base.spheres, base.r, coulomb + exchange)
    return replace(
        neutral,
        coulomb=potential - exchange,
        potential=potential,
        density=density,
        interstitial_potential=constant,
        interstitial_density=interstitial_density(base.spheres, base.r, density, base.atomic_number.astype(np.float64)),
        fermi_energy=fermi,
    )


def neutral_spheres(r: FloatArray, density: FloatArray, z: IntArray) -> FloatArray:
    """Potential energies (P, n) of an electron near nuclei ``z`` (P,) and just enough of ``density`` (P, n) to balance.

    Electrostatic; zero outside the sphere that holds as many electrons as the nucleus has charge.
    """
    inside = enclosed(r, density)
    edge = np.array([norman_radius(r, rho, float(q)) for rho, q in zip(density, z, strict=True)])
    integrand = 4 * np.pi * density * r**2
    shell = cumulative_simpson(integrand, x=np.log(r), initial=0.0)
    outer = at_radii(r, shell, integrand, edge)[:, None] - shell
    return np.asarray(np.where(r < edge[:, None], (inside - z[:, None]) / r + outer, 0.0))


def _on_grid(
    r: FloatArray, responses: tuple[LocalResponse, ...], density: list[FloatArray], outside: FloatArray
) -> FloatArray:
    """Valence densities (P, n) per bohr³ from those of the responses, continued by ``outside``."""
    out = outside.copy()
    for kind, (response, radial) in enumerate(zip(responses, density, strict=True)):
        near = r <= response.r[-1]
        values = radial / (4 * np.pi * response.r**2)
        out[kind, near] = np.interp(np.log(r[near]), np.log(response.r), values)
    return out


class _Anderson:
    """Anderson's mixing (J. ACM 12, 547, 1965) of densities (P, n) on the grid ``r``, in steps of limited charge.

    Neutral atoms are so far from the solid that whole d shells may empty at first; a step moves at most LARGEST_CHARGE
    electrons into or out of any sphere of the given radii (P,).
    """

    def __init__(self, r: FloatArray, radius: FloatArray) -> None:
        self._r, self._radius = r, radius
        self._weight = r**1.5 * (r < 6.0)
        self._last: tuple[FloatArray, FloatArray] | None = None
        self._changes: list[tuple[FloatArray, FloatArray]] = []

    def next(self, given: FloatArray, found: FloatArray) -> FloatArray:
        """The density to try after ``given`` led to ``found``."""
        residual = found - given
        if self._last is not None:
            self._changes = [*self._changes[2 - HISTORY :], (given - self._last[0], residual - self._last[1])]
        self._last = given, residual
        step = MIXING * residual
        if self._changes:
            given_steps, residual_steps = (np.stack(x) for x in zip(*self._changes, strict=True))
            system = (residual_steps * self._weight).reshape(len(residual_steps), -1).T
            share = np.linalg.lstsq(system, (residual * self._weight).ravel(), rcond=1e-6)[0]
            best = residual - np.tensordot(share, residual_steps, axes=1)
            step = MIXING * best - np.tensordot(share, given_steps, axes=1)
        return np.asarray(given + step * min(1.0, LARGEST_CHARGE / max(self.moved(step), 1e-9)))

    def begin_stage(self) -> None:
        """What is found differs from here on, but how it answers to what is given hardly does."""
        self._last = None

    def moved(self, change: FloatArray) -> float:
        """Most electrons that a ``change`` (P, n) of the densities brings into or out of a sphere."""
        return float(np.abs(charges(self._r, change, self._radius)).max())
