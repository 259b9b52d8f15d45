"""The place where files are dropped: one look and one limit wherever it stands."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import panel as pn
from bokeh.util.warnings import BokehUserWarning

from explorer.messages import as_html
from explorer.views.style import TABLE_STYLE
from explorer.workspace import MAX_UPLOAD_MB

# With an upload the browser sends the whole widget, which the server knows; it takes its own.
warnings.filterwarnings("ignore", "reference already known", BokehUserWarning)

ON_THEIR_WAY = """
.filepond--root {max-height: 126px}
.filepond--item[data-filepond-item-state="processing-complete"] {display: none}
"""


def fresh_drop_zone(hint: str, dropped: Callable[[Any], None], *, multiple: bool = False) -> list[pn.viewable.Viewable]:
    """A new drop zone that calls ``dropped`` with the change of its value, and the ``hint`` below it.

    One for a single file is wanted anew after every drop, as the widget cannot be emptied from here; one for
    ``multiple`` files shows those that are on their way or were refused, and no longer those that have arrived.
    """
    zone = pn.widgets.FileDropper(
        max_file_size=f"{MAX_UPLOAD_MB}MB",
        chunk_size=4_000_000,
        previews=[],
        multiple=multiple,
        height=130 if multiple else 82,
        stylesheets=[ON_THEIR_WAY] if multiple else [],
        sizing_mode="stretch_width",
        styles={"border": "1px dashed rgba(128, 128, 128, 0.7)", "border-radius": "4px"},
    )
    zone.param.watch(dropped, "value")
    return [zone, pn.pane.HTML(f"<p>{as_html(hint)}</p>", stylesheets=[TABLE_STYLE], margin=(0, 10))]
