"""Every setting of a training that has no control of its own: as `rankaae train --set` takes it, with its doc."""

from __future__ import annotations

import dataclasses
from typing import Any

import panel as pn
import panel_material_ui as pmui

from engine.console import parse_setting
from engine.errors import ConfigError
from engine.model.config import PRESETS, TrainConfig, make_config
from explorer.messages import as_html
from explorer.views.style import TABLE_STYLE

ELSEWHERE = ("preset", "descriptors", "free_axes", "seeds", "split", "epochs")
FIELDS = {spec.name: spec for spec in dataclasses.fields(TrainConfig) if spec.name not in ELSEWHERE}
SCROLLED = {"max-height": "430px", "overflow-y": "auto", "overflow-x": "hidden"}


class SettingsView(pn.viewable.Viewer):
    """A folded list of fields; an empty one keeps what the preset says. The fields are made when it is first opened."""

    def __init__(self) -> None:
        super().__init__()
        self._preset = "default"
        self._fields: dict[str, pmui.TextInput | pmui.Select] = {}
        self._docs: dict[str, pn.pane.HTML] = {}
        self._fold = pmui.Button(size="small", variant="text", sizing_mode="stretch_width", margin=(0, 10))
        self._clear = pmui.Button(
            label="All as the preset says", size="small", variant="outlined", margin=(4, 10), visible=False
        )
        self._list = pmui.Column(visible=False, sizing_mode="stretch_width", margin=0, styles=SCROLLED)
        self._layout = pmui.Column(self._fold, self._clear, self._list, sizing_mode="stretch_width", margin=0)
        self._fold.on_click(lambda _: self._open(not self._list.visible))
        self._clear.on_click(lambda _: self._empty())
        self._count()

    def __panel__(self) -> pmui.Column:
        return self._layout

    @property
    def changes(self) -> dict[str, Any]:
        """The settings that have been filled in, by name; not checked."""
        return {name: parse_setting(f"{name}={field.value}")[1] for name, field in self._fields.items() if field.value}

    def show_preset(self, preset: str) -> None:
        """Says in every field what ``preset`` would set."""
        self._preset = preset
        for name in self._fields:
            self._check(name)

    def _open(self, shown: bool) -> None:
        if not self._fields:
            self._make()
        self._list.visible = self._clear.visible = shown
        self._count()

    def _make(self) -> None:
        wide: dict[str, Any] = {"sizing_mode": "stretch_width", "size": "small", "margin": (8, 10, 0, 10)}
        for name, spec in FIELDS.items():
            choices = ("true", "false") if isinstance(spec.default, bool) else spec.metadata["choices"]
            if choices:
                field = pmui.Select(
                    options={"as the preset says": "", **{one: one for one in choices}}, value="", **wide
                )
            else:
                field = pmui.TextInput(**wide)
            field.param.watch(lambda _, name=name: self._check(name), "value")
            self._fields[name] = field
            self._docs[name] = pn.pane.HTML(
                stylesheets=[TABLE_STYLE], sizing_mode="stretch_width", margin=(0, 12, 4, 12)
            )
            self._check(name)
        self._list.objects = [part for name in FIELDS for part in (self._fields[name], self._docs[name])]

    def _check(self, name: str) -> None:
        """Says what the preset has for a setting, what it does, and what is wrong with what has been filled in."""
        field, value = self._fields[name], _text(PRESETS[self._preset].get(name, FIELDS[name].default))
        field.label = f"{name} · preset {value}"
        given, problem = self.changes, ""
        if name in given:
            try:
                make_config(self._preset, **{name: given[name]})
            except ConfigError as error:
                problem = f"<p><b>{as_html(str(error))}</b></p>"
        self._docs[name].object = f"{problem}<p>{as_html(FIELDS[name].metadata['doc'])}</p>"
        self._count()

    def _empty(self) -> None:
        for field in self._fields.values():
            field.value = ""

    def _count(self) -> None:
        changed = f" · {len(self.changes)} changed" if self.changes else ""
        self._fold.label = f"{'▾' if self._list.visible else '▸'} Advanced: {len(FIELDS)} settings{changed}"


def _text(value: Any) -> str:
    """A preset's value as one would type it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)
