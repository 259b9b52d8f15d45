"""Edge position, pre-edge and post-edge of a measured spectrum, by xraylarch.

Newville, J. Phys.: Conf. Ser. 430, 012007 (2013). What is normalised or flattened already is recognised and left
alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

from engine.errors import ConfigError, DataError
from engine.experiment.measured import FloatArray
from engine.spectra import K_EDGE_EV

State = Literal["raw", "normalised", "flattened"]
E0Rule = Literal["half height", "derivative", "tabulated", "chosen"]
E0_RULES: tuple[E0Rule, ...] = ("half height", "derivative", "tabulated")
# An edge this far from the tabulated one is another element's, another scale or a wrong guess.
E0_TOLERANCE_EV = 25.0
LEAST_PRE_EV, LEAST_POST_EV = 15.0, 30.0


@dataclass(frozen=True)
class Ranges:
    """Where pre-edge line and post-edge polynomial are fitted, in eV from E0, and the polynomial's degree.

    What is None follows xraylarch: the pre-edge from the second point to half-way to E0; the post-edge from 25 eV to
    the last point, of degree 2 over 300 eV and more, 1 over 30 eV and more, else 0.
    """

    pre1: float | None = None
    pre2: float | None = None
    norm1: float | None = None
    norm2: float | None = None
    degree: int | None = None

    def __post_init__(self) -> None:
        if self.degree is not None and not 0 <= self.degree <= 3:
            raise ConfigError(f"degree of the post-edge is {self.degree}; need 0 to 3")


@dataclass(frozen=True, eq=False)
class Normalised:
    """A spectrum on an edge step of 1.

    mu         (p,) no unit · e0_ev and the rule that found it · edge_step in the file's unit, 1 where nothing was done
    state      what the spectrum was before: "raw", "normalised" or "flattened"
    ranges     the fits used, all numbers given; None where nothing was fitted
    flattened  whether the curvature of the post-edge was taken out
    noise      standard deviation of the point-to-point noise of ``mu`` above the edge
    """

    mu: FloatArray
    e0_ev: float
    e0_rule: E0Rule
    edge_step: float
    state: State
    ranges: Ranges | None
    flattened: bool
    noise: float


def normalise(
    energy_ev: FloatArray,
    mu: FloatArray,
    element: str,
    *,
    e0_rule: E0Rule = "half height",
    e0_ev: float | None = None,
    ranges: Ranges | None = None,
    flatten: bool = False,
    state: State | None = None,
    name: str = "spectrum",
) -> Normalised:
    """A checked spectrum mu (p,) on energies (p,) normalised to its edge step at E0.

    E0 starts as the steepest point; "half height" then moves it to the last rise through half the edge step below the
    highest point within 30 eV and normalises again; "tabulated" takes the K edge of ``element``, and ``e0_ev``, where
    given, comes before any rule and is recorded as "chosen". What is normalised already, as ``state`` says or the
    numbers show, is left as it is unless ``ranges`` are given; only that can be done without xraylarch. Raises
    DataError when E0 lies more than 25 eV from the tabulated edge, too little lies before or behind it, or mu falls at
    the edge.
    """
    if e0_ev is not None:
        e0_rule = "chosen"
    elif e0_rule not in E0_RULES:
        raise ConfigError(f"E0 rule is '{e0_rule}'; need {', '.join(E0_RULES)}")
    larch = _larch()
    table = K_EDGE_EV[element]
    window = np.abs(energy_ev - table) <= 4 * E0_TOLERANCE_EV  # a glitch far from the edge is not an edge
    steepest = float("nan")
    if window.sum() > 16:
        find = larch.find_e0 if larch is not None else _steepest
        steepest = float(find(energy_ev[window], mu[window]))
    e0 = e0_ev if e0_ev is not None else table if e0_rule == "tabulated" else steepest
    if e0_ev is not None and not abs(e0 - table) <= E0_TOLERANCE_EV:
        raise ConfigError(f"E0 is {e0:g} eV; the {element} K edge is at {table:g} eV, need at most 25 eV from it")
    if not abs(e0 - table) <= E0_TOLERANCE_EV:
        raise DataError(
            f"{name}: the steepest rise is at {e0:.1f} eV; the {element} K edge is at {table:g} eV. Wrong element, or "
            "an energy scale to be shifted first"
        )
    if energy_ev[0] > e0 - LEAST_PRE_EV or energy_ev[-1] < e0 + LEAST_POST_EV:
        raise DataError(
            f"{name}: runs from {energy_ev[0] - e0:.0f} to {energy_ev[-1] - e0:+.0f} eV around the edge; need "
            f"{-LEAST_PRE_EV:.0f} to {LEAST_POST_EV:+.0f} eV to normalise"
        )
    state = state or _state(energy_ev, mu, e0)
    if state != "raw" and ranges is None:
        if e0_rule == "half height":
            e0 = _half_height(energy_ev, mu, e0, name)
        return Normalised(mu, e0, e0_rule, 1.0, state, None, state == "flattened", _noise(energy_ev, mu, e0))
    if larch is None:
        raise DataError(
            f"{name}: is not normalised yet, and xraylarch, which normalises, is not installed: pip install xraylarch"
        )
    group = _fit(larch, energy_ev, mu, e0, ranges or Ranges(), name)
    if e0_rule == "half height":
        e0 = _half_height(energy_ev, group.norm, e0, name)
        group = _fit(larch, energy_ev, mu, e0, ranges or Ranges(), name)
    details = group.pre_edge_details
    pre1, pre2, norm1, norm2 = (round(float(getattr(details, key)), 3) for key in ("pre1", "pre2", "norm1", "norm2"))
    used = Ranges(pre1, pre2, norm1, norm2, int(details.nnorm))
    out = np.asarray(group.flat if flatten else group.norm, dtype=np.float64)
    return Normalised(out, e0, e0_rule, float(group.edge_step), state, used, flatten, _noise(energy_ev, out, e0))


def _larch() -> ModuleType | None:
    """xraylarch's part for XAFS; None where it is not installed: what is normalised already needs no more than E0."""
    try:
        from larch import xafs  # seconds to import: only for whoever prepares measured spectra
    except ImportError:
        return None
    module: ModuleType = xafs
    return module


