"""Progress of a command on the terminal."""

from __future__ import annotations

from typing import Any


class Progress:
    """A bar on stderr for ``progress(done, total, note)`` callbacks, shown only on a terminal."""

    def __init__(self, label: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        columns = (
            TextColumn(label),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bar = Bar(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._bar.add_task(label, total=None, note="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        self._bar.update(self._task, completed=done, total=total, note=note)

    def follow(self, event: dict[str, Any]) -> None:
        """Moves with the epochs of a training, by its events."""
        if event["event"] == "epoch":
            self(event["epoch"], event["epochs"])
        elif event["event"] == "seed":
            self(event["done"], event["of"], "seeds")
