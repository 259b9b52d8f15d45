"""A real server with its own workspace, and the Chromium that looks at it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
)
TAB_CLOSED = re.compile(
    r"[^\n]*Task exception was never retrieved\nfuture[^\n]*WebSocketClosedError.*?\n"
    r"tornado\.\S*WebSocketClosedError\n|[^\n]*Failed sending message as connection was closed\n",
    re.S,
)
COMPLAINTS = ("Traceback", "ERROR", "WARNING", "Warning:", "Error:", "E-10", "W-10")


@dataclass
class Server:
    """A running ``panel serve apps/explorer.py`` with its own workspace."""

    url: str
    workspace: Path
    log: Path
    process: subprocess.Popen[bytes]

    def complaints(self) -> list[str]:
        """Lines of the log that say that something is wrong; a tab closed while it was written to is not."""
        text = TAB_CLOSED.sub("", self.log.read_text(encoding="utf-8"))
        return [line for line in text.splitlines() if any(word in line for word in COMPLAINTS)]

    def stop(self) -> None:
        """Ends the server as Ctrl-C would."""
        self.process.terminate()
        self.process.wait(20)


def launch(
    folder: Path,
    workspace: Path,
    real_data: Path | None = None,
    data: Path | None = None,
    options: tuple[str, ...] = (),
) -> Server:
    """Starts a server on a free port, which logs into ``folder``; what is not given is not found by it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "RANKAAE_WORKSPACE": str(workspace),
        "RANKAAE_REAL_DATA": str(real_data or folder / "nothing"),
        "RANKAAE_DATA": str(data or folder / "nothing"),
    }
    command = [sys.executable, "-m", "panel", "serve", "apps/explorer.py", "--port", str(port), *options]
    log = folder / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, "--address", "127.0.0.1"], cwd=REPOSITORY, env=environment, stdout=stream, stderr=stream
        )
    server = Server(f"http://127.0.0.1:{port}/explorer", workspace, log, process)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.1)
    if process.poll() is None:
        server.stop()
    raise AssertionError(f"the server did not start:\n{log.read_text(encoding='utf-8')}")
