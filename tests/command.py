"""The `rankaae` command as its users start it: a process of its own."""

from __future__ import annotations

import subprocess
import sys


def rankaae(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs the command; it must end with ``code`` and never with a traceback."""
    command = [sys.executable, "-m", "engine.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done
