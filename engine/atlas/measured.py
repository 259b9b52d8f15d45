"""A measured spectrum on a map of calculated ones: normalised, shifted as asked, on the map's energies, placed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.atlas.cleaning import post_edge_level
from engine.atlas.store import Atlas, Placement, on_grid_of, place
from engine.experiment.measured import Measured, element_around
from engine.experiment.preparing import Preparation, normalised_of
from engine.spectra.spectra_set import FloatArray

UNLIKE, RARE = 99.0, 95.0
_LEVEL_ROUNDING = 1e-3


@dataclass(frozen=True, eq=False)
class PlacedSpectrum:
    """Where a measured spectrum lands: its name and element, mu (m,) on the map's energies, a placement of one."""

    name: str
    element: str
    mu: FloatArray
    placement: Placement

    @property
    def verdict(self) -> str:
        """What the distance to its nearest spectrum says, against the distances between spectra of the map."""
        percentile = float(self.placement.percentile[0])
        if percentile >= UNLIKE:
            return "nothing on the map is like it: do not read anything from where it lies"
        if percentile >= RARE:
            return "farther from its nearest spectrum than nearly all spectra of the map are from theirs"
        return "as near to its nearest spectrum as spectra of the map are to theirs"


def place_measured(atlas: Atlas, spectrum: Measured, element: str = "", shift_ev: float = 0.0) -> PlacedSpectrum:
    """Normalises a measured spectrum, adds ``shift_ev`` to its energies and places it on a map.

    ``element`` is the absorber, "" for what the file or the energies say. Where all spectra of that element on the map
    are 1 on average over the last fifth of its energies (the rule for absolute scales makes them so), the measured one
    is brought there as well. DataError with the reason when it cannot be used.
    """
    symbol = element or spectrum.element
    if not symbol:
        symbol = element_around(float(np.min(spectrum.energy_ev)), float(np.max(spectrum.energy_ev)))
    sound, found = normalised_of(spectrum, Preparation(symbol))
    mu = on_grid_of(atlas, sound.energy_ev + shift_ev, found.mu, symbol)
    relative = atlas.table.relative_ev
    levels = post_edge_level(atlas.table.mu[(atlas.table.sites["element"] == symbol).to_numpy()], relative)
    if np.abs(levels - 1).max() < _LEVEL_ROUNDING:
        mu = mu / post_edge_level(mu[None], relative)
    return PlacedSpectrum(sound.name, symbol, mu, place(atlas, mu))
