"""The sections of the Experiment part: what is shown of prepared spectra, their predictions and their domain map.

Functions of results alone; figures stand in Panel's own rows and columns, tables are HTML in which all text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import panel as pn

from engine.analysis.scores import FloatArray
from engine.experiment.explaining import Moves
from engine.experiment.intake import Intake
from engine.experiment.mixtures import SeriesMap, map_flags
from engine.experiment.prediction import AVERAGE, MAPPED, MEASURES, Prediction
from explorer.components.member import Axis, Member
from explorer.measurement import COVERAGE, Predicted
from explorer.messages import as_html
from explorer.plots import domain_map as map_plots
from explorer.plots import experiment as plots
from explorer.views.compare_panels import grid
from explorer.views.compare_tables import STYLE, number, table_html, words_html

AXIS_WIDTH, WIDE = 260, 380
LISTS = "ol, ul {font-size: 13px; line-height: 1.4; margin: 0 0 6px 0; padding-left: 22px}"
TALL = {"max-height": "340px", "overflow-y": "auto"}
AXES_WORDS = (
    "Grey: where the training sites lie on each axis. Circles: measured spectra; triangles: after domain mapping; "
    "orange ring: the chosen one. A spectrum beyond the grey is unlike anything the model was trained on."
)
PREDICTION_WORDS = (
    "Marks with the interval that holds {coverage:.0%} of sites of new materials, from 32 networks on the latent "
    "point; open marks lie outside the training domain, and for them an interval promises nothing."
)
MOVE_WORDS = (
    "How far each axis alone, within the range of the training sites, would have to move so that the decoded spectrum "
    "comes nearest to the measurement, and the share of the squared residual that this takes away."
)
STANDARDS_WORDS = (
    "Squares: put right on standards, with the interval carried along their line and widened by the farthest of them; "
    "open where it lies beyond all their known values. {lines}."
)
NO_MAP = "Not mapped yet. A map needs a series of one material system, with more spectra than components."


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of the spectra in view: prepared, predicted, mapped, and which one is chosen."""

    intake: Intake
    member: Member
    order: plots.Order
    chosen: int
    predicted: Predicted | None = None
    mapping: SeriesMap | None = None
    mapped: Predicted | None = None

    @property
    def mu(self) -> FloatArray:
        """Prepared spectra (n, m)."""
        return np.stack([one.mu for one in self.intake.prepared])

    @property
    def before(self) -> Prediction | None:
        return self.predicted.prediction if self.predicted else None

    @property
    def after(self) -> Prediction | None:
        return self.mapped.prediction if self.mapped else None


def spectra_section(seen: Seen) -> list[Any]:
    """Prepared spectra, how the chosen one came about, a table of all, what was refused."""
    intake, energy = seen.intake, seen.member.model.energy_ev
    one = intake.prepared[seen.chosen]
    drawing = plots.spectra_figure(energy, seen.mu, seen.order, seen.chosen)
    audit = "".join(f"<li>{as_html(step)}</li>" for step in one.steps)
    flags = "".join(f'<li class="worse">▲ {as_html(flag)}</li>' for flag in one.flags)
    head = f"<p><b>{as_html(one.measured.name)}</b>, step by step</p><ol>{audit}</ol><ul>{flags}</ul>"
    refused = [f"Refused: {reason}" for reason in intake.refused]
    rows = [
        (
            p.measured.name, p.kind, number(p.normalised.e0_ev, 2), p.normalised.state,
            f"{p.normalised.edge_step:.4g}", number(p.normalised.noise, 4), number(p.shift_ev, 2, sign=True),
            "; ".join(p.flags) or "–",
        )
        for p in intake.prepared
    ]  # fmt: skip
    heads = ["Spectrum", "Measured in", "E₀ (eV)", "Was", "Edge step", "Noise (edge steps)", "Shift (eV)", "Beware"]
    return [
        _html(words_html([*intake.notes, *refused])),
        pn.Row(
            pn.pane.Bokeh(drawing, sizing_mode="stretch_width", min_width=WIDE, margin=0),
            _html(head, width=330, tall=True),
            sizing_mode="stretch_width",
            margin=0,
        ),
        _html(table_html(heads, rows, [seen.chosen]), tall=True),
    ]


def axes_section(seen: Seen) -> list[Any]:
    """Every axis with the spectra on it, beside the training sites."""
    if seen.before is None:
        return []
    after = seen.after.latent if seen.after else None
    drawings = plots.axis_grid(seen.member.axes, seen.before.latent, after, seen.order, seen.chosen)
    return [_html(words_html([AXES_WORDS])), grid(drawings, AXIS_WIDTH)]


def predictions_section(seen: Seen) -> list[Any]:
    """Figures along the series, what intervals have covered, and all numbers."""
    predicted, found = seen.predicted, seen.before
    if predicted is None or found is None:
        return []
    told = ", ".join(f"{name} {share:.0%} of {count}" for name, (share, count) in predicted.covered.items())
    lines = [put_right.line for put_right in found.standards.values()]
    words = [
        f"{AVERAGE[0].upper()}{AVERAGE[1:]}.",
        PREDICTION_WORDS.format(coverage=COVERAGE),
        f"Intervals of {COVERAGE:.0%}, calibrated on {predicted.materials} validation materials, hold of the run's "
        f"test sites: {told}.",
        *([STANDARDS_WORDS.format(lines="; ".join(lines))] if lines else []),
        *([f"Triangles: {MAPPED}."] if seen.after else []),
    ]
    drawings = plots.prediction_grid(found, seen.after, seen.member.axes, seen.order, seen.chosen)
    heads, rows = prediction_rows(seen)
    return [
        _html(words_html(words)),
        grid(drawings, WIDE),
        _html(table_html(heads, rows, [seen.chosen]), tall=True),
    ]


