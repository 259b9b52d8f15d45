"""XANES of one site of a structure: cluster, potential, multiple scattering, normalisation, one after the other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from pymatgen.core import Element, Molecule, Structure

from engine.errors import ConfigError
from engine.simulation.cluster import Surroundings, build_cluster, build_surroundings
from engine.simulation.core_hole import edge_energy_ev, half_width_ev
from engine.simulation.local_density import environments
from engine.simulation.muffin_tin import FloatArray, MuffinTin
from engine.simulation.potential import Overlapped, neutral_muffin_tin, overlapped_atoms
from engine.simulation.scf import self_consistent
from engine.simulation.screening import screen_core_hole, with_core_hole
from engine.simulation.spectrum import absorption_spectrum
from engine.simulation.units import BOHR_ANGSTROM, HARTREE_EV
from engine.simulation.xc import wigner_seitz_radius

STEP_EV = 0.25

DENSITY_CLUSTERS = {"fast": ((20, 2), (60, 2)), "scf": ((20, 2), (60, 2), (100, 3))}
SECOND_TRY = ((20, 2), (60, 3))
"""Atoms and lmax of the clusters from which the density is made, one stage after the other."""

SHARPEST_EV = 0.3
"""Half width at half maximum that lines have at least, where the hole lives long (up to sulfur): vibrations and a
monochromator would not leave them sharper."""

MOST_SCREENED = 2.0
"""More charge than this cannot come to screen a hole. There may be little of it: in an ion, neighbours do the rest."""


@dataclass(frozen=True)
class Settings:
    """Everything that changes a simulated spectrum.

    ``mode``: how well the self-consistent density is made that gives the potential and the Fermi level. "fast" takes
    clusters of 60 atoms and waves up to l = 2, "scf" 100 atoms and l = 3, at several times the cost. A density
    that does not converge falls back on overlapped neutral atoms, and the spectrum says so.
    ``n_atoms``: scattering atoms, the absorber included; whole shells, so up to a shell more. ``radius_angstrom``
    instead of it takes every atom within that distance. ``lmax``: highest angular momentum of the scattering.
    ``energy_min_ev``, ``energy_max_ev``: range of the result, relative to the Fermi level.
    """

    mode: Literal["fast", "scf"] = "fast"
    n_atoms: int = 60
    radius_angstrom: float | None = None
    lmax: int = 3
    energy_min_ev: float = -10.0
    energy_max_ev: float = 60.0

    def __post_init__(self) -> None:
        if self.mode not in ("fast", "scf"):
            raise ConfigError(f"mode is {self.mode!r}; need 'fast' or 'scf'")
        if not 1 <= self.n_atoms <= 1000:
            raise ConfigError(f"n_atoms is {self.n_atoms}; need 1 to 1000")
        if self.radius_angstrom is not None and not 0 < self.radius_angstrom <= 12:
            raise ConfigError(f"radius_angstrom is {self.radius_angstrom}; need more than 0 and at most 12")
        if not 1 <= self.lmax <= 4:
            raise ConfigError(f"lmax is {self.lmax}; need 1 to 4")
        if not -50 <= self.energy_min_ev < 0 < self.energy_max_ev <= 300:
            raise ConfigError(
                f"energies run from {self.energy_min_ev} to {self.energy_max_ev} eV about the Fermi level; "
                "need at least -50, at most 300, and both sides of 0"
            )

    def parameters(self) -> dict[str, str | float]:
        """The settings as plain values, to be stored beside a spectrum."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class SiteSpectrum:
    """K-edge XANES of one site, normalised as FEFF's xmu: the atomic background is 1 at 50 eV above the Fermi level.

    relative_ev (m,) energy above the Fermi level, rising; energy_ev (m,) photon energy; mu (m,) with, mu0 (m,) without
    scattering by neighbours. ``mode`` is what was done: that of the settings, or "neutral" where it fell back;
    ``diagnostics`` holds numbers in eV, angstrom and electrons, ``notes`` what a reader should know.
    """

    relative_ev: FloatArray
    energy_ev: FloatArray
    mu: FloatArray
    mu0: FloatArray
    settings: Settings
    mode: Literal["fast", "scf", "neutral"]
    diagnostics: dict[str, float]
    notes: tuple[str, ...] = ()


