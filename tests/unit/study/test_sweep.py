"""A sweep on the made-up set, whose free axis has one descriptor to find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.io import write_set
from engine.model.config import make_config
from engine.model.run import Run
from engine.study.suggest import suggest
from engine.study.sweep import Step, sweep
from tests.command import rankaae
from tests.synthetic import make_set

SMALL = {"seeds": (0, 1), "epochs": 60, "hidden": 64}


@pytest.mark.slow
def test_what_explains_the_free_axis_is_added_until_nothing_is_left(tmp_path: Path) -> None:
    spectra = make_set(600, 32)
    path = tmp_path / "set.parquet"
    write_set(spectra, path)
    told: list[Step] = []
    config = make_config("default", descriptors=("OS",), **SMALL)
    found = sweep(spectra, path, config, tmp_path / "sweep", report=told.append)
    assert [step.change for step in found.steps[:2]] == ["OS", "+ CN"]
    first, second = found.steps[:2]
    assert second.free.median < 0.7 * first.free.median
    assert found.control.descriptors == (*found.steps[-1].descriptors, "NOISE")
    assert found.control.srcc["NOISE"].median < 2 * found.chance
    assert told == [*found.steps, found.control]
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text()) == json.loads(json.dumps(found.to_json()))
    with pytest.raises(ConfigError, match="uses every descriptor"):
        suggest(Run(tmp_path / "sweep" / found.control.run))
    again: list[Step] = []
    assert sweep(spectra, path, config, tmp_path / "sweep", report=again.append) == found
    assert again == told


def test_the_command_swaps(tmp_path: Path) -> None:
    spectra = make_set(400, 40)
    junk = spectra.descriptors["WAVE"].sample(frac=1, random_state=1).to_numpy()
    spectra.descriptors["JUNK"] = junk
    write_set(spectra, tmp_path / "set.parquet")
    settings = ("--seeds", 1, "--set", "epochs=25", "--set", "hidden=32", "--most", 1, "--threads", 1)
    given = ("--descriptors", "OS,JUNK", "--swap", *settings, "--out", tmp_path / "sweep")
    text = rankaae("sweep", tmp_path / "set.parquet", *given).stdout
    assert "JUNK → CN" in text
    assert "stopped: 1 changes" in text or "stopped: nothing" in text
    assert (
        "needs a descriptor"
        in rankaae("sweep", tmp_path / "set.parquet", "--descriptors", "", "--out", tmp_path / "x", code=1).stderr
    )
    blocked = tmp_path / "set.parquet" / "sweep"
    assert "cannot be made" in rankaae("sweep", tmp_path / "set.parquet", "--out", blocked, code=1).stderr
    alone = rankaae("stability", tmp_path / "sweep" / "OS-JUNK", code=1).stderr
    assert "has one member" in alone
