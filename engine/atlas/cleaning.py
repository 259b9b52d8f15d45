"""From spectra as read to those worth mapping, step by step, each step with its rule and its count.

The steps are those of the perspective paper's map of the periodic table; where it leaves a rule open, the rule taken
here is in the docstring of its function and in the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.errors import ConfigError, DataError
from engine.io import StepTable
from engine.spectra import Ledger, RawSpectra, Refusal, resample, spectrum_problem
from engine.spectra.grid import EDGE_ROUNDING_EV, mu_problem
from engine.spectra.spectra_set import FloatArray, TextArray

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Scale = Literal["normalised", "absolute", "raw"]
Progress = Callable[[int, int, str], None]

# H to Sb without noble gases, in the order of the periodic table.
MAP_ELEMENTS = (
    "H", "Li", "Be", "B", "C", "N", "O", "F", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "K", "Ca", "Sc", "Ti", "V", "Cr",
    "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru",
    "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb",
)  # fmt: skip

# What an edge-normalised spectrum has before and after its edge, in units of the edge step.
LARGEST_FOOT = 0.3
LOWEST_FOOT = -0.05
POST_EDGE = (0.7, 1.4)
COMMON_SCALE_SHARE = 0.25
PROJECTIONS = 8


@dataclass(frozen=True)
class CleaningRules:
    """What a map takes and what it leaves out.

    width_ev, points   the grid of every element, from that element's lowest first energy
    largest_offset_ev  a spectrum may begin this far from the median first energy of its element
    absolute           what becomes of spectra on an absolute scale: "drop", or "divide" by their post-edge level
    elements           those to take; None takes H to Sb without noble gases
    least_count        elements with fewer spectra after the choice of elements are left out
    near               near duplicates differ by no more than this anywhere; 0 keeps them
    near_elements      elements whose near duplicates go; None means all
    sigma              outliers lie beyond so many standard deviations of their element; 0 keeps them
    fraction, seed     share of the spectra drawn in the end, stratified by element, and the seed of the draw
    """

    width_ev: float = 35.0
    points: int = 200
    largest_offset_ev: float = 10.0
    absolute: Literal["drop", "divide"] = "drop"
    elements: tuple[str, ...] | None = None
    least_count: int = 10
    near: float = 0.005
    near_elements: tuple[str, ...] | None = None
    sigma: float = 3.0
    fraction: float = 1.0
    seed: int = 1579

    def __post_init__(self) -> None:
        if not (np.isfinite(self.width_ev) and self.width_ev > 0 and 16 <= self.points <= 10_000):
            raise ConfigError(
                f"grid of {self.points} points over {self.width_ev} eV; need 16 to 10000 over more than 0"
            )
        if self.absolute not in ("drop", "divide"):
            raise ConfigError(f"absolute is '{self.absolute}'; need drop or divide")
        if not 0 < self.fraction <= 1:
            raise ConfigError(f"fraction is {self.fraction}; need more than 0, at most 1")
        for name in ("largest_offset_ev", "near", "sigma", "least_count", "seed"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} is {value}; need a number from 0")

    @property
    def relative_ev(self) -> FloatArray:
        """Energies (points,) in eV above an element's first."""
        return np.linspace(0.0, self.width_ev, self.points)


@dataclass(frozen=True)
class CleaningStep:
    """One step: ``rule`` in words, spectra before and after, why the others went, kept ones by element, notes."""

    name: str
    rule: str
    before: int
    after: int
    refused: tuple[Refusal, ...] = ()
    kept: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CleaningReport:
    """The account of a cleaning: each step begins with what the one before it kept."""

    source: str
    steps: tuple[CleaningStep, ...]

    def to_json(self) -> dict[str, object]:
        """A JSON-ready dict."""
        steps = [
            {
                "name": step.name,
                "rule": step.rule,
                "before": step.before,
                "after": step.after,
                "refused": {refusal.reason: refusal.count for refusal in step.refused},
                "kept": step.kept,
                "notes": list(step.notes),
            }
            for step in self.steps
        ]
        return {"source": self.source, "steps": steps}

    def lines(self) -> list[str]:
        """The account as lines for people."""
        lines = [f"{self.source}: read {self.steps[0].before}, kept {self.steps[-1].after}"]
        for step in self.steps:
            lines.append(f"{step.name:18} {step.before:>8} → {step.after:<8} {step.rule}")
            for refusal in step.refused:
                sites = ", ".join(f"{site} ({detail})" if detail else site for site, detail in refusal.examples[:2])
                lines.append(f"    {refusal.count} left out: {refusal.reason}, such as {sites}")
            lines.extend(f"    {note}" for note in step.notes)
        return lines


