"""The one container for labelled spectra that every other part of the engine takes and returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.errors import DataError

FloatArray = npt.NDArray[np.floating]
TextArray = npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class SpectraSet:
    """Spectra of n absorbing sites on one energy grid of m points, with d descriptors each.

    energy_ev    (m,) float64, absolute photon energy in eV, strictly rising
    mu           (n, m) float32, edge-normalised absorption (no unit), finite
    descriptors  (n, d) float columns; NaN means "not known", never 0
    site_id      (n,) unique text, by convention ``material_id + "_" + 0-based site index`` (three digits)
    material_id  (n,) text; sites of one material share it, so that a split can keep them together
    element      (n,) chemical symbol of the absorber
    edge         absorption edge, "K"
    origin       one line: where the spectra come from
    steps        what was done to them since, one line each, with numbers
    """

    energy_ev: FloatArray
    mu: FloatArray
    descriptors: pd.DataFrame
    site_id: TextArray
    material_id: TextArray
    element: TextArray
    edge: str = "K"
    origin: str = ""
    steps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        energy = np.ascontiguousarray(self.energy_ev, dtype=np.float64)
        mu = np.ascontiguousarray(self.mu, dtype=np.float32)
        object.__setattr__(self, "energy_ev", energy)
        object.__setattr__(self, "mu", mu)
        for name in ("site_id", "material_id", "element"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.str_))
        object.__setattr__(self, "descriptors", _numbers(self.descriptors))
        if energy.ndim != 1 or energy.size < 2:
            raise DataError(f"energy grid has shape {energy.shape}; need one axis of at least 2 points")
        if not (np.isfinite(energy).all() and (np.diff(energy) > 0).all()):
            bad = int(np.argmax(~(np.diff(energy) > 0)))
            raise DataError(
                f"energies must rise strictly: point {bad + 1} is {energy[bad + 1]:g} eV after {energy[bad]:g} eV"
            )
        n = len(self.site_id)
        if mu.shape != (n, energy.size):
            raise DataError(f"mu has shape {mu.shape}; need ({n} sites, {energy.size} energies)")
        for name in ("material_id", "element"):
            if len(getattr(self, name)) != n:
                raise DataError(f"{name} has {len(getattr(self, name))} entries; need {n}, one per site")
        if len(self.descriptors) != n:
            raise DataError(f"descriptors have {len(self.descriptors)} rows; need {n}, one per site")
        if not np.isfinite(mu).all():
            row, column = np.argwhere(~np.isfinite(mu))[0]
            raise DataError(f"site {self.site_id[row]}: mu at {energy[column]:.3f} eV is {mu[row, column]}")
        if len(np.unique(self.site_id)) != n:
            ids, counts = np.unique(self.site_id, return_counts=True)
            raise DataError(f"site_id '{ids[counts.argmax()]}' occurs {counts.max()} times; need unique ids")
        infinite = ~np.isfinite(self.descriptors.to_numpy()) & ~np.isnan(self.descriptors.to_numpy())
        if infinite.any():
            row, column = np.argwhere(infinite)[0]
            raise DataError(
                f"site {self.site_id[row]}: descriptor {self.descriptors.columns[column]} is infinite; "
                "need a number, or NaN for unknown"
            )

    def __len__(self) -> int:
        return len(self.site_id)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | Sequence[int], step: str = "") -> SpectraSet:
        """The sites at ``rows`` (indices or a boolean mask), in that order; ``step`` is recorded when given."""
        index = np.asarray(rows)
        if index.dtype == np.bool_:
            if index.shape != (len(self),):
                raise DataError(f"a mask of shape {index.shape} cannot choose among {len(self)} sites")
            index = np.flatnonzero(index)
        elif index.size == 0:
            index = index.astype(np.intp)
        return replace(
            self,
            mu=self.mu[index],
            descriptors=self.descriptors.iloc[index],
            site_id=self.site_id[index],
            material_id=self.material_id[index],
            element=self.element[index],
            steps=(*self.steps, step) if step else self.steps,
        )

    def descriptor_values(self, names: Sequence[str]) -> FloatArray:
        """Descriptor columns ``names`` as (n, len(names)) float64; unknown names are a DataError."""
        missing = [name for name in names if name not in self.descriptors.columns]
        if missing:
            there = ", ".join(map(str, self.descriptors.columns)) or "none"
            raise DataError(f"descriptor '{missing[0]}' is not in the set; it has: {there}")
        return self.descriptors[list(names)].to_numpy(dtype=np.float64)


def _numbers(descriptors: pd.DataFrame) -> pd.DataFrame:
    """The columns as float64 under unique text names, rows numbered from 0; a DataError names what is no number."""
    frame = descriptors.reset_index(drop=True)
    frame.columns = pd.Index([str(name) for name in frame.columns], dtype=object)
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(f"descriptor '{repeated[0]}' occurs more than once; need unique names")
    for name in frame.columns:
        try:
            frame[name] = frame[name].astype(np.float64)
        except (ValueError, TypeError):
            numbers = pd.to_numeric(frame[name], errors="coerce")
            row = int(np.argmax((numbers.isna() & frame[name].notna()).to_numpy()))
            raise DataError(f"descriptor {name} of row {row + 1} is {frame[name].iloc[row]!r}; need a number") from None
    return frame
