"""What orders a series (composition, temperature, time): numbers in the names of spectra, or values that are given."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import DataError
from engine.experiment.measured import FloatArray

LEAST = 3
# A dash is a minus only where it cannot stand between two parts of a name.
_NUMBER = re.compile(r"(?:(?:(?<=[_ =(])|^)-)?\d+(?:[.p]\d+)?")
_UNITS = ("degC", "C", "K", "min", "sec", "s", "h", "pct", "percent", "at", "mol", "bar", "V", "mV", "nm", "eV")


@dataclass(frozen=True, eq=False)
class Series:
    """Values (n,) that order n spectra, NaN for those that do not belong, and where they come from, in words."""

    values: FloatArray
    words: str


def series_in_names(names: Sequence[str]) -> Series | None:
    """The number that changes from name to name; None where fewer than three names are alike but for their numbers.

    Names that read the same with their numbers left out belong together, the largest such group is the series. Where
    several numbers change, the one with most different values counts, then one before a unit (K, C, min, pct, ...) or
    with a decimal point (also written p: 0p35), then the first.
    """
    skeletons = [_NUMBER.sub("#", name) for name in names]
    if not names:
        return None
    skeleton, count = Counter(skeletons).most_common(1)[0]
    if count < LEAST or "#" not in skeleton:
        return None
    mine = [i for i, other in enumerate(skeletons) if other == skeleton]
    texts = [[found.group() for found in _NUMBER.finditer(names[i])] for i in mine]
    table = np.array([[float(text.replace("p", ".")) for text in row] for row in texts])
    pieces = skeleton.split("#")
    units = [next((u for u in _UNITS if re.match(rf"[ _-]?{u}(?![A-Za-z])", piece)), "") for piece in pieces[1:]]

    def rank(place: int) -> tuple[int, bool, int]:
        decimal = any("." in row[place] or "p" in row[place] for row in texts)
        return len(set(table[:, place])), bool(units[place]) or decimal, -place

    best = max(range(table.shape[1]), key=rank)
    if rank(best)[0] < 2:
        return None
    values = np.full(len(names), np.nan)
    values[mine] = table[:, best]
    before = re.sub(r"[^A-Za-z]+", " ", pieces[best]).strip().rpartition(" ")[2]
    what = f"{f' after {before!r}' if before else ''}{f' in {units[best]}' if units[best] else ''}"
    return Series(values, f"series from names: number {best + 1}{what}, {np.min(table[:, best]):g} to "
                  f"{np.max(table[:, best]):g} for {count} of {len(names)} spectra")  # fmt: skip


def given_series(text: str, names: Sequence[str]) -> Series:
    """Values given as text: one number per line in the order of ``names`` (n,), or lines "name value" in any order.

    Name and value stand apart by blank, tab, comma or semicolon; the lines of spectra that do not belong are left out
    of the second form. DataError that names the line when a name is unknown or repeated, or a value is no number.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if all(finite_number(line) is not None for _, line in lines):
        if len(lines) != len(names):
            raise DataError(f"series: {len(lines)} values for {len(names)} spectra; give one per line, or 'name value'")
        values = np.array([finite_number(line) for _, line in lines], dtype=np.float64)
        return Series(values, f"series as given: {len(names)} values, {values.min():g} to {values.max():g}")
    values = np.full(len(names), np.nan)
    for number, line in lines:
        parts = re.split(r"[\s,;]+(?=\S+$)", line)
        if len(parts) != 2 or (value := finite_number(parts[1])) is None:
            raise DataError(f"series, line {number}: '{line[:60]}'; need a name and a finite number")
        name = parts[0].strip(" ,;\t")
        if name not in names:
            raise DataError(f"series, line {number}: no spectrum is called '{name[:60]}'; there is {names[0]}, ...")
        at = names.index(name)
        if np.isfinite(values[at]):
            raise DataError(f"series, line {number}: '{name[:60]}' has a value already, {values[at]:g}")
        values[at] = value
    known = np.isfinite(values)
    return Series(values, f"series as given: {known.sum()} of {len(names)} spectra, {values[known].min():g} to "
                  f"{values[known].max():g}")  # fmt: skip


def finite_number(text: str) -> float | None:
    """The number that a text says; None where it says none, or one that is not finite."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
