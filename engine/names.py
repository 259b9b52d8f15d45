"""How sites are named: ``material_id + "_" + site index`` with three digits."""

from __future__ import annotations

import re

_SITE = re.compile(r"^(?P<material>.+)_(?P<site>\d{1,6})$")


def site_name(material: str, site: int | str) -> str:
    """The site id for a 0-based site number (three digits at least) or for a site label that is not a number."""
    text = str(site)
    return f"{material}_{int(text):03d}" if text.isascii() and text.isdigit() else f"{material}_{text}"


def material_and_site(site_id: str) -> tuple[str, int | None]:
    """Material and 0-based site number of a site id; an id of another form is a material of its own, site None."""
    match = _SITE.match(site_id)
    return (match["material"], int(match["site"])) if match else (site_id, None)
