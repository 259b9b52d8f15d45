"""The page of benchmarks: numbers kept per commit, drawn in order of time, quick ones left out."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.benchmarks.numbers import keep, table
from tests.benchmarks.page import PARTS, PLOT, Part, plot, run_part


def kept(folder: Path, commit: str, time: str, quick: bool = False) -> None:
    parts = {"memory": {"peak memory": {"scaling": {"GB": 1.0}}}}
    content = {"commit": commit, "time": time, "quick": quick, "parts": parts}
    (folder / f"{commit}.json").write_text(json.dumps(content))


def test_commits_are_drawn_and_quick_ones_are_not(tmp_path: Path) -> None:
    assert plot(tmp_path) == 0
    kept(tmp_path, "b", "2026-02-01T00:00:00+00:00")
    kept(tmp_path, "a", "2026-03-01T00:00:00+00:00")
    kept(tmp_path, "c", "2026-04-01T00:00:00+00:00", quick=True)
    assert plot(tmp_path) == 2
    assert (tmp_path / PLOT).stat().st_size > 10_000


def test_what_is_not_known_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep({"t": {"row": {"a": 1.0, "b": math.nan}}}, tmp_path / "n.json")
    assert json.loads((tmp_path / "n.json").read_text()) == {"t": {"row": {"a": 1.0}}}
    table("title", {"one": {"a": 1.0}, "two": {"b": 2.0}})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "title"
    assert lines[3].split() == ["one", "1.000"]
    assert lines[4].endswith("2.000")


def test_a_benchmark_that_cannot_run_is_named_with_its_reason(tmp_path: Path) -> None:
    said, peak = run_part(Part("describe_cost", ("--sites", "many"), ()), False, tmp_path)
    assert "invalid int value: 'many'" in said
    assert peak > 0


def test_every_part_is_a_benchmark() -> None:
    folder = Path(__file__).parents[1] / "benchmarks"
    assert all((folder / f"{part.module}.py").is_file() for part in PARTS.values())
