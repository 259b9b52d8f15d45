"""What the Compare part shows of whole runs: the choice among seeds, elements, chains of descriptor sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import panel_material_ui as pmui

from engine.analysis.chains import Chain, find_chains
from engine.analysis.comparison import amplitude, overlap_between
from engine.analysis.scores import FloatArray
from engine.errors import EngineError
from engine.study.footing import on_one_footing
from explorer.columns import Answers, Column, RunFacts, axis_names, gather, read_facts, with_provenance
from explorer.library import Library
from explorer.plots import compare as plots
from explorer.state import ExplorerState
from explorer.views.choices import offer
from explorer.views.compare_panels import (
    COLUMN_WIDTH,
    LEVEL_WORDS,
    WIDE,
    Content,
    Figures,
    Panel,
    Question,
    Trended,
    ask_trends,
    edge_words,
    offer_names,
)
from explorer.views.compare_tables import number, table_html

MOST_ELEMENTS = 12
NOT_COMPARED = ("descriptors", "seeds", "preset")


class RunsPanel(Panel):
    """A panel that may look at every finished run."""

    def __init__(
        self,
        answers: Answers,
        refresh: Callable[[], None],
        library: Library,
        state: ExplorerState,
        *widgets: Any,
    ) -> None:
        self._state = state
        super().__init__(answers, refresh, library, *widgets)

    def _facts(self, titles: dict[str, str]) -> tuple[list[RunFacts], list[str]]:
        """What is known of the runs, newest first, and a line for each that cannot be read."""
        found, notes = gather(titles, lambda run: read_facts(self._library, run, titles[run]), titles.__getitem__)
        return [facts for _, facts in found], notes


class SeedsPanel(RunsPanel):
    """Eq. 2 for all seeds of one run, and its best beside its worst seed (Fig. S12)."""

    title = "Seeds"

    def __init__(self, answers: Answers, refresh: Callable[[], None], library: Library, state: ExplorerState) -> None:
        self._run = pmui.Select(label="Run", options={}, size="small", width=430)
        super().__init__(answers, refresh, library, state, self._run)
        self._run.param.watch(lambda _: self._refresh(), "value")

    def question(self, columns: list[Column]) -> Question:
        titles: dict[str, str] = dict(self._state.runs)
        chosen = self._run.value if self._run.value in titles else columns[0].facts.run
        offer(self._run, titles, chosen)

        def ask() -> Content:
            facts = read_facts(self._library, chosen, titles[chosen])
            notes = []
            try:
                parts = self._answers.selection(facts)
            except EngineError as error:
                notes.append(f"The terms of Eq. 2 need the validation part: {error}")
                scores = [member.scores["selection_score"] for member in facts.members]
                parts = pd.DataFrame({"seed": [member.seed for member in facts.members], "sum": scores})
            pair = [Column("Best", facts, facts.selected), Column("Worst", facts, facts.worst)]
            trends, missing = ask_trends(self._answers, pair if len(facts.members) > 1 else [])
            return seeds_content(facts, parts, trends, notes + missing)

        return ask


def seeds_content(facts: RunFacts, parts: pd.DataFrame, trends: Trended, notes: list[str]) -> Content:
    """The table of Eq. 2, and the best seed beside the worst."""
    lines = [
        "Selection score (Eq. 2) of every seed on the validation part: each term as a z-score over the seeds, "
        "signed so that larger is better, and their sum. The seed with the largest sum is used.",
        *notes,
    ]
    content: list[Figures | str] = [selection_html(parts)]
    if len(facts.members) == 1:
        lines.append("This run has one seed: every term is 0, and there is no worst one to compare it with.")
    if len(trends) == 2:
        lines.append(f"Below, the best seed beside the worst. {LEVEL_WORDS}")
        axes = axis_names([column for column, _ in trends])
        content += [seed_overlap_html(trends, axes), Figures(plots.trend_grid(trends, axes), COLUMN_WIDTH)]
    table = parts.assign(selected=[member.selected for member in facts.members])
    table.insert(0, "run", facts.run)
    table.insert(2, "set_hash", facts.set_hash)
    return Content(lines, content, table)


def selection_html(parts: pd.DataFrame) -> str:
    """A row per seed, best first; the best is bold and marked."""
    ordered = parts.sort_values("sum", ascending=False, kind="stable")
    terms = [name for name in parts.columns if name not in ("seed", "sum")]
    rows = []
    for place, (_, row) in enumerate(ordered.iterrows()):
        mark = " · selected" if not place else " · worst" if place == len(parts) - 1 else ""
        rows.append([f"seed {row['seed']:.0f}{mark}", *(number(row[t], 2, sign=True) for t in [*terms, "sum"])])
    return table_html(["Member", *terms, "Sum"], rows, chosen=[0])


def seed_overlap_html(trends: Trended, axes: Sequence[str]) -> str:
    """Per axis the scores of best and worst seed, and the overlap of their differentials."""
    (best, first), (worst, second) = trends
    rows = []
    for axis in axes:
        overlap = overlap_between([first.traversals[axis], second.traversals[axis]])[0, 1]
        rows.append([axis, best.score(axis), worst.score(axis), number(overlap, 2, sign=True)])
    return table_html(["Axis", best.name, worst.name, "Overlap of differentials"], rows)


class ElementsPanel(RunsPanel):
    """One descriptor across elements, energies relative to each model's own edge (Fig. 8)."""

    title = "Elements"

    def __init__(self, answers: Answers, refresh: Callable[[], None], library: Library, state: ExplorerState) -> None:
        self._descriptor = pmui.Select(label="Descriptor", options=[], size="small", width=200)
        super().__init__(answers, refresh, library, state, self._descriptor)
        self._descriptor.param.watch(lambda _: self._refresh(), "value")

    def question(self, columns: list[Column]) -> Question:
        offer_names(self._descriptor, list(dict.fromkeys(n for c in columns for n in c.facts.config.descriptors)))
        descriptor, titles = self._descriptor.value or "", dict(self._state.runs)

        def ask() -> Content:
            every, notes = self._facts(titles)
            found, missing = ask_trends(self._answers, one_per_element(columns, every, descriptor))
            return elements_content(found, descriptor, notes + missing)

        return ask


