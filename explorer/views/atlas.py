"""The Atlas part: maps of many elements, coloured, filtered, asked by outline, click, name and measured spectrum."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import panel as pn
import panel_material_ui as pmui
from bokeh.models import ColumnDataSource

from engine.atlas.families import family_of
from engine.atlas.measured import PlacedSpectrum, place_measured
from engine.errors import DataError, EngineError
from engine.experiment.reading import read_measured
from engine.io import structures_path, write_set
from engine.io.structures import copy_structures
from engine.model.config import TrainConfig
from engine.model.run import Run
from engine.spectra import SpectraSet
from explorer.components.member import Member
from explorer.jobs import JobStore
from explorer.maps import Mask, OpenMap, Rows, link, open_map, region_set
from explorer.messages import as_html
from explorer.plots import elements as plots
from explorer.state import ExplorerState
from explorer.views.atlas_colours import AXIS, ELEMENT, FAMILY, PREDICTED, colour, offered
from explorer.views.atlas_make import MakeMapView, about_html
from explorer.views.atlas_map import MapPanel, Prepared, prepare
from explorer.views.atlas_region import RegionView
from explorer.views.atlas_site import SiteView, look_at_placed, look_at_site, placed_html
from explorer.views.choices import offer
from explorer.views.drawing import Drawing
from explorer.views.dropping import fresh_drop_zone
from explorer.views.latent import OpenMember
from explorer.views.notices import Notices
from explorer.views.style import TABLE_STYLE
from explorer.workspace import make_folder, new_id

NOTHING = "There is no map yet. Make one of the open set, below, or with: rankaae atlas SET.parquet --out atlas.parquet"
NO_SECOND, COMPONENTS = "", "principal components"
TABLE_HEIGHT, TABLE_WIDTH = 190, 360
MOST_LINKED = 20_000
NO_FORMULA = ", and none is of this formula."
NO_FORMULAS = ". It cannot be found by formula: its set has no structures beside it and no column of formulas."
HINT = "XDI, columns of text, Athena projects, HDF5: absorber and energies as measured"


class AtlasView(pn.viewable.Viewer):
    """Shows one of ``state.maps``, or it and another side by side."""

    def __init__(
        self,
        state: ExplorerState,
        store: JobStore,
        notices: Notices,
        drawing: Drawing,
        open_member: OpenMember,
        to_training: Callable[[], None],
    ) -> None:
        """``open_member`` is that of the Latent part; ``to_training`` goes to the Train part."""
        super().__init__()
        self._state, self._store, self._notices, self._drawing = state, store, notices, drawing
        self._open_member, self._to_training = open_member, to_training
        self._active = False
        self._opened: OpenMap | None = None
        self._second: OpenMap | None = None
        self._link: Rows | None = None
        self._first = ""  # the map that is shown while nobody has chosen one
        self._wanted = ("", "")
        self._hidden: set[str] = set()
        self._a, self._b, self._found = (np.zeros(0, dtype=np.bool_) for _ in range(3))
        self._row: int | None = None
        self._near: Rows = np.empty(0, dtype=np.intp)
        self._measured: list[Path] = []
        self._placed: list[PlacedSpectrum] = []
        self._linking = self._following = False
        self._panels = (
            MapPanel("first", drawing, self._outlined, self._tapped),
            MapPanel("second", drawing, self._outlined_second, self._tapped_second),
        )
        self.region = RegionView(drawing, self._train)
        self.site = SiteView(drawing)
        self._make = MakeMapView(state, store, notices)
        self._make_widgets()
        self._layout = self._arrange()
        state.param.watch(lambda *_: self._list_maps(), ["maps", "map"])
        state.param.watch(lambda *_: self._list_colours(), ["run", "member", "colour"])
        state.param.watch(lambda *_: self._follow_selection(), ["selected", "compared"])
        self._list_maps()

    def __panel__(self) -> pmui.Column:
        return self._layout

    def activate(self) -> None:
        """Called when this part comes into view: only then is a map read."""
        self._active = True
        self._open()

    def _make_widgets(self) -> None:
        small: dict[str, Any] = {"size": "small", "margin": (8, 6)}
        self._map = pmui.Select(label="Map", options={}, width=250, **small)
        self._color = pmui.Select(label="Colour by", options=[FAMILY], value=FAMILY, width=190, **small)
        self._beside = pmui.Select(label="Beside it", options={"nothing": NO_SECOND}, width=170, **small)
        self._into = pmui.RadioButtonGroup(options=["A", "B"], value="A", size="small", margin=(12, 4))
        self._clear = pmui.Button(label="Clear", size="small", variant="outlined", margin=(12, 6))
        self._clear.on_click(lambda _: self._choose(None, None))
        self._search = pmui.TextInput(
            label="Find material, site or formula", placeholder="mp-… or TiO2, then Enter", width=215, **small
        )
        self._map.param.watch(self._map_chosen, "value")
        self._beside.param.watch(lambda _: self._open(), "value")
        self._color.param.watch(self._colour_chosen, "value")
        self._search.param.watch(lambda event: self._find(event.new), "value")
        self._cells = ColumnDataSource(plots.NO_ELEMENTS)
        self._cells.selected.on_change("indices", lambda _attr, _old, new: self._tapped_element(new))
        self._shift = pmui.FloatInput(
            label="Add to its energies (eV)", value=0.0, start=-50.0, end=50.0, step=0.5, width=185, **small,
            description="Calculated and measured energies differ by a constant; near-edge shapes move with it.",
        )  # fmt: skip
        self._absorber = pmui.TextInput(label="Absorber", placeholder="as in the file", width=135, **small)
        for widget in (self._shift, self._absorber):
            widget.param.watch(lambda _: self._place(), "value")
        self._drop = pmui.Column(sizing_mode="stretch_width", margin=0)
        self._drop.objects = fresh_drop_zone(HINT, self._dropped)
        self._landed = pn.pane.HTML(
            "", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", margin=(4, 10), css_classes=["landed"]
        )
        self._words = pn.pane.HTML("", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", margin=(2, 10))
        self._about = pn.pane.HTML("", stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", margin=(0, 10))

    def _arrange(self) -> pmui.Column:
        table = pn.pane.Bokeh(
            plots.element_figure(self._cells, TABLE_HEIGHT), sizing_mode="stretch_width", height=TABLE_HEIGHT, margin=0
        )
        whole: dict[str, Any] = {"size": "small", "variant": "outlined", "margin": (4, 6)}
        every = pmui.Button(label="All elements", **whole)
        every.on_click(lambda _: self._filter(set()))
        none = pmui.Button(label="None", **whole)
        none.on_click(lambda _: self._filter(set(self._opened.symbols) if self._opened else set()))
        into = pn.pane.HTML("Outlines choose", margin=(20, 2, 0, 8))
        self._second_place = pmui.Column(
            self._panels[1], styles={"flex": "1 1 420px", "min-width": "0"}, margin=0, visible=False
        )
        side = pmui.Column(
            table, pn.FlexBox(every, none, margin=0), self._drop,
            pn.FlexBox(self._shift, self._absorber, margin=0), width=TABLE_WIDTH, margin=0,
        )  # fmt: skip
        self._content = pmui.Column(
            pn.FlexBox(
                self._map, self._color, self._beside, self._search, into, self._into, self._clear,
                sizing_mode="stretch_width", margin=0,
            ),
            self._words,
            pn.FlexBox(
                pmui.Column(self._panels[0], styles={"flex": "1 1 420px", "min-width": "0"}, margin=0),
                self._second_place, side, sizing_mode="stretch_width", margin=0,
            ),
            self._landed, self.site, self.region,
            sizing_mode="stretch_width", margin=0, visible=False,
        )  # fmt: skip
        self._empty = pn.pane.HTML(f"<p>{as_html(NOTHING)}</p>", stylesheets=[TABLE_STYLE], margin=(16, 10))
        self._told = pmui.Accordion(("Make a map of the open set", self._make), ("About this map", self._about),
                                    active=[], margin=(8, 10), sizing_mode="stretch_width")  # fmt: skip
        return pmui.Column(
            self._empty, self._content, self._make.working, self._told, sizing_mode="stretch_width", margin=0
        )

    # which map

    def _list_maps(self) -> None:
        maps: dict[str, str] = self._state.maps
        if self._empty.visible:  # nothing was there until now: the form stands open only as long as that is so
            self._told.active = [] if maps else [0]
        self._empty.visible, self._content.visible = not maps, bool(maps)
        if not maps:
            return
        if self._first not in maps:
            self._first = next(iter(maps))
        self._following = True
        try:
            offer(self._map, maps, self._state.map if self._state.map in maps else self._first)
        finally:
            self._following = False
        self._list_seconds()
        self._open()

    def _map_chosen(self, event: Any) -> None:
        """A person has chosen a map; what it is coloured by is then what suits it."""
        if not self._following and event.new in self._state.maps:
            self._state.param.update(map=event.new, colour="")

    def _list_seconds(self) -> None:
        maps: dict[str, str] = self._state.maps
        source = self._store.map_source(self._map.value)
        same = [m for m in maps if m != self._map.value and source and self._store.map_source(m) == source]
        options = {"nothing": NO_SECOND, COMPONENTS: COMPONENTS, **{maps[m]: m for m in same}}
        if options != self._beside.options:
            value = self._beside.value if self._beside.value in options.values() else NO_SECOND
            self._beside.param.update(options=options, value=value)

    def _open(self) -> None:
        """Reads the map that is chosen, and the one beside it, once this part is in view."""
        wanted = (self._map.value or "", self._beside.value or NO_SECOND)
        if not self._active or not wanted[0] or wanted == self._wanted:
            return
        if wanted[0] != self._wanted[0]:
            self._words.object = "<p>Reading the map …</p>"
        self._wanted = wanted
        self._list_seconds()
        with self._notices.guard():
            first = (self._store.library.map_path(wanted[0]), self._store.map_source(wanted[0]))
            other = wanted[1] if wanted[1] not in (NO_SECOND, COMPONENTS) else ""
            second = (self._store.library.map_path(other), self._store.map_source(other)) if other else None

            def work() -> tuple[OpenMap, OpenMap | None, Rows | None]:
                opened = open_map(*first)
                if wanted[1] == COMPONENTS:
                    return opened, opened.at_principal_components(), np.arange(len(opened))
                beside = open_map(*second) if second else None
                return opened, beside, None if beside is None else link(opened, beside)

            self._drawing.prepare("map", work, lambda found: self._take(wanted, *found))

    def _take(self, wanted: tuple[str, str], opened: OpenMap, second: OpenMap | None, linked: Rows | None) -> None:
        if wanted != self._wanted:
            return
        fresh = opened is not self._opened
        self._opened, self._second, self._link = opened, second, linked
        self._second_place.visible = second is not None
        if fresh:
            self._hidden = set()
            self._a, self._b, self._found = (np.zeros(len(opened), dtype=np.bool_) for _ in range(3))
            self._row, self._near, self._placed, self._measured = None, np.empty(0, dtype=np.intp), [], []
            self._landed.object = ""
            self._about.object = about_html(opened.atlas)
            self._list_colours()
            self._follow_selection()
        self._say()
        self._recolour()
        self._mark()

    def _say(self) -> None:
        opened = self._opened
        if opened is None:
            return
        counts = f"{len(opened):,} sites of {len(opened.symbols)} element{'s' * (len(opened.symbols) > 1)}"
        if self._hidden:
            counts = f"{int(self._rows().sum()):,} of {counts} shown"
        trust = opened.atlas.scores.get("trustworthiness")
        kept = f" · trustworthiness {trust:.3f}" if trust is not None else ""
        found = f" · {int(self._found.sum()):,} found" if self._search.value else ""
        self._words.object = f"<p>{as_html(counts + kept + found)}</p>"

    # colours and elements

    def _list_colours(self) -> None:
        """Offers what the map can be coloured by; takes what was chosen or, where the map has it not, what suits it."""
        opened = self._opened
        if opened is None:
            return
        options = offered(opened, self._config())
        suits = FAMILY if len(set(map(family_of, opened.symbols))) > 1 else ELEMENT
        value = self._state.colour if self._state.colour in options.values() else suits
        renew = value.startswith((AXIS, PREDICTED))
        self._following = True
        try:
            self._color.param.update(options=options, value=value)
        finally:
            self._following = False
        if renew:
            self._recolour()

    def _colour_chosen(self, event: Any) -> None:
        if not self._following:
            self._state.colour = event.new
        self._recolour()

    def _config(self) -> TrainConfig | None:
        """Settings of the model in view, whose axes are offered; what is wrong with it is said where it is opened."""
        try:
            return Run(self._store.library.run_path(self._state.run)).config() if self._state.run else None
        except EngineError:
            return None

    def _rows(self) -> Mask:
        """(n,) which sites of the first map are of an element that is not hidden."""
        assert self._opened is not None
        return _shown(self._opened, self._hidden)

    def _recolour(self) -> None:
        """Colours all maps in view, beside the page's events; a model is opened first where it is asked."""
        what = self._color.value
        if self._opened is None or not what:
            return
        if not what.startswith((AXIS, PREDICTED)):
            self._prepare(what, None)
        elif self._state.run:
            self._open_member(self._state.run, self._state.member, lambda opened: self._with_model(what, opened))

    def _with_model(self, what: str, opened: Callable[[], Member]) -> None:
        with self._notices.guard():
            if what == self._color.value:
                self._prepare(what, opened())

    def _prepare(self, what: str, member: Member | None) -> None:
        maps = [one for one in (self._opened, self._second) if one is not None]
        hidden, spectra = set(self._hidden), self._state.spectra

        def work() -> list[Prepared]:
            return [prepare(one, colour(one, what, member, spectra), _shown(one, hidden)) for one in maps]

        self._drawing.prepare("colours", work, self._show)

    def _show(self, made: list[Prepared]) -> None:
        for panel, one in zip(self._panels, made, strict=False):
            panel.show(one)
        self._mark()
        self._drawing.change("atlas elements", lambda: self._draw_elements(made[0]))

    def _draw_elements(self, made: Prepared) -> None:
        """The periodic table: a click hides or shows an element; coloured by element it is the legend as well."""
        opened, by_element = made.opened, made.colouring.title == ELEMENT
        counts = np.bincount(opened.element, minlength=len(opened.symbols))
        words = {s: f"{n:,} sites, click to {'show' if s in self._hidden else 'hide'}"
                 for s, n in zip(opened.symbols, counts, strict=True)}  # fmt: skip
        cells = plots.element_data(words, set())
        palette = dict(zip(opened.symbols, made.colouring.palette, strict=False)) if by_element else {}
        cells["color"] = [palette.get(s, c) for s, c in zip(cells["symbol"], cells["color"], strict=True)]
        faint = self._hidden
        cells["alpha"] = [0.3 if s in faint else a for s, a in zip(cells["symbol"], cells["alpha"], strict=True)]
        self._cells.data = cells

    def _tapped_element(self, indices: list[int]) -> None:
        opened = self._opened
        if not indices or opened is None:
            return
        symbol = self._cells.data["symbol"][indices[0]]
        self._cells.selected.indices = []
        if symbol not in opened.symbols:
            return
        # The first click on a whole map asks for that element alone; later ones add elements or take them away.
        self._filter(self._hidden ^ {symbol} if self._hidden else set(opened.symbols) - {symbol})

    def _filter(self, hidden: set[str]) -> None:
        self._hidden = hidden
        self._say()
        self._recolour()

    # choosing sites

    def _outlined(self, rows: Mask) -> None:
        self._choose(*((rows, None) if self._into.value == "A" else (None, rows)), both=False)

    def _outlined_second(self, rows: Mask) -> None:
        opened, linked = self._opened, self._link
        if opened is not None and linked is not None:
            mask = np.zeros(len(opened), dtype=np.bool_)
            mask[linked[rows & (linked >= 0)]] = True
            self._outlined(mask)

    def _choose(self, a: Mask | None, b: Mask | None, *, both: bool = True) -> None:
        """Takes sites as A and B, no sites for None; one of them stays as it is unless ``both`` are meant."""
        opened = self._opened
        if opened is None:
            return
        none = np.zeros(len(opened), dtype=np.bool_)
        if a is not None or both:
            self._a = none if a is None else a
        if b is not None or both:
            self._b = none if b is None else b
        self._show_chosen()
        self._tell_page()

    def _show_chosen(self) -> None:
        assert self._opened is not None
        self.region.show(self._opened, self._a, self._b)
        self._mark()

    def _is_of_open_set(self) -> bool:
        """Whether the map is of the set that is open, so that selections mean the same on both."""
        source = self._store.map_source(self._map.value or "")
        return source is not None and source == self._store.library.source_of(self._state.dataset)[0]

    def _tell_page(self) -> None:
        """Hands selections on to the other parts, where these show the same set and they are not too many for that."""
        opened, spectra = self._opened, self._state.spectra
        most = max(int(self._a.sum()), int(self._b.sum()))
        if opened is None or spectra is None or most > MOST_LINKED or not self._is_of_open_set():
            return
        there = set(spectra.site_id.tolist())
        self._linking = True
        try:
            chosen = ([site for site in opened.ids(rows) if site in there] for rows in (self._a, self._b))
            self._state.param.update(**dict(zip(("selected", "compared"), chosen, strict=True)))
        finally:
            self._linking = False

    def _follow_selection(self) -> None:
        """Takes over what was chosen elsewhere in the set that the map is of, or brought back by undo."""
        opened = self._opened
        if self._linking or opened is None or not self._state.dataset or not self._is_of_open_set():
            return
        self._a, self._b = (opened.with_ids(ids) for ids in (self._state.selected, self._state.compared))
        self._show_chosen()

    def _mark(self) -> None:
        self._drawing.change("marks", self._draw_marks)

    def _draw_marks(self) -> None:
        opened = self._opened
        if opened is None:
            return
        near, site = (np.zeros(len(opened), dtype=np.bool_) for _ in range(2))
        near[self._near] = True
        if self._row is not None:
            site[self._row] = True
        masks = {"a": self._a, "b": self._b, "found": self._found, "near": near, "site": site}
        placed = [one.placement.xy for one in self._placed]
        self._panels[0].mark(masks, np.concatenate(placed) if placed else np.empty((0, 2)))
        if self._second is not None and self._link is not None:
            known = self._link >= 0
            self._panels[1].mark({name: known & mask[self._link] for name, mask in masks.items()}, np.empty((0, 2)))

    # sites, materials, measured spectra

    def _tapped(self, row: int) -> None:
        opened = self._opened
        if opened is None:
            return
        self._row, self._near = row, np.empty(0, dtype=np.intp)
        self._mark()
        site = opened.site(row)
        spectra: SpectraSet | None = self._state.spectra
        if spectra is not None and site in spectra.site_id:
            self._state.site = site

        def show(found: Any) -> None:
            if self._row == row:
                self._near = found.rows
                self.site.show(found)
                self._mark()

        self._drawing.prepare("site", lambda: look_at_site(opened, row), show)

    def _tapped_second(self, row: int) -> None:
        if self._link is not None and self._link[row] >= 0:
            self._tapped(int(self._link[row]))

    def _find(self, text: str) -> None:
        """Marks what is called so or made so, and shows the first; formulas are looked up beside the page's events."""
        opened, text = self._opened, text.strip()
        if opened is None:
            return

        def work() -> tuple[Mask, bool]:
            none = np.zeros(len(opened), dtype=np.bool_)
            return (opened.found(text), bool(opened.formulas.any())) if text else (none, True)

        def show(found: tuple[Mask, bool]) -> None:
            if opened is not self._opened:
                return
            self._found, formulas = found
            self._say()
            self._mark()
            if self._found.any():
                self._tapped(int(np.argmax(self._found)))
            elif text:
                words = f"No site or material of this map has '{text}' in its name"
                self._notices.show(f"{words}{NO_FORMULA if formulas else NO_FORMULAS}", "info")

        self._drawing.prepare("find", work, show)

    def _dropped(self, event: Any) -> None:
        if event.new:
            name, content = next(iter(event.new.items()))
            with self._notices.guard():
                content = content if isinstance(content, bytes) else content.encode()
                self._measured = [*self._measured, self._store.workspace.save_upload(name, content)]
            self._drop.objects = fresh_drop_zone(HINT, self._dropped)
            self._place()

    def _place(self) -> None:
        """Places every measured spectrum that was dropped, with the shift and absorber that are asked for now."""
        opened, paths = self._opened, list(self._measured)
        shift, element = float(self._shift.value or 0.0), self._absorber.value.strip()
        if opened is None or not paths:
            return

        def work() -> tuple[list[PlacedSpectrum], list[str], Any]:
            placed, refused = [], []
            for path in paths:
                try:
                    every = read_measured(path, element=element or None)
                    placed += [place_measured(opened.atlas, one, element, shift) for one in every]
                except DataError as error:
                    refused.append(str(error))
            return placed, refused, look_at_placed(opened, placed[-1]) if placed else None

        def show(found: tuple[list[PlacedSpectrum], list[str], Any]) -> None:
            self._placed, refused, looked = found
            self._landed.object = placed_html(self._placed, opened)
            if refused:
                self._measured = [path for path in paths if not any(path.name in line for line in refused)]
                raise DataError("; ".join(refused))
            self._row, self._near = None, looked.rows
            self.site.show(looked)
            self._mark()

        self._drawing.prepare("measured", work, show)

    def _train(self, element: str) -> None:
        """Makes a set of selection A and goes to the Train part, which takes it when it is there."""
        opened, rows = self._opened, self._a.copy()
        if opened is None or not element or not rows.any():
            self._notices.show("Choose sites as A first: a training takes those.", "info")
            return
        source = self._store.map_source(self._map.value)
        title = f"{self._state.maps[self._map.value]}, region of {element}"

        def work() -> Path:
            spectra = region_set(opened, rows, element, source)
            path = self._store.workspace.root / "uploads" / new_id("upload") / "region.parquet"
            make_folder(path.parent)
            write_set(spectra, path)
            if source is not None:
                copy_structures(structures_path(source), spectra, structures_path(path))
            return path

        def begin(path: Path) -> None:
            self._store.start_import(path, title, ("--first-shell", "any"))
            self._state.look(self._store)
            self._to_training()
            self._notices.show("The region becomes a set of its own; it opens here in a moment.", "info")

        self._drawing.prepare("region set", work, begin)


def _shown(opened: OpenMap, hidden: set[str]) -> Mask:
    keep = np.array([symbol not in hidden for symbol in opened.symbols], dtype=np.bool_)
    return np.asarray(keep[opened.element], dtype=np.bool_)
