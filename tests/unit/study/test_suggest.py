"""`suggest` on a run whose free axis is known to hold one descriptor of the made-up set."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.errors import ConfigError
from engine.io import write_set
from engine.model.config import make_config
from engine.model.run import Run
from engine.model.training import train
from engine.study.suggest import some_sites, suggest
from engine.study.suggest_command import suggestion_lines
from tests.command import rankaae
from tests.synthetic import make_set


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained on OS and a useless column of random numbers; CN, the white line, is left for the free axis."""
    folder = tmp_path_factory.mktemp("suggest")
    spectra = make_set(400, 40)
    junk = np.random.default_rng(5).normal(size=len(spectra))
    spectra = replace(spectra, descriptors=spectra.descriptors.assign(JUNK=junk))
    write_set(spectra, folder / "set.parquet")
    config = make_config("default", descriptors=("OS", "JUNK"), seeds=(0, 1), epochs=30, hidden=32)
    return train(spectra, folder / "set.parquet", config, folder / "run")


def test_what_is_missing_is_proposed_and_takes_the_place_of_what_is_useless(run: Run) -> None:
    found = suggest(run, permutations=999)
    assert found.proposed[0] == "CN"
    assert "NOISE" not in found.proposed
    assert found.swaps[0] == ("JUNK", "CN")
    by_name = {one.candidate.name: one for one in found.proposals}
    assert set(by_name) == {"CN", "WAVE", "NOISE"}
    assert by_name["CN"].candidate.free_rho > 0.5
    assert by_name["CN"].ceiling.srcc > 0.7 > by_name["NOISE"].ceiling.srcc
    used = {one.name: one for one in found.used}
    assert used["OS"].srcc > 0.8
    assert used["OS"].only_share > 0.2 > abs(used["JUNK"].only_share)


def test_own_columns_are_tried_and_copies_told(run: Run) -> None:
    spectra = run.spectra()
    extra = pd.DataFrame({"OS2": spectra.descriptors["OS"] ** 2, "FAKE": np.arange(400) % 7.0})
    found = {one.candidate.name: one for one in suggest(run, extra, permutations=999).proposals}
    assert found["OS2"].candidate.redundancy > 0.98
    assert not found["OS2"].proposed
    assert not found["FAKE"].proposed
    with pytest.raises(ConfigError, match="column CN is in the set already"):
        suggest(run, spectra.descriptors[["CN"]])


def test_the_command_prints_what_the_function_found(run: Run) -> None:
    content = json.loads(rankaae("suggest", run.path, "--json").stdout)
    [note] = content.pop("notes")
    assert note.startswith("not tried, as the set has no structures beside it: CN2, OCN, ")
    assert content == suggest(run).to_json()
    assert content["proposed"][0] == "CN"
    text = "\n".join(suggestion_lines(suggest(run)))
    assert "*CN" in text
    assert "for JUNK" in text


def test_many_sites_are_thinned_by_whole_materials() -> None:
    material = np.repeat([f"m-{i}" for i in range(900)], 2)
    rows = np.arange(1800)[300:]
    chosen = some_sites(rows, material)
    assert 1000 <= chosen.size <= 1001
    counts = np.unique(material[chosen], return_counts=True)[1]
    assert (counts == 2).all()
    assert some_sites(rows[:500], material).size == 500
