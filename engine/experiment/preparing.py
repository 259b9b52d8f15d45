"""From a measured spectrum to one a model takes: checked, normalised, shifted, on the model's grid, accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.errors import DataError
from engine.experiment.aligning import Alignment, ElementShift, align
from engine.experiment.measured import FloatArray, Kind, Measured, checked
from engine.experiment.normalising import E0Rule, Normalised, Ranges, State, normalise
from engine.spectra import K_EDGE_EV, SpectraSet, resample
from engine.spectra.grid import cover_problem

SERIES = "SERIES"
NOISY = 0.02
SMALL_STEP = 0.02
NEGATIVE, DIPS = -0.1, -0.03


@dataclass(frozen=True)
class Preparation:
    """How to prepare: E0 by rule or chosen, fits (None: as xraylarch chooses), flattening, shift, declarations.

    kind and state are those of every spectrum where they are given; None takes what each file says and shows.
    """

    element: str
    e0_rule: E0Rule = "half height"
    e0_ev: float | None = None
    ranges: Ranges | None = None
    flatten: bool = False
    shift_ev: float = 0.0
    kind: Kind | None = None
    state: State | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """One prepared spectrum: mu (m,) on the model's grid, what was measured, and how it came about.

    energy_ev and normalised.mu (p,) are the whole measurement, before the shift
    steps   every step with its numbers, in order · flags: what a reader should be wary of
    """

    measured: Measured
    normalised: Normalised
    mu: FloatArray
    shift_ev: float
    kind: Kind
    steps: tuple[str, ...]
    flags: tuple[str, ...]

    def audit(self) -> dict[str, Any]:
        """The numbers behind the steps, ready for JSON."""
        n = self.normalised
        return {
            "name": self.measured.name,
            "element": self.measured.element,
            "kind": self.kind,
            "e0_ev": n.e0_ev,
            "e0_rule": n.e0_rule,
            "state": n.state,
            "edge_step": n.edge_step,
            "ranges": None if n.ranges is None else asdict(n.ranges),
            "flattened": n.flattened,
            "noise": None if np.isnan(n.noise) else n.noise,
            "shift_ev": self.shift_ev,
            "steps": list(self.steps),
            "flags": list(self.flags),
        }


def normalised_of(spectrum: Measured, how: Preparation) -> tuple[Measured, Normalised]:
    """A spectrum checked and normalised, before any shift; DataError with the reason when it cannot be used."""
    sound = checked(spectrum, how.element)
    found = normalise(
        sound.energy_ev, sound.mu, how.element, e0_rule=how.e0_rule, e0_ev=how.e0_ev, ranges=how.ranges,
        flatten=how.flatten, state=how.state, name=sound.name,
    )  # fmt: skip
    return sound, found


def prepare(spectrum: Measured, how: Preparation, grid_ev: FloatArray) -> Prepared:
    """A spectrum brought to the grid (m,) of a model; DataError with the reason when it cannot be used.

    Order: check, normalise, shift energies by ``how.shift_ev``, cubic spline onto the grid. Nothing is extrapolated: a
    spectrum that does not reach over the whole grid after the shift is refused.
    """
    sound, found = normalised_of(spectrum, how)
    energy = sound.energy_ev + how.shift_ev
    problem = cover_problem(energy, grid_ev)
    if problem is not None:
        raise DataError(f"{sound.name}: {problem[0]}: {problem[1]}")
    mu = resample(energy, found.mu, grid_ev)
    if mu.min() < NEGATIVE:
        raise DataError(
            f"{sound.name}: mu falls to {mu.min():.2f} edge steps at {grid_ev[mu.argmin()]:.1f} eV; the pre-edge line "
            "does not fit, choose its range"
        )
    kind = how.kind or sound.kind
    steps = [
        *sound.steps,
        f"measured in {kind}, {'as declared' if how.kind else 'as the file says'}"
        if kind != "unknown"
        else "kind of measurement not declared",
        *_normalisation_steps(found),
        f"energies shifted by {how.shift_ev:+g} eV" if how.shift_ev else "energies not shifted",
        f"cubic spline onto {grid_ev.size} points, {grid_ev[0]:.3f} to {grid_ev[-1]:.3f} eV",
    ]
    return Prepared(sound, found, mu, how.shift_ev, kind, tuple(steps), _flags(sound, found, kind, mu))


def _normalisation_steps(found: Normalised) -> list[str]:
    steps = [f"E0 {found.e0_ev:.2f} eV ({found.e0_rule})"]
    if found.ranges is None:
        return [*steps, f"{found.state} already: left as it is"]
    r = found.ranges
    return [
        *steps,
        f"pre-edge line {r.pre1:g} to {r.pre2:g} eV, post-edge of degree {r.degree} {r.norm1:g} to {r.norm2:g} eV from "
        f"E0, edge step {found.edge_step:.5g}, {'flattened' if found.flattened else 'not flattened'}",
    ]


def _flags(sound: Measured, found: Normalised, kind: Kind, mu: FloatArray) -> tuple[str, ...]:
    flags = []
    away = found.e0_ev - K_EDGE_EV[sound.element]
    if abs(away) > 15.0:
        flags.append(f"E0 is {away:+.1f} eV from the tabulated edge")
    if found.noise > NOISY:
        flags.append(f"noise {found.noise:.3f} of the edge step")
    if found.ranges is not None and kind == "transmission" and found.edge_step < SMALL_STEP:
        flags.append(f"edge step only {found.edge_step:.3g}")
    if kind == "fluorescence":
        flags.append("fluorescence: self-absorption is not corrected and lowers the white line")
    if kind == "HERFD":
        flags.append("HERFD: sharper than any simulation broadened by the core hole")
    if mu.min() < DIPS:
        flags.append(f"mu falls to {mu.min():.2f} edge steps before the edge: look at the pre-edge range")
    highest = float(mu.max())
    if highest > 3.5:
        flags.append(f"highest point {highest:.1f} edge steps")
    return tuple(flags)


def series_state(spectra: Sequence[Measured], how: Preparation) -> State | None:
    """What most spectra of a series were before, so that none is treated unlike its neighbours; None without a series.

    Spectra that cannot be used have no say.
    """
    found: list[State] = []
    for one in spectra:
        if np.isfinite(one.series):
            try:
                found.append(normalised_of(one, how)[1].state)
            except DataError:
                continue
    return Counter(found).most_common(1)[0][0] if found else None


def element_shift(
    references: Sequence[tuple[Measured, FloatArray]], how: Preparation, target_energy_ev: FloatArray
) -> ElementShift:
    """The shift of an element's scale from measured references and the simulated spectrum (m,) of each compound."""
    found: list[Alignment] = []
    for spectrum, target in references:
        sound, normal = normalised_of(spectrum, how)
        found.append(align(sound.energy_ev, normal.mu, target_energy_ev, target, name=sound.name))
    return ElementShift.of(found)


def prepared_set(prepared: Sequence[Prepared], grid_ev: FloatArray, steps: Sequence[str] = ()) -> SpectraSet:
    """Prepared spectra as a set like any other; column SERIES where they belong to one; every step, by name."""
    if not prepared:
        raise DataError("none of the spectra could be prepared")
    names = [one.measured.name for one in prepared]
    series = np.array([one.measured.series for one in prepared])
    table = pd.DataFrame(index=range(len(names)))
    if np.isfinite(series).any():
        table[SERIES] = series
    lines = [
        f"{one.measured.name}: {line}" for one in prepared for line in (*one.steps, *map("flag: {}".format, one.flags))
    ]
    return SpectraSet(
        energy_ev=grid_ev,
        mu=np.stack([one.mu for one in prepared]),
        descriptors=table,
        site_id=np.array(names),
        material_id=np.array(names),
        element=np.array([one.measured.element for one in prepared]),
        origin="measured",
        steps=(*steps, *lines),
    )