@dataclass(frozen=True, eq=False)
class Cleaned:
    """What cleaning kept: the spectra, their ``rows`` (n,) in what was read, and the account."""

    table: StepTable
    rows: Rows
    report: CleaningReport


def clean(raw: RawSpectra, rules: CleaningRules | None = None, progress: Progress | None = None) -> Cleaned:
    """The spectra of ``raw`` that are worth mapping, on one relative grid, with the account of every step.

    Order: energy grid, scale, elements, exact duplicates, near duplicates, outliers, sample. Spectra keep their order.
    Raises DataError when nothing is left.
    """
    rules = rules or CleaningRules()
    work = _Work(raw, rules, progress)
    for step in (
        work.grid, work.scale, work.elements, work.exact_duplicates, work.near_duplicates, work.outliers, work.sample
    ):  # fmt: skip
        step()
        if work.rows.size == 0:
            lines = " ".join(CleaningReport(raw.source, tuple(work.steps)).lines())
            raise DataError(f"{raw.source}: no spectrum is left after the step '{work.steps[-1].name}': {lines}")
    rows = work.rows
    sites = pd.DataFrame(
        {name: [getattr(raw, name)[row] for row in rows] for name in ("site_id", "material_id", "element")}
    )
    present = set(sites["element"])
    table = StepTable(
        sites=sites,
        descriptors=raw.descriptors.iloc[rows].astype(np.float64).reset_index(drop=True),
        mu=work.mu,
        relative_ev=rules.relative_ev,
        start_ev={symbol: start for symbol, start in work.start_ev.items() if symbol in present},
        origin=raw.origin,
    )
    return Cleaned(table, rows, CleaningReport(raw.source, tuple(work.steps)))


