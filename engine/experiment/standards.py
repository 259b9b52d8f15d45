"""Predictions put right on standards: compounds measured alongside whose descriptors are known.

A simulated spectrum differs from a measured one in ways that no shift of energies takes away (white lines above all),
so that what a model says of measurements runs past the truth, alike for compounds that are alike. Standards show by
how much: a line through their known values over their predicted ones, as edge positions are calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.errors import DataError
from engine.experiment.measured import FloatArray
from engine.experiment.prediction import Calibrated, OnStandards, Prediction
from engine.experiment.series import finite_number

LARGEST_SLOPE = 3.0
"""Beyond this, or below one over this, a line says that the model hardly sees what differs between the standards."""


@dataclass(frozen=True)
class Standard:
    """A measured spectrum whose value of a descriptor is known."""

    name: str
    descriptor: str
    value: float


def standards_of(text: str, names: Sequence[str], descriptors: Sequence[str]) -> list[Standard]:
    """Standards from lines of a spectrum's name and what is known of it: ``Fe2O3_rt_01 OS=3 CN=6``.

    DataError that names the line when a spectrum is not among ``names`` or stands twice, a descriptor is not among
    ``descriptors``, or a value is no finite number.
    """
    found: list[Standard] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = " ".join(line.split())
        if not line:
            continue
        starts = [name for name in names if f"{line} ".startswith(f"{' '.join(name.split())} ")]
        where = f"standards, line {number}: '{line[:60]}'"
        if not starts:
            raise DataError(f"{where}; begins with the name of no spectrum; there is {names[0]}, ...")
        name = max(starts, key=len)
        if any(standard.name == name for standard in found):
            raise DataError(f"{where}; {name} stands in a line above already")
        told = line[len(" ".join(name.split())) :].replace(",", " ").split()
        if not told:
            raise DataError(f"{where}; say what is known of it, such as {descriptors[0]}=3")
        for part in told:
            descriptor, _, value = part.partition("=")
            if descriptor not in descriptors:
                raise DataError(f"{where}; '{descriptor}' is not predicted, only {', '.join(descriptors)}")
            known = finite_number(value)
            if known is None:
                raise DataError(f"{where}; '{value}' is not a finite number")
            found.append(Standard(name, descriptor, known))
    return found


def on_standards(found: Prediction, names: Sequence[str], standards: Sequence[Standard]) -> Prediction:
    """The same predictions with, for every descriptor of ``standards``, those that a line through these puts right.

    ``names`` (n,) of the predicted spectra. Least squares of the known values over the predicted ones; intervals are
    carried along the line and widened by the largest distance of a standard from it, which two standards leave
    unknown. DataError when fewer than two known values differ, or the line does not rise or is too steep or flat.
    """
    row = {name: i for i, name in enumerate(names)}
    lines = {}
    for descriptor in dict.fromkeys(standard.descriptor for standard in standards):
        mine = [standard for standard in standards if standard.descriptor == descriptor]
        said = found.ensemble[descriptor]
        lines[descriptor] = _on_line(descriptor, mine, said.value[[row[standard.name] for standard in mine]], said)
    return replace(found, standards=lines)


def _on_line(descriptor: str, standards: Sequence[Standard], at: FloatArray, said: Calibrated) -> OnStandards:
    known = np.array([standard.value for standard in standards])
    told = ", ".join(f"{s.name} {s.value:g} (said {x:.2f})" for s, x in zip(standards, at, strict=True))
    if np.unique(known).size < 2:
        raise DataError(f"standards: {descriptor} needs two known values that differ; given: {told}")
    centre = at.mean()
    spread = float(((at - centre) ** 2).sum())
    slope = float(((at - centre) * (known - known.mean())).sum()) / spread if spread else np.inf
    if not 1 / LARGEST_SLOPE <= slope <= LARGEST_SLOPE:
        raise DataError(
            f"standards: predicted {descriptor} does not follow what is known ({told}): a line through them has slope "
            f"{slope:.2g}, need {1 / LARGEST_SLOPE:.2g} to {LARGEST_SLOPE:g}; this model cannot be put right on them"
        )
    offset = float(known.mean() - slope * centre)
    off = float(np.abs(known - offset - slope * at).max())
    low, high = offset + slope * said.low - off, offset + slope * said.high + off
    beyond = (high < known.min()) | (low > known.max())
    error = f"the farthest is {off:.2f} from it" if len(standards) > 2 else "two do not show how far off it may be"
    words = f"{descriptor} by standards: {slope:.2f} × {descriptor} {offset:+.2f}, a line through {told}; {error}"
    return OnStandards(Calibrated(offset + slope * said.value, low, high), beyond, words)
