"""Measured spectra as the page works with them: what the user corrects, what was predicted, who works it out.

Free of torch: ``measuring`` opens models, and app.py hands it to the parts as a ``Laboratory``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd

import engine
from engine.errors import ConfigError
from engine.experiment.intake import Intake
from engine.experiment.measured import FloatArray
from engine.experiment.mixtures import SeriesMap
from engine.experiment.normalising import E0_RULES, E0Rule, Ranges, State
from engine.experiment.prediction import AVERAGE, MAPPED, Prediction, prediction_table
from engine.experiment.preparing import Preparation, prepared_set
from engine.experiment.reading import check_kind
from engine.experiment.series import finite_number

T = TypeVar("T")
COVERAGE = 0.9


@dataclass(frozen=True)
class Corrections:
    """What the user said where a guess is wrong, as it was typed; "" leaves it to the program.

    element, kind, state  see ``Preparation`` · e0  a rule or an energy in eV
    pre, post   "FROM,TO" in eV from E0 · shift_ev  a number, added to energies
    reference, material  name of a dropped file, and the material or site of the training set that it is a spectrum of
    series      None takes what files hold, "" looks in names, else values, see ``given_series``
    """

    element: str = ""
    kind: str = ""
    state: str = ""
    e0: str = E0_RULES[0]
    pre: str = ""
    post: str = ""
    shift_ev: str = ""
    reference: str = ""
    material: str = ""
    series: str | None = None

    def preparation(self, element: str) -> Preparation:
        """How to prepare spectra of ``element`` ("" where it is not known); ConfigError names what cannot be read."""
        rules: dict[str, E0Rule] = {rule: rule for rule in E0_RULES}
        states: dict[str, State] = {"raw": "raw", "normalised": "normalised"}
        pre, post = _range(self.pre, "pre-edge"), _range(self.post, "post-edge")
        return Preparation(
            self.element or element,
            e0_rule=rules.get(self.e0, E0_RULES[0]),
            e0_ev=None if self.e0 in rules else _number(self.e0, "E0", f"{', '.join(E0_RULES)} or an energy in eV"),
            ranges=Ranges(*(pre or (None, None)), *(post or (None, None))) if pre or post else None,
            shift_ev=_number(self.shift_ev or "0", "the shift", "a number of eV such as -2.9"),
            kind=check_kind(self.kind) if self.kind else None,
            state=states.get(self.state),
        )


def _number(text: str, what: str, need: str) -> float:
    value = finite_number(text)
    if value is None:
        raise ConfigError(f"{what} is '{text}'; need {need}")
    return value


def _range(text: str, what: str) -> tuple[float, float] | None:
    if not text.strip():
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"the {what} range is '{text}'; need two numbers such as -150,-30, in eV from E0") from None
    if not low < high:
        raise ConfigError(f"the {what} range is '{text}'; the first number must be below the second")
    return low, high


@dataclass(frozen=True, eq=False)
class Chosen:
    """The measured spectrum that is looked at: mu (m,) on energies (m,) in eV."""

    name: str
    energy_ev: FloatArray
    mu: FloatArray


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions for n spectra by one member.

    per_ev   (n, d) change of each prediction per eV of shift
    covered  by descriptor, the share of the run's test sites that intervals hold, and of how many
    materials  how many validation materials the intervals are calibrated on
    """

    prediction: Prediction
    per_ev: FloatArray
    covered: dict[str, tuple[float, int]]
    materials: int


class Laboratory(Protocol):
    """Works on measured spectra beside the page's events; see ``explorer.measuring``."""

    def predict(self, folder: Path, member: int, mu: FloatArray) -> Predicted: ...
    def map_series(
        self, folder: Path, mu: FloatArray, energy_ev: FloatArray, components: int, sites: Sequence[str]
    ) -> SeriesMap: ...
    def beside(self, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None: ...


def export_csv(
    run: str, seed: int, set_hash: str, intake: Intake, grid_ev: FloatArray, found: Predicted, mapped: Predicted | None
) -> str:
    """Predictions as CSV, one row per spectrum, before and after mapping, below an account of where they come from."""
    spectra = prepared_set(intake.prepared, grid_ev)
    table = prediction_table(spectra, found.prediction, found.per_ev)
    if mapped is not None:
        after = prediction_table(spectra, mapped.prediction, mapped.per_ev)
        own = [column for column in after if column not in ("name", "SERIES")]
        table = pd.concat([table, after[own].add_prefix("mapped ")], axis=1)
    audits = [one.audit() for one in intake.prepared]
    for name in ("e0_ev", "e0_rule", "state", "kind", "edge_step", "shift_ev"):
        table[name] = [audit[name] for audit in audits]
    table["flags"] = ["; ".join(one.flags) for one in intake.prepared]
    lines = [
        f"run {run}, seed {seed}, set {set_hash}; program {engine.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"intervals: {COVERAGE:g} of new materials, calibrated on {found.materials} validation materials",
        AVERAGE,
        *([MAPPED] if mapped is not None else []),
        *(put_right.line for put_right in found.prediction.standards.values()),
        *intake.notes,
        *(f"refused: {reason}" for reason in intake.refused),
        *(f"{one.measured.name}: {step}" for one in intake.prepared for step in one.steps),
    ]
    head = "".join(f"# {' '.join(line.split())}\n" for line in lines)
    return head + str(table.to_csv(index=False, float_format="%.6g"))


def series_of(intake: Intake) -> FloatArray:
    """What orders the prepared spectra (n,), NaN where nothing does."""
    return np.array([one.measured.series for one in intake.prepared])
