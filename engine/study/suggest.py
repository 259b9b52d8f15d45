"""Which descriptor to try next with a run: candidates from its set and from the user, judged on validation data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.analysis.ceiling import Ceiling, supervised_ceiling
from engine.analysis.comparison import amplitude
from engine.analysis.descriptor_correlation import chance_level
from engine.analysis.discovery import (
    PERMUTATIONS,
    Candidate,
    Swap,
    Unexplained,
    axis_variance,
    best_swaps,
    rank_candidates,
)
from engine.analysis.scores import rank_correlation
from engine.errors import ConfigError
from engine.model.examine import SAMPLES
from engine.model.latent_model import LatentModel, load_members, traverse_axis
from engine.model.run import Run
from engine.spectra import SpectraSet, Split
from engine.structures import with_noise

ALPHA = 0.01
MOST_SITES = 1000
NOISE = "NOISE"
Progress = Callable[[int, int, str], None]
Origin = Literal["set", "own", "computed"]
"""Where a candidate's values are from: the run's set, columns of the user's, or the structures beside the set."""


@dataclass(frozen=True)
class Used:
    """One descriptor of the run.

    srcc        |SRCC| of its axis on validation data, median over the members · ceiling  what ExtraTrees reach there
    only_share  share of the variance of validation spectra that no other used descriptor explains
    """

    name: str
    srcc: float
    ceiling: float
    only_share: float


@dataclass(frozen=True)
class Proposal:
    """A candidate, its supervised ceiling, whether it is worth a try, and the used one it could take the place of.

    proposed  p at most 0.01 and a ceiling above chance; never NOISE, which is there to be compared with
    swap      set where the candidate's ceiling is above that of the one it replaces and the spectra gain
    """

    candidate: Candidate
    origin: Origin
    ceiling: Ceiling
    proposed: bool
    swap: Swap | None


@dataclass(frozen=True)
class Suggestion:
    """What ``suggest`` found: candidates with the most explained spectrum first; the NOISE control is among them."""

    sites: int
    members: int
    used: tuple[Used, ...]
    proposals: tuple[Proposal, ...]

    @property
    def proposed(self) -> list[str]:
        """Names of the candidates worth a try, the best first."""
        return [one.candidate.name for one in self.proposals if one.proposed]

    @property
    def swaps(self) -> list[tuple[str, str]]:
        """(used, candidate) of proposed replacements, the one that raises the supervised ceiling most first."""
        ceilings = {one.name: one.ceiling for one in self.used}
        gains = {
            (one.swap.out, one.candidate.name): one.ceiling.srcc - ceilings[one.swap.out]
            for one in self.proposals
            if one.swap is not None and one.proposed
        }
        return sorted(gains, key=lambda pair: -gains[pair])

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        rows = []
        for one in self.proposals:
            row = asdict(one.candidate) | {
                "origin": one.origin, "ceiling": one.ceiling.srcc, "proposed": one.proposed,
            }  # fmt: skip
            rows.append(_plain(row) | {"swap": asdict(one.swap) if one.swap else None})
        return {
            "validation_sites": self.sites,
            "members": self.members,
            "used": [_plain(asdict(one)) for one in self.used],
            "candidates": rows,
            "proposed": self.proposed,
            "swaps": [{"out": out, "in": name} for out, name in self.swaps],
        }


