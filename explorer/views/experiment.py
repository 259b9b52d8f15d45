"""The Experiment part: measured spectra dropped, prepared with every step on record, and read with the open model."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import panel as pn
import panel_material_ui as pmui

from engine.errors import DataError
from engine.experiment.explaining import Moves, explain
from engine.experiment.intake import Intake
from engine.experiment.measured import KINDS
from engine.experiment.normalising import E0_RULES
from engine.experiment.standards import on_standards, standards_of
from engine.model.run import Run
from explorer.components.member import Member
from explorer.jobs import JobStore
from explorer.kept import MOST_COMPONENTS, Experiment, prepare_kept, read_experiment
from explorer.measurement import Chosen, Corrections, Laboratory, Predicted, export_csv, series_of
from explorer.messages import as_html, message_of
from explorer.plots.experiment import order_of
from explorer.state import ExplorerState
from explorer.views import experiment_panels as panels
from explorer.views.drawing import Drawing
from explorer.views.latent import Opened, OpenMember
from explorer.views.measured_files import MeasuredFilesView
from explorer.views.notices import Notices
from explorer.views.style import TABLE_STYLE

T = TypeVar("T")
SPECTRA, AXES, PREDICTIONS, RECONSTRUCTION, MAP = "Spectra", "Axes", "Predictions", "Reconstruction", "Domain map"
SECTIONS = [SPECTRA, AXES, PREDICTIONS, RECONSTRUCTION, MAP]
NO_MODEL = "No model is open. Train one, or choose one above: measured spectra are prepared for its energies."
NOTHING = (
    "Drop measured spectra at the left: they are checked, normalised and brought to the energies of the open model."
)
STANDARDS = (
    "Spectra above of compounds that you know. From two on, with values that differ, they put predictions right: "
    "simulated spectra differ from measured ones in more than a shift."
)
GUESSED = "as found"
FROM_FILES, FROM_NAMES, GIVEN = "as files hold it", "numbers in names", "values below"
LEFT_WIDTH = 330
COMPONENTS = 3
ONE_LINE = {"& .MuiToggleButton-root": {"whiteSpace": "nowrap", "px": "8px"}}


class ExperimentView(pn.viewable.Viewer):
    """Shows ``state.experiment`` in the light of ``state.member`` of ``state.run``; sets ``state.measured``.

    What is said here goes to ``state.experiment``, and what that says is done, whoever has said it.
    """

    def __init__(
        self,
        state: ExplorerState,
        store: JobStore,
        notices: Notices,
        drawing: Drawing,
        laboratory: Laboratory,
        open_member: OpenMember,
    ) -> None:
        super().__init__()
        self._state, self._store, self._notices, self._drawing = state, store, notices, drawing
        self._laboratory, self._open_member = laboratory, open_member
        self._active = False
        self._opened: tuple[str, int] | None = None
        self._member: Member | None = None
        self._experiment = Experiment()
        self._following = False
        self._asked = 0
        self._counts = self._refusal = ""
        self.seen: panels.Seen | None = None
        self._moves: tuple[panels.Seen, Moves] | None = None
        self.files = MeasuredFilesView(state, store, notices, laboratory)
        self._build_corrections()
        self._model = _words("")
        self._said = _words("")
        self._sections = pmui.RadioButtonGroup(
            options=SECTIONS, value=SPECTRA, size="small", margin=(8, 10), sx=ONE_LINE
        )
        self._choice = pmui.Select(label="Chosen", options=[], width=190, size="small", margin=(4, 4))
        self._csv = pmui.FileDownload(
            label="CSV", callback=self._download, filename="predictions.csv", width=90, margin=(8, 4),
            description="All predictions with intervals, flags, preparation and provenance",
        )  # fmt: skip
        self._csv.variant = "outlined"
        self._there = pmui.Button(
            label="Sliders there", size="small", variant="outlined", margin=(8, 4),
            description="Puts the sliders of the Latent part where the chosen spectrum is encoded",
        )  # fmt: skip
        self._there.on_click(lambda _: self._move_sliders())
        self._components = pmui.IntInput(
            label="Components", value=COMPONENTS, start=2, end=MOST_COMPONENTS, width=120, size="small"
        )
        self._basis = pmui.TextInput(
            label="Components: sites, materials, classes (OS=4&CN=6)",
            placeholder="centroids of clusters", width=320,
            size="small",
        )  # fmt: skip
        self._map = pmui.Button(label="Map the series", size="small", variant="contained", margin=(14, 10))
        self._map.on_click(lambda _: self._begin_map())
        self._controls = pn.Row(self._components, self._basis, self._map, margin=0, visible=False)
        self._place = pn.Column(sizing_mode="stretch_width", margin=0, min_height=200)
        self._found = pn.Column(
            pn.FlexBox(self._sections, self._choice, self._csv, self._there, align_items="center", margin=0),
            self._controls,
            self._place,
            sizing_mode="stretch_width",
            margin=0,
            visible=False,
        )
        left = pmui.Column(
            self._model,
            self.files,
            self._said,
            self._corrections,
            width=LEFT_WIDTH,
            margin=(8, 8),
        )
        self._empty = _words(NOTHING)
        right = pn.Column(self._empty, self._found, sizing_mode="stretch_width", min_width=400, margin=(8, 8))
        self._layout = pmui.Row(left, right, sizing_mode="stretch_width")
        self._sections.param.watch(lambda _: self._show(), "value")
        self._choice.param.watch(self._choose, "value")
        state.param.watch(lambda *_: self._reopen(), ["run", "member"])
        state.param.watch(lambda *_: self._follow(), "experiment")
        self._follow()

    def __panel__(self) -> pmui.Row:
        return self._layout

    def _build_corrections(self) -> None:
        common: dict[str, Any] = {"size": "small", "sizing_mode": "stretch_width"}
        self._element = pmui.TextInput(label="Absorber", placeholder="as the model or the files say", **common)
        self._kind = pmui.Select(label="Measured in", options=[GUESSED, *KINDS[:3]], value=GUESSED, **common)
        self._was = pmui.Select(label="Was", options=[GUESSED, "raw", "normalised"], value=GUESSED, **common)
        self._e0 = pmui.TextInput(label=f"E₀: {', '.join(E0_RULES)} or eV", value=E0_RULES[0], **common)
        self._pre = pmui.TextInput(label="Pre-edge fit (eV from E₀)", placeholder="-150,-30", **common)
        self._post = pmui.TextInput(label="Post-edge fit (eV from E₀)", placeholder="50,400", **common)
        self._shift = pmui.TextInput(label="Shift (eV)", placeholder="0", **common)
        self._reference = pmui.Select(label="Or align on the file", options=["none"], value="none", **common)
        self._material = pmui.TextInput(label="which is the material or site", placeholder="mp-1692", **common)
        self._order = pmui.Select(
            label="What orders the series", options=[FROM_FILES, FROM_NAMES, GIVEN], value=FROM_FILES, **common
        )
        self._values = pmui.TextAreaInput(
            label="Values", placeholder="one per line, or: name value", rows=4, visible=False, **common
        )
        self._standards = pmui.TextAreaInput(
            label="Name, then what is known", placeholder="FeO OS=2\nFe2O3 OS=3 CN=6", rows=4, **common
        )
        self._corrections = pmui.Accordion(
            ("Columns", self.files.columns),
            ("Read as", pmui.Column(self._element, self._kind, margin=0)),
            ("Normalised by", pmui.Column(self._was, self._e0, self._pre, self._post, margin=0)),
            ("Energies shifted by", pmui.Column(self._shift, self._reference, self._material, margin=0)),
            ("Series", pmui.Column(self._order, self._values, margin=0)),
            ("Standards", pmui.Column(_words(STANDARDS), self._standards, margin=0)),
            ("Files kept", self.files.keeping),
            title_variant="subtitle2",
            disable_gutters=True,
            sizing_mode="stretch_width",
            margin=(4, 0),
        )
        fields = (self._element, self._kind, self._was, self._e0, self._pre, self._post, self._shift,
                  self._reference, self._material, self._order, self._values)  # fmt: skip
        for field in fields:
            field.param.watch(lambda _: self._corrected(), "value")
        self._standards.param.watch(lambda _: self._set_standards(), "value")

    def activate(self) -> None:
        """Called when this part comes into view: only then is the model loaded."""
        self._active = True
        self._reopen()

    # the model

    def _reopen(self) -> None:
        wanted = (self._state.run, self._state.member)
        if not wanted[0]:
            self._model.object = f"<p>{as_html(NO_MODEL)}</p>"
        if not self._active or not wanted[0] or wanted == self._opened:
            return
        self._opened = wanted
        self._asked += 1
        self._member = self.seen = None  # nothing is asked of the old one any more
        self._open_member(*wanted, lambda opened: self._take_member(wanted, opened))

    def _take_member(self, wanted: tuple[str, int], opened: Opened) -> None:
        if self._opened != wanted:
            return
        with self._notices.guard():
            self._member = opened()
            grid = self._member.model.energy_ev
            title = self._state.runs.get(wanted[0], wanted[0])
            self._model.object = (
                f"<p>For <b>{as_html(title)}</b>, seed {self._member.info.seed}: {len(grid)} energies, "
                f"{grid[0]:.1f} to {grid[-1]:.1f} eV.</p>"
            )
            self._prepare()

    # what is said, here or by undo, a link or a session

    def _corrected(self) -> None:
        self._values.visible = self._order.value == GIVEN
        if self._following:
            return
        self._tell(replace(self._now(), said=self._said_by_user(), components=0, basis=""))

    def _set_standards(self) -> None:
        if not self._following:
            self._tell(replace(self._now(), standards=self._standards.value.strip()))

    def _now(self) -> Experiment:
        return read_experiment(self._state.experiment)[0]

    def _tell(self, now: Experiment) -> None:
        with self._notices.guard():
            self._state.experiment = now.to_json()

    def _follow(self) -> None:
        """Does what has changed in the state."""
        before, now = self._experiment, self._now()
        if now == before:
            return
        self._experiment = now
        self._fill_in(now)
        if (now.files, now.said) != (before.files, before.said):
            self._prepare()
            return
        if now.standards != before.standards and self.seen is not None and self.seen.predicted is not None:
            self._change(predicted=self._put_right(self.seen.predicted))
        if now.chosen != before.chosen:
            self._choose_named()
        if (now.components, now.basis) != (before.components, before.basis):
            self._map_again()

    def _fill_in(self, now: Experiment) -> None:
        """Puts what was said into the fields, where these do not say it already."""
        said, names = now.said, [file.name for file in now.files]
        with self._quietly():
            self._reference.param.update(options=["none", *names], value=said.reference or "none")
            if self._said_by_user() != said:
                self._element.value, self._e0.value, self._shift.value = said.element, said.e0, said.shift_ev
                self._kind.value, self._was.value = said.kind or GUESSED, said.state or GUESSED
                self._pre.value, self._post.value, self._material.value = said.pre, said.post, said.material
                self._order.value = FROM_FILES if said.series is None else GIVEN if said.series else FROM_NAMES
                self._values.value = said.series or ""
            if self._standards.value.strip() != now.standards:
                self._standards.value = now.standards
            if now.components:
                self._components.value, self._basis.value = now.components, now.basis

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Fields that are set within say nothing to the state."""
        self._following = True
        try:
            yield
        finally:
            self._following = False

    def _said_by_user(self) -> Corrections:
        series = {FROM_FILES: None, FROM_NAMES: "", GIVEN: self._values.value.strip() or None}
        return Corrections(
            element=self._element.value.strip(),
            kind="" if self._kind.value == GUESSED else self._kind.value,
            state="" if self._was.value == GUESSED else self._was.value,
            e0=self._e0.value.strip() or E0_RULES[0],
            pre=self._pre.value.strip(),
            post=self._post.value.strip(),
            shift_ev=self._shift.value.strip(),
            reference="" if self._reference.value == "none" else self._reference.value,
            material=self._material.value.strip(),
            series=series[self._order.value],
        )

    # the work

    def _prepare(self) -> None:
        """Reads and prepares all files anew, then predicts; what was asked before counts no more."""
        self._asked += 1
        self._counts, self._refusal, self.seen = "", "", None
        experiment, workspace = self._experiment, self._store.workspace
        if not experiment.files or self._member is None:
            self._drawing.change("experiment", self._clear)
            return
        with self._notices.guard():
            run, grid, count = Run(self._folder()), self._member.model.energy_ev, len(experiment.files)
            element = str(run.data().get("element") or "")
            self._ask(
                f"Preparing {count} file{'s' if count > 1 else ''} …",
                lambda: prepare_kept(workspace, experiment, grid, element, lambda _: run.spectra()),
                self._take_intake,
            )

    def _ask(self, words: str, work: Callable[[], T], then: Callable[[T], None]) -> None:
        """Does ``work`` beside the page's events; ``then`` takes it unless something else was asked in the meantime."""
        asked = self._asked
        self._said.object = f"<p>{as_html(words)}</p>"

        def take(result: Callable[[], T]) -> None:
            if asked != self._asked:
                return
            self._said.object = self._counts + self._refusal
            try:
                found = result()
            except Exception as error:
                words = message_of(error, *self._store.library.roots)
                self._said.object = f'<p role="alert">▲ {as_html(words)}</p>'
                if self.seen is None:
                    self._drawing.change("experiment", self._hide)
                return
            self._drawing.change("experiment", lambda: then(found) if asked == self._asked else None)

        self._laboratory.beside(work, take)

    def _take_intake(self, intake: Intake) -> None:
        assert self._member is not None
        names = [one.measured.name for one in intake.prepared]
        order = order_of(names, series_of(intake))
        chosen = self._experiment.chosen if self._experiment.chosen in names else names[0]
        self.seen = panels.Seen(intake, self._member, order, names.index(chosen))
        with self._quietly():
            self._choice.param.update(options=names, value=chosen)
        self._empty.visible, self._found.visible = False, True
        self._counts = f"<p>{len(names)} spectra prepared, {len(intake.refused)} refused.</p>"
        self._tell_state()
        self._show()
        mu, folder, member = self.seen.mu, self._folder(), self._state.member
        self._ask(
            "Predicting; the first time for a model takes some seconds …",
            lambda: self._laboratory.predict(folder, member, mu),
            self._take_prediction,
        )

    def _take_prediction(self, predicted: Predicted) -> None:
        self._change(predicted=self._put_right(predicted))
        if self._experiment.components:
            self._make_map(self._experiment.components, self._experiment.basis)

    def _put_right(self, predicted: Predicted) -> Predicted:
        """The predictions put right on the standards that the state names, as they are where these cannot be used."""
        assert self.seen is not None
        found, names = replace(predicted.prediction, standards={}), self.seen.order.names
        self._refusal = ""
        try:
            found = on_standards(found, names, standards_of(self._experiment.standards, names, found.names))
        except DataError as error:
            self._refusal = f'<p role="alert">▲ {as_html(message_of(error))}</p>'
        self._said.object = self._counts + self._refusal
        return replace(predicted, prediction=found)

    def _map_again(self) -> None:
        """The map that the state says, or none, once there are predictions."""
        if self.seen is not None and self.seen.predicted is not None:
            self._asked += 1
            self._change(mapping=None, mapped=None)
            if self._experiment.components:
                self._make_map(self._experiment.components, self._experiment.basis)

    def _begin_map(self) -> None:
        self._make_map(int(self._components.value), self._basis.value.strip())

    def _make_map(self, components: int, basis: str) -> None:
        seen = self.seen
        if seen is None or seen.predicted is None:
            return
        folder, member, mu, grid = self._folder(), self._state.member, seen.mu, seen.member.model.energy_ev
        sites = [part.strip() for part in basis.split(",") if part.strip()]

        def work() -> tuple[Any, Predicted]:
            mapping = self._laboratory.map_series(folder, mu, grid, components, sites)
            return mapping, self._laboratory.predict(folder, member, mapping.found.mapped)

        def take(both: tuple[Any, Predicted]) -> None:
            self._experiment = replace(self._experiment, components=components, basis=basis)
            self._tell(self._experiment)
            self._change(mapping=both[0], mapped=both[1])

        self._ask("Mapping from 100 starts; this takes some seconds …", work, take)

    def _change(self, **now: Any) -> None:
        """Shows what is known now."""
        assert self.seen is not None
        self.seen = panels.Seen(**{**vars(self.seen), **now})
        self._show()

    def _clear(self) -> None:
        self._said.object = ""
        self._hide()

    def _hide(self) -> None:
        """Nothing is in view: no file, no model, or none of the files can be used."""
        self._state.measured = None
        self._empty.visible, self._found.visible = True, False
        self._place.objects = []

    # what is shown

    def _choose(self, event: Any) -> None:
        """A person has chosen a spectrum."""
        seen = self.seen
        if seen is not None and not self._following and event.new in seen.order.names:
            self._tell(replace(self._now(), chosen=event.new))

    def _choose_named(self) -> None:
        """Shows the spectrum that the state names, or the first."""
        seen = self.seen
        if seen is None:
            return
        names = seen.order.names
        at = names.index(self._experiment.chosen) if self._experiment.chosen in names else 0
        with self._quietly():
            self._choice.value = names[at]
        if at != seen.chosen:
            self._drawing.change("chosen", lambda: self._change(chosen=at))
            self._drawing.change("measured", self._tell_state)

    def _tell_state(self) -> None:
        seen = self.seen
        if seen is not None:
            one = seen.intake.prepared[seen.chosen]
            self._state.measured = Chosen(one.measured.name, seen.member.model.energy_ev, one.mu)

    def _show(self) -> None:
        self._place.loading = True
        self._drawing.change("experiment section", self._draw)

    def _draw(self) -> None:
        seen, section = self.seen, self._sections.value
        self._place.loading = False
        if seen is None:
            return
        self._controls.visible = section == MAP
        self._csv.disabled = self._there.disabled = self._map.disabled = seen.predicted is None
        if section == RECONSTRUCTION:
            self._draw_reconstruction(seen)
            return
        make = {
            SPECTRA: panels.spectra_section,
            AXES: panels.axes_section,
            PREDICTIONS: panels.predictions_section,
            MAP: panels.map_section,
        }
        self._place.objects = make[section](seen)

    def _draw_reconstruction(self, seen: panels.Seen) -> None:
        if self._moves is not None and self._moves[0] is seen:
            self._place.objects = panels.reconstruction_section(seen, self._moves[1])
            return
        found = seen.before
        if found is None:
            self._place.objects = []
            return
        axes = seen.member.axes
        low, high = (np.array([getattr(axis, end) for axis in axes]) for end in ("low", "high"))
        latent, mu, decode = found.latent[seen.chosen], seen.mu[seen.chosen], seen.member.model.decode

        def take(moves: Moves) -> None:
            self._moves = (seen, moves)
            self._show()

        self._place.objects = []

        self._ask(
            "Looking for the axis that explains the residual …", lambda: explain(decode, latent, mu, low, high), take
        )

    def _move_sliders(self) -> None:
        seen = self.seen
        if seen is not None and seen.before is not None:
            ends = [(axis.low, axis.high) for axis in seen.member.axes]
            point = seen.before.latent[seen.chosen].tolist()
            self._state.latent = [min(max(float(z), low), high) for z, (low, high) in zip(point, ends, strict=True)]

    def _download(self) -> io.StringIO | None:
        seen = self.seen
        if seen is None or seen.predicted is None:
            return None
        with self._notices.guard():
            run = self._state.run
            data = Run(self._folder()).data()
            return io.StringIO(
                export_csv(
                    run, seen.member.info.seed, str(data["hash"]), seen.intake, seen.member.model.energy_ev,
                    seen.predicted, seen.mapped,
                )
            )  # fmt: skip
        return None

    def _folder(self) -> Path:
        assert self._opened is not None
        return self._store.library.run_path(self._opened[0])


def _words(text: str) -> pn.pane.HTML:
    return pn.pane.HTML(f"<p>{as_html(text)}</p>" if text else "", stylesheets=[TABLE_STYLE],
                        sizing_mode="stretch_width", margin=(2, 10))  # fmt: skip
