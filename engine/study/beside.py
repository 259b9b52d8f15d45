"""A run beside others in its report: where it began, one descriptor across elements, chains of descriptor sets."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from engine.analysis.chains import Chain, find_chains, where_it_began
from engine.errors import RunError
from engine.model.examine import examine_trends
from engine.model.run import Run
from engine.study.footing import footing, on_one_footing
from engine.study.page import axis_title, figures_with, section, table
from engine.study.svg import CHANGE, Curve, line_figure, traversal_figure
from engine.study.sweep import step_of

COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8C6D31", "#999999")
FIRST, ELEMENTS = "Trends of the first descriptors", "Across elements"
CHAINS = {"add": "Descriptors added one by one (Fig. S4)", "swap": "Descriptors swapped one by one (Fig. S3)"}


def runs_in(paths: Sequence[Path], run: Run) -> list[Run]:
    """The finished runs that ``paths`` are or hold, without ``run``. RunError for a path that is and holds none."""
    found: dict[Path, Run] = {}
    for path in paths:
        folders = [path] if (path / "config.toml").is_file() else sorted(p.parent for p in path.glob("*/config.toml"))
        finished = [Run(folder) for folder in folders if Run(folder).finished]
        if not finished:
            raise RunError(f"{path}: neither a finished run folder nor a folder of such")
        found |= {one.path.resolve(): one for one in finished if one.path.resolve() != run.path.resolve()}
    return list(found.values())


def first_section(run: Run, others: Sequence[Run]) -> str:
    """Traversals for the descriptors that the run's were developed from, in the form of Fig. 6b."""
    alike = _alike(run, others)
    place = where_it_began([one.config().descriptors for one in alike])
    if not place:
        return ""
    first = alike[place]
    scores = first.scores().iloc[first.selected()].to_dict()
    traversals = examine_trends(first, first.selected()).traversals
    figures = [traversal_figure(axis_title(axis, scores), one) for axis, one in traversals.items()]
    text = (
        f"The run {first.path.resolve().name} on the same spectra, whose descriptors were changed into those above: "
        "from the 5th percentile of an axis (blue) to the 95th (orange), selected member (the form of Fig. 6b)."
    )
    return section(FIRST, text, figures)


def elements_section(run: Run, others: Sequence[Run]) -> str:
    """Differentials along the axis of each descriptor for runs of several elements, in the form of Fig. 8."""
    by_element = {str(one.data().get("element")): one for one in [*others[::-1], run]}
    if len(by_element) < 2:
        return ""
    ordered = sorted(by_element)
    trends = {element: examine_trends(by_element[element], by_element[element].selected()) for element in ordered}
    color = {element: COLORS[i % len(COLORS)] for i, element in enumerate(ordered)}
    figures = []
    for name in run.config().descriptors:
        shown = {element: trend for element, trend in trends.items() if name in trend.traversals}
        across = {element: trend.energy_ev - trend.edge_ev for element, trend in shown.items()}
        curves = [
            Curve(trend.traversals[name].differential, color[element], element, 1.8, x=across[element])
            for element, trend in shown.items()
        ]
        own = next(iter(across.values()))
        figures.append(line_figure(name, ("Energy − E₀ (eV)", CHANGE), own, curves))
    keys = ", ".join(
        f'<span style="color:{color[element]}">■</span> {escape(element)} (E₀ {trends[element].edge_ev:.1f} eV, '
        f"{escape(trends[element].edge_rule)})"
        for element in ordered
    )
    text = "Differentials of the selected members, each from its own edge E₀ (the form of Fig. 8)."
    return f"<h2>{ELEMENTS}</h2><p>{keys}</p>{figures_with(text, figures)}"


def chains_section(run: Run, others: Sequence[Run]) -> str:
    """The longest chains that the run is part of: descriptors added (Fig. S4) or swapped (Fig. S3) one by one."""
    alike = _alike(run, others)
    chains = [chain for chain in find_chains([one.config().descriptors for one in alike]) if 0 in chain.models]
    parts = []
    for kind, title in CHAINS.items():
        chosen = next((chain for chain in chains if chain.kind == kind), None)
        if chosen is not None:
            parts.append(f"<h2>{title}</h2>{_chain_table(chosen, alike)}")
    return "".join(parts)


def _alike(run: Run, others: Sequence[Run]) -> list[Run]:
    """The run, and those of the others with its preset whose scores compare, all of them with one another."""
    runs = [run, *(one for one in others if one.config().preset == run.config().preset)]
    return [runs[i] for i in on_one_footing([footing(one) for one in runs])[0]]


def _chain_table(chain: Chain, runs: Sequence[Run]) -> str:
    rows = [["step", "free axis, rms Δμ (over seeds)", "errors alone", "RMSE", "|SRCC|, median"]]
    for change, place in zip(chain.steps, chain.models, strict=True):
        one = step_of(change, runs[place])
        free = f"{one.free.median:.4f} ({one.free.low:.4f}–{one.free.high:.4f})"
        scores = ", ".join(f"{name} {band.median:.3f}" for name, band in one.srcc.items())
        rows.append([change, free, f"{one.noise_level:.4f}", f"{one.rmse.median:.4f}", scores])
    return table(rows, chosen=chain.models.index(0) + 1)