def prediction_rows(seen: Seen) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: per descriptor value, interval, by standards, by the axis alone, per eV; mapped; the measures."""
    found, predicted = seen.before, seen.predicted
    assert found is not None
    assert predicted is not None
    heads = ["Spectrum"]
    columns: list[Sequence[str]] = [seen.order.names]
    for i, name in enumerate(found.names):
        one = found.ensemble[name]
        heads.append(name)
        columns.append([_interval(*row) for row in zip(one.value, one.low, one.high, strict=True)])
        if name in found.standards:
            put_right = found.standards[name]
            heads.append(f"{name} by standards")
            interval = put_right.interval
            cells = [_interval(*row) for row in zip(interval.value, interval.low, interval.high, strict=True)]
            columns.append(
                [f"{c}{', beyond them' if far else ''}" for c, far in zip(cells, put_right.beyond, strict=True)]
            )
        if name in found.isotonic:
            heads.append(f"{name} by its axis")
            columns.append([number(value, 2) for value in found.isotonic[name].value])
        heads.append(f"{name} per eV")
        columns.append([number(value, 2, sign=True) for value in predicted.per_ev[:, i]])
        if seen.after:
            after = seen.after.ensemble[name]
            heads.append(f"{name} mapped")
            columns.append([_interval(*row) for row in zip(after.value, after.low, after.high, strict=True)])
    for i, measure in enumerate(MEASURES):
        heads.append(f"By {measure}")
        columns.append(
            [
                f"{'outside' if odd else 'inside'} ({100 * p:.0f} %)"
                for odd, p in zip(found.flagged[:, i], found.p[:, i], strict=True)
            ]
        )
    return heads, [list(row) for row in zip(*columns, strict=True)]


def reconstruction_section(seen: Seen, moves: Moves) -> list[Any]:
    """The chosen spectrum against its reconstruction, and which axis would explain what is left."""
    member = seen.member
    together = member.model.decode(moves.together[None])[0]
    usual = member.info.scores.get("reconstruction_rmse", float("nan"))
    drawings = plots.reconstruction_figures(member.model.energy_ev, seen.mu[seen.chosen], moves, together, usual)
    verdict = f"Residual {moves.rms:.3f} (rms of μ)"
    if np.isfinite(usual):
        verdict += f", {moves.rms / usual:.1f} times what this member leaves of simulated test spectra ({usual:.3f})"
    verdict += (
        f". All axes moved together take away {moves.explained_together:.0%} of it (squared); the rest is nothing that "
        "this model can draw."
    )
    return [
        _html(words_html([verdict])),
        grid(drawings, WIDE),
        _html(words_html([MOVE_WORDS]) + table_html(*move_rows(member.axes, moves))),
    ]


def move_rows(axes: Sequence[Axis], moves: Moves) -> tuple[list[str], list[list[str]]]:
    """Heads and rows, the axis that explains most first."""
    rows = []
    for i in np.argsort(-moves.explained, kind="stable"):
        axis = axes[i]
        told = [axis.symbol, number(moves.now[i], 2, sign=True), number(moves.best[i], 2, sign=True)]
        told += [number(moves.best[i] - moves.now[i], 2, sign=True), f"{moves.explained[i]:.0%}"]
        rows.append([*told, _meaning(axis, moves.now[i], moves.best[i]), number(moves.together[i], 2, sign=True)])
    heads = ["Axis", "Encoded at", "Best alone", "Move", "Of the residual", "Training sites there", "Best together"]
    return heads, rows


def map_section(seen: Seen) -> list[Any]:
    """Weights and components, and what tells whether to believe them."""
    result = seen.mapping
    if result is None:
        return [_html(words_html([NO_MAP]))]
    found = result.found
    heads = ["Component", "Mean weight", "Spread over starts", "Guess is off by (rms)", "Ambiguity", "Origin"]
    rows = [
        [
            f"{i + 1}", number(found.weights[:, i].mean()), number(found.weight_spread[:, i].mean(), 4),
            number(found.guess_residual[i], 4), number(found.ambiguity[i]), origin,
        ]
        for i, origin in enumerate(found.basis.origin)
    ]  # fmt: skip
    flags = "".join(f'<p class="worse">▲ {as_html(flag)}</p>' for flag in map_flags(found))
    explained = "Ambiguity: how far a component's weights can be scaled at no cost to the fit; 0 where the data fix it."
    return [
        _html(flags + table_html(heads, rows) + words_html([explained])),
        grid(map_plots.map_grid(result, seen.member.model.energy_ev, seen.order), WIDE),
    ]


def _meaning(axis: Axis, now: float, best: float) -> str:
    """What training sites have of the descriptor at two places of its axis."""
    if not axis.levels:
        return "–"
    z, mean = np.array(axis.levels).T
    unit = f" {axis.unit}" if axis.unit else ""
    return f"{number(np.interp(now, z, mean), 2)} → {number(np.interp(best, z, mean), 2)}{unit}"


def _interval(value: float, low: float, high: float) -> str:
    return f"{number(value, 2)} [{number(low, 2)}, {number(high, 2)}]"


def _html(text: str, *, width: int = 0, tall: bool = False) -> pn.pane.HTML:
    look: dict[str, Any] = {"width": width} if width else {"sizing_mode": "stretch_width"}
    return pn.pane.HTML(text, stylesheets=[STYLE, LISTS], margin=(2, 10), styles=TALL if tall else {}, **look)