def elements_content(found: Trended, descriptor: str, notes: list[str]) -> Content:
    """The traversals and differentials of one axis for each element, and how well it does."""
    elements = [column.facts.element for column, _ in found]
    if len(found) < 2:
        there = f"only {elements[0]} has" if elements else "no element has"
        need = f"two elements with a model whose axes include {descriptor or 'a descriptor'}"
        return Content([f"This needs {need}; {there} one. Train one on a set of another absorber.", *notes])
    lines = [
        f"One model per absorber with an axis for {descriptor}: those chosen above first, then the newest.",
        LEVEL_WORDS,
        edge_words(found),
        "Energies of different elements differ, and nothing is interpolated: there is no overlap between them.",
        *notes,
    ]
    table = element_table(found, descriptor)
    rows = [
        [
            row["element"], str(row["run_title"]), f"seed {row['seed']}", f"{row['edge_ev']:.1f}",
            number(row["srcc"]), number(row["f1"]), number(row["amplitude"], 4),
        ]
        for row in table.to_dict("records")
    ]  # fmt: skip
    head = ["Absorber", "Model", "Seed", "E₀ (eV)", "|SRCC|", "F1", "rms of Δμ"]
    line = plots.differential_figure(found, descriptor, own_edge=True, by_element=True)
    grid = Figures(plots.element_grid(found, descriptor), COLUMN_WIDTH)
    return Content(lines, [grid, Figures([[line]], WIDE), table_html(head, rows, words=3)], table)


