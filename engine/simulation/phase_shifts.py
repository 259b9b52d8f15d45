"""What each kind of atom does to a photoelectron: potential at its energy, scattering matrix, waves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from engine.simulation import partial_waves
from engine.simulation.muffin_tin import IntArray, MuffinTin
from engine.simulation.partial_waves import ComplexArray, FloatArray, Waves
from engine.simulation.self_energy import hedin_lundqvist
from engine.simulation.xc import fermi_momentum, wigner_seitz_radius

LIGHTEST = 5
"""Up to boron, atoms have no d states to speak of and scatter no d waves."""

_NO_DENSITY = 1e-12


def scattering_matrices(
    muffin_tin: MuffinTin, energy: ComplexArray, lmax: int, *, excited: bool
) -> tuple[ComplexArray, ComplexArray]:
    """Interstitial wave number k (E,) and t_l = i e^{i delta} sin(delta), (P, lmax + 1, E), of every kind.

    At absolute energies (E,) in hartree. ``excited`` adds to the ground-state potential what an electron above the
    Fermi level feels (`exchange_shift`), in the spheres and between them. Up to boron, t_l is 0 for l >= 2.
    """
    interstitial = _interstitial(muffin_tin, energy, excited)
    r, potential = _spheres(muffin_tin, np.arange(len(muffin_tin.atomic_number)), energy, excited)
    t = partial_waves.t_matrix(r, potential, interstitial, energy, lmax)
    return partial_waves.wave_number(energy, interstitial), without_light_waves(muffin_tin, t)


def without_light_waves(muffin_tin: MuffinTin, t: ComplexArray) -> ComplexArray:
    """Scattering matrices (P, L, E) without those of l >= 2 of atoms up to boron."""
    out = t.copy()
    out[muffin_tin.atomic_number <= LIGHTEST, 2:] = 0.0
    return out


def kind_waves(
    muffin_tin: MuffinTin,
    kind: int | IntArray,
    energy: ComplexArray,
    lmax: int,
    *,
    excited: bool,
    reach: float | FloatArray = 0.0,
) -> Waves:
    """Waves of one ``kind`` or of several (K) at absolute energies (E,) in hartree, up to at least ``reach`` (K) bohr.

    See `scattering_matrices`; but no l is left out here, whatever the atom.
    """
    r, potential = _spheres(muffin_tin, kind, energy, excited)
    return partial_waves.partial_waves(r, potential, _interstitial(muffin_tin, energy, excited), energy, lmax, reach)


def exchange_shift(density: npt.ArrayLike, above_fermi: FloatArray) -> ComplexArray:
    """Quasi-particle self-energy less its value at the Fermi level, (..., E) in hartree.

    For densities (...) in electrons per bohr^3 and energies (E,) above the Fermi level in hartree; zero below it. In
    the local-density approximation of Hedin & Lundqvist, J. Phys. C 4, 2064 (1971), the momentum p at a place obeys
    p^2 = k_F^2 + 2 (E - E_F - shift); one iteration from no shift.
    """
    density = np.maximum(np.asarray(density, dtype=np.float64), _NO_DENSITY)[..., None]
    rs, kf = wigner_seitz_radius(density), fermi_momentum(density)
    at_fermi = hedin_lundqvist(rs, 1.0)
    kinetic = np.maximum(above_fermi, 0.0)
    shift = np.zeros(np.broadcast_shapes(density.shape, kinetic.shape), dtype=np.complex128)
    for _ in range(2):
        squared = 1 + 2 * (kinetic - shift.real) / kf**2
        shift = hedin_lundqvist(rs, np.sqrt(np.maximum(squared, 1.0))) - at_fermi
    return shift


def _interstitial(muffin_tin: MuffinTin, energy: ComplexArray, excited: bool) -> ComplexArray:
    """Potential between the spheres (E,)."""
    flat = np.full(len(energy), muffin_tin.interstitial_potential, dtype=np.complex128)
    if excited:
        flat += exchange_shift(muffin_tin.interstitial_density, energy.real - muffin_tin.fermi_energy)
    return flat


def _spheres(
    muffin_tin: MuffinTin, kind: int | IntArray, energy: ComplexArray, excited: bool
) -> tuple[FloatArray, ComplexArray | FloatArray]:
    """Grid (n, K) of the spheres and the potential in its steps: (n - 1, 3, K), with the energy last if excited."""
    r = partial_waves.sphere_grid(float(muffin_tin.r[0]), muffin_tin.radius[kind])
    nodes = partial_waves.step_nodes(r)
    x = np.log(muffin_tin.r)
    inside = np.maximum(np.log(nodes), x[0])
    charge = _at(x, (muffin_tin.r * muffin_tin.potential)[kind], inside)
    potential: FloatArray = charge / nodes
    if not excited:
        return r, potential
    density = np.log(np.maximum(muffin_tin.density, _NO_DENSITY))[kind]
    shift = exchange_shift(np.exp(_at(x, density, np.maximum(np.log(r), x[0]))), energy.real - muffin_tin.fermi_energy)
    part = partial_waves.NODES.reshape(-1, *([1] * (shift.ndim - 1)))
    return r, potential[..., None] + (1 - part) * shift[:-1, None] + part * shift[1:, None]


def _at(x: FloatArray, values: FloatArray, places: FloatArray) -> FloatArray:
    """Functions (K, n) of x (n,), each at its own ``places`` (..., K), by splines: (..., K)."""
    if values.ndim == 1:
        return np.asarray(CubicSpline(x, values)(places))
    columns = [CubicSpline(x, row)(places[..., k]) for k, row in enumerate(values)]
    return np.stack(columns, axis=-1)
