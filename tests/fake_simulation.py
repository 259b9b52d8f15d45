"""A stand-in for the physics, importable in worker processes: an edge whose height tells the site, and ways to fail."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from pymatgen.core import Molecule, Structure

from engine.errors import DataError
from engine.simulation.simulate import Settings, SiteSpectrum
from engine.spectra import K_EDGE_EV


def spectrum(structure: Structure | Molecule, site_index: int, settings: Settings) -> SiteSpectrum:
    """An arctangent edge with a white line of height 0.1 (index + 1)."""
    relative = np.arange(settings.energy_min_ev, settings.energy_max_ev + 0.1, 0.5)
    mu0 = 0.5 + np.arctan(relative) / np.pi
    mu = mu0 + 0.1 * (site_index + 1) * np.exp(-(((relative - 5) / 3) ** 2))
    edge = K_EDGE_EV[structure[site_index].specie.symbol]
    diagnostics = {"fermi_energy_ev": -3.0, "n_atoms": float(len(structure))}
    return SiteSpectrum(relative, edge + relative, mu, mu0, settings, "fast", diagnostics, ("a note",))


def fails_on_site_1(structure: Structure | Molecule, site_index: int, settings: Settings) -> SiteSpectrum:
    if site_index == 1:
        raise DataError("site 1 does not please")
    return spectrum(structure, site_index, settings)


def spikes_on_site_0(structure: Structure | Molecule, site_index: int, settings: Settings) -> SiteSpectrum:
    """As ``fails_on_site_1``, and one point of the first atom's spectrum is off by the height of the edge."""
    made = fails_on_site_1(structure, site_index, settings)
    if site_index == 0:
        made.mu[60] += 1
    return made


def dies_on_site_1(structure: Structure | Molecule, site_index: int, settings: Settings) -> SiteSpectrum:
    if site_index == 1:
        os._exit(9)
    return spectrum(structure, site_index, settings)


def negative(structure: Structure | Molecule, site_index: int, settings: Settings) -> SiteSpectrum:
    good = spectrum(structure, site_index, settings)
    return SiteSpectrum(good.relative_ev, good.energy_ev, good.mu - 0.5, good.mu0, settings, "fast", {})


def counts_calls(structure: Structure | Molecule, site_index: int, settings: Settings) -> SiteSpectrum:
    """Leaves a mark per call in the folder that FAKE_CALLS names."""
    (Path(os.environ["FAKE_CALLS"]) / f"{site_index}-{os.getpid()}-{os.urandom(4).hex()}").touch()
    return spectrum(structure, site_index, settings)


def wait_forever(path: str) -> None:
    """Leaves this process's id in a file and stays."""
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)