def one_per_element(columns: Sequence[Column], every: Sequence[RunFacts], descriptor: str) -> list[Column]:
    """For each absorber one member with an axis for ``descriptor``: of the columns, or else of the newest run."""
    members = [(c.facts, c.index) for c in columns] + [(facts, facts.selected) for facts in every]
    chosen: dict[str, Column] = {}
    for facts, index in members:
        if descriptor in facts.config.descriptors and facts.element != "?":
            chosen.setdefault(facts.element, Column(facts.element, facts, index))
    return list(chosen.values())[:MOST_ELEMENTS]


def element_table(trended: Trended, descriptor: str) -> pd.DataFrame:
    """A row per element: edge, scores and amplitude of the differential, with provenance."""
    rows = []
    for column, trends in trended:
        scores = column.member.scores
        row = {
            "element": column.facts.element, "run_title": column.facts.title, "descriptor": descriptor,
            "edge_ev": trends.edge_ev, "srcc": scores.get(f"{descriptor} srcc", np.nan),
            "f1": scores.get(f"{descriptor} f1", np.nan),
            "amplitude": amplitude(trends.traversals[descriptor].differential),
        }  # fmt: skip
        rows.append(with_provenance(column, pd.DataFrame([row])))
    return pd.concat(rows, ignore_index=True)


@dataclasses.dataclass(frozen=True)
class Steps:
    """A chain with the runs of its steps."""

    chain: Chain
    runs: tuple[RunFacts, ...]

    @property
    def key(self) -> str:
        return " ".join(facts.run for facts in self.runs)

    @property
    def name(self) -> str:
        what = {"add": "Added one by one", "swap": "Swapped one by one"}[self.chain.kind]
        return f"{what}, {self.runs[0].element}: {', then '.join(self.chain.steps)}"


class ChainsPanel(RunsPanel):
    """Descriptors swapped one by one (Fig. S3) or added one by one (Fig. S4), as far as there are runs."""

    title = "Chains"

    def __init__(self, answers: Answers, refresh: Callable[[], None], library: Library, state: ExplorerState) -> None:
        self._chain = pmui.Select(label="Chain", options={}, size="small", width=560)
        self._quiet = False
        super().__init__(answers, refresh, library, state, self._chain)
        self._chain.param.watch(lambda _: None if self._quiet else self._refresh(), "value")

    def question(self, columns: list[Column]) -> Question:
        titles, wanted = dict(self._state.runs), self._chain.value

        def ask() -> tuple[list[Steps], Steps | None, Content]:
            every, notes = self._facts(titles)
            chains = chains_of(every)
            chosen = next((steps for steps in chains if steps.key == wanted), next(iter(chains), None))
            if chosen is None:
                return chains, None, Content([*what_to_train(columns[0].facts), *notes])
            found, missing = gather(chosen.runs, self._answers.amplitudes, lambda facts: facts.title)
            table = chain_table(chosen, {facts.run: values for facts, values in found})
            return chains, chosen, chain_content(chosen, table, notes + missing + settings_told(chosen.runs))

        return ask

    def answer(self, found: tuple[list[Steps], Steps | None, Content]) -> None:
        chains, chosen, content = found
        self._quiet = True
        self._chain.param.update(options={s.name: s.key for s in chains}, value=chosen.key if chosen else None)
        self._quiet = False
        self._chain.visible = bool(chains)
        self.show(content)


def chain_content(chosen: Steps, table: pd.DataFrame, notes: list[str]) -> Content:
    """Scores and amplitude of the free axis along a chain."""
    lines = [
        f"Starts with {chosen.chain.steps[0]}; all runs are on the same spectra with one split. Lines go through the "
        "selected seeds, dots are all seeds.",
        "Amplitude of the free axis: root mean square over the energies of its differential, the spectrum at the "
        "95th minus that at the 5th percentile. It falls where a descriptor explains what that axis held before. "
        "Dashed: the amplitude that errors of the reconstruction alone would have, √2 times the RMSE.",
        *notes,
    ]
    drawn = Figures(plots.chain_figures(table, chosen.chain.steps), WIDE)
    return Content(lines, [drawn, chain_html(chosen, table)], chain_csv(table))


