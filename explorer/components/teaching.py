"""The teaching page: one HTML file with a trained decoder in it, for a class, without a server or a network."""

from __future__ import annotations

import json

from explorer.components.member import Member
from explorer.components.player import member_json
from explorer.components.questions import questions
from explorer.components.scripts import bundle, stylesheet
from explorer.messages import as_html

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
INTRODUCTION = (
    "Each slider is one axis of what a neural network has learned about X-ray absorption spectra. It was trained so "
    "that an axis rises with one property of the absorbing atom's surroundings, named beside it; a free axis is what "
    "was left. Drag a slider, or focus it and press the arrow keys, and the network draws the spectrum. |SRCC| says "
    "how well the axis follows the property on spectra that the network has not seen: 1 is best. The hatched ends lie "
    "beyond the middle 90 % of the spectra; there the network guesses."
)
PAPER = (
    "Method: Z. Liang et al., Decoding structure-spectrum relationships with physically organized latent spaces, "
    "Phys. Rev. Materials 7, 053802 (2023)."
)


def teaching_page(member: Member, title: str) -> str:
    """The page as HTML text: sliders, traversals, differentials, the map of training sites, and questions."""
    content = json.dumps(member_json(member), allow_nan=False).replace("<", "\\u003c")
    asked = "".join(
        f"<details><summary>{as_html(item.question)}</summary><p>{as_html(item.answer)}</p></details>"
        for item in questions(member)
    )
    mapped = member.sites is not None and len(member.axes) > 1
    map_html = '<section id="map"><h2>Among the training spectra</h2></section>' if mapped else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{as_html(title)}</title>
<style>
{stylesheet("player.css")}
{stylesheet("teaching.css")}
</style>
</head>
<body>
<header><h1>{as_html(title)}</h1><button type="button" id="theme">Light / dark</button></header>
<p class="wide">{as_html(INTRODUCTION)}</p>
<div id="player"></div>
<div class="pair">
{map_html}
<section><h2>Questions</h2><p>Find out with the sliders, then open the answer.</p>{asked}</section>
</div>
<h2>Every axis by itself</h2>
<p>Spectra from the 5th percentile (blue) to the 95th (orange) of one axis, others at 0; below, last minus first.</p>
<div id="traversals"></div>
<footer>{as_html(_provenance(member))} {as_html(PAPER)}</footer>
<script type="application/json" id="member">{content}</script>
<script type="module">
{bundle("teaching.js")}
start()
</script>
</body>
</html>
"""


def _provenance(member: Member) -> str:
    energy = member.model.energy_ev
    return (
        f"Seed {member.info.seed} of a run with {len(member.decoders)} members, {len(energy)} energies from "
        f"{energy[0]:.1f} to {energy[-1]:.1f} eV."
    )
