"""One self-contained page about a run: data, settings, scores beside baselines, figures, method, how to repeat it.

No script and nothing from a network. Tables are made of what ``rankaae score --json`` prints, and the page holds that
JSON itself.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from engine import __version__
from engine.analysis.comparison import amplitude
from engine.analysis.descriptor_correlation import PAPER_SETS
from engine.analysis.differentials import noise_level
from engine.analysis.stability import Stability, band
from engine.analysis.traversal import cosine_overlap
from engine.analysis.validity import latent_box
from engine.errors import RunError
from engine.model.config import make_config
from engine.model.examine import LEVELS, SAMPLES
from engine.model.latent_model import LatentModel, load_member, traverse_axis
from engine.model.report import score_run
from engine.model.run import Run
from engine.spectra import set_info, spectral_descriptors
from engine.spectra.spectra_set import SpectraSet
from engine.structures.radial import CUTOFF_ANGSTROM
from engine.study.beside import CHAINS, ELEMENTS, FIRST, chains_section, elements_section, first_section, runs_in
from engine.study.distributions import descriptor_figures, known, latent_section, with_unit
from engine.study.forward import SHELL_ANGSTROM, read_forward, spread_cells
from engine.study.page import axis_title, figures_with, number, section, table, without_noise
from engine.study.svg import (
    CHANGE,
    ENERGY,
    HIGH,
    LOW,
    MU,
    Curve,
    bar_figure,
    line_figure,
    matrix_figure,
    point_figure,
    ramp,
    traversal_figure,
)
from engine.study.trust import KINDS, trends, validity

SHOWN_SPECTRA, SHOWN_SITES = 60, 600
SPECTRA, TRENDS, AXES = "Spectra", "Trends", "Axes and descriptors"
AGREEMENT, VALIDITY = "Agreement of the members", "Validity of decoded spectra"
FIGURES = (
    ("6a", "spectra by descriptor", SPECTRA, "the run has no descriptors"),
    ("6b", "trends of the initial descriptors", FIRST, "give --with a run with these, or one that this one grew from"),
    ("6c", "trends of the descriptors", TRENDS, ""),
    ("7", "axes against descriptors", AXES, "the run has no descriptors"),
    ("8", "a descriptor across elements", ELEMENTS, "give --with runs on other elements"),
    ("S1", "decoded spectra over the latent domain", VALIDITY, ""),
    ("S3", "descriptors swapped one by one", CHAINS["swap"], "give --with runs whose descriptors differ so"),
    ("S4", "descriptors added one by one", CHAINS["add"], "give --with runs whose descriptors differ so"),
    ("S10", "differentials", TRENDS, ""),
    ("S12", "best and worst member", AGREEMENT, "the run has one member"),
)
"""Of the paper's figures the number, what it shows, the heading it is drawn under, and why it is not if it is not."""
UNKNOWN_FIGURES = ["Figs. 1 to 5, S2, S5 to S9, S11", "", "not drawn: the program has no account of what they show"]
LIANG = "Z. Liang et al., Phys. Rev. Materials 7, 053802 (2023)"
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --line: #8888; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1120px; margin: 0 auto; padding: 0 24px 48px; }
h1 { font-size: 26px; } h2 { font-size: 20px; margin-top: 36px; border-bottom: 1px solid var(--line); }
p, li { max-width: 80ch; }
table { border-collapse: collapse; margin: 12px 0; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 10px; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, .text td { text-align: left; }
.text td:first-child { white-space: nowrap; } tr.chosen { font-weight: 600; }
.wide { overflow-x: auto; }
.figures { display: flex; flex-wrap: wrap; gap: 14px 22px; }
.pair { display: flex; flex-direction: column; }
svg { font: 11px system-ui, sans-serif; fill: currentColor; max-width: 100%; height: auto; }
svg .title { font-size: 13px; font-weight: 600; }
svg .axis { stroke: currentColor; fill: none; } svg .mark { stroke: currentColor; stroke-dasharray: 2 3; opacity: .6; }
pre { overflow-x: auto; padding: 10px; border: 1px solid var(--line); }
"""


def report_page(run: Run, beside: Sequence[Path] = (), jobs: int = 1) -> str:
    """The page as HTML text; ``beside`` are runs, or folders of runs, that the run is put next to.

    RunError when the run is not finished, or its set is gone or has changed.
    """
    if not run.finished:
        raise RunError(f"{run.path}: has no weights and scores yet; train it to its end before reporting on it")
    scores, spectra, member = score_run(run, jobs=jobs), run.spectra(), load_member(run)
    others, found = runs_in(beside, run), trends(run)
    name = run.path.resolve().name
    body = [
        f"<h1>RankAAE run {escape(name)}</h1>",
        f"<p>Made by RankAAE Explorer {escape(__version__)}. Member shown: seed {member.seed}, selected on validation "
        "data by Eq. 2 of the paper; all scores are those of the test part.</p>",
        _data_card(run, spectra),
        _settings(run),
        _scores(scores),
        _forward(run),
        _data_figures(run, spectra),
        _trend_figures(run, member, found),
        _latent_figures(run, spectra, member, scores),
        latent_section(run, spectra, member),
        _members(found),
        _validity(run, others, spectra, member),
        first_section(run, others),
        elements_section(run, others),
        chains_section(run, others),
    ]
    body += [
        _figure_list(run, "".join(body)),
        _method(run),
        _repeat(run),
    ]
    stored = json.dumps(scores, allow_nan=False).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>RankAAE run {escape(name)}</title>
<style>{STYLE}</style>
</head>
<body>
{"".join(body)}
<script type="application/json" id="scores">{stored}</script>
</body>
</html>
"""


def _data_card(run: Run, spectra: SpectraSet) -> str:
    info, split = set_info(spectra), run.split()
    grid: Any = info["grid"]
    rows = [
        ["origin", spectra.origin],
        ["spectra", f"{len(spectra)} of {info['materials']} materials, {spectra.edge} edge of "
                    f"{', '.join(sorted(set(spectra.element.tolist())))}"],
        ["energies", f"{grid['points']}, {grid['start_ev']:.2f} to {grid['end_ev']:.2f} eV"],
        ["split", f"by {split.how}, seed {split.seed}: {split.train.size} to train on, {split.validation.size} to "
                  f"choose on, {split.test.size} to test on"],
        ["SHA-256", str(info["hash"])],
    ]  # fmt: skip
    rows += [["step", step] for step in spectra.steps]
    described: Any = info["descriptors"]
    labels = [["descriptor", "known", "to train on", "to choose on", "to test on", "least", "median", "largest"]]
    for name in run.config().descriptors:
        values = spectra.descriptors[name].to_numpy()
        counts = [str(len(known(values[part]))) for part in (split.train, split.validation, split.test)]
        one = described[name]
        ends = (f"{end:.4g}" for end in without_noise([one[key] for key in ("min", "median", "max")]))
        labels.append([with_unit(name), str(one["known"]), *counts, *ends])
    described_table = table(labels) if len(labels) > 1 else ""
    return f"<h2>Data</h2>{table(rows, head=False)}{described_table}{descriptor_figures(run, spectra)}"


def _settings(run: Run) -> str:
    config = run.config()
    base = make_config(config.preset, descriptors=config.descriptors)
    changed = [name for name, value in asdict(config).items() if value != getattr(base, name) and name != "descriptors"]
    rows = [["descriptors", ", ".join(config.descriptors) or "none"], ["free axes", str(config.free_axes)]]
    rows += [["seeds", ", ".join(map(str, config.seeds))], ["preset", config.preset]]
    rows += [[name, str(getattr(config, name))] for name in changed if name not in ("seeds", "free_axes")]
    return (
        f"<h2>Settings</h2>{table(rows, head=False)}<details><summary>All settings (config.toml)</summary>"
        f"<pre>{escape(config.to_toml())}</pre></details>"
    )


def _scores(scores: dict[str, Any]) -> str:
    """Every member, the selected one in bold, and the baselines; numbers with four digits."""
    names = list(scores["members"][0]["descriptors"])
    classes = [name for name in names if scores["members"][0]["descriptors"][name]["f1"] is not None]
    head = ["member", "RMSE", "MAE", *(f"{n} |SRCC|" for n in names), *(f"{n} F1" for n in classes)]
    head += ["free axis correlation", "Eq. 2"]

    def cells(of: dict[str, Any]) -> list[str]:
        return [number(of[n]["srcc"]) for n in names] + [number(of[n]["f1"]) for n in classes]

    rows = [head]
    for one in scores["members"]:
        errors = [number(one["reconstruction_rmse"]), number(one["reconstruction_mae"])]
        ends = [number(one["free_axis_correlation_max"]), number(one["selection_score"])]
        rows.append([f"seed {one['seed']}", *errors, *cells(one["descriptors"]), *ends])
    pca, trees = scores["baselines"]["pca"], scores["baselines"]["extra_trees"]
    errors = [number(pca["reconstruction_rmse"]), number(pca["reconstruction_mae"])]
    rows.append([f"PCA, {pca['n_components']} components", *errors, *[""] * (len(head) - 3)])
    if names:
        rows.append(["ExtraTrees (supervised ceiling)", "", "", *cells(trees), "", ""])
    correlation = scores["spectral_correlation"]
    features = list(next(iter(correlation.values())))
    spectral = [
        ["axis", *features],
        *([axis, *(number(row[f]) for f in features)] for axis, row in correlation.items()),
    ]
    return (
        f"<h2>Scores</h2><p>On {scores['n_test']} test spectra, split: {escape(scores['split'])}. |SRCC|: Spearman's "
        "rank correlation of an axis with its descriptor; F1: weighted, thresholds from validation data; errors in "
        "units of the edge step. ExtraTrees learn each descriptor from spectra and labels: what the spectra hold.</p>"
        f"{table(rows, chosen=scores['selected'] + 1)}"
        "<p>Rank correlation of the selected member's axes with spectral descriptors (appendix A.5).</p>"
        f"{table(spectral)}"
    )


def _forward(run: Run) -> str:
    """The table that ``rankaae forward`` left in the run folder; nothing where it was not asked for."""
    found = read_forward(run)
    if found is None:
        return ""
    head = ["from: by", "median error, %", "quartiles, %", "within ±3σ, %", "factor f (90 % range)"]
    rows = [[*head, "within ±3fσ, %", "±3fσ, % of μ"]]
    for row in found.rows:
        cells = [cell.replace(" ", "\u00a0") or "–" for cell in spread_cells(row, found)]
        rows.append([f"{row.source}: {row.method}", f"{row.percent:.2f}", f"{row.low:.2f}–{row.high:.2f}", *cells])
    factors = "" if found.validation is None else (
        f"The factor f makes σ an error bar: on {found.validation} validation sites 99.7 % lie within ±3fσ (its range "
        "is over draws of their materials); beside it how many do on the test sites, and how far ±3fσ reaches to "
        "either side. "
    )  # fmt: skip
    text = (
        f"{found.sites} test sites. Error of a site: 100 Σ|Δμ| / Σμ. The decoder gets each axis from its descriptor by "
        "a monotone curve and free axes at 0; networks see the structure as a radial density and weighted symmetry "
        f"functions within {CUTOFF_ANGSTROM:g} Å. Spreads that are right would have 99.7 % within ±3σ. {factors}"
        f"{found.remarks}"
    )
    distances = np.array([distance + SHELL_ANGSTROM / 2 for distance, _ in found.importance])
    rises = np.array([rise for _, rise in found.importance])
    drawn = [
        line_figure(
            "Importance by distance", ("Distance (Å)", "Median error gained (%)"), distances,
            [Curve(rises, LOW, "structure, ensemble")],
        )
    ] if found.importance else []  # fmt: skip
    gained = (
        "Error gained where half an ångström of the structure, at each distance from the absorber, is another site's."
    )
    heading = "<h2>Spectra from descriptors and structures</h2>"
    return f"{heading}<p>{escape(text)}</p>{table(rows)}{figures_with(gained, drawn)}"


def _data_figures(run: Run, spectra: SpectraSet) -> str:
    """A sample of spectra coloured by each descriptor, in the form of Fig. 6a."""
    figures = []
    rng = np.random.default_rng(0)
    for name in run.config().descriptors:
        values = spectra.descriptors[name].to_numpy()
        rows = np.flatnonzero(~np.isnan(values))
        rows = rng.choice(rows, min(SHOWN_SPECTRA, rows.size), replace=False)
        low, high = np.percentile(values[~np.isnan(values)], [5, 95])
        curves = [
            Curve(
                spectra.mu[row],
                ramp(float(np.clip((values[row] - low) / max(float(high - low), 1e-12), 0, 1))),
                f"{spectra.site_id[row]}, {name} {values[row]:.4g}",
                0.8,
            )
            for row in rows[np.argsort(values[rows])]
        ]
        ends = " to ".join(f"{end:.3g}" for end in without_noise((float(low), float(high))))
        figures.append(line_figure(f"by {with_unit(name)}, {ends}", (ENERGY, MU), spectra.energy_ev, curves))
    return section(
        SPECTRA, f"{SHOWN_SPECTRA} random spectra, low values blue, high orange (the form of Fig. 6a).", figures
    )


def _trend_figures(run: Run, member: LatentModel, found: dict[str, Stability]) -> str:
    """Traversals (Fig. 6c), differentials with their band over the members (Fig. S10), overlap, amplitudes."""
    figures, changes = [], []
    scores = run.scores().iloc[run.selected()].to_dict()
    level = noise_level(float(scores["reconstruction_rmse"]))
    for axis in member.axis_names:
        one = traverse_axis(member, axis, levels=LEVELS, samples=SAMPLES)
        changes.append(one.differential)
        ends = [band(mu)[1:] for mu in (found[axis].low, found[axis].high)]
        above = traversal_figure(axis_title(axis, scores), one, ends)
        change = band(found[axis].differential)[1:]
        marks = [point.energy_ev for point in found[axis].isosbestic]
        selected = [Curve(one.differential, HIGH, "selected", 2)]
        title, labels = f"{axis}: differential", (ENERGY, CHANGE)
        below = line_figure(title, labels, one.energy_ev, selected, [change], marks)
        figures.append(f'<div class="pair">{above}{below}</div>')
    sizes = np.array([amplitude(change) for change in changes])
    label = "rms Δμ; dashed: errors of the model alone"
    figures.append(bar_figure("Amplitude of each axis", label, member.axis_names, sizes, level))
    figures.append(
        matrix_figure("Cosine overlap of differentials", member.axis_names, cosine_overlap(np.stack(changes)))
    )
    text = (
        "From the 5th percentile of an axis (blue) to the 95th (orange), mean over Gaussian draws of the other axes "
        "(Fig. 6c); below each its differential, last minus first (Fig. S10), with the 90 % band over the members in "
        "grey and isosbestic points dotted."
    )
    return section(TRENDS, text, figures)


def _latent_figures(run: Run, spectra: SpectraSet, member: LatentModel, scores: dict[str, Any]) -> str:
    """Axis against descriptor, coloured by the spectral descriptor that the axis goes with best (Fig. 7)."""
    rows = run.split().test
    rows = np.sort(np.random.default_rng(0).choice(rows, min(SHOWN_SITES, rows.size), replace=False))
    z, features = member.encode(spectra.mu[rows]), spectral_descriptors(spectra.energy_ev, spectra.mu[rows])
    figures = []
    for i, name in enumerate(run.config().descriptors):
        correlation = {key: abs(value or 0.0) for key, value in scores["spectral_correlation"][name].items()}
        feature = max(correlation, key=lambda key: correlation[key])
        values = spectra.descriptors[name].to_numpy()[rows]
        known = ~np.isnan(values)
        if not known.any():
            continue
        shade = features[feature].to_numpy()[known]
        names = [f"{site}, {name} {v:.4g}" for site, v in zip(spectra.site_id[rows][known], values[known], strict=True)]
        labels = (with_unit(name), f"axis {name}")
        figures.append(point_figure(f"colour: {feature}", labels, values[known], z[known, i], shade, names))
    text = f"At most {SHOWN_SITES} test sites, coloured by the spectral descriptor the axis goes with best (Fig. 7)."
    return section(AXES, text, figures)


def _members(found: dict[str, Stability]) -> str:
    """How far members agree, and the selected one against the least like it (Fig. S12); nothing for a single member."""
    members = len(next(iter(found.values())).cosine)
    if members < 2:
        return ""
    rows = [["axis", "cosine between members", "least", "isosbestic points (share of members)"]]
    figures = []
    for axis, one in found.items():
        mean, least = one.agreement
        points = [
            f"{p.energy_ev:.1f}\u00a0±\u00a0{p.spread_ev:.1f}\u00a0eV\u00a0({100 * p.confidence:.0f}\u00a0%)"
            for p in one.isosbestic
        ]
        rows.append([axis, f"{mean:.3f}", f"{least:.3f}", ", ".join(points) or "–"])
        worst = int(one.cosine[0].argmin())
        curves = [
            Curve(one.differential[0], HIGH, "selected member", 2),
            Curve(one.differential[worst], LOW, f"least like it, cosine {one.cosine[0, worst]:.3f}", 1.6, True),
        ]
        figures.append(line_figure(axis, (ENERGY, CHANGE), one.energy_ev, curves))
    text = (
        f"{members} members. The selected member's differential (orange) and that of the member least like it (blue, "
        "dashed), as Fig. S12 puts best and worst beside each other."
    )
    return f"<h2>{AGREEMENT}</h2>{table(rows)}{figures_with(text, figures)}"


def _validity(run: Run, others: Sequence[Run], spectra: SpectraSet, member: LatentModel) -> str:
    """Decoded spectra over the latent domain and the range of the data, and a plain autoencoder beside it (Fig. S1)."""
    rows = [["of 5,000 decoded spectra, % unlike the data", *(kind.replace("_", " ") for kind in KINDS)]]
    for one in [run, *(other for other in others if other.config().preset == "autoencoder")]:
        faults = validity(one)
        shares = [np.array([100 * getattr(member, kind) for member in faults]) for kind in KINDS]
        name = f"{one.path.resolve().name} (preset {one.config().preset})"
        rows.append([name, *(f"{np.median(s):.2f} ({s.min():.2f}–{s.max():.2f})" for s in shares)])
    decoded = member.decode(latent_box(member.latent_percentiles, SHOWN_SPECTRA))
    curves = [Curve(mu, LOW, "decoded", 0.7) for mu in decoded]
    ends = (spectra.mu.min(axis=0), spectra.mu.max(axis=0))
    figure = line_figure("Decoded over the latent domain", (ENERGY, MU), spectra.energy_ev, curves, [ends])
    text = (
        "Spectra decoded at random points of the box between the 5th and 95th percentile of all axes, in grey the "
        "range of the data (Fig. S1). Above: median over the members, and their range."
    )
    return f"<h2>{VALIDITY}</h2>{table(rows)}{figures_with(text, [figure])}"


def _figure_list(run: Run, body: str) -> str:
    """Which of the paper's figures the page ``body`` holds and where, and of the others why not."""
    initial = set(run.config().descriptors) == set(PAPER_SETS["initial"])
    rows = []
    for figure, shows, heading, why in FIGURES:
        place = TRENDS if initial and heading == FIRST else heading
        rows.append([f"Fig. {figure}", shows, f"under {place}" if f"<h2>{place}</h2>" in body else f"not drawn: {why}"])
    return f"<h2>Figures of the paper</h2>{table([*rows, UNKNOWN_FIGURES], head=False)}"


def _method(run: Run) -> str:
    config = run.config()
    free = f"{config.free_axes} free {'axis' if config.free_axes == 1 else 'axes'}"
    items = [
        "A rank-constrained adversarial autoencoder maps spectra to a latent space in which every descriptor has an "
        f"axis that rises with it (rank loss, Eq. 1), beside {free}, with a Gaussian prior enforced by a "
        f"discriminator: {LIANG}.",
        f"Preset {config.preset}: "
        + ("the published settings." if config.preset == "paper" else "settings of this program, told in full above."),
        "The member is chosen by Eq. 2 on validation data, thresholds of F1 as well; the test part is scored once.",
        "Traversals follow appendix A.6, with one set of Gaussian draws for all levels; spectral descriptors A.5.",
        "Descriptors of structures: CrystalNN (Pan et al., Inorg. Chem. 60, 1590 (2021)) and bond-valence analysis "
        "(O'Keeffe and Brese, J. Am. Chem. Soc. 113, 3226 (1991)), as appendix A.4, unless the set says otherwise.",
        "ExtraTrees: P. Geurts et al., Mach. Learn. 63, 3 (2006).",
    ]
    return f"<h2>Method</h2><ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _repeat(run: Run) -> str:
    stored = run.data()
    element = f" --element {shlex.quote(stored['element'])}" if stored.get("element") else ""
    name = shlex.quote(Path(stored["relative_path"]).name)
    folder = shlex.quote(run.path.resolve().name)
    commands = f"rankaae reproduce {folder}\nrankaae train {name}{element} --config config.toml --out again"
    return (
        "<h2>To repeat it</h2><p>From its folder, with the numbers compared, or from the set and the settings above, "
        f"saved as config.toml:</p><pre>{escape(commands)}</pre>"
    )