def _steepest(energy_ev: FloatArray, mu: FloatArray) -> float:
    """Energy of the steepest rise of mu (p,), its slope smoothed over five points."""
    slope = np.convolve(np.gradient(mu, energy_ev), np.full(5, 0.2), mode="valid")
    return float(energy_ev[2:-2][slope.argmax()])


def _fit(larch: ModuleType, energy_ev: FloatArray, mu: FloatArray, e0: float, ranges: Ranges, name: str) -> Any:
    """xraylarch's group after its pre_edge at a given E0."""
    from larch import Group

    group = Group(energy=energy_ev.copy(), mu=mu.copy())
    larch.pre_edge(
        group, e0=e0, pre1=ranges.pre1, pre2=ranges.pre2, norm1=ranges.norm1, norm2=ranges.norm2, nnorm=ranges.degree
    )
    details = group.pre_edge_details
    at = int(np.abs(energy_ev - e0).argmin())
    step = float(group.post_edge[at] - group.pre_edge[at])  # xraylarch gives its magnitude
    if not (np.isfinite(group.norm).all() and step > 1e-9 and details.pre2 < 0 < details.norm1):
        raise DataError(
            f"{name}: no edge step between the fits at {details.pre1:.0f} to {details.pre2:.0f} and {details.norm1:.0f}"
            f" to {details.norm2:.0f} eV from E0 ({step:.3g})"
        )
    return group


def _state(energy_ev: FloatArray, mu: FloatArray, e0: float) -> State:
    """Whether mu (p,) lies near 0 before the edge and near 1 behind it, and flat there."""
    x = energy_ev - e0
    before, behind = mu[x < -LEAST_PRE_EV], x > (30.0 if x[-1] > 60 else 0.5 * x[-1])
    if np.quantile(np.abs(before), 0.95) > 0.08 or abs(np.median(before)) > 0.025:
        return "raw"
    if not 0.85 < mu[behind].mean() < 1.15:
        return "raw"
    line = np.polyfit(x[behind], mu[behind], 1)
    drop = abs(line[0]) * np.ptp(x[behind])
    return "flattened" if drop < 0.02 and np.ptp(x[behind]) > 100.0 else "normalised"


def _half_height(energy_ev: FloatArray, norm: FloatArray, e0: float, name: str) -> float:
    """Energy of the last rise of a normalised spectrum through one half below its highest point within 30 eV of E0."""
    near = np.flatnonzero(np.abs(energy_ev - e0) <= 30.0)
    top = near[norm[near].argmax()]
    rises = np.flatnonzero((norm[near[0] : top] < 0.5) & (norm[near[0] + 1 : top + 1] >= 0.5)) + near[0]
    if rises.size == 0:
        raise DataError(f"{name}: mu does not rise through half the edge step near {e0:.1f} eV")
    at = rises[-1]
    share = (0.5 - norm[at]) / (norm[at + 1] - norm[at])
    return float(energy_ev[at] + share * (energy_ev[at + 1] - energy_ev[at]))


def _noise(energy_ev: FloatArray, mu: FloatArray, e0: float) -> float:
    """Noise (standard deviation) from how far points within 20 to 100 eV above E0 leave the line between neighbours."""
    at = np.flatnonzero((energy_ev > e0 + 20.0) & (energy_ev < e0 + 100.0))
    at = at[(at > 0) & (at < energy_ev.size - 1)]
    if at.size < 8:
        return float("nan")
    left, mid, right = energy_ev[at - 1], energy_ev[at], energy_ev[at + 1]
    share = (mid - left) / (right - left)
    deviation = mu[at] - (1 - share) * mu[at - 1] - share * mu[at + 1]
    scaled = deviation / np.sqrt(1 + share**2 + (1 - share) ** 2)
    return float(1.4826 * np.median(np.abs(scaled - np.median(scaled))))
