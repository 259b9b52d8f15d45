"""The README's examples, run as they stand: every `rankaae` line in order, then the Python block, in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from engine.io import read_set
from tests.conftest import REPOSITORY

BLOCK = re.compile(r"```(bash|python)\n(.*?)```", re.DOTALL)


@pytest.mark.real
@pytest.mark.slow
def test_readme_examples_run(real_data: Path, tmp_path: Path) -> None:
    blocks = BLOCK.findall((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    commands = [line for kind, text in blocks if kind == "bash" for line in text.splitlines() if line[:8] == "rankaae "]
    programs = [text for kind, text in blocks if kind == "python"]
    assert len(commands) >= 8
    assert len(programs) == 1
    with zipfile.ZipFile(real_data / "cu_feff" / "feff_folders_sample.zip") as archive:
        archive.extractall(tmp_path / "feff_runs")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    for command in commands:
        if "mine.csv" in command:
            ids = read_set(tmp_path / "cu.parquet").site_id
            pd.DataFrame({"site_id": ids, "MINE": range(len(ids))}).to_csv(tmp_path / "mine.csv", index=False)
        if "other_set" in command:
            (tmp_path / "other_set.parquet").write_bytes((tmp_path / "more.parquet").read_bytes())
        words = command.replace("rankaae ", "", 1).split("#")[0].replace('"', "").split()
        subprocess.run([sys.executable, "-m", "engine.cli", *words], cwd=tmp_path, env=environment, check=True)
    subprocess.run([sys.executable, "-c", programs[0]], cwd=tmp_path, env=environment, check=True)