def line_width_ev(atomic_number: int) -> float:
    """Half width at half maximum of lines: that of the core hole, or of the sharpest."""
    return max(half_width_ev(atomic_number), SHARPEST_EV)


def simulate_site(
    structure: Structure | Molecule, site_index: int, settings: Settings | None = None, *, device: str = "cpu"
) -> SiteSpectrum:
    """K-edge XANES of site ``site_index`` of ``structure``; the multiple scattering is solved on ``device`` (torch's).

    The photon energy of the Fermi level is the tabulated K edge of the element, raised by as much as the neighbours
    lower the electrostatic potential at the nucleus, which is how FEFF places it (neutral atoms, no work function).
    A DataError names the site and what is wrong with it: no such site, partial occupancy, overlapping atoms.
    """
    settings = settings or Settings()
    surroundings = build_surroundings(structure, site_index)
    cluster = build_cluster(structure, site_index, n_atoms=settings.n_atoms, radius_angstrom=settings.radius_angstrom)
    number = int(cluster.atomic_number[0])
    edge_ev = edge_energy_ev(Element.from_Z(number).symbol)
    base = overlapped_atoms(surroundings)
    final = _final_state(base, surroundings, settings.mode)
    muffin_tin = final.muffin_tin
    relative = np.arange(settings.energy_min_ev, settings.energy_max_ev + 0.5 * STEP_EV, STEP_EV)
    width_ev = line_width_ev(number)
    mu, mu0 = absorption_spectrum(
        cluster, muffin_tin, relative, hole_width_ev=width_ev, lmax=settings.lmax, device=device
    )
    shift_ev = -base.core_shift * HARTREE_EV
    diagnostics = {
        "n_atoms": float(len(cluster.kind)),
        "cluster_radius_angstrom": float(np.linalg.norm(cluster.position[-1])) * BOHR_ANGSTROM,
        "muffin_tin_radius_angstrom": float(muffin_tin.radius[0]) * BOHR_ANGSTROM,
        "norman_radius_angstrom": float(muffin_tin.norman_radius[0]) * BOHR_ANGSTROM,
        "fermi_energy_ev": muffin_tin.fermi_energy * HARTREE_EV,
        "interstitial_potential_ev": muffin_tin.interstitial_potential * HARTREE_EV,
        "interstitial_radius_bohr": float(wigner_seitz_radius(muffin_tin.interstitial_density)),
        "edge_shift_ev": shift_ev,
        **final.diagnostics,
    }
    mode = settings.mode if final.converged else "neutral"
    return SiteSpectrum(relative, relative + edge_ev + shift_ev, mu, mu0, settings, mode, diagnostics, final.notes)


@dataclass(frozen=True)
class _FinalState:
    """Potential with the core hole, and how it was found."""

    muffin_tin: MuffinTin
    converged: bool
    diagnostics: dict[str, float]
    notes: tuple[str, ...]


def _final_state(base: Overlapped, surroundings: Surroundings, mode: Literal["fast", "scf"]) -> _FinalState:
    """The self-consistent potential with its screened hole; neutral atoms where neither try converges."""
    for stages in (DENSITY_CLUSTERS[mode], SECOND_TRY):
        clusters = [environments(surroundings, n_atoms, lmax) for n_atoms, lmax in stages]
        found = self_consistent(base, clusters)
        diagnostics = {
            "density_iterations": float(found.iterations),
            "absorber_charge": float(found.charge[0]),
            "missing_electrons": found.missing,
        }
        if not found.converged:
            continue
        hole = screen_core_hole(found.muffin_tin, clusters[-1][0], found.band_bottom)
        diagnostics["hole_screening"] = hole.screened
        if 0 < hole.screened < MOST_SCREENED:
            return _FinalState(with_core_hole(found.muffin_tin, hole), True, diagnostics, ())
    note = "the density did not converge: overlapped neutral atoms, Fermi level by rule"
    return _FinalState(neutral_muffin_tin(base), False, diagnostics, (note,))
