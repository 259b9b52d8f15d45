"""Maps as the page explores them: read once for all sessions, with what finding sites on them needs."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.analysis.scores import FloatArray
from engine.atlas.cleaning import MAP_ELEMENTS
from engine.atlas.embedding import Embedding, principal_components
from engine.atlas.scores import distances
from engine.atlas.store import Atlas, read_atlas
from engine.io import read_site_structure

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
NEAREST = 8
MAPS_KEPT = 2


@dataclass(frozen=True, eq=False)
class OpenMap:
    """A map that is open: n sites of several elements.

    symbols     its elements, along the periodic table · element (n,) place of each site's element in these
    structures  where the structures of its sites are, which need not be there
    """

    atlas: Atlas
    symbols: tuple[str, ...]
    element: npt.NDArray[np.intp]
    structures: Path | None

    def __len__(self) -> int:
        return len(self.atlas.xy)

    def site(self, row: int) -> str:
        """Site id of a row."""
        return str(self.atlas.table.sites["site_id"].iat[row])

    def material(self, row: int) -> str:
        """Material id of a row."""
        return str(self.atlas.table.sites["material_id"].iat[row])

    def symbol(self, row: int) -> str:
        """Element of a row."""
        return self.symbols[self.element[row]]

    def ids(self, rows: Mask | Rows) -> list[str]:
        """Site ids of some rows."""
        return [str(site) for site in self.atlas.table.sites["site_id"].to_numpy()[rows]]

    def with_ids(self, ids: list[str]) -> Mask:
        """(n,) which sites have one of these ids."""
        return self.atlas.table.sites["site_id"].isin(ids).to_numpy(dtype=np.bool_)

    def found(self, text: str) -> Mask:
        """(n,) which sites have this text, in whatever case, in their own or their material's id."""
        sites = self.atlas.table.sites
        mask = np.zeros(len(self), dtype=np.bool_)
        for name in ("site_id", "material_id"):
            mask |= sites[name].str.contains(text, case=False, regex=False).to_numpy(dtype=np.bool_)
        return mask

    def nearest(self, row: int) -> tuple[Rows, FloatArray]:
        """The rows whose spectra are nearest to that of ``row``, itself left out, and their distances."""
        apart = distances(self.atlas.table.mu[row : row + 1], self.atlas.table.mu, self.atlas.how.metric)[0]
        apart[row] = np.inf
        found = np.argpartition(apart, min(NEAREST, len(apart) - 1))[:NEAREST]
        found = found[np.argsort(apart[found], kind="stable")]
        return found, apart[found]

    def at_principal_components(self) -> OpenMap:
        """The same sites at the two leading principal components of their spectra."""
        how = Embedding(method="pca", metric=self.atlas.how.metric)
        atlas = self.atlas
        flat = Atlas(atlas.table, principal_components(atlas.table.mu), how, {}, atlas.cleaning, atlas.nearest)
        return OpenMap(flat, self.symbols, self.element, self.structures)


def open_map(path: Path, structures: Path | None) -> OpenMap:
    """The map in the file ``path``, kept for whoever asks next; DataError when it is none."""
    return _open(path, path.stat().st_mtime_ns if path.is_file() else 0, structures)


@functools.lru_cache(MAPS_KEPT)
def _open(path: Path, stamp: int, structures: Path | None) -> OpenMap:
    atlas = read_atlas(path)
    column = atlas.table.sites["element"].astype("category")
    there = [str(symbol) for symbol in column.cat.categories]
    order = {symbol: place for place, symbol in enumerate(MAP_ELEMENTS)}
    symbols = sorted(there, key=lambda symbol: (order.get(symbol, len(order)), symbol))
    places = np.array([symbols.index(symbol) for symbol in there], dtype=np.intp)
    return OpenMap(atlas, tuple(symbols), places[column.cat.codes.to_numpy()], structures)


@functools.lru_cache(4096)
def formula_of(structures: Path | None, site: str) -> str:
    """Reduced formula of the structure that a site is in; "" where no structure is known."""
    if structures is None or not structures.is_file():
        return ""
    found = read_site_structure(structures, site)
    return "" if found is None else str(found[0].composition.reduced_formula)