class _Work:
    """The spectra that are left while the steps go: ``rows`` (n,) of what was read, ``mu`` (n, points), elements."""

    def __init__(self, raw: RawSpectra, rules: CleaningRules, progress: Progress | None) -> None:
        self.raw, self.rules, self.progress = raw, rules, progress
        self.rows: Rows = np.arange(len(raw))
        self.element: TextArray = np.array(raw.element, dtype=np.str_)
        self.mu: npt.NDArray[np.float32] = np.empty((0, rules.points), dtype=np.float32)
        self.start_ev: dict[str, float] = {}
        self.steps: list[CleaningStep] = []

    def grid(self) -> None:
        rules, ledger = self.rules, Ledger()
        rows, mu, self.start_ev, held = on_standard_grid(self.raw, rules, ledger)
        before = len(self.raw)
        self.rows, self.mu, self.element = rows, mu, self.element[rows]
        notes = list(self.raw.ledger.warnings)
        if (held > 0).any():
            notes.append(
                f"{int((held > 0).sum())} spectra begin above their element's start, by up to {held.max():.2f} eV: "
                "their first value is held below"
            )
        rule = (
            f"{rules.points} points over {rules.width_ev:g} eV from each element's lowest first energy, cubic spline; "
            f"begins within {rules.largest_offset_ev:g} eV of its element's median"
        )
        self._record("energy grid", rule, before, ledger, notes)

    def scale(self) -> None:
        ledger, notes = Ledger(), []
        scale, common = detect_scale(self.mu, self.rules.relative_ev, self.element)
        if common:
            notes.append(
                "at least a quarter of the elements end away from 1: all spectra are taken to share one absolute scale"
            )
        keep = scale == "normalised"
        if self.rules.absolute == "divide":
            absolute = scale == "absolute"
            self.mu[absolute] /= post_edge_level(self.mu[absolute], self.rules.relative_ev)[:, None]
            keep |= absolute
            notes.append(f"{int(absolute.sum())} spectra on an absolute scale were divided by their post-edge level")
        reasons = {"absolute": "absolute scale, not edge-normalised", "raw": "raw: the background is not removed"}
        for row in np.flatnonzero(~keep):
            ledger.refuse(reasons[str(scale[row])], self._site(row))
        rule = (
            f"foot (first 1 eV) from {LOWEST_FOOT:g} to {LARGEST_FOOT:g} of the post-edge level (last fifth), which is "
            f"{POST_EDGE[0]:g} to {POST_EDGE[1]:g}"
        )
        self._keep(keep, "normalised", rule, ledger, notes)

    def elements(self) -> None:
        wanted = self.rules.elements or MAP_ELEMENTS
        ledger = Ledger()
        counts = Counter(self.element.tolist())
        keep = np.ones(self.rows.size, dtype=np.bool_)
        for row, symbol in enumerate(self.element.tolist()):
            if symbol not in wanted:
                ledger.refuse("element not chosen", self._site(row), symbol)
            elif counts[symbol] < self.rules.least_count:
                ledger.refuse("too few spectra of the element", self._site(row), f"{counts[symbol]} of {symbol}")
            else:
                continue
            keep[row] = False
        chosen = ", ".join(self.rules.elements) if self.rules.elements else "H to Sb without noble gases"
        self._keep(keep, "elements", f"{chosen}; at least {self.rules.least_count} spectra each", ledger)

    def exact_duplicates(self) -> None:
        keep = self._by_element(first_of_equal)
        self._keep(keep, "exact duplicates", "the first of equal spectra of an element stays")

    def near_duplicates(self) -> None:
        near, chosen = self.rules.near, self.rules.near_elements
        keep = self._by_element(lambda mu: first_of_near(mu, near), chosen) if near else self._all()
        of = ", ".join(chosen) if chosen else "an element"
        self._keep(keep, "near duplicates", f"of spectra of {of} within {near:g} at every point, the first stays")

    def outliers(self) -> None:
        sigma = self.rules.sigma
        keep = self._by_element(lambda mu: ~is_outlier(mu, sigma)) if sigma else self._all()
        rule = (
            f"largest distance at any of the {self.rules.points} points from the element's mean spectrum, at most "
            f"{sigma:g} times its root mean square over the element"
        )
        self._keep(keep, "outliers", rule)

    def sample(self) -> None:
        keep = stratified(self.element, self.rules.fraction, self.rules.seed)
        self._keep(keep, "sample", f"{self.rules.fraction:g} of each element, drawn with seed {self.rules.seed}")

    def _all(self) -> Mask:
        return np.ones(self.rows.size, dtype=np.bool_)

    def _by_element(self, rule: Callable[[FloatArray], Mask], chosen: Sequence[str] | None = None) -> Mask:
        """(n,) a mask of ``rule``, applied to each element alone, to all or the ``chosen``."""
        keep = self._all()
        for symbol in np.unique(self.element):
            if chosen is None or symbol in chosen:
                of = np.flatnonzero(self.element == symbol)
                keep[of] = rule(self.mu[of])
        return keep

    def _site(self, row: np.intp | int) -> str:
        return str(self.raw.site_id[self.rows[row]])

    def _keep(self, keep: Mask, name: str, rule: str, ledger: Ledger | None = None, notes: Sequence[str] = ()) -> None:
        if ledger is None:
            ledger = Ledger()
            for row in np.flatnonzero(~keep):
                ledger.refuse(name, self._site(row), str(self.element[row]))
        before = self.rows.size
        if not keep.all():
            self.rows, self.mu, self.element = self.rows[keep], self.mu[keep], self.element[keep]
        self._record(name, rule, before, ledger, notes)

    def _record(self, name: str, rule: str, before: int, ledger: Ledger, notes: Sequence[str]) -> None:
        symbols, counts = np.unique(self.element, return_counts=True)
        kept = {str(symbol): int(count) for symbol, count in zip(symbols, counts, strict=True)}
        self.steps.append(CleaningStep(name, rule, before, self.rows.size, ledger.refused, kept, tuple(notes)))
        if self.progress is not None:
            self.progress(len(self.steps), 7, name)


