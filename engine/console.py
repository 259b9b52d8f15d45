"""What every command of the ``rankaae`` command line shares: options and printing."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import ConfigError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of text.")]
Out = Annotated[Path, typer.Option("--out", help="Where to write.")]

Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", help="Work on the Dask cluster with this scheduler, such as tcp://host:8786."),
]


def print_text(text: str) -> None:
    """One line or several to stdout."""
    sys.stdout.write(text + "\n")


def print_json(content: Any) -> None:
    """JSON to stdout; a NaN is an error, not invalid JSON."""
    print_text(json.dumps(content, indent=1, allow_nan=False))


def parse_setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE with the value read as TOML, bare words as text."""
    name, found, value = text.partition("=")
    if not found:
        raise ConfigError(f"setting '{text}': need NAME=VALUE, such as epochs=200")
    try:
        return name.strip(), tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()