def suggest(
    run: Run,
    own: pd.DataFrame | None = None,
    computed: pd.DataFrame | None = None,
    *,
    permutations: int = 0,
    progress: Progress | None = None,
) -> Suggestion:
    """Ranks every descriptor of the run's set that it does not use, and columns (n, c) ``own`` and ``computed``.

    All on the validation part (at most about 1,000 sites of it); ceilings and spectral shares are learned on the
    training part. ``permutations`` is 4,999, or more where many candidates need them, unless given. ConfigError when
    nothing is left to try or ``own`` repeats a column of the set.
    """
    names, spectra, split = list(run.config().descriptors), run.spectra(), run.split()
    origin: dict[str, Origin] = {}
    if own is not None:
        origin |= {str(name): "own" for name in own}
    if computed is not None:
        origin |= {str(name): "computed" for name in computed}
    table = _candidates(extended(spectra, own, computed), names)
    if NOISE not in names:
        table = with_noise(table, spectra.site_id.tolist())
    everything = pd.concat([spectra.descriptors[names], table], axis=1)
    rows = some_sites(split.validation, spectra.material_id)
    members = load_members(run)
    left = [unexplained(member, spectra, rows) for member in members]
    permutations = permutations or max(PERMUTATIONS, round(2 * table.shape[1] / ALPHA))
    found = rank_candidates(
        left, everything.iloc[rows][names], table.iloc[rows], spectra.material_id[rows], permutations=permutations
    )
    ceilings: dict[str, Ceiling] = {}
    for done, name in enumerate(everything):
        if progress is not None:
            progress(done, everything.shape[1], str(name))
        ceilings[str(name)] = held_out_ceiling(spectra, everything[name].to_numpy(), split)
    parts = [(everything.iloc[part], spectra.mu[part]) for part in (split.train, split.validation)]
    only, swaps = best_swaps(parts[0], parts[1], names, [one.name for one in found if not math.isnan(one.p)])
    proposals = tuple(
        Proposal(
            one,
            origin.get(one.name, "set"),
            ceilings[one.name],
            one.name != NOISE and is_proposed(one, ceilings[one.name]),
            _worthwhile(one, swaps, ceilings),
        )
        for one in found
    )
    latent = [member.encode(spectra.mu[rows]) for member in members]
    used = []
    for i, name in enumerate(names):
        labels = everything[name].to_numpy()[rows]
        srcc = float(np.median([abs(rank_correlation(z[:, i], labels)) for z in latent]))
        used.append(Used(name, srcc, ceilings[name].srcc, only[name]))
    return Suggestion(rows.size, len(members), tuple(used), proposals)


def unexplained(member: LatentModel, spectra: SpectraSet, rows: npt.NDArray[np.intp]) -> Unexplained:
    """What one member leaves over on the sites ``rows`` of its set."""
    mu = spectra.mu[rows]
    z = member.encode(mu)
    free = range(len(member.thresholds), len(member.axis_names))
    ends = [traverse_axis(member, member.axis_names[i], levels=2, samples=SAMPLES).differential for i in free]
    variance = np.array([axis_variance(amplitude(one)) for one in ends])
    return Unexplained(z[:, free].astype(np.float64), variance, mu.astype(np.float64) - member.decode(z))


def held_out_ceiling(spectra: SpectraSet, values: npt.NDArray[np.floating], split: Split) -> Ceiling:
    """The supervised ceiling of a descriptor (n,) on the validation part: no choice is made on the test part."""
    return supervised_ceiling(spectra.mu, values, Split(split.train, split.test, split.validation, split.how, 0))


def is_proposed(one: Candidate, ceiling: Ceiling) -> bool:
    """Whether a candidate is worth a try: what it explains is not chance, and spectra of unseen materials tell it."""
    return one.p <= ALPHA and ceiling.srcc > chance_level(ceiling.n_test)


def _worthwhile(one: Candidate, swaps: Mapping[str, Swap], ceilings: Mapping[str, Ceiling]) -> Swap | None:
    swap = swaps.get(one.name)
    return swap if swap and swap.gain > 0 and ceilings[one.name].srcc > ceilings[swap.out].srcc else None


def extended(spectra: SpectraSet, own: pd.DataFrame | None, computed: pd.DataFrame | None) -> SpectraSet:
    """The set with columns (n, c) of the user's and computed ones; ConfigError where ``own`` repeats one of it.

    Computed ones replace columns of their name, in which no site has a value.
    """
    table, steps = spectra.descriptors, spectra.steps
    for added, what in ((own, "own columns"), (computed, "from the structures beside the set")):
        if added is None or added.empty:
            continue
        repeated = [name for name in added if name in table and table[name].notna().any()]
        if repeated:
            raise ConfigError(f"column {repeated[0]} is in the set already; give another name")
        table = table.assign(**{str(name): added[name].to_numpy() for name in added})
        steps = (*steps, f"{what}: {', '.join(map(str, added))}")
    return replace(spectra, descriptors=table, steps=steps)


def _candidates(spectra: SpectraSet, used: list[str]) -> pd.DataFrame:
    table = spectra.descriptors.drop(columns=used)
    table = table.loc[:, [bool(table[name].notna().any()) for name in table]]
    if not [name for name in table if name != NOISE]:
        raise ConfigError("the run uses every descriptor of its set; add columns to try, with --columns or on import")
    return table


def some_sites(rows: npt.NDArray[np.intp], material_id: npt.NDArray[np.str_]) -> npt.NDArray[np.intp]:
    """At most about 1,000 of ``rows``, whole materials."""
    if rows.size <= MOST_SITES:
        return rows
    _, group = np.unique(material_id[rows], return_inverse=True)
    order = np.random.default_rng(0).permutation(group.max() + 1)[group]
    chosen: npt.NDArray[np.intp] = np.sort(rows[order <= np.sort(order)[MOST_SITES - 1]])
    return chosen


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
