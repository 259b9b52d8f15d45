"""Descriptors of the catalogue that a set lacks, computed from the structures beside it, the cheap ones first."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from engine.io.structures import read_structures, structures_path
from engine.names import material_and_site
from engine.spectra import SpectraSet
from engine.structures import CATALOGUE, describe_sites
from engine.study.suggest import NOISE

DEAR = frozenset({"OS", "OCN", "OCN_CATION", "GII", "RADIUS_MEAN", "D_COUNT"})
"""Those that need the neighbours of neighbours or a bond-valence analysis of the cell: for Cu oxides 0.08 s of one core
per site for all of them together, and 0.01 s for the rest of the catalogue."""

TIMED_SITES = 8
SECONDS_PER_PROCESS = 10.0


@dataclass(frozen=True, eq=False)
class Computed:
    """Computed columns (n, c) of a set of n sites, NaN where there is none, and a line for each thing to be said."""

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()


def compute_missing(
    spectra: SpectraSet,
    set_path: Path,
    taken: Collection[str] = (),
    *,
    minutes: float,
    workers: int = 1,
    cache: Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Computed:
    """What the catalogue has and neither the set at ``set_path`` nor ``taken`` knows of any site.

    First what the first shell, distances and symmetry tell, then the ``DEAR`` ones, each group if it would be done
    within what is left of ``minutes``, as a few of the sites foretell. ``workers`` processes at most; ``cache`` as in
    ``describe_sites``. DataError when the file of structures is damaged.
    """
    known = {str(name) for name in spectra.descriptors if spectra.descriptors[name].notna().any()}
    missing = [name for name in CATALOGUE if name not in {*known, *taken, NOISE}]
    nothing = pd.DataFrame(index=range(len(spectra)))
    if not missing or minutes <= 0:
        return Computed(nothing)
    path = structures_path(set_path)
    if not path.is_file():
        return Computed(nothing, (f"not tried, as the set has no structures beside it: {', '.join(missing)}",))
    ids = spectra.site_id.tolist()
    structures, pairs = {}, {}
    for site_id, structure, index in read_structures(path, ids):
        pairs[site_id] = (material_and_site(site_id)[0], index)
        structures[pairs[site_id][0]] = structure
    if not pairs:
        return Computed(nothing, (f"not tried, as {path.name} has none of the set's sites: {', '.join(missing)}",))
    sites, frames, notes = list(pairs.values()), [nothing], []
    left = 60 * minutes
    for group in ([name for name in missing if name not in DEAR], [name for name in missing if name in DEAR]):
        if not group:
            continue
        describe_sites(structures, sites[:1], group, cache=cache)  # the first one also loads what all need
        start = time.monotonic()
        few = sites[:: -(-len(sites) // TIMED_SITES)]
        describe_sites(structures, few, group, cache=cache)
        foretold = (time.monotonic() - start) * len(sites) / len(few)
        processes = min(workers, 1 + int(foretold / SECONDS_PER_PROCESS))
        need = _told(foretold / processes)
        if foretold / processes > left:
            allowed = f"{_told(left)} of the {minutes:g} min allowed are left"
            notes.append(f"not tried, as they would take about {need} and {allowed}: {', '.join(group)}")
            continue

        def follow(done: int, total: int, note: str = f"from structures, about {need}") -> None:
            if progress is not None:
                progress(done, total, note)

        found = describe_sites(structures, sites, group, workers=processes, cache=cache, progress=follow).frame
        frames.append(found.set_axis(list(pairs)).reindex(ids).reset_index(drop=True))
        seconds = time.monotonic() - start
        left -= seconds
        where = f"{len(pairs)} of {len(ids)} sites"
        notes.append(f"computed from the structures of {where} in {_told(seconds)}: {', '.join(group)}")
    return Computed(pd.concat(frames, axis=1), tuple(notes))


def _told(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
