"""Chains of trainings: descriptors added one by one, or swapped one by one, as ``suggest`` proposes.

Liang et al., Phys. Rev. Materials 7, 053802 (2023), did so by hand: Fig. S4 adds, Fig. S3 swaps.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.analysis.comparison import amplitude
from engine.analysis.descriptor_correlation import chance_level
from engine.analysis.differentials import noise_level
from engine.errors import ConfigError, RunError
from engine.io import write_set
from engine.io.files import atomic_target
from engine.model.config import TrainConfig
from engine.model.examine import SAMPLES, free_amplitudes
from engine.model.latent_model import load_members, traverse_axis
from engine.model.run import EventSink, Run
from engine.model.training import train
from engine.spectra import SpectraSet
from engine.structures import with_noise
from engine.study.suggest import NOISE, Suggestion, suggest

MOST_STEPS = 8


@dataclass(frozen=True)
class Band:
    """Median and ends over the members of a run."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Step:
    """One training of a sweep; bands are over its seeds, on the test part.

    change       what it does to the step before: "OS", "+ OCN", "PGSO → MOOD", or "+ NOISE" for the control
    free         amplitude (rms Δμ) of the strongest free axis · noise_level  what that amplitude is held against
    srcc         per descriptor |SRCC| of its axis · rmse  of the reconstruction
    """

    change: str
    run: str
    descriptors: tuple[str, ...]
    free: Band
    noise_level: float
    srcc: dict[str, Band]
    rmse: Band


@dataclass(frozen=True)
class Sweep:
    """The steps of a sweep, why it stopped, and its control: the last set and NOISE.

    noise_amplitude  of the NOISE axis, which nothing ranks · chance  |SRCC| that chance gives on the test part
    """

    steps: tuple[Step, ...]
    stopped: str
    control: Step
    noise_amplitude: Band
    chance: float

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return asdict(self)


def sweep(
    spectra: SpectraSet,
    set_path: Path,
    config: TrainConfig,
    folder: Path,
    *,
    swap: bool = False,
    most: int = MOST_STEPS,
    begin: Callable[..., Run] = train,
    report: Callable[[Step], None] = lambda _: None,
    on_event: EventSink | None = None,
) -> Sweep:
    """Trains ``config``'s descriptors, then what ``suggest`` proposes, added or (``swap``) put in another's place.

    Stops when nothing is proposed, when the free axis moves the spectrum no more than errors of the model do
    (``noise_level``; not when swapping), or after ``most`` changes. At last the set with NOISE is trained: how far an
    axis is from chance, and what one more axis alone takes from the free one. Runs are kept in ``folder``, where an
    interrupted sweep goes on; ``sweep.json`` holds the result. ``begin`` trains (``train``, or ``train_apart`` with its
    workers), ``report`` is told each step, ``on_event`` what happens in every training. ConfigError when NOISE is
    among the first descriptors, RunError when ``folder`` cannot be made.
    """
    if NOISE in config.descriptors:
        raise ConfigError(f"{NOISE} is the control that every sweep ends with; begin with other descriptors")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made ({error.strerror or error})") from error
    if NOISE not in spectra.descriptors:
        table = with_noise(spectra.descriptors, spectra.site_id.tolist())
        spectra = replace(spectra, descriptors=table, steps=(*spectra.steps, f"column {NOISE}, a random control"))
        set_path = folder / "set.parquet"
        write_set(spectra, set_path)

    def trained(names: tuple[str, ...]) -> Run:
        chosen = replace(config, descriptors=names)
        place = folder / re.sub(r"[^A-Za-z0-9._-]", "_", "-".join(names))
        return begin(spectra, set_path, chosen, place, resume=True, on_event=on_event)

    names, change, seen = config.descriptors, ", ".join(config.descriptors), {frozenset(config.descriptors)}
    steps: list[Step] = []
    while True:
        run = trained(names)
        steps.append(step_of(change, run))
        report(steps[-1])
        rest = set(spectra.descriptors) - {NOISE, *names}
        stopped = _enough(steps, most, swap=swap) if rest else "every descriptor of the set is used"
        if stopped:
            break
        proposed = _next(suggest(run), names, swap=swap)
        if proposed is None or frozenset(proposed[1]) in seen:
            stopped = "nothing is proposed" if proposed is None else f"{proposed[0]} leads back"
            break
        change, names = proposed
        seen.add(frozenset(names))
    control = trained((*names, NOISE))
    last = step_of(f"+ {NOISE}", control)
    report(last)
    result = Sweep(tuple(steps), stopped, last, _noise_amplitude(control), chance_level(control.split().test.size))
    with atomic_target(folder / "sweep.json") as temporary:
        temporary.write_text(json.dumps(result.to_json(), indent=1, allow_nan=False), encoding="utf-8")
    return result


def _enough(steps: list[Step], most: int, *, swap: bool) -> str:
    """Why the sweep is at its end after these steps; "" where it is not."""
    last = steps[-1]
    if len(steps) > most:
        return f"{most} changes"
    if not swap and last.free.median <= last.noise_level:
        return f"the free axis moves mu by {last.free.median:.4f}, errors of the model by {last.noise_level:.4f}"
    return ""


def _next(found: Suggestion, names: tuple[str, ...], *, swap: bool) -> tuple[str, tuple[str, ...]] | None:
    if swap:
        if not found.swaps:
            return None
        out, new = found.swaps[0]
        return f"{out} → {new}", tuple(new if name == out else name for name in names)
    return (f"+ {found.proposed[0]}", (*names, found.proposed[0])) if found.proposed else None


def step_of(change: str, run: Run) -> Step:
    """What a finished run says as a step of a chain."""
    table, names = run.scores(), run.config().descriptors
    rmse = _band(table["reconstruction_rmse"].to_numpy())
    return Step(
        change=change,
        run=run.path.name,
        descriptors=names,
        free=_band(free_amplitudes(run)),
        noise_level=noise_level(rmse.median),
        srcc={name: _band(table[f"{name} srcc"].to_numpy()) for name in names},
        rmse=rmse,
    )


def _noise_amplitude(run: Run) -> Band:
    ends = [traverse_axis(one, NOISE, levels=2, samples=SAMPLES) for one in load_members(run)]
    return _band(np.array([amplitude(one.differential) for one in ends]))


def _band(values: Any) -> Band:
    known = [float(value) for value in values if math.isfinite(value)]
    return Band(float(np.median(known)), min(known), max(known)) if known else Band(0.0, 0.0, 0.0)
