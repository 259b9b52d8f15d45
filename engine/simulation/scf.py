"""Self-consistent muffin-tin potential of a material, with the Fermi level found by counting electrons.

Ankudinov, Ravel, Rehr & Conradson, Phys. Rev. B 58, 7565 (1998), section II.C. Hartree and bohr. Shapes: P kinds, n
radii of the atoms' grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.interpolate import CubicHermiteSpline

from engine.simulation.atoms import free_atom
from engine.simulation.interstitial import interstitial_density, muffin_tin_potential
from engine.simulation.local_density import Environment, LocalResponse, local_responses
from engine.simulation.muffin_tin import FloatArray, MuffinTin
from engine.simulation.overlap import charges, enclosed, norman_radius
from engine.simulation.partial_waves import ComplexArray
from engine.simulation.potential import Overlapped, neutral_muffin_tin
from engine.simulation.units import HARTREE_EV
from engine.simulation.valence import CoreValence, divide
from engine.simulation.xc import lda_potential

CONTOUR_POINTS = 16
MOST_ITERATIONS = 40
ENERGY_TOLERANCE = 0.02 / HARTREE_EV
CHARGE_TOLERANCE = 0.01
MIXING, HISTORY = 0.3, 6
LARGEST_CHARGE = 0.4
LARGEST_PLAUSIBLE_CHARGE = 1.5
"""Ions with more than this many electrons too few or too many are no solution: core levels were counted as bands."""

ABOVE_AXIS = 0.3 / HARTREE_EV
LARGEST_STEP = 1.0 / HARTREE_EV


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
    that a large cluster needs few iterations.
    """
    muffin_tin = neutral_muffin_tin(base, hole=False)
    parts = divide(muffin_tin, [free_atom(int(z), base.method) for z in base.atomic_number])
    share = base.spheres.share / base.spheres.share.sum()
    wanted = float(share @ parts.electrons)
    outside = base.density - parts.core_density
    valence = outside
    fermi = _first_fermi_energy(muffin_tin, stages[0], parts.energy, share, wanted)
    total = 0
    for clusters in stages:
        mixer = _Anderson(base.r, base.norman_radius)
        converged = False
        for _ in range(MOST_ITERATIONS):
            total += 1
            muffin_tin = _muffin_tin(base, parts, valence, fermi)
            bands = _fill(muffin_tin, clusters, parts.energy, fermi, share, wanted)
            new = _on_grid(base.r, bands.responses, bands.density, outside)
            step, fermi = bands.fermi - fermi, bands.fermi
            converged = abs(step) < ENERGY_TOLERANCE and mixer.moved(new - valence) < CHARGE_TOLERANCE
            if converged:
                break
            valence = mixer.next(valence, new)
    charge = parts.electrons - bands.held
    plausible = bool(np.abs(charge).max() < LARGEST_PLAUSIBLE_CHARGE)
    return SelfConsistent(muffin_tin, converged and plausible, total, charge, bands.missing, parts.energy)


@dataclass(frozen=True)
class _Bands:
    """Valence bands filled up to a Fermi energy: density of each kind on its own grid, electrons held (P,)."""

    fermi: float
    responses: tuple[LocalResponse, ...]
    density: list[FloatArray]
    held: FloatArray
    missing: float


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
    missing = wanted - float(share @ held)
    step = float(np.clip(missing / max(float(share @ states), 1e-3), -LARGEST_STEP, LARGEST_STEP))
    density = [(weight @ x.density[:-1]).imag + step * x.density[-1].imag for x in responses]
    return _Bands(fermi + step, responses, density, held + step * states, missing)


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
        if abs(f_middle) < 0.02 or high - low < ENERGY_TOLERANCE:
            break
        if f_middle > 0:
            low, f_low, f_high = middle, f_middle, 0.5 * f_high
        else:
            high, f_high, f_low = middle, f_middle, 0.5 * f_low
    return middle


def _muffin_tin(base: Overlapped, parts: CoreValence, valence: FloatArray, fermi: float) -> MuffinTin:
    """Potential of a valence density (P, n).

    The Coulomb potential is that of the overlapped atoms changed by as much as the potential of a neutral sphere is
    (Norman's picture), so that no charge reaches beyond its own sphere.
    """
    density = np.maximum(parts.core_density + valence, 1e-12)
    nuclei = base.atomic_number.astype(np.float64)
    coulomb = base.coulomb + np.stack(
        [
            neutral_sphere(base.r, new, z) - neutral_sphere(base.r, old, z)
            for new, old, z in zip(density, base.density, nuclei, strict=True)
        ]
    )
    exchange = lda_potential(density)
    potential, constant = muffin_tin_potential(base.spheres, base.r, coulomb + exchange)
    between = interstitial_density(base.spheres, base.r, density, nuclei)
    plain = neutral_muffin_tin(base, hole=False)
    return replace(
        plain,
        coulomb=potential - exchange,
        potential=potential,
        density=density,
        interstitial_potential=constant,
        interstitial_density=between,
        fermi_energy=fermi,
    )


def neutral_sphere(r: FloatArray, density: FloatArray, z: float) -> FloatArray:
    """Potential energy (n,) of an electron near a nucleus and just enough of ``density`` (n,) to balance it.

    Electrostatic; zero outside the sphere that holds ``z`` electrons.
    """
    inside = enclosed(r, density)
    edge = norman_radius(r, density, z)
    x, integrand = np.log(r), 4 * np.pi * density * r**2
    shell = cumulative_simpson(integrand, x=x, initial=0.0)
    outer = float(CubicHermiteSpline(x, shell, integrand)(np.log(edge))) - shell
    return np.asarray(np.where(r < edge, (inside - z) / r + outer, 0.0))


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
        self._history: list[tuple[FloatArray, FloatArray]] = []

    def next(self, given: FloatArray, found: FloatArray) -> FloatArray:
        """The density to try after ``given`` led to ``found``."""
        residual = found - given
        self._history = [*self._history[1 - HISTORY :], (given, residual)]
        step = MIXING * residual
        if len(self._history) > 1:
            given_steps = np.stack([given - x for x, _ in self._history[:-1]])
            residual_steps = np.stack([residual - f for _, f in self._history[:-1]])
            system = (residual_steps * self._weight).reshape(len(residual_steps), -1).T
            share = np.linalg.lstsq(system, (residual * self._weight).ravel(), rcond=1e-6)[0]
            best = residual - np.tensordot(share, residual_steps, axes=1)
            step = MIXING * best - np.tensordot(share, given_steps, axes=1)
        return np.asarray(given + step * min(1.0, LARGEST_CHARGE / max(self.moved(step), 1e-9)))

    def moved(self, change: FloatArray) -> float:
        """Most electrons that a ``change`` (P, n) of the densities brings into or out of a sphere."""
        return float(np.abs(charges(self._r, change, self._radius)).max())
