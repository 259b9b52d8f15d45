"""From a cluster and its muffin-tin potential to a normalised K-edge spectrum."""

from __future__ import annotations

import numpy as np
import torch

from engine.simulation.absorption import atomic_absorption, scattering_strength
from engine.simulation.edge import broaden, energy_path
from engine.simulation.muffin_tin import Cluster, FloatArray, MuffinTin
from engine.simulation.multiple_scattering import scattered_waves
from engine.simulation.phase_shifts import scattering_matrices
from engine.simulation.propagator import build_geometry
from engine.simulation.units import HARTREE_EV

NORMALISED_AT_EV = 50.0
"""Energy above the Fermi level at which the atomic background of a spectrum is 1, as in FEFF's xmu.dat."""

AMPLITUDE = 0.95
"""S0², the share of the fine structure that shake-up leaves: FEFF's own estimate for the K edge of Cu compounds."""

LEAST_SCATTERING = 0.015
"""Waves of which an atom scatters less than this share are left out of its scattering."""

_MARGIN_WIDTHS, _MARGIN_EV = 5.0, 5.0


def absorption_spectrum(
    cluster: Cluster,
    muffin_tin: MuffinTin,
    relative_ev: FloatArray,
    *,
    hole_width_ev: float,
    lmax: int = 3,
    device: torch.device | str = "cpu",
) -> tuple[FloatArray, FloatArray]:
    """Absorption mu (m,) and atomic background mu0 (m,) at energies ``relative_ev`` (m,) above the Fermi level.

    Both are broadened by the core hole, of half width at half maximum ``hole_width_ev`` (more than 0), cut at the Fermi
    level and in units of the background at NORMALISED_AT_EV. Waves up to ``lmax`` are scattered.
    """
    width = hole_width_ev / HARTREE_EV
    margin = _MARGIN_EV + _MARGIN_WIDTHS * hole_width_ev
    highest = max(float(np.max(relative_ev, initial=0.0)), NORMALISED_AT_EV) + margin
    path = energy_path(width, highest / HARTREE_EV)
    energy = path + muffin_tin.fermi_energy
    k, t = scattering_matrices(muffin_tin, energy, lmax, excited=True)
    order = np.argsort(cluster.kind, kind="stable")  # the absorber stays first
    geometry = build_geometry(cluster.position[order], lmax)
    chi = scattered_waves(geometry, cluster.kind[order], k, t, ell=1, least=LEAST_SCATTERING, device=device)
    background = atomic_absorption(muffin_tin, energy)
    fine = scattering_strength(muffin_tin, energy) * np.trace(chi, axis1=1, axis2=2) / 3

    wanted = np.append(relative_ev, NORMALISED_AT_EV) / HARTREE_EV
    mu, mu0 = broaden(path, np.stack([background + AMPLITUDE * fine, background]), width, wanted)
    return mu[:-1] / mu0[-1], mu0[:-1] / mu0[-1]
