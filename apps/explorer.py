"""What ``panel serve apps/explorer.py`` runs: puts the repository before this folder on the path and shows the page."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
if sys.path[0] != ROOT:
    sys.path.insert(0, ROOT)

from explorer.app import build  # noqa: E402 (the path comes first: this file has the package's name)

build().servable()
