"""Run folders as the page needs them, read without torch: what the events add up to, and scores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from engine.model.run import Event, Run


class RunEvents:
    """Follows one run's events.jsonl, reading only what was added since the last look.

    epochs       the epoch events of the training as it stands: those that a resumed run repeats are replaced
    generation   grows whenever ``epochs`` lost entries, so that a drawing knows to start over
    start, end   the latest start event; the end event that came after it, or None
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "events.jsonl"
        self._offset = 0
        self.epochs: list[Event] = []
        self.generation = 0
        self.start: Event | None = None
        self.end: Event | None = None
        self.failed_seeds: dict[int, str] = {}

    def read(self) -> None:
        """Takes in every complete line that is new; a missing file and damaged lines are passed over."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                added = stream.read()
        except OSError:
            return
        complete = added[: added.rfind(b"\n") + 1]
        self._offset += len(complete)
        for line in complete.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                self._take(event)

    def _take(self, event: Event) -> None:
        kind = event.get("event")
        if kind == "start":
            kept = [epoch for epoch in self.epochs if epoch["epoch"] <= event.get("epoch", 0)]
            self.generation += len(kept) < len(self.epochs)
            self.epochs, self.start, self.end = kept, event, None
        elif kind == "epoch":
            self.epochs.append(event)
        elif kind == "seed_failed":
            self.failed_seeds[int(event["seed"])] = str(event["reason"])
        elif kind == "end":
            self.end = event

    def best_validation(self) -> float | None:
        """The best validation score of any seed so far."""
        values = [
            value
            for epoch in self.epochs
            for value in (epoch.get("validation") or {}).get("score", [])
            if value is not None
        ]
        return max(values, default=None)


@dataclass(frozen=True)
class MemberInfo:
    """One member of a finished run: its row in the scores, its seed, whether Eq. 2 prefers it, its scores by column."""

    index: int
    seed: int
    selected: bool
    scores: dict[str, float]


def read_members(run: Run) -> list[MemberInfo]:
    """The members of a finished run with their scores on the test part; RunError when the table cannot be read."""
    table, best = run.scores(), run.selected()
    rows = [{str(key): float(value) for key, value in row.items()} for row in table.to_dict("records")]
    return [MemberInfo(i, int(row["seed"]), i == best, row) for i, row in enumerate(rows)]
