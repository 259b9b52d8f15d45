"""A run again from its folder: the same set and settings, and how far the numbers are from those it stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import RunError
from engine.model.run import EventSink, Run
from engine.model.training import train


@dataclass(frozen=True)
class Reproduction:
    """For every score of the stored table, the largest difference over the members; 1 where one side lacks it."""

    members: int
    differences: dict[str, float]

    @property
    def largest(self) -> float:
        """The largest of all differences."""
        return max(self.differences.values(), default=0.0)


def reproduce(run: Run, folder: Path, *, on_event: EventSink | None = None) -> Reproduction:
    """Trains the run again in ``folder`` (which must be empty or not there) and compares the score tables.

    RunError when the run is not finished, its set is gone or has changed, or other seeds came to their end.
    """
    if not run.finished:
        raise RunError(f"{run.path}: has no weights and scores to compare with; train it to its end first")
    spectra, data = run.spectra(), run.data()
    places = [Path(path) for path in (data.get("path"), run.path / data["relative_path"]) if path is not None]
    set_path = next(path for path in places if path.is_file())
    again = train(spectra, set_path, run.config(), folder, on_event=on_event)
    before, after = run.scores(), again.scores()
    if before["seed"].tolist() != after["seed"].tolist():
        raise RunError(f"{run.path}: seeds {before['seed'].tolist()} were kept, now {after['seed'].tolist()}")
    differences = {}
    for name in before.columns.drop(["seed", "n", "best_epoch"], errors="ignore"):
        a, b = (table[name].to_numpy(np.float64) for table in (before, after))
        both = ~(np.isnan(a) & np.isnan(b))
        differences[str(name)] = float(np.nan_to_num(np.abs(a - b)[both], nan=1.0).max(initial=0.0))
    return Reproduction(len(before), differences)