def on_standard_grid(
    raw: RawSpectra, rules: CleaningRules, ledger: Ledger
) -> tuple[Rows, npt.NDArray[np.float32], dict[str, float], FloatArray]:
    """Rows (n,) of sound spectra, mu (n, points) on the grid of their element, its start by element, and held eV (n,).

    A spectrum that begins above its element's start has its first value held below, as the writers of published sets
    do; how far is given as held. Refused in the ledger: what ``spectrum_problem`` finds, a site id that repeats within
    an element, a first energy far from the median of the element's, and energies that end before the grid does.
    """
    groups: dict[tuple[int, str], list[int]] = {}
    seen: set[tuple[str, str]] = set()
    for row, element in enumerate(raw.element):
        name = (element, raw.site_id[row])
        if name in seen:
            ledger.refuse("site id repeats", raw.site_id[row], "the first one is kept")
            continue
        seen.add(name)
        groups.setdefault((id(raw.energy_ev[row]), element), []).append(row)
    sound: dict[tuple[int, str], list[int]] = {}
    for key, rows in groups.items():
        for row in rows:
            energy, values = raw.energy_ev[row], raw.mu[row]
            fine = key in sound and energy.shape == values.shape
            problem = mu_problem(energy, values) if fine else spectrum_problem(energy, values, key[1])
            if problem is None:
                sound.setdefault(key, []).append(row)
            else:
                ledger.refuse(problem[0], raw.site_id[row], problem[1])
    starts = _starts(raw, sound, rules, ledger)
    return _interpolated(raw, sound, starts, rules, ledger)


def _starts(
    raw: RawSpectra, sound: dict[tuple[int, str], list[int]], rules: CleaningRules, ledger: Ledger
) -> dict[str, float]:
    """The lowest first energy by element; groups of ``sound`` that begin far from their element's median go."""
    first = {key: float(raw.energy_ev[rows[0]][0]) for key, rows in sound.items()}
    starts: dict[str, float] = {}
    for element in sorted({key[1] for key in sound}):
        keys = [key for key in sound if key[1] == element]
        median = float(np.median(np.repeat([first[key] for key in keys], [len(sound[key]) for key in keys])))
        for key in keys:
            if abs(first[key] - median) <= rules.largest_offset_ev:
                starts[element] = min(first[key], starts.get(element, np.inf))
                continue
            for row in sound.pop(key):
                detail = f"{first[key]:.2f} eV; {element} begins at {median:.2f} eV"
                ledger.refuse("begins far from its element's spectra", raw.site_id[row], detail)
    return starts


def _interpolated(
    raw: RawSpectra,
    sound: dict[tuple[int, str], list[int]],
    starts: dict[str, float],
    rules: CleaningRules,
    ledger: Ledger,
) -> tuple[Rows, npt.NDArray[np.float32], dict[str, float], FloatArray]:
    taken: list[int] = []
    parts: list[FloatArray] = []
    held: list[FloatArray] = []
    for (_, element), rows in sound.items():
        energy, grid = raw.energy_ev[rows[0]], starts[element] + rules.relative_ev
        if energy[-1] < grid[-1] - EDGE_ROUNDING_EV:
            for row in rows:
                detail = f"at {energy[-1]:.2f} eV; the grid of {element} ends at {grid[-1]:.2f} eV"
                ledger.refuse("ends before the grid does", raw.site_id[row], detail)
            continue
        values = np.stack([raw.mu[row] for row in rows])
        parts.append(resample(energy, values, np.maximum(grid, energy[0])).astype(np.float32))
        held.append(np.full(len(rows), max(0.0, float(energy[0]) - starts[element])))
        taken.extend(rows)
    if not taken:
        return np.empty(0, np.intp), np.empty((0, rules.points), np.float32), starts, np.empty(0)
    order = np.argsort(taken)
    mu = np.concatenate(parts)[order]
    return np.array(taken, dtype=np.intp)[order], np.asarray(mu, dtype=np.float32), starts, np.concatenate(held)[order]


def post_edge_level(mu: FloatArray, relative_ev: FloatArray) -> FloatArray:
    """Mean (n,) of mu (n, m) over the last fifth of the grid."""
    return np.asarray(mu[:, relative_ev >= 0.8 * relative_ev[-1]].mean(axis=1))


