"""What colour every site of a map has: by family, element, oxidation state, any number; unknown ones are grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from bokeh.palettes import Viridis256

from engine.analysis.scores import FloatArray
from engine.atlas.families import FAMILIES, family_of
from explorer.messages import as_html
from explorer.plots.spectra import CONTINUOUS, color_scale
from explorer.plots.style import CATEGORICAL, UNKNOWN

METAL_ZERO = "#CC79A7"
NEGATIVE = ("#F2B07A", "#E07B1F", "#B85200", "#853800")
"""Oxidation states from −1 down; positive ones go along a scale, so that neighbours look alike."""
POSITIVE = tuple(Viridis256[round(place)] for place in np.linspace(62, 232, 8))
MOST_CLASSES = len(CATEGORICAL)


@dataclass(frozen=True, eq=False)
class Colouring:
    """What n sites are coloured by.

    title     what it is, with its unit · values (n,) float32: number of a class, or a value; NaN where not known
    palette   colours in the order of the classes, or along the scale · low, high  values at its ends
    classes   names of the classes, none for a scale
    """

    title: str
    values: npt.NDArray[np.float32]
    palette: tuple[str, ...]
    low: float
    high: float
    classes: tuple[str, ...] = ()

    def counts(self, rows: npt.NDArray[np.bool_]) -> list[int]:
        """How many of the ``rows`` (n,) are in each class, and last how many are not known."""
        values = self.values[rows]
        known = values[~np.isnan(values)].astype(np.intp)
        return [*np.bincount(known, minlength=len(self.classes)).tolist(), int(values.size - known.size)]


def _of_classes(title: str, codes: FloatArray, classes: Sequence[str], palette: Sequence[str]) -> Colouring:
    return Colouring(
        title, np.asarray(codes, np.float32), tuple(palette), -0.5, max(len(classes), 1) - 0.5, tuple(classes)
    )


def by_family(element: npt.NDArray[np.intp], symbols: Sequence[str]) -> Colouring:
    """By chemical family; ``element`` (n,) are places in ``symbols``."""
    names = list(FAMILIES)
    of = [family_of(symbol) for symbol in symbols]
    codes = np.array([np.nan if family is None else names.index(family) for family in of])
    return _of_classes("Chemical family", codes[element], names, CATEGORICAL)


def element_colors(symbols: Sequence[str]) -> tuple[str, ...]:
    """A colour per element: all apart up to eight, else along a scale in the order of ``symbols``."""
    if len(symbols) <= MOST_CLASSES:
        return CATEGORICAL[: len(symbols)]
    return tuple(CONTINUOUS[round(place)] for place in np.linspace(0, len(CONTINUOUS) - 1, len(symbols)))


def by_element(element: npt.NDArray[np.intp], symbols: Sequence[str]) -> Colouring:
    """By element; ``element`` (n,) are places in ``symbols``, which go along the periodic table."""
    return _of_classes("Element", element.astype(np.float64), symbols, element_colors(symbols))


def by_oxidation(values: FloatArray) -> Colouring:
    """By oxidation state (n,), to whole numbers: below zero, zero as in metals, above, not known."""
    states = np.round(values)
    present = np.unique(states[~np.isnan(states)]).astype(int)
    names = [f"{state:+d}".replace("-", "−") if state else "0 (metal)" for state in present]
    palette = [
        METAL_ZERO if state == 0 else NEGATIVE[min(-state, 4) - 1] if state < 0 else POSITIVE[min(state, 8) - 1]
        for state in present
    ]
    codes = np.where(np.isnan(states), np.nan, np.searchsorted(present, np.nan_to_num(states)))
    return _of_classes("Oxidation state", codes, names, palette)


def by_choice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> Colouring:
    """By selection: A (n,), B (n,) where it is not A as well."""
    return _of_classes("Selection", np.where(a, 0.0, np.where(b, 1.0, np.nan)), ("A", "B"), CATEGORICAL[:2])


def by_number(title: str, values: FloatArray) -> Colouring:
    """By any number (n,): up to eight classes of whole numbers, else a scale over the middle 96 %."""
    palette, low, high, labels = color_scale(values)
    if not labels:
        return Colouring(title, np.asarray(values, np.float32), tuple(palette), low, high)
    known = np.unique(values[~np.isnan(values)])
    codes = np.where(np.isnan(values), np.nan, np.searchsorted(known, np.nan_to_num(values)))
    return _of_classes(title, codes, list(labels.values()), palette)


def legend_html(colouring: Colouring, rows: npt.NDArray[np.bool_]) -> str:
    """Classes with their colours and how many of the ``rows`` are in each, or the scale with its ends."""
    counts = colouring.counts(rows) if colouring.classes else [int(np.isnan(colouring.values[rows]).sum())]
    title = f"<b>{as_html(colouring.title)}</b>"
    unknown = [_chip(UNKNOWN, "not known", counts[-1])] if counts[-1] else []
    if not colouring.classes:
        stops = ", ".join(colouring.palette[:: max(1, len(colouring.palette) // 12)])
        low, high = (f"{end:.3g}".replace("-", "−") for end in (colouring.low, colouring.high))
        bar = f'<i class="bar" style="background: linear-gradient(to right, {stops})"></i>'
        return f'<div class="legend">{title}<span>{low}</span>{bar}<span>{high}</span>{"".join(unknown)}</div>'
    there = [
        _chip(color, name, count)
        for color, name, count in zip(colouring.palette, colouring.classes, counts, strict=False)
        if count
    ]
    return f'<div class="legend">{title}{"".join([*there, *unknown])}</div>'


def _chip(color: str, name: str, count: int) -> str:
    return f'<span><i style="background: {color}"></i>{as_html(name)} <small>{count:,}</small></span>'
