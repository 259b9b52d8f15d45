"""Maps as the page explores them: read once for all sessions, with what finding sites on them needs."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.analysis.scores import FloatArray
from engine.atlas.cleaning import MAP_ELEMENTS
from engine.atlas.embedding import Embedding, principal_components
from engine.atlas.scores import distances
from engine.atlas.store import Atlas, read_atlas
from engine.errors import DataError
from engine.io import load_set, structures_path
from engine.io.formulas import composition_of, site_formulas
from engine.spectra import SpectraSet, resample
from engine.spectra.grid import cover_problem
from explorer.components.member import Member, Model

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
NEAREST = 8
MAPS_KEPT = 2


@dataclass(frozen=True, eq=False)
class OpenMap:
    """A map that is open: n sites of several elements.

    symbols     its elements, along the periodic table · element (n,) place of each site's element in these
    source      the file of the set that was mapped, where that is known
    """

    atlas: Atlas
    symbols: tuple[str, ...]
    element: npt.NDArray[np.intp]
    source: Path | None

    def __len__(self) -> int:
        return len(self.atlas.xy)

    @property
    def structures(self) -> Path | None:
        """Where the structures of its sites are, which need not be there."""
        return None if self.source is None else structures_path(self.source)

    @functools.cached_property
    def formulas(self) -> npt.NDArray[np.object_]:
        """(n,) formula of each site, "" where it is not known: the map's own, else that of the set that was mapped."""
        sites, known = self.atlas.table.sites, list(self.atlas.formula)
        if not known and self.source is not None and self.source.is_file():
            known = site_formulas(sites["site_id"].tolist(), sites["material_id"].tolist(), self.source)
        return np.array(known or [""] * len(self), dtype=np.object_)

    def formula(self, row: int) -> str:
        """Formula of a row, "" where it is not known."""
        return str(self.formulas[row])

    def site(self, row: int) -> str:
        """Site id of a row."""
        return str(self.atlas.table.sites["site_id"].iloc[row])

    def material(self, row: int) -> str:
        """Material id of a row."""
        return str(self.atlas.table.sites["material_id"].iloc[row])

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
        """(n,) which sites have this text, in whatever case, in their own or their material's id, or have this formula.

        A formula says elements in any order and any multiple of them: O2Ti finds what TiO2 and Ti2O4 find.
        """
        sites = self.atlas.table.sites
        wanted = composition_of(text)
        alike = [] if wanted is None else [one for one in set(self.formulas) if one and composition_of(one) == wanted]
        mask = pd.Series(self.formulas).isin(alike).to_numpy(dtype=np.bool_)
        for name in ("site_id", "material_id"):
            mask = mask | sites[name].str.contains(text, case=False, regex=False).to_numpy(dtype=np.bool_)
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
        flat = replace(flat, formula=tuple(self.formulas) if any(self.formulas) else ())
        return OpenMap(flat, self.symbols, self.element, self.source)


def open_map(path: Path, source: Path | None) -> OpenMap:
    """The map in the file ``path`` of the set ``source``, kept for whoever asks next; DataError when it is none."""
    return _open(path, path.stat().st_mtime_ns if path.is_file() else 0, source)


@functools.lru_cache(MAPS_KEPT)
def _open(path: Path, stamp: int, source: Path | None) -> OpenMap:
    atlas = read_atlas(path)
    column = atlas.table.sites["element"].astype("category")
    there = [str(symbol) for symbol in column.cat.categories]
    order = {symbol: place for place, symbol in enumerate(MAP_ELEMENTS)}
    symbols = sorted(there, key=lambda symbol: (order.get(symbol, len(order)), symbol))
    places = np.array([symbols.index(symbol) for symbol in there], dtype=np.intp)
    return OpenMap(atlas, tuple(symbols), places[column.cat.codes.to_numpy()], source)


def link(first: OpenMap, second: OpenMap) -> Rows:
    """(n,) for each site of ``second`` its row in ``first``, -1 where that has not got it."""
    names = [
        pd.Index(one.atlas.table.sites["element"] + " " + one.atlas.table.sites["site_id"]) for one in (first, second)
    ]
    return np.asarray(names[0].get_indexer(names[1]), dtype=np.intp)


def latent_on(opened: OpenMap, model: Model, element: str, spectra: SpectraSet | None) -> FloatArray:
    """Latent points (n, k) of the map's sites of ``element``, the model's absorber; NaN for what cannot be encoded.

    The map's own spectra where its energies hold all of the model's, else those of the open set ``spectra`` with the
    same site ids, where its energies do. DataError says which of these fails, and why.
    """
    grid, table = model.energy_ev, opened.atlas.table
    latent = np.full((len(opened), len(model.axis_names)), np.nan)
    if element not in opened.symbols:
        raise DataError(f"the model is of {element}, which is not on this map")
    rows = np.flatnonzero(opened.element == opened.symbols.index(element))
    own = table.start_ev[element] + table.relative_ev
    if cover_problem(own, grid) is None:
        latent[rows] = model.encode(resample(own, table.mu[rows], grid))
        return latent
    place = {} if spectra is None else {str(site): i for i, site in enumerate(spectra.site_id)}
    known = [(row, place[site]) for row, site in zip(rows, opened.ids(rows), strict=True) if site in place]
    if spectra is None or not known or cover_problem(spectra.energy_ev, grid) is not None:
        raise DataError(
            f"the model's energies run from {grid[0]:.1f} to {grid[-1]:.1f} eV, the map's of {element} from "
            f"{own[0]:.1f} to {own[-1]:.1f} eV; open the set that was mapped, where its energies hold the model's"
        )
    here, there = np.array(known).T
    latent[here] = model.encode(resample(spectra.energy_ev, spectra.mu[there], grid))
    return latent


def predicted(member: Member, place: int, z: FloatArray) -> FloatArray:
    """What axis ``place`` says of its descriptor at latent values z (n,): a monotonic curve through training sites."""
    from sklearn.isotonic import IsotonicRegression

    if member.sites is None:
        raise DataError("the set that this model was trained on is gone, so nothing says what its axes mean")
    known = ~np.isnan(member.sites.labels[:, place])
    curve = IsotonicRegression(increasing="auto", out_of_bounds="clip")
    curve.fit(member.sites.latent[known, place].astype(np.float64), member.sites.labels[known, place])
    result = np.full(len(z), np.nan)
    there = ~np.isnan(z)
    if there.any():
        result[there] = curve.predict(z[there])
    return result


def region_set(opened: OpenMap, rows: Mask, element: str, source: Path | None) -> SpectraSet:
    """The sites ``rows`` of one element as a set of its own: from the file that was mapped, with all its energies,
    where that has every one of them, else as they are on the map.
    """
    chosen = rows & (opened.element == opened.symbols.index(element))
    ids, table = opened.ids(chosen), opened.atlas.table
    step = f"{len(ids)} sites of {element} in a region of a map"
    if source is not None:
        try:
            spectra = load_set(source, element)
        except DataError:
            pass  # a table that holds more than one calculation of a site, say
        else:
            keep = np.isin(spectra.site_id, ids) & (spectra.element == element)
            if keep.sum() == len(ids):
                return spectra.take(keep, step)
    return SpectraSet(
        energy_ev=table.start_ev[element] + table.relative_ev,
        mu=table.mu[chosen],
        descriptors=table.descriptors[chosen].reset_index(drop=True),
        site_id=np.array(ids),
        material_id=table.sites["material_id"][chosen].to_numpy(dtype=np.str_),
        element=np.full(len(ids), element),
        origin=table.origin,
        steps=(step,),
    )
