"""The Experiment part without a browser: files in, prepared spectra, predictions, residuals and tables out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.errors import ConfigError, EngineError
from engine.experiment.mixtures import SeriesMap
from engine.experiment.prediction import MEASURES, Calibrated, Prediction
from explorer.components.member import Axis, Member
from explorer.jobs import JobStore
from explorer.kept import kept_files
from explorer.library import Library
from explorer.measurement import Corrections, Predicted
from explorer.plots.experiment import order_of, prediction_grid, tick_names
from explorer.runs import MemberInfo
from explorer.state import ExplorerState
from explorer.views.drawing import Drawing
from explorer.views.experiment import MAP, PREDICTIONS, RECONSTRUCTION, SECTIONS, ExperimentView
from explorer.views.latent import measured_on
from explorer.views.notices import Notices
from explorer.views.overlays import OverlaysView
from explorer.workspace import Workspace

HOSTILE = "<img src=x onerror=alert(1)>"
GRID = np.linspace(8980.0, 9030.0, 64)


class Line:
    """mu = edge + z0 * bump: one axis that a measurement can tell exactly."""

    axis_names = ("OS",)
    energy_ev = GRID
    edge = 0.5 + np.arctan((GRID - 8990.0) / 1.5) / np.pi
    bump = np.exp(-(((GRID - 9000.0) / 4.0) ** 2))

    def encode(self, mu: Any) -> Any:
        return ((np.asarray(mu) - self.edge) @ self.bump / (self.bump @ self.bump))[:, None]

    def decode(self, z: Any) -> Any:
        return self.edge + np.asarray(z) @ self.bump[None]

    def percentile(self, axis: str, q: int) -> float:
        return {0: -2.0, 5: -1.5, 95: 1.5, 100: 2.0}[q]


def member() -> Member:
    axis = Axis(
        "OS", HOSTILE, "", "", False, "|SRCC| 0.9", "", 1, -2.0, 2.0, -1.5, 1.5, (1, 4, 1), ((-2.0, 1.0), (2.0, 3.0))
    )
    info = MemberInfo(0, 0, True, {"reconstruction_rmse": 0.05})
    return Member(Line(), (), 0, info, (axis,), None, (0.0, 2.0), 1.0)


class Lab:
    """Answers at once: OS is twice the latent value, the second spectrum is outside by one measure."""

    def __init__(self) -> None:
        self.mapped: list[tuple[int, Sequence[str]]] = []

    def predict(self, folder: Path, member: int, mu: Any) -> Predicted:
        z = Line().encode(mu)
        value = 2 * z[:, 0]
        one = Calibrated(value, value - 0.5, value + 0.5)
        flagged = np.zeros((len(z), len(MEASURES)), dtype=bool)
        flagged[1:2, 1] = True
        p = np.where(flagged, 0.01, 0.5)
        found = Prediction(
            ("OS",), 0.9, {"OS": one}, np.full((len(z), 1), 0.1), {"OS": one}, z, Line().decode(z),
            np.zeros((len(z), 3)), p, flagged,
        )  # fmt: skip
        return Predicted(found, np.full((len(z), 1), -0.25), {"OS": (0.9, 30)}, 40)

    def map_series(self, folder: Path, mu: Any, energy_ev: Any, components: int, sites: Sequence[str]) -> SeriesMap:
        self.mapped.append((components, sites))
        raise ConfigError(f"{components} components for {len(mu)} spectra")

    def beside(self, work: Callable[[], Any], then: Callable[[Callable[[], Any]], None]) -> None:
        try:
            found = work()
        except EngineError as error:
            refusal = error

            def fail() -> Any:
                raise refusal

            then(fail)
        else:
            then(lambda: found)


def measured(height: float) -> bytes:
    """Columns of text: the edge on a wide range, with a bump."""
    energy = np.arange(8920.0, 9100.0, 0.5)
    mu = 0.5 + np.arctan((energy - 8990.0) / 1.5) / np.pi + height * np.exp(-(((energy - 9000.0) / 4.0) ** 2))
    return ("# energy mu\n" + "\n".join(f"{e:.2f} {m:.6f}" for e, m in zip(energy, mu, strict=True))).encode()


@pytest.fixture
def state() -> ExplorerState:
    return ExplorerState(run="made", runs={"made": HOSTILE})


@pytest.fixture
def view(tmp_path: Path, state: ExplorerState) -> ExperimentView:
    folder = tmp_path / "runs" / "made"
    folder.mkdir(parents=True)
    (folder / "data.json").write_text(json.dumps({"element": "Cu", "hash": "abc"}))
    notices = Notices(tmp_path)
    store = JobStore(Library(Workspace(tmp_path)))
    shown = ExperimentView(
        state, store, notices, Drawing(notices), Lab(), lambda run, place, then: then(lambda: member())
    )
    shown.activate()
    return shown


def drop(view: ExperimentView, files: dict[str, bytes]) -> None:
    view.files._dropped(SimpleNamespace(new=dict(files)))


def take_away(view: ExperimentView, name: str) -> None:
    view.files._file.value = name
    view.files._away.clicks += 1


def test_files_are_prepared_predicted_and_taken_away_again(view: ExperimentView, state: ExplorerState) -> None:
    drop(view, {"a_0.1.dat": measured(0.2), "b.dat": b"no numbers", "c.dat": measured(0.6)})
    assert view.seen is not None
    assert view.seen.order.names == ("a_0.1", "c")
    assert "b.dat: no columns of numbers" in view.seen.intake.refused[0]
    assert "2 spectra prepared, 1 refused" in view._said.object
    assert view.seen.predicted is not None
    assert state.measured.name == "a_0.1"
    assert len(measured_on(state.measured, GRID)) == GRID.size
    assert measured_on(state.measured, GRID + 1.0) == []
    view._choice.value = "c"
    assert state.measured.name == "c"
    for section in SECTIONS:
        view._sections.value = section
        assert view._place.objects
    take_away(view, "c.dat")
    assert view.seen.order.names == ("a_0.1",)
    assert view.seen.intake.refused
    for name in ("a_0.1.dat", "b.dat"):
        take_away(view, name)
    assert view.seen is None
    assert state.measured is None


def test_what_the_user_says_is_used_and_what_cannot_be_used_is_told(view: ExperimentView) -> None:
    drop(view, {"a_10K.dat": measured(0.2), "a_20K.dat": measured(0.4), "a_40K.dat": measured(0.6)})
    assert view.seen is not None
    assert view.seen.order.label == "Spectrum"
    view._order.value = "numbers in names"
    np.testing.assert_array_equal(view.seen.order.x, [10, 20, 40])
    view._shift.value = "1.5"
    assert {one.shift_ev for one in view.seen.intake.prepared} == {1.5}
    view._e0.value = "9999"
    assert "E0 is 9999 eV" in view._said.object
    view._e0.value = "8991"
    assert {one.normalised.e0_rule for one in view.seen.intake.prepared} == {"chosen"}
    view.files._columns.value = "energy=9"
    assert "a_10K.dat: no column '9' for energy" in view.seen.intake.refused[0]
    assert len(view.seen.intake.prepared) == 2
    view.files._alike.clicks += 1
    assert "no column &#x27;9&#x27; for energy" in view._said.object
    assert view.seen is None
    assert not view._found.visible
    view.files._columns.value = ""
    view.files._alike.clicks += 1
    view._pre.value = "-30,-150"
    assert "must be below" in view._notices._column.objects[0].objects[0].object
    assert "pre" not in view._state.experiment["said"]
    view._sections.value = MAP
    view._begin_map()
    assert "3 components for 3 spectra" in view._said.object


def test_names_and_outsiders_are_shown_as_text_and_apart(view: ExperimentView) -> None:
    drop(view, {f"{HOSTILE}.dat": measured(0.2), "two.dat": measured(0.4)})
    view._sections.value = PREDICTIONS
    table = view._place.objects[-1].object
    assert HOSTILE not in table
    assert table.count("outside (1 %)") == 1
    assert table.count("inside (50 %)") == 5
    view._sections.value = RECONSTRUCTION
    words = "".join(pane.object for pane in view._place.objects if hasattr(pane, "object"))
    assert "&lt;img" in words
    assert HOSTILE not in words


def test_the_table_carries_where_it_comes_from(view: ExperimentView) -> None:
    drop(view, {"a.dat": measured(0.2), "b.dat": measured(0.4)})
    content = view._download()
    assert content is not None
    lines = content.getvalue().splitlines()
    assert "set abc" in lines[0]
    assert any("E0 8990" in line for line in lines if line.startswith("#"))
    rows = list(csv.DictReader(io.StringIO("\n".join(line for line in lines if not line.startswith("#")))))
    assert [row["name"] for row in rows] == ["a", "b"]
    assert float(rows[1]["OS high"]) - float(rows[1]["OS low"]) == pytest.approx(1.0, abs=1e-4)
    assert rows[1]["nearest sites outside"] == "True"


def test_standards_put_predictions_right_and_are_refused_where_they_cannot(
    view: ExperimentView, state: ExplorerState
) -> None:
    drop(view, {"a.dat": measured(0.2), "b.dat": measured(0.4), "c.dat": measured(0.3)})
    assert view.seen is not None
    said = view.seen.before.ensemble["OS"].value
    view._standards.value = "a OS=1\nb OS=1.5\n"
    assert state.experiment["standards"] == "a OS=1\nb OS=1.5"
    put_right = view.seen.before.standards["OS"].interval
    slope = 0.5 / (said[1] - said[0])
    np.testing.assert_allclose(put_right.value, 1 + slope * (said - said[0]))
    np.testing.assert_allclose(put_right.high - put_right.low, slope)
    view._sections.value = PREDICTIONS
    assert "OS by standards" in view._place.objects[-1].object
    assert "a 1 (said" in view._place.objects[0].object
    content = view._download()
    assert content is not None
    assert "OS by standards low" in content.getvalue()
    view._shift.value = "0.1"  # prepared and predicted anew
    assert view.seen.before.standards["OS"].interval.value[0] == pytest.approx(1)
    view._standards.value = "a OS=1\nd OS=2"
    assert "standards, line 2" in view._said.object
    assert view.seen.before.standards == {}
    view._standards.value = ""
    assert "standards" not in state.experiment
    assert "alert" not in view._said.object
    state.experiment = {**state.experiment, "standards": "a OS=1\nb OS=1.5"}
    assert view._standards.value == "a OS=1\nb OS=1.5"
    assert "OS" in view.seen.before.standards


def test_open_marks_are_outside_and_a_series_orders_them() -> None:
    found = Lab().predict(Path(), 0, np.stack([Line.edge, Line.edge + 0.1 * Line.bump])).prediction
    order = order_of(["a", "b"], np.array([0.3, 0.1]))
    (drawing, odd), *_ = prediction_grid(found, None, member().axes, order, 0)
    marks = drawing.renderers[0].data_source.data
    np.testing.assert_array_equal(marks["x"], [0.3, 0.1])
    assert marks["fill"][0] > 0 == marks["fill"][1]
    assert [r.data_source.data["measure"][0] for r in odd.renderers] == list(MEASURES)
    alone = order_of(["a", "b", "c"], np.array([0.3, np.nan, 0.1]))
    assert alone.x[1] < 0.1


def test_long_names_are_cut_where_they_stay_apart() -> None:
    ends = ["ZnO", "Beamline13_smithsonite_01", "Beamline13_hopeite_01"]
    assert tick_names(ends) == ["ZnO", "Beamline13_smiths…", "Beamline13_hopeit…"]
    assert tick_names(["ZnO", *(f"Beamline13_greenrust_{x}" for x in ("Cl", "SO4"))]) == [
        "ZnO", "…ne13_greenrust_Cl", "…e13_greenrust_SO4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"pre": "-30,-150"}, "must be below"),
        ({"post": "x"}, "need two numbers"),
        ({"e0": "top"}, "E0 is 'top'"),
        ({"shift_ev": "nan"}, "the shift is 'nan'"),
    ],
)
def test_corrections_that_cannot_be_read_are_refused(said: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Corrections(**said).preparation("Cu")


def test_the_overlay_waits_for_a_measured_spectrum(view: ExperimentView, state: ExplorerState) -> None:
    overlays = OverlaysView(state)
    assert overlays._boxes["measured"].disabled
    drop(view, {"a.dat": measured(0.2)})
    assert not overlays._boxes["measured"].disabled
    overlays._boxes["measured"].value = True
    assert "measured" in state.shown


def test_a_visit_later_finds_the_same_and_undo_and_sessions_are_followed(
    view: ExperimentView, state: ExplorerState, tmp_path: Path
) -> None:
    drop(view, {f"a_{i}0K.dat": measured(0.1 * i) for i in (1, 2, 4)})
    view._order.value = "numbers in names"
    view._shift.value = "1.5"
    view._choice.value = "a_40K"
    before, told = view.seen, state.experiment
    assert before is not None
    assert told["chosen"] == "a_40K"
    assert told["said"] == {"shift_ev": "1.5", "series": ""}

    later = ExplorerState(run="made", runs={"made": "made"}, experiment=told)
    found = ExperimentView(later, view._store, view._notices, view._drawing, Lab(), lambda *_: None)
    assert found.seen is None  # not in view yet
    later.experiment = {**told, "chosen": "a_20K"}
    found._open_member = lambda run, place, then: then(lambda: member())
    found.activate()
    assert found.seen is not None
    assert found.seen.chosen == 1
    assert (found._shift.value, found._order.value, found._choice.value) == ("1.5", "numbers in names", "a_20K")
    np.testing.assert_array_equal(found.seen.mu, before.mu)
    np.testing.assert_array_equal(found.seen.before.latent, before.before.latent)
    assert later.experiment == {**told, "chosen": "a_20K"}

    state.experiment = {**told, "chosen": ""}
    assert view.seen is not None
    assert (view.seen.chosen, view._choice.value, state.measured.name) == (0, "a_10K", "a_10K")
    assert state.experiment["chosen"] == ""
    state.experiment = {"files": told["files"][:1]}
    assert view.seen.order.names == ("a_10K",)
    assert view._shift.value == ""
    state.experiment = {}
    assert view.seen is None
    assert view._notices._column.objects == []


def test_a_map_that_was_made_is_made_again(view: ExperimentView, state: ExplorerState) -> None:
    drop(view, {f"a_{i}0K.dat": measured(0.1 * i) for i in (1, 2, 4)})
    state.experiment = {**state.experiment, "components": 2, "basis": "m-1, m-2"}
    assert view._laboratory.mapped == [(2, ["m-1", "m-2"])]
    assert (view._components.value, view._basis.value) == (2, "m-1, m-2")
    view._shift.value = "1"
    assert "components" not in state.experiment
    assert len(view._laboratory.mapped) == 1


def test_columns_are_said_of_one_file_and_used_for_those_of_its_layout(
    view: ExperimentView, state: ExplorerState
) -> None:
    plain = b"\n".join(line for line in measured(0.2).splitlines()[1:])
    drop(view, {"a.dat": plain, "b.dat": plain + b"\n", "c.dat": measured(0.4)})
    files = view.files
    assert "It has: 1, 2." in files._words.object
    assert not files._alike.visible
    files._columns.value = "energy=1, mu=2"
    assert [f.get("columns", "") for f in state.experiment["files"]] == ["energy=1, mu=2", "", ""]
    assert files._alike.label == "Use for 1 other of this layout"
    files._alike.clicks += 1
    assert [f.get("columns", "") for f in state.experiment["files"]] == ["energy=1, mu=2", "energy=1, mu=2", ""]
    assert not files._alike.visible
    files._file.value = "c.dat"
    assert "It has: energy, mu." in files._words.object
    assert files._columns.value == ""
    files._columns.value = "colour=1"
    assert "file c.dat: columns: &#x27;colour=1&#x27;" in view._notices._column.objects[0].objects[0].object
    assert len(state.experiment["files"]) == 3
    drop(view, {"a.dat": measured(0.6)})
    assert view.seen.intake.refused == ()
    assert state.experiment["files"][0]["columns"] == "energy=1, mu=2"


def test_forgetting_asks_first_and_says_what_is_gone(view: ExperimentView, state: ExplorerState) -> None:
    files = view.files
    drop(view, {"a.dat": measured(0.2), "<b>.dat": measured(0.4)})
    files._forget.clicks += 1
    assert "nothing to forget" in files._kept.object
    take_away(view, "<b>.dat")
    files._forget.clicks += 1
    assert "1 measured file (6 kB) open on no page: b_.dat. Sessions, links" in files._kept.object
    assert files._question.visible
    files._no.clicks += 1
    assert not files._question.visible
    files._forget.clicks += 1
    files._yes.clicks += 1
    assert "Forgot 1 measured file (6 kB): b_.dat" in view._notices._column.objects[0].objects[0].object
    assert [path.name for path, _ in kept_files(view._store.workspace)] == ["a.dat"]
    assert view.seen.order.names == ("a",)