def detect_scale(mu: FloatArray, relative_ev: FloatArray, element: TextArray) -> tuple[TextArray, bool]:
    """(n,) "normalised", "absolute" or "raw" for spectra mu (n, m), and whether all share one absolute scale.

    With foot, the mean over the first 1 eV, and level, the mean over the last fifth: raw when the foot is outside
    -0.05 to 0.3 of the level or the level is not above 0, so that a background is left; else absolute when the level
    is outside 0.7 to 1.4, so that only a factor is missing; else normalised. Spectra on one absolute scale may end near
    1 by chance: where at least a quarter of the elements have a median level outside that range, all that are not raw
    are absolute.
    """
    foot, level = mu[:, relative_ev <= 1.0].mean(axis=1), post_edge_level(mu, relative_ev)
    raw = (level <= 0) | (foot > LARGEST_FOOT * level) | (foot < LOWEST_FOOT * level)
    away = (level < POST_EDGE[0]) | (level > POST_EDGE[1])
    medians = np.array([np.median(level[(element == e) & ~raw]) for e in np.unique(element[~raw])])
    off = (medians < POST_EDGE[0]) | (medians > POST_EDGE[1])
    common = bool(off.size and off.mean() >= COMMON_SCALE_SHARE)
    return np.where(raw, "raw", np.where(away | common, "absolute", "normalised")), common


def first_of_equal(mu: FloatArray) -> Mask:
    """(n,) whether a spectrum of mu (n, m) is the first with its values; found by hashing."""
    seen: set[bytes] = set()
    keep = np.ones(len(mu), dtype=np.bool_)
    for row, values in enumerate(np.ascontiguousarray(mu) + 0.0):  # one zero
        key = values.tobytes()
        keep[row] = key not in seen
        seen.add(key)
    return keep


def first_of_near(mu: FloatArray, radius: float) -> Mask:
    """(n,) which of mu (n, m) stay when, in their order, each goes that is within ``radius`` of one that stays.

    Within means: at every point. A tree over few projections finds the candidates: with weights w whose absolute values
    sum to 1, spectra within the radius have w·mu within the radius, so that none is missed; candidates are compared at
    every point. The projections are the leading principal components, which spread spectra most.
    """
    from scipy.spatial import cKDTree

    keep = np.ones(len(mu), dtype=np.bool_)
    if len(mu) < 2:
        return keep
    values = np.asarray(mu, dtype=np.float64)
    centred = values - values.mean(axis=0)
    weights = np.linalg.eigh(centred.T @ centred)[1][:, -PROJECTIONS:]
    projected = centred @ (weights / np.abs(weights).sum(axis=0))
    tree, reach = cKDTree(projected), radius * (1 + 1e-9) + 1e-12
    for row in range(len(values)):
        if not keep[row]:
            continue
        found = np.asarray(tree.query_ball_point(projected[row], reach, p=np.inf), dtype=np.intp)
        later = found[(found > row) & keep[found]]
        if later.size:
            keep[later[np.abs(values[later] - values[row]).max(axis=1) <= radius]] = False
    return keep


def is_outlier(mu: FloatArray, sigma: float) -> Mask:
    """(n,) whether spectra mu (n, m) of one element lie beyond ``sigma`` standard deviations of their mean spectrum.

    A spectrum's distance is the largest absolute difference from the mean spectrum at any of the m points, which sees a
    spike as well as a shifted edge; the standard deviation is the root mean square of these distances. No more than
    1/sigma² of an element can go, whatever its spectra are. One pass: the mean is not taken again without them.

    Of 8,993 calculated spectra of six metals 16 go; asking that no point lies beyond 3 of its own standard deviations
    instead would take 7 to 25 % of each element.
    """
    if len(mu) == 0:
        return np.zeros(0, dtype=np.bool_)
    values = np.asarray(mu, dtype=np.float64)
    distance = np.abs(values - values.mean(axis=0)).max(axis=1)
    return np.asarray(distance > sigma * np.sqrt((distance**2).mean()), dtype=np.bool_)


def stratified(element: TextArray, fraction: float, seed: int) -> Mask:
    """(n,) a draw of ``fraction`` of the spectra of each element, rounded up, so that each keeps at least one.

    What is drawn of an element follows from the seed and that element's spectra alone.
    """
    keep = np.zeros(element.size, dtype=np.bool_)
    for symbol in np.unique(element):
        rows = np.flatnonzero(element == symbol)
        generator = np.random.default_rng([seed, *str(symbol).encode()])
        keep[generator.permutation(rows)[: int(np.ceil(round(fraction * rows.size, 9)))]] = True
    return keep
