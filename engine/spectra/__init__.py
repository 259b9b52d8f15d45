"""Spectra on energy grids: the SpectraSet, resampling, splitting, spectral descriptors and the account of an import.

Nothing here rescales, shifts or extrapolates a spectrum silently. Never imports torch, structures or io.
"""

from engine.spectra.assemble import RawSpectra, assemble
from engine.spectra.edges import K_EDGE_EV, element_of_energies
from engine.spectra.grid import GridSpec, choose_grid, resample, spectrum_problem
from engine.spectra.info import Normalisation, normalisation, set_hash, set_info
from engine.spectra.report import ImportReport, Ledger, Refusal
from engine.spectra.spectra_set import SpectraSet
from engine.spectra.spectral_descriptors import SPECTRAL_DESCRIPTORS, SPECTRAL_UNITS, spectral_descriptors
from engine.spectra.split import Split, split_by_material, split_random

__all__ = [
    "K_EDGE_EV",
    "SPECTRAL_DESCRIPTORS",
    "SPECTRAL_UNITS",
    "GridSpec",
    "ImportReport",
    "Ledger",
    "Normalisation",
    "RawSpectra",
    "Refusal",
    "SpectraSet",
    "Split",
    "assemble",
    "choose_grid",
    "element_of_energies",
    "normalisation",
    "resample",
    "set_hash",
    "set_info",
    "spectral_descriptors",
    "spectrum_problem",
    "split_by_material",
    "split_random",
]
