"""Shared fixtures: where the real data is, and thread limits so that parallel tests do not fight for cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; tests that need it are skipped with one line where it is absent."""
    folder = Path(os.environ.get("RANKAAE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "cu_feff").is_dir():
        pytest.skip(f"real data not found in {folder} (set RANKAAE_REAL_DATA)")
    return folder
