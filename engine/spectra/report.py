"""What an import read, kept and refused, and why: every spectrum that was read is accounted for."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.errors import DataError

EXAMPLES_KEPT = 5


@dataclass(frozen=True)
class Refusal:
    """``count`` spectra refused for one ``reason``; ``examples`` are up to five (site id, detail) pairs."""

    reason: str
    count: int
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ImportReport:
    """The account of one import: ``n_read == n_kept + sum of refused counts``, always.

    source    the file or folder, by name
    format    which reader took it
    refused   one entry per reason, most frequent first
    warnings  what a reader of the set should know, one line each
    grid      start_ev, end_ev, points, step_ev (largest step) and whether spectra were interpolated
    """

    source: str
    format: str
    n_read: int
    n_kept: int
    refused: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    grid: dict[str, float | int | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lost = self.n_read - self.n_kept - sum(refusal.count for refusal in self.refused)
        if lost:
            raise DataError(f"{self.source}: {lost} of {self.n_read} spectra are neither kept nor refused")

    def to_json(self) -> dict[str, object]:
        """A JSON-ready dict."""
        return {
            "source": self.source,
            "format": self.format,
            "n_read": self.n_read,
            "n_kept": self.n_kept,
            "refused": [
                {
                    "reason": refusal.reason,
                    "count": refusal.count,
                    "examples": [{"site_id": site, "detail": detail} for site, detail in refusal.examples],
                }
                for refusal in self.refused
            ],
            "warnings": list(self.warnings),
            "grid": dict(self.grid),
        }

    def lines(self) -> list[str]:
        """The account as lines for people."""
        lines = [f"{self.source} ({self.format}): read {self.n_read}, kept {self.n_kept}"]
        for refusal in self.refused:
            lines.append(f"refused {refusal.count}: {refusal.reason}")
            lines.extend(f"  {site}: {detail}" if detail else f"  {site}" for site, detail in refusal.examples)
        if self.grid:
            how = "interpolated by cubic spline onto" if self.grid.get("interpolated") else "as stored on"
            start, end, points = (self.grid[key] for key in ("start_ev", "end_ev", "points"))
            lines.append(f"grid: {how} {points} points from {start:.3f} to {end:.3f} eV")
        lines.extend(f"note: {warning}" for warning in self.warnings)
        return lines


class Ledger:
    """Collects refusals and warnings while an import runs; ``report`` closes the account."""

    def __init__(self) -> None:
        self._refused: dict[str, list[tuple[str, str]]] = {}
        self._counts: dict[str, int] = {}
        self.warnings: list[str] = []

    def refuse(self, reason: str, site_id: str, detail: str = "") -> None:
        """One spectrum is left out for ``reason``."""
        self._counts[reason] = self._counts.get(reason, 0) + 1
        examples = self._refused.setdefault(reason, [])
        if len(examples) < EXAMPLES_KEPT:
            examples.append((site_id, detail))

    def warn(self, line: str) -> None:
        """Something a reader of the set should know; said once."""
        if line not in self.warnings:
            self.warnings.append(line)

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """Refusals so far, most frequent first."""
        order = sorted(self._counts, key=lambda reason: (-self._counts[reason], reason))
        return tuple(Refusal(reason, self._counts[reason], tuple(self._refused[reason])) for reason in order)

    @property
    def n_refused(self) -> int:
        """How many spectra were refused so far."""
        return sum(self._counts.values())

    def none_left(self, source: str, n_read: int) -> DataError:
        """The error for an import that kept nothing: the reasons, with one example each."""
        reasons = "; ".join(
            f"{refusal.reason} ({refusal.count}, e.g. {': '.join(filter(None, refusal.examples[0]))})"
            for refusal in self.refused
        )
        return DataError(f"{source}: none of {n_read} spectra can be kept: {reasons or 'there are none'}")

    def report(
        self, source: str, kind: str, n_read: int, n_kept: int, grid: dict[str, float | int | bool]
    ) -> ImportReport:
        """The closed account; a DataError when the numbers do not add up."""
        return ImportReport(source, kind, n_read, n_kept, self.refused, tuple(self.warnings), grid)
