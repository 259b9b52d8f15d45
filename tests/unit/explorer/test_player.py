"""What the latent player is given, what it gives back, and what the view makes of that; without a browser."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.io import write_set
from engine.model.config import make_config
from engine.model.decoder_weights import DecoderWeights
from engine.model.latent_model import load_member
from engine.model.run import Run
from engine.model.training import train
from explorer.components.member import Member, Sites, make_member, open_member, slider_limits
from explorer.components.player import LatentPlayer, member_json
from explorer.components.scripts import bundle
from explorer.examine import Examiner
from explorer.jobs import JobStore
from explorer.library import Library
from explorer.runs import MemberInfo
from explorer.state import ExplorerState
from explorer.views.drawing import Drawing
from explorer.views.latent import LatentView
from explorer.views.notices import Notices
from explorer.workspace import Workspace
from tests.synthetic import make_set

HOSTILE = "<img src=x onerror=alert(1)>"


class Straight:
    """A model with a linear decoder: mu = 1 + z @ slopes."""

    axis_names = (HOSTILE, "free 1")
    energy_ev = np.linspace(8980.0, 9030.0, 5)
    slopes = np.array([[0.0, 1, 2, 1, 0], [1, 0, 0, 0, 1]])

    def encode(self, mu: Any) -> Any:
        return (np.asarray(mu)[:, :2] - 1)[:, ::-1]

    def decode(self, z: Any) -> Any:
        return 1 + np.asarray(z) @ self.slopes

    def percentile(self, axis: str, q: int) -> float:
        return {0: -2.0, 5: -1.5, 95: 1.0, 100: 2.5}[q]


class Renamed(Straight):
    """The same with another name for its second axis."""

    axis_names = (HOSTILE, "free 2")


def straight_member(sites: Sites | None = None) -> Member:
    weights = DecoderWeights((2, 5), "silu", "none", 1.0, np.arange(25, dtype=np.float32))
    info = MemberInfo(0, 4, True, {f"{HOSTILE} srcc": 0.9, "free_axis_correlation_max": 0.1})
    return make_member(Straight(), (weights, weights), 0, info, sites, (HOSTILE,))


def some_sites(n: int = 100) -> Sites:
    latent = np.column_stack([np.linspace(-2, 2, n), np.zeros(n)])
    ids = np.array([f"mp-{i}" for i in range(n)])
    labels = np.where(np.arange(n) % 5 == 0, np.nan, -np.linspace(-2, 2, n))
    element = np.full(n, "Cu")
    return Sites(ids, ids, element, Straight().decode(latent), latent, labels[:, None])


def test_axes_say_what_they_follow_and_how_far_they_go() -> None:
    first, free = straight_member(some_sites()).axes
    assert (first.score, free.score) == ("|SRCC| 0.90", "max |ρ| 0.10")
    assert (first.low, first.q5, first.q95, first.high) == (-2.0, -1.5, 1.0, 2.5)
    assert (first.direction, free.direction) == (-1, 0)
    assert (first.free, free.free) == (False, True)
    assert sum(first.density) == 100
    levels = np.array(first.levels)
    assert np.allclose(levels[:, 0], -levels[:, 1])
    assert free.levels == ()


def test_ranges_hold_what_the_middle_of_the_axes_can_show() -> None:
    member = straight_member()
    assert member.difference_range == pytest.approx(1.1 * 3 + 1e-3)
    low, high = member.mu_range
    assert low <= 1 - 2 * 1.5
    assert high >= 1 + 2 * 1.0


def test_the_payload_is_json_and_carries_the_weights_whole() -> None:
    payload = json.loads(json.dumps(member_json(straight_member(some_sites()))))
    weights = np.frombuffer(base64.b64decode(payload["weights"]["values"]), dtype="<f4")
    assert np.array_equal(weights, np.arange(25))
    assert payload["weights"]["sizes"] == [2, 5]
    assert payload["axes"][0]["name"] == HOSTILE
    assert payload["energies"] == Straight.energy_ev.tolist()
    assert payload["sites"]["near"] == pytest.approx(4 / 99, rel=1e-3)
    assert member_json(straight_member())["sites"] is None


def test_sliders_always_hold_zero_and_some_room() -> None:
    assert slider_limits(-2.001, 3.0) == (-2.01, 3.0)
    assert slider_limits(0.2, 0.3) == (-0.5, 0.5)


def test_one_module_of_all_without_imports() -> None:
    source = bundle("panel.js")
    assert "\nimport " not in source
    assert source.count("\nexport ") == 1
    assert source.count("function makeDecoder") == 1
    assert "http" not in source.replace("http://www.w3.org/2000/svg", "")


@pytest.fixture
def view(tmp_path: Path) -> LatentView:
    store = JobStore(Library(Workspace(tmp_path)))
    notices = Notices(tmp_path)
    return LatentView(ExplorerState(), store, notices, Drawing(notices), Examiner(), lambda run, member, then: None)


def test_a_release_moves_the_state_and_undo_moves_the_player(view: LatentView) -> None:
    state, player = view._state, view.player
    view._take(straight_member(some_sites()))
    assert state.latent == player.latent == [0.0, 0.0]
    player.latent = [1, 0.25]
    assert state.latent == [1.0, 0.25]
    assert player.check == {"latent": [1.0, 0.25], "mu": [1.25, 2.0, 3.0, 2.0, 1.25]}
    state.latent = [0.0, 0.0]
    assert player.latent == [0.0, 0.0]
    assert player.check["mu"] == [1.0] * 5


def test_a_point_that_was_there_first_is_taken_and_kept_inside_the_sliders(view: LatentView) -> None:
    view._state.latent = [0.5, -9.0]
    view._take(straight_member())
    assert view.player.latent == view._state.latent == [0.5, -2.0]
    view._take(replace(straight_member(), model=Renamed()))
    assert view.player.latent == view._state.latent == [0.0, 0.0]


def test_the_point_stays_when_another_member_has_the_same_axes(view: LatentView) -> None:
    view._take(straight_member())
    view._state.latent = [0.5, -1.0]
    view.player.baseline = [1.0, 0.0]
    view._take(straight_member())
    assert view.player.latent == view._state.latent == [0.5, -1.0]
    assert view.player.baseline == [1.0, 0.0]


def test_overlays_come_when_they_are_asked_for(view: LatentView) -> None:
    view._take(straight_member(some_sites()))
    assert view.player.others == []
    assert view.player.reference == {}
    view.player.settings = {"band": True, "nearest": True, "difference": ""}
    assert len(view.player.others) == 1
    view._state.latent = [2.0, 0.0]
    assert "mp-99" in view.player.reference["label"]
    assert view.player.reference["mu"] == pytest.approx([1, 3, 5, 3, 1])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("player")
    spectra = make_set(120, 40)
    write_set(spectra, folder / "set.parquet")
    config = make_config("default", descriptors=("OS", "WAVE"), seeds=(0, 1), epochs=3, hidden=16)
    train(spectra, folder / "set.parquet", config, folder / "run")
    return Run(folder / "run")


def test_a_trained_member_is_opened_with_its_sites(run: Run) -> None:
    member = open_member(load_member(run, 1), run, 1)
    assert [axis.name for axis in member.axes] == ["OS", "WAVE", "free 1"]
    assert member.axes[0].title.startswith("OS: Oxidation state")
    assert member.axes[1].title == "WAVE: a column of the set"
    assert member.sites is not None
    assert member.sites.latent.shape == (len(run.split().train), 3)
    assert member.sites.nearest(member.sites.latent[7], 1) == [(7, 0.0)]


def test_a_member_opens_without_its_set(run: Run, tmp_path: Path) -> None:
    data = run.data()
    (run.path / "data.json").write_text(json.dumps({**data, "path": "/gone", "relative_path": "gone"}))
    member = open_member(load_member(run, 0), run, 0)
    run.write_json("data.json", data)
    assert member.sites is None
    assert member.axes[0].density == ()


def test_the_player_has_one_script_and_its_styles() -> None:
    assert "export function render" in LatentPlayer._esm
    assert ".player" in LatentPlayer._stylesheets[0]
