"""What every command of the ``rankaae`` command line shares: options and printing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")]
Out = Annotated[Path, typer.Option("--out", help="Where to write.")]


def print_text(text: str) -> None:
    """One line or several to stdout."""
    sys.stdout.write(text + "\n")


def print_json(content: Any) -> None:
    """JSON to stdout; a NaN is an error, not invalid JSON."""
    print_text(json.dumps(content, indent=1, allow_nan=False))
