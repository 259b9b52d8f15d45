"""Lifetime and energy of a hole in the K shell."""

from __future__ import annotations

import numpy as np

from engine.errors import DataError
from engine.spectra.edges import K_EDGE_EV

# Full width at half maximum in eV against atomic number; Rahkonen & Krause, At. Data Nucl. Data Tables 14, 139 (1974).
_WIDTH_Z = np.array([0.99, 10.0, 20.0, 40.0, 50.0, 60.0, 80.0, 95.1])
_WIDTH_EV = np.array([0.02, 0.28, 0.75, 4.8, 10.5, 21.0, 60.0, 105.0])
_LIGHTEST_EV = {"H": 13.6, "He": 24.6}


def half_width_ev(atomic_number: int) -> float:
    """Half width at half maximum of the K hole, 0.864 eV for Cu; log(width) is linear in Z between tabulated Z."""
    return 0.5 * float(np.exp(np.interp(atomic_number, _WIDTH_Z, np.log(_WIDTH_EV))))


def edge_energy_ev(symbol: str) -> float:
    """Tabulated K binding energy; a DataError for an element without one."""
    energy = _LIGHTEST_EV.get(symbol, K_EDGE_EV.get(symbol))
    if energy is None:
        raise DataError(f"no K edge energy is tabulated for {symbol}; have H to Bi")
    return energy
