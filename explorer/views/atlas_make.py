"""Making a map of the open set: rules and parameters, the job that makes it, and what it said of the map in view."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from engine.atlas.commands import score_lines
from engine.atlas.embedding import METHODS
from engine.atlas.make import PRESETS
from engine.atlas.scores import METRICS
from engine.atlas.store import Atlas
from explorer.jobs import JobStore
from explorer.library import is_embedded
from explorer.messages import as_html
from explorer.state import ExplorerState
from explorer.views.notices import Notices
from explorer.views.style import TABLE_STYLE

SHARES = {f"{name}: {100 * share:g} % of each element": name for name, share in PRESETS.items()}
ABSOLUTE = {"leave it out": "drop", "divide it by its level": "divide"}
WHAT = {"umap": "UMAP", "densmap": "densMAP, which keeps densities", "pca": "Principal components"}
ABOUT = (
    "A map is made of all that is in the file of the open set, in a process of its own: energies to 200 points over 35 "
    "eV from each element's first, then cleaning, the map, and scores of it. The parameters are the published ones."
)


class MakeMapView(pn.viewable.Viewer):
    """The form, and the maps that are being made."""

    def __init__(self, state: ExplorerState, store: JobStore, notices: Notices) -> None:
        super().__init__()
        self._state, self._store, self._notices = state, store, notices
        wide: dict[str, Any] = {"size": "small", "width": 220, "margin": (8, 8)}
        self._preset = pmui.Select(
            label="Sites", options=SHARES, value="all",
            description="Drawn at random, with a seed, from each element; the published map took a quarter.", **wide,
        )  # fmt: skip
        self._elements = pmui.TextInput(
            label="Elements", placeholder="all from H to Sb",
            description="Symbols such as Ti,Cu. Noble gases and what is heavier than Sb come only when named.", **wide,
        )  # fmt: skip
        self._absolute = pmui.Select(
            label="Not edge-normalised", options=ABSOLUTE, value="drop",
            description="What becomes of a spectrum whose last fifth is far from 1, as of cross-sections.", **wide,
        )  # fmt: skip
        self._near = pmui.FloatInput(
            label="Near duplicates within (μ)", value=0.005, start=0.0, end=1.0, step=0.001,
            description="Of spectra of an element that differ by no more, the first stays; 0 keeps all.", **wide,
        )  # fmt: skip
        self._sigma = pmui.FloatInput(
            label="Outliers beyond (σ)", value=3.0, start=0.0, end=100.0, step=0.5,
            description="Largest distance from the element's mean, against its root mean square; 0 keeps all.", **wide,
        )  # fmt: skip
        self._method = pmui.Select(
            label="Method", options={WHAT[method]: method for method in METHODS}, value="umap",
            description="Principal components take no neighbours and no smallest distance.", **wide,
        )  # fmt: skip
        self._neighbours = pmui.IntInput(
            label="Neighbours", value=94, start=2, end=500,
            description="Of UMAP: more of them show the whole, fewer show details.", **wide,
        )  # fmt: skip
        self._min_dist = pmui.FloatInput(
            label="Smallest distance", value=0.1, start=0.0, end=1.0, step=0.05,
            description="Of UMAP, on the map: smaller packs alike spectra closer.", **wide,
        )  # fmt: skip
        self._metric = pmui.Select(
            label="Distance of spectra", options=list(METRICS), value="euclidean",
            description="Correlation and cosine take no notice of a factor.", **wide,
        )  # fmt: skip
        self._fast = pmui.Select(
            label="Computed", options={"the same each time": (), "on all cores": ("--fast",), "on a GPU": ("--gpu",)},
            value=(), description="All cores: a little different each time. A GPU: needs cuML installed.", **wide,
        )  # fmt: skip
        self._go = pmui.Button(label="Make the map", variant="contained", size="small", margin=(16, 8))
        self._go.on_click(lambda _: self._start())
        self._words = pn.pane.HTML("", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", margin=(2, 8))
        self._working = pmui.Column(sizing_mode="stretch_width", margin=0)
        self._layout = pmui.Column(
            self._words,
            pn.FlexBox(
                self._preset, self._elements, self._absolute, self._near, self._sigma, self._method, self._neighbours,
                self._min_dist, self._metric, self._fast, self._go, sizing_mode="stretch_width", margin=0,
            ),
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        self._said: list[str] = []
        state.param.watch(lambda *_: self._list(), "jobs")
        state.param.watch(lambda *_: self._offer(), ["dataset", "sets"])
        self._list()
        self._offer()

    def __panel__(self) -> pmui.Column:
        return self._layout

    @property
    def working(self) -> pmui.Column:
        """The maps that are being made, each with its stage and a button that ends it."""
        return self._working

    @property
    def _title(self) -> str:
        """What is mapped: a set, or all elements of the one that the open set is a part of."""
        state = self._state
        if is_embedded(state.dataset) and len(self._store.library.elements_of(state.dataset)) > 1:
            source, _ = self._store.library.source_of(state.dataset)
            return source.name.removesuffix(".parquet")
        return str(state.sets.get(state.dataset, state.dataset))

    def _offer(self) -> None:
        self._go.disabled = not self._state.dataset
        of = f" It is of {self._title}." if self._state.dataset else " No set is open."
        self._words.object = f"<p>{as_html(ABOUT + of)}</p>"

    def _start(self) -> None:
        with self._notices.guard():
            options = [
                "--preset", self._preset.value, "--absolute", self._absolute.value, "--near", f"{self._near.value:g}",
                "--sigma", f"{self._sigma.value:g}", "--method", self._method.value, "--metric", self._metric.value,
                "--neighbours", str(self._neighbours.value), "--min-dist", f"{self._min_dist.value:g}",
                *self._fast.value,
            ]  # fmt: skip
            if self._elements.value.strip():
                options += ["--elements", self._elements.value.strip()]
            title = f"{self._title} · {WHAT[self._method.value].partition(',')[0]}, {self._neighbours.value} neighbours"
            if self._method.value == "pca":
                title = f"{self._title} · {WHAT['pca']}"
            self._store.start_map(self._state.dataset, tuple(options), title)
        self._state.look(self._store)

    def _list(self) -> None:
        """Shows what is under way: anew only where something has changed, so that a button can be pressed."""
        jobs = [(job, status) for job, status in self._state.jobs.values() if job.kind == "map" and status.active]
        said = [f"{job.id} {status.epoch} {status.message}" for job, status in jobs]
        if said == self._said:
            return
        self._said = said
        rows: list[Any] = []
        for job, status in jobs:
            stop = pmui.Button(label="Cancel", size="small", variant="outlined", margin=(2, 4))
            stop.on_click(lambda _, job=job: self._cancel(job))
            stage = f" · {status.message}, {status.epoch} of {status.epochs} stages done" if status.epochs else ""
            words = pn.pane.HTML(f"<p>{as_html(f'Mapping {job.title}{stage} …')}</p>", sizing_mode="stretch_width")
            bar = pmui.LinearProgress(variant="indeterminate", sizing_mode="stretch_width", margin=(0, 10))
            rows += [pmui.Row(words, stop, sizing_mode="stretch_width", margin=0), bar]
        self._working.objects = rows

    def _cancel(self, job: Any) -> None:
        with self._notices.guard():
            self._store.cancel(job)
        self._state.look(self._store)


def about_html(atlas: Atlas) -> str:
    """How a map was made: parameters, what cleaning left out step by step, and how well it keeps what it shows."""
    how = atlas.how
    named = f"{WHAT[how.method].partition(',')[0]}, metric {how.metric}, seed {'none' if how.fast else how.seed}"
    if how.method != "pca":
        named += f", {how.neighbours} neighbours, smallest distance {how.min_dist:g}"
    steps = atlas.cleaning.get("steps", [])
    rows = "".join(
        f"<tr><td>{as_html(str(step['name']))}</td><td class=number>{step['before']:,}</td>"
        f"<td class=number>{step['after']:,}</td><td>{as_html(str(step['rule']))}</td></tr>"
        for step in steps
    )
    head = "<tr><th>Cleaning</th><th class=number>Before</th><th class=number>After</th><th>Rule</th></tr>"
    scores = score_lines(dict(atlas.scores)) if atlas.scores else ["Scores are those of the stored map beside it."]
    words = "".join(f"<p>{as_html(line)}</p>" for line in [named, *scores])
    return f"{words}<table>{head}{rows}</table>"
