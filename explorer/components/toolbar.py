"""The header's buttons with their dialogs, the page's keyboard, and the tour of a first visit."""

from __future__ import annotations

import param
from panel.custom import JSComponent

from explorer.components.scripts import bundle, stylesheet


class Toolbar(JSComponent):
    """Undo, redo, share, export and help.

    The browser sends ``{"do": …}``: undo; redo; part with its number; share; export with what, axis and form; report;
    save; open with text; script. The server answers with ``{"link": query}``, ``{"file": {name, type, content}}``
    (content in base64), ``{"failed": text}`` or, when a report has come to its end, ``{"reported": text}``.
    """

    can_undo = param.Boolean(default=False, doc="Whether there is a step to take back.")
    can_redo = param.Boolean(default=False, doc="Whether there is a step to do again.")
    parts = param.List(default=[], item_type=str, doc="The parts of the page, which the number keys choose.")
    axes = param.List(default=[], item_type=str, doc="Axes of the model in view; empty without one.")
    session = param.String(default="", doc="What the browser is to be known by at its next visit; kept as a cookie.")

    _esm = bundle("toolbar.js")
    _stylesheets = [stylesheet("toolbar.css")]  # noqa: RUF012 (Panel reads it from the class)
