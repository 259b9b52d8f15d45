"""Sites as a table of the page, each in the colour of its line in a figure; a click on a row marks the site."""

from __future__ import annotations

import param
from panel.custom import JSComponent

from explorer.components.scripts import bundle, stylesheet


class SiteTable(JSComponent):
    """One row per site; ``marked`` follows the clicks."""

    columns = param.List(default=[], doc="Heads of the columns.")
    rows = param.List(default=[], doc="Sites in order: {site, color, cells}, a text in cells for every column.")
    marked = param.List(default=[], doc="Ids of the sites that are marked, shown or not.")

    _esm = bundle("site_table.js")
    _stylesheets = [stylesheet("site_table.css")]  # noqa: RUF012 (Panel reads it from the class)
