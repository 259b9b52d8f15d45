"""Training, validation and test parts of a set: by material (the rule) or by site (to compare with the published)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import ConfigError, DataError
from engine.spectra.spectra_set import SpectraSet

IntArray = npt.NDArray[np.intp]
PARTS = ("train", "validation", "test")
_TRIES = 20


@dataclass(frozen=True, eq=False)
class Split:
    """Three disjoint, sorted index arrays into a set, together covering it, and how they were made.

    how   "material": no material on two sides. "random": sites of one material may be on two sides.
    seed  what the shuffling was seeded with
    """

    train: IntArray
    validation: IntArray
    test: IntArray
    how: str
    seed: int

    def __post_init__(self) -> None:
        for name in PARTS:
            part = np.sort(np.asarray(getattr(self, name), dtype=np.intp))
            if part.size == 0:
                raise ConfigError(f"split: the {name} part is empty; need at least one spectrum in each part")
            object.__setattr__(self, name, part)
        every = np.sort(np.concatenate([self.train, self.validation, self.test]))
        if not np.array_equal(every, np.arange(every.size)):
            raise DataError(f"split: parts must hold each of {every.size} rows once; some repeat, lack or are negative")

    @property
    def n(self) -> int:
        """Number of spectra over all parts."""
        return self.train.size + self.validation.size + self.test.size

    def to_json(self) -> dict[str, object]:
        """A JSON-ready dict: how, seed and the three index lists."""
        return {"how": self.how, "seed": self.seed, **{name: getattr(self, name).tolist() for name in PARTS}}

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Split:
        """The split that ``to_json`` wrote; a DataError names what is missing or wrong."""
        missing = [key for key in ("how", "seed", *PARTS) if key not in stored]
        if missing:
            raise DataError(f"split: '{missing[0]}' is missing; need how, seed, {', '.join(PARTS)}")
        how, seed = stored["how"], stored["seed"]
        if not isinstance(how, str) or isinstance(seed, bool) or not isinstance(seed, int):
            raise DataError(f"split: how is {how!r} and seed is {seed!r}; need text and a whole number")
        parts: dict[str, IntArray] = {}
        for name in PARTS:
            rows = stored[name]
            if not isinstance(rows, list) or not all(
                isinstance(row, int) and not isinstance(row, bool) for row in rows
            ):
                raise DataError(f"split: '{name}' must be a list of row numbers")
            parts[name] = np.array(rows, dtype=np.intp)
        return cls(parts["train"], parts["validation"], parts["test"], how=how, seed=seed)


def split_by_material(
    spectra: SpectraSet, fractions: tuple[float, float, float] = (0.7, 0.15, 0.15), seed: int = 0
) -> Split:
    """A split in which all sites of a material are on one side.

    ``fractions`` of the sites go to train, validation, test; each part is within one largest material of its
    fraction. Of twenty shuffles of the materials the one nearest to the fractions is taken. The same set, fractions
    and seed give the same split; the global random state is neither read nor changed. Raises ConfigError when a part
    would be empty.
    """
    _, group = np.unique(spectra.material_id, return_inverse=True)
    return _split(group.astype(np.intp), fractions, seed, "material")


def split_random(
    spectra: SpectraSet, fractions: tuple[float, float, float] = (0.7, 0.15, 0.15), seed: int = 0
) -> Split:
    """A split by site that ignores materials, as published work did; scores on it flatter the model.

    The published protocol cuts the rows in the order of the file, which its authors had shuffled. Seed 0 does the same
    where the rows are in no order of material, so that scores compare with published ones; in any other set, and with
    any other seed, sites are shuffled first. Sizes are ``fractions`` of the set to within one spectrum. Raises
    ConfigError when a part would be empty.
    """
    keep_order = seed == 0 and _is_shuffled(spectra.material_id)
    return _split(np.arange(len(spectra), dtype=np.intp), fractions, seed, "random", keep_order=keep_order)


def _is_shuffled(material_id: npt.NDArray[np.str_]) -> bool:
    """Whether neighbouring rows are of different materials and as often fall as rise in their names."""
    if material_id.size < 100:
        return False
    before, after = material_id[:-1], material_id[1:]
    return bool((before == after).mean() < 0.05 and abs((before < after).mean() - 0.5) < 0.05)


def _split(
    group: IntArray, fractions: tuple[float, float, float], seed: int, how: str, *, keep_order: bool = False
) -> Split:
    """Groups 0..g-1 shuffled (or not) and cut where the running number of sites is nearest to the fractions."""
    if len(fractions) != 3 or not all(0.0 < part < 1.0 for part in fractions) or abs(sum(fractions) - 1.0) > 1e-6:
        raise ConfigError(f"split fractions are {fractions}; need three numbers above 0 that sum to 1")
    if seed < 0:
        raise ConfigError(f"split seed is {seed}; need a whole number of at least 0")
    sizes = np.bincount(group) if group.size else np.zeros(0, dtype=np.intp)
    if sizes.size < 3:
        what = "material" if how == "material" else "spectrum"
        raise ConfigError(f"{group.size} spectra of {sizes.size} {what}(s) cannot be split in three parts")
    target = np.cumsum(fractions)[:2] * group.size
    rng = np.random.default_rng(seed)
    best: tuple[float, IntArray] | None = None
    for _ in range(_TRIES):
        order = np.arange(sizes.size) if keep_order else rng.permutation(sizes.size)
        reached = np.concatenate([[0], np.cumsum(sizes[order])])
        cuts = np.abs(reached[:, None] - target[None, :]).argmin(axis=0)
        part_of_group = np.empty(sizes.size, dtype=np.intp)
        part_of_group[order] = np.searchsorted(cuts, np.arange(sizes.size), side="right")
        filled = np.bincount(part_of_group, weights=sizes, minlength=3)
        miss = float(np.abs(filled - np.asarray(fractions) * group.size).max())
        if filled.all() and (best is None or miss < best[0]):
            best = (miss, part_of_group)
        if best is not None and best[0] <= max(1.0, 0.002 * group.size):
            break
    if best is None:
        raise ConfigError(
            f"{group.size} spectra of {sizes.size} {'materials' if how == 'material' else 'sites'} leave a part of the "
            f"split {tuple(fractions)} empty; need more data or larger fractions"
        )
    part = best[1][group]
    train, validation, test = (np.flatnonzero(part == index) for index in range(3))
    return Split(train, validation, test, how=how, seed=seed)
