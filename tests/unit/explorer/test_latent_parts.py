"""What lies below the latent player: nearest sites and trends of a linear decoder, without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh.models import Label, Line

from engine.analysis.comparison import Trends
from engine.analysis.differentials import differentials_of
from engine.analysis.stability import stability_of
from engine.analysis.traversal import traverse
from engine.io import write_set
from engine.model.config import make_config
from engine.model.examine import examine_trends
from engine.model.latent_model import load_member
from engine.model.run import Run
from engine.model.training import train
from explorer.components.member import Axis, Member, Sites, make_member, open_member
from explorer.examine import Examiner
from explorer.library import Library
from explorer.plots.compare import HIGH, LOW
from explorer.plots.trends import (
    NO_BAND,
    NO_SITES,
    amplitude_figure,
    no_agreement,
    point_data,
    site_colors,
    site_data,
    trend_cards,
)
from explorer.runs import MemberInfo
from explorer.state import ExplorerState
from explorer.views.drawing import Drawing
from explorer.views.nearest import FAR, GONE, NearestView, column_heads, site_rows
from explorer.views.notices import Notices
from explorer.views.trends import ONE_MEMBER, TrendsView, agreement_html, noise_words
from explorer.workspace import Workspace
from tests.synthetic import make_set

ENERGY = np.linspace(8980.0, 9030.0, 40)
SLOPES = np.stack([np.sin(ENERGY), np.cos(ENERGY)]) * np.array([[0.3], [0.01]])
NAMES = ("NNRS", "free 1")


class Straight:
    """A model with a linear decoder: mu = 1 + z @ slopes."""

    axis_names = NAMES
    energy_ev = ENERGY

    def encode(self, mu: Any) -> Any:
        raise NotImplementedError

    def decode(self, z: Any) -> Any:
        return 1 + np.asarray(z) @ SLOPES

    def percentile(self, axis: str, q: int) -> float:
        return {0: -2.5, 5: -1.5, 95: 1.5, 100: 2.5}[q]


def some_sites(n: int = 4000) -> Sites:
    random = np.random.default_rng(0)
    latent = random.normal(size=(n, 2)).astype(np.float32)
    labels = np.where(np.arange(n) % 7 == 0, np.nan, latent[:, 0] / 10)[:, None]
    ids = np.array([f"mp-{i}_000" for i in range(n)])
    material = np.array([f"mp-{i}" for i in range(n)])
    return Sites(ids, material, np.full(n, "Cu"), Straight().decode(latent), latent, labels)


def member_with(sites: Sites | None) -> Member:
    info = MemberInfo(0, 4, True, {"NNRS srcc": 0.87, "free_axis_correlation_max": 0.1, "reconstruction_rmse": 0.02})
    return make_member(Straight(), (), 0, info, sites, ("NNRS",))


@pytest.fixture
def nearest(tmp_path: Path) -> Callable[[Sites | None], NearestView]:
    def opened(sites: Sites | None) -> NearestView:
        notices = Notices(tmp_path)
        view = NearestView(ExplorerState(spectra=make_set(30)), notices, Drawing(notices))
        view.open(member_with(sites))
        return view

    return opened


def test_the_table_lists_the_nearest_sites_with_labels_and_units() -> None:
    sites = some_sites()
    found = sites.nearest(np.array([0.5, -0.5]), 6)
    distance = [float(np.hypot(x - 0.5, y + 0.5)) for x, y in sites.latent.astype(float)]
    assert [row for row, _ in found] == sorted(range(4000), key=distance.__getitem__)[:6]
    rows = site_rows(sites, found, 1)
    first = found[0][0]
    assert column_heads(member_with(sites).axes) == ["Site", "Distance", "Material", "Absorber", "NNRS (Å)"]
    assert rows[0]["cells"][:4] == [str(sites.site_id[first]), f"{min(distance):.2f}", f"mp-{first}", "Cu"]
    assert site_rows(sites, [(7, 0.0)], 1)[0]["cells"][-1] == "–"
    assert [row["color"] for row in rows] == site_colors(6)
    lines = site_data(sites, found, ENERGY, [rows[2]["site"]])
    assert np.array_equal(lines["ys"][0], sites.mu[first])
    assert np.argmax(lines["width"]) == 2
    assert lines.keys() == NO_SITES.keys()


def test_the_table_follows_the_point_quickly_and_says_when_nothing_is_near(nearest: Any) -> None:
    view = nearest(some_sites())
    view.show(np.zeros(2), np.ones(40))
    before = [row["site"] for row in view.table.rows]
    times = []
    for shift in np.linspace(0.5, 1, 5):
        start = time.perf_counter()
        view.show(np.array([shift, 0]), np.ones(40))
        times.append(time.perf_counter() - start)
        found = view._member.sites.nearest(np.array([shift, 0]), 6)
        assert [row["site"] for row in view.table.rows] == [str(view._member.sites.site_id[row]) for row, _ in found]
    assert min(times) < 0.05
    assert [row["site"] for row in view.table.rows] != before
    assert "Of 4000 training sites" in view._words.object
    view._count.value = 12
    assert len(view.table.rows) == 12
    view.show(np.array([9.0, 9.0]), np.ones(40))
    assert FAR in view._words.object
    assert len(view.table.rows) == 12


def test_a_row_marks_a_site_of_the_open_set_and_no_other(nearest: Any) -> None:
    sites, made = some_sites(), make_set(30)
    sites.site_id[:30] = made.site_id
    view = nearest(sites)
    view.show(sites.latent[3].astype(float), np.ones(40))
    ours = view.table.rows[0]["site"]
    assert ours in made.site_id
    view.table.marked = [ours]
    assert view._state.selected == [ours]
    assert view._state.site == ours
    assert np.argmax(view._lines.data["width"]) == 0
    view.table.marked = []
    assert view._state.selected == []
    stranger = next(row["site"] for row in view.table.rows if row["site"] not in made.site_id)
    view.table.marked = [stranger]
    assert view._state.selected == view.table.marked == []


def test_without_its_set_a_member_has_no_sites_to_show(nearest: Any) -> None:
    view = nearest(None)
    view.show(np.zeros(2), np.ones(40))
    assert view.table.rows == []
    assert GONE in view._words.object
    assert len(view._now.data["mu"]) == 40


def linear_trends() -> tuple[tuple[Axis, ...], Any, Any]:
    lines = {n: traverse(Straight().decode, NAMES, n, -1.5, 1.5, ENERGY, levels=20, samples=10) for n in NAMES}
    return member_with(None).axes, lines, differentials_of(lines, 0.02)


def test_cards_show_every_level_score_and_differential() -> None:
    axes, lines, changes = linear_trends()
    (first, second), (change, _) = trend_cards(axes, lines, changes, {name: no_agreement() for name in NAMES})
    drawn = first.renderers[0].data_source.data
    steps = np.diff(np.array(drawn["ys"]), axis=0)
    np.testing.assert_allclose(steps, np.tile(3 / 19 * SLOPES[0], (19, 1)), atol=1e-6)
    assert (drawn["color"][0], drawn["color"][-1]) == (LOW.lower(), HIGH.lower())
    assert [one.select_one({"type": Label}).text for one in (first, second)] == ["|SRCC| 0.87", "max |ρ| 0.10"]
    [line] = [one for one in change.renderers if isinstance(one.glyph, Line)]
    np.testing.assert_allclose(line.data_source.data["y"], 3 * SLOPES[0], atol=1e-12)


def test_a_free_axis_is_held_against_the_noise_level() -> None:
    axes, _, changes = linear_trends()
    words = noise_words(axes, changes)
    assert "Noise level 0.028" in words[0]
    assert "cannot be told from the model's errors" in words[1]
    assert "still holds something" in noise_words(axes, differentials_of(linear_trends()[1], 0.001))[1]
    assert "no noise level" in noise_words(axes, differentials_of(linear_trends()[1], np.nan))[0]
    assert noise_words(axes[:1], changes)[0].startswith("This model has no free axis")
    bars = amplitude_figure(axes, changes, 300).renderers[0].data_source.data
    np.testing.assert_allclose(bars["times"], changes.amplitude / changes.noise_level)


def test_agreement_of_members_in_words() -> None:
    lines = linear_trends()[1]
    turned = replace(lines["NNRS"], mu=lines["NNRS"].mu[::-1])
    same = stability_of([lines["NNRS"], lines["NNRS"]])
    assert '<td class="number">1.000</td>' in agreement_html({"NNRS": same})
    assert len(point_data(same)["fixed"]) > 5
    assert set(point_data(same)["share"]) == {1.0}
    against = agreement_html({"<i>": stability_of([lines["NNRS"], turned])})
    assert "−1.000" in against
    assert "&lt;i&gt;" in against
    assert ONE_MEMBER in agreement_html({"NNRS": stability_of([turned])})


def test_trends_of_a_trained_member_are_worked_out_once_and_shown(tmp_path: Path) -> None:
    spectra, path = make_set(90, 32), tmp_path / "sets" / "made.parquet"
    path.parent.mkdir()
    write_set(spectra, path)
    folder = tmp_path / "runs" / "made"
    train(spectra, path, make_config("default", descriptors=("OS",), seeds=(0, 1), epochs=2, hidden=16), folder)
    notices, asked = Notices(tmp_path), []

    class Counting(Examiner):
        def trends(self, column: Any) -> Trends:
            asked.append(column.key)
            return super().trends(column)

    state = ExplorerState(run="made", member=1, runs={"made": "made"})
    view = TrendsView(state, Library(Workspace(tmp_path)), notices, Drawing(notices), Counting())
    member = open_member(load_member(Run(folder), 1), Run(folder), 1)
    view.open(member)
    assert asked == ["made/1"]
    assert view.found is not None
    assert view.found.axes == ("OS", "free 1")
    assert view.found.overlap.shape == (2, 2)
    assert len(view._place.objects) == 4
    assert view._agreement["OS"].band.data == NO_BAND
    view._members.value = True
    band, own = view._agreement["free 1"].band.data, view.found.differential[1]
    other = examine_trends(Run(folder), 0).traversals["free 1"].differential
    other = np.sign(other @ own) * other
    np.testing.assert_allclose(band["low"], np.minimum(own, other) + 0.05 * np.abs(own - other), atol=1e-6)
    np.testing.assert_allclose(band["high"], np.maximum(own, other) - 0.05 * np.abs(own - other), atol=1e-6)
    cosine = own @ other / np.linalg.norm(own) / np.linalg.norm(other)
    assert f"{cosine:.3f}" in view._agreed.object
    view._members.value = False
    assert view._agreement["OS"].band.data == NO_BAND
    assert view._agreed.object == ""
    state.run = "gone"
    view.open(member)
    assert view._place.objects == []
    assert "gone" in str(notices._column.objects[0].objects[0].object)
