"""The drawer at the left: which spectra the plots lay over one another."""

from __future__ import annotations

from typing import Any

import panel as pn
import panel_material_ui as pmui

from explorer.state import ExplorerState

WIDTH = 168
NAMES = ("model", "selected", "compared", "measured")


class OverlaysView(pn.viewable.Viewer):
    """Toggles ``state.shown``; a mean needs a selection to be taken of, a measured spectrum one that is chosen."""

    def __init__(self, state: ExplorerState) -> None:
        super().__init__()
        self._state = state
        self._boxes = {name: pmui.Checkbox(margin=(0, 8), size="small") for name in NAMES}
        for name, box in self._boxes.items():
            box.param.watch(lambda event, name=name: self._toggle(name, event.new), "value")
        head = pn.pane.HTML("<b>Spectra</b>", margin=(12, 12, 4, 12))
        self._layout = pmui.Column(head, *self._boxes.values(), margin=0, sizing_mode="stretch_width")
        state.param.watch(lambda *_: self._follow(), ["shown", "selected", "compared", "measured"])
        self._follow()

    def __panel__(self) -> pmui.Column:
        return self._layout

    def _follow(self) -> None:
        state = self._state
        words = {
            "model": "Model",
            "selected": f"Mean of A ({len(state.selected)})",
            "compared": f"Mean of B ({len(state.compared)})",
            "measured": "Measured",
        }
        for name, box in self._boxes.items():
            there = name == "model" or bool(getattr(state, name))
            box.param.update(label=words[name], value=name in state.shown and there, disabled=not there)

    def _toggle(self, name: str, on: Any) -> None:
        there = name == "model" or bool(getattr(self._state, name))
        if there and bool(on) != (name in self._state.shown):
            kept = [other for other in self._state.shown if other != name]
            self._state.shown = [*kept, name] if on else kept
