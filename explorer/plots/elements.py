"""Elements as a periodic table: which of them there are, and how many sites each has."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bokeh.models import ColumnDataSource, Range1d, TapTool
from bokeh.plotting import figure

from explorer.plots.style import NOW, SPECTRUM, UNKNOWN, Columns, add_hover

_ROWS = (
    "H . . . . . . . . . . . . . . . . He",
    "Li Be . . . . . . . . . . B C N O F Ne",
    "Na Mg . . . . . . . . . . Al Si P S Cl Ar",
    "K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr",
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe",
    "Cs Ba La Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn",
    "Fr Ra Ac . . . . . . . . . . . . . . .",
    ". . . Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu .",
    ". . . Th Pa U Np Pu Am Cm . . . . . . . .",
)
PLACES = {symbol: (x, y) for y, row in enumerate(_ROWS) for x, symbol in enumerate(row.split()) if symbol != "."}
NO_ELEMENTS: Columns = {"symbol": [], "x": [], "y": [], "color": [], "alpha": [], "ink": [], "what": []}


def element_data(offered: Mapping[str, str], current: Collection[str]) -> Columns:
    """Every element's cell: those that are ``offered`` (what to say of them, by symbol) stand out, ``current`` most."""
    symbols = list(PLACES)
    return {
        "symbol": symbols,
        "x": [PLACES[symbol][0] for symbol in symbols],
        "y": [-PLACES[symbol][1] for symbol in symbols],
        "color": [NOW if s in current else SPECTRUM if s in offered else UNKNOWN for s in symbols],
        "alpha": [1.0 if s in offered else 0.15 for s in symbols],
        "ink": ["#ffffff" if s in offered else UNKNOWN for s in symbols],
        "what": [offered.get(symbol, "not in this set") for symbol in symbols],
    }


def element_figure(cells: ColumnDataSource, height: int) -> figure:
    """The periodic table; a tap chooses an element."""
    drawing = figure(
        height=height,
        sizing_mode="stretch_width",
        x_range=Range1d(start=-0.6, end=17.6),
        y_range=Range1d(start=-8.6, end=0.6),
        tools="",
        toolbar_location=None,
        min_border=2,
        outline_line_color=None,
    )
    drawn = drawing.rect(
        "x", "y", 0.92, 0.92, source=cells, fill_color="color", fill_alpha="alpha", line_color=None
    )  # fmt: skip
    drawn.nonselection_glyph = drawn.selection_glyph = drawn.glyph
    drawing.text(
        "x", "y", "symbol", source=cells, text_color="ink", text_align="center", text_baseline="middle",
        text_font_size="10px",
    ).nonselection_glyph = None  # fmt: skip
    add_hover(drawing, [drawn], [("", "@symbol: @what")])
    drawing.add_tools(TapTool(renderers=[drawn]))
    drawing.axis.visible = drawing.grid.visible = False
    return drawing
