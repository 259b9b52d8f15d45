"""Which runs may be put side by side: trained and tested on the same spectra, sites and split, whatever else their sets
hold.

A set made to try a descriptor that another lacks has a hash of its own, and yet scores of runs on the two compare.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import DataError, EngineError
from engine.model.run import Run
from engine.spectra import set_hash


@dataclass(frozen=True)
class Footing:
    """What the scores of a run stand on.

    folder    of the run · descriptors  that it uses
    set_hash  of its set, see ``engine.spectra.set_hash`` · split  short hash of the rows in its parts
    """

    folder: Path
    descriptors: tuple[str, ...]
    set_hash: str
    split: str

    def compares_with(self, other: Footing) -> bool:
        """Whether scores of the two runs compare: one split, and one set but for descriptors that they do not share.

        Energies, spectra, sites, materials and elements must be the same row by row, and so must the labels of every
        descriptor that both runs use. Runs on sets with different hashes are compared by these sets, and do not
        compare where one of these is gone or has changed since.
        """
        if self.split != other.split:
            return False
        if self.set_hash == other.set_hash:
            return True
        shared = tuple(sorted({*self.descriptors} & {*other.descriptors}))
        try:
            return _hash_with(self.folder, self.set_hash, shared) == _hash_with(other.folder, other.set_hash, shared)
        except EngineError:
            return False


def footing(run: Run) -> Footing:
    """What the scores of ``run`` stand on; DataError when its folder does not say."""
    data = run.data()
    if "hash" not in data or "split" not in data:
        raise DataError(f"{run.path / 'data.json'}: does not say what the run was trained on")
    split = hashlib.sha256(json.dumps(data["split"], sort_keys=True).encode()).hexdigest()[:12]
    return Footing(run.path, run.config().descriptors, str(data["hash"]), split)


def on_one_footing(footings: Sequence[Footing]) -> list[list[int]]:
    """Places of the runs that compare, every one with every other of its group; each run is in the first it fits."""
    groups: list[list[int]] = []
    for i, one in enumerate(footings):
        group = next((group for group in groups if all(one.compares_with(footings[j]) for j in group)), None)
        if group is None:
            groups.append([i])
        else:
            group.append(i)
    return groups


@functools.lru_cache(256)
def _hash_with(folder: Path, key: str, names: tuple[str, ...]) -> str:
    """Hash of the set of the run in ``folder``, whose own is ``key``, with no descriptors but ``names``."""
    spectra = Run(folder).spectra()
    return set_hash(replace(spectra, descriptors=spectra.descriptors[list(names)]))
