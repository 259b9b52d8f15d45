"""The 3-D cluster of a site, drawn by the copy of Plotly that Panel brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import param
from panel.custom import JSComponent
from panel.models.plotly import PLOTLY_VERSION

from explorer.components.scripts import bundle, stylesheet
from explorer.plots.style import CATEGORICAL

if TYPE_CHECKING:
    from engine.structures import Surroundings

OXYGEN = "O"
COLORS = {OXYGEN: "#D55E00"}
LIBRARY = f"static/extensions/panel/bundled/plotlyplot/plotly-{PLOTLY_VERSION}.min.js"
"""Relative to the page, so that it is found behind a proxy as well."""


class StructureScene(JSComponent):
    """Absorber, polyhedron of its first shell and what is near; a click on an atom says what it is."""

    atoms = param.Dict(default={}, doc="What is drawn; see atoms_json. Empty for nothing.")
    words = param.String(default="", doc="A line below the drawing, or in its place.")
    library = param.String(default=LIBRARY, constant=True, doc="Where the server has Plotly.")

    _esm = bundle("structure.js")
    _stylesheets = [stylesheet("structure.css")]  # noqa: RUF012 (Panel reads it from the class)


def atoms_json(around: Surroundings, site: str) -> dict[str, Any]:
    """The surroundings of ``site`` as structure.js reads them; positions and distances in Å."""
    symbols = dict.fromkeys(around.symbol)
    free = [color for color in CATEGORICAL if color not in COLORS.values()]
    others = [symbol for symbol in symbols if symbol not in COLORS]
    colors = {symbol: COLORS.get(symbol) or free[others.index(symbol) % len(free)] for symbol in symbols}
    return {
        "site": site,
        "symbol": list(around.symbol),
        "shell": list(around.shell),
        "position": around.position_angstrom.round(4).tolist(),
        "distance": around.distance_angstrom.round(4).tolist(),
        "faces": around.faces.tolist(),
        "colors": colors,
    }