def chains_of(every: Sequence[RunFacts]) -> list[Steps]:
    """The chains among runs whose scores compare, longest first."""
    groups = [[every[i] for i in group] for group in on_one_footing([facts.footing for facts in every])]
    found = [
        Steps(chain, tuple(group[i] for i in chain.models))
        for group in groups
        for chain in find_chains([facts.config.descriptors for facts in group])
    ]
    return sorted(found, key=lambda steps: -len(steps.runs))


def settings_told(runs: Sequence[RunFacts]) -> list[str]:
    """A line when the runs of a chain differ in more than their descriptors."""
    settings = [dataclasses.asdict(facts.config) for facts in runs]
    names = [n for n in settings[0] if n not in NOT_COMPARED and any(s[n] != settings[0][n] for s in settings)]
    if not names:
        return []
    return [f"These runs differ in more than their descriptors: {', '.join(names)}. Part of the change may be theirs."]


def what_to_train(facts: RunFacts) -> list[str]:
    """What is missing for a chain, with the descriptors of a run that is there."""
    names = facts.config.descriptors
    fewer, more = ", ".join(names[:-1]), ", ".join(names)
    lines = ["No two models were trained on the same spectra and split with descriptors that differ by one."]
    if len(names) > 1:
        lines.append(f"To see descriptors added one by one, train {fewer} on the set of {facts.title} as well (Train).")
        lines.append(f"To see descriptors swapped one by one, train {fewer} with another one in place of {names[-1]}.")
    else:
        lines.append(f"Train {more or 'one descriptor'} and one more on the set of {facts.title} (Train).")
    return lines


def chain_table(steps: Steps, amplitudes: dict[str, FloatArray]) -> pd.DataFrame:
    """A row per step, member and measure: |SRCC| under the name of its descriptor, and "amplitude"."""
    rows = []
    for place, facts in enumerate(steps.runs):
        for member in facts.members:
            values = {name: member.scores.get(f"{name} srcc", np.nan) for name in facts.config.descriptors}
            if facts.run in amplitudes:
                values["amplitude"] = float(amplitudes[facts.run][member.index])
            common = {
                "run": facts.run, "seed": member.seed, "set_hash": facts.set_hash, "step": place,
                "descriptors": ", ".join(facts.config.descriptors), "selected": member.selected,
                "reconstruction_rmse": member.scores["reconstruction_rmse"],
                "free_axis_correlation_max": member.scores["free_axis_correlation_max"],
            }  # fmt: skip
            rows += [{**common, "measure": name, "value": value} for name, value in values.items()]
    return pd.DataFrame(rows)


def chain_csv(table: pd.DataFrame) -> pd.DataFrame:
    """The table with steps counted from 1 and measures by their full names."""
    names = table["measure"].map(lambda name: "free axis amplitude" if name == "amplitude" else f"{name} |SRCC|")
    return table.assign(step=table["step"] + 1, measure=names)


def chain_html(steps: Steps, table: pd.DataFrame) -> str:
    """The selected member of every step."""
    rows = []
    for place, (step, facts) in enumerate(zip(steps.chain.steps, steps.runs, strict=True)):
        of = table[(table["step"] == place) & table["selected"]].set_index("measure")
        srcc = of["value"].drop("amplitude", errors="ignore")
        first = of.iloc[0]
        rows.append(
            [
                f"{place + 1}: {step}", facts.title, f"seed {first['seed']}", number(float(srcc.mean())),
                number(float(first["reconstruction_rmse"]), 4), number(float(first["free_axis_correlation_max"])),
                number(float(of["value"].get("amplitude", np.nan)), 4),
            ]
        )  # fmt: skip
    head = ["Step", "Run", "Seed", "Mean |SRCC|", "RMSE (μ)", "Free axis: max |ρ|", "Free axis: rms of Δμ"]
    return table_html(head, rows, words=3)
