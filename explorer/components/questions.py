"""Questions that a class can put to a trained member, with answers computed from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from engine.analysis.scores import FloatArray
from engine.analysis.traversal import cosine_overlap, traverse
from engine.spectra import spectral_descriptors
from explorer.components.member import Axis, Member


@dataclass(frozen=True)
class Question:
    """A question to a class and its answer, both plain text."""

    question: str
    answer: str


@dataclass(frozen=True, eq=False)
class _Ends:
    """What each of k axes does from its 5th to its 95th percentile, the others at 0: spectra (k, 2, m)."""

    axes: tuple[Axis, ...]
    energy_ev: FloatArray
    mu: FloatArray

    @property
    def differentials(self) -> FloatArray:
        difference: FloatArray = self.mu[:, 1] - self.mu[:, 0]
        return difference

    def change(self, feature: str) -> list[tuple[Axis, float]]:
        """By how much each axis changes a spectral descriptor, most first; axes where it is absent are left out."""
        low, high = (spectral_descriptors(self.energy_ev, self.mu[:, end])[feature] for end in (0, 1))
        found = zip(self.axes, (high - low).tolist(), strict=True)
        return sorted(((axis, value) for axis, value in found if np.isfinite(value)), key=lambda pair: -abs(pair[1]))


def questions(member: Member) -> list[Question]:
    """Questions with their answers; those that the model cannot answer are left out."""
    model = member.model
    names, energy = model.axis_names, model.energy_ev
    moved = [
        traverse(model.decode, names, axis.name, axis.q5, axis.q95, energy, levels=2, samples=0).mu
        for axis in member.axes
    ]
    ends = _Ends(member.axes, energy, np.stack(moved))
    makers: list[Callable[[Member, _Ends], Iterator[Question]]] = [_edge, _white_line, _point, _alike, _left, _trust]
    return [question for make in makers for question in make(member, ends)]


def _edge(member: Member, ends: _Ends) -> Iterator[Question]:
    ranked = ends.change("E_edge")
    if ranked:
        yield Question("Which axis moves the edge most?", _ranking(ranked, "the edge (half height)", "+.2f", " eV"))


def _white_line(member: Member, ends: _Ends) -> Iterator[Question]:
    ranked = ends.change("I_main")
    if ranked:
        text = _ranking(ranked, "the height of the white line", "+.3f", "")
        yield Question("Which axis changes the height of the white line most?", text)


def _ranking(ranked: list[tuple[Axis, float]], what: str, digits: str, unit: str) -> str:
    (first, most), *others = ranked
    text = (
        f"{first.symbol}: from its 5th to its 95th percentile, with all other axes at 0, {what} changes by "
        f"{_number(most, digits)}{unit}."
    )
    rest = ", ".join(f"{axis.symbol} {_number(value, digits)}{unit}" for axis, value in others)
    return f"{text} The others: {rest}." if rest else text


def _point(member: Member, ends: _Ends) -> Iterator[Question]:
    change = ends.differentials
    axis, point = np.unravel_index(np.abs(change).argmax(), change.shape)
    yield Question(
        "Which axis changes a single point of the spectrum most, and at which energy?",
        f"{ends.axes[axis].symbol}, at {ends.energy_ev[point]:.1f} eV: there μ changes by "
        f"{_number(float(change[axis, point]), '+.3f')} from its 5th to its 95th percentile, with all other axes at 0.",
    )


def _alike(member: Member, ends: _Ends) -> Iterator[Question]:
    if len(ends.axes) < 2:
        return
    overlap = cosine_overlap(ends.differentials)
    pairs = np.triu_indices(len(ends.axes), 1)
    i, j = (int(rows[np.abs(overlap[pairs]).argmax()]) for rows in pairs)
    value = float(overlap[i, j])
    yield Question(
        "Which two axes change the spectrum most alike, and why does that matter?",
        f"{ends.axes[i].symbol} and {ends.axes[j].symbol}: their differences have a cosine overlap of "
        f"{_number(value, '+.2f')} (±1: the same shape, 0: nothing in common). The closer that is to 1 or −1, the "
        "harder it is to tell from a measured spectrum alone which of the two has changed.",
    )


def _left(member: Member, ends: _Ends) -> Iterator[Question]:
    size = np.sqrt((ends.differentials**2).mean(axis=1))
    order = np.argsort(-size)
    free = [place for place in order if ends.axes[place].free]
    if not free or len(free) == len(ends.axes):
        return
    every = ", ".join(f"{ends.axes[place].symbol} {size[place]:.3f}" for place in order)
    rank = int(np.flatnonzero(order == free[0])[0]) + 1
    yield Question(
        "How much of the spectra do the named properties leave unexplained?",
        f"Compare how much each axis changes the spectrum (root mean square of its difference): {every}. The axis "
        f"{ends.axes[free[0]].symbol}, which follows no property, is number {rank} of {len(order)}: so much is left "
        "that the named properties do not describe.",
    )


def _trust(member: Member, ends: _Ends) -> Iterator[Question]:
    scores = [(member.info.scores.get(f"{a.name} srcc", float("nan")), a.symbol) for a in ends.axes if not a.free]
    ranked = sorted((pair for pair in scores if np.isfinite(pair[0])), reverse=True)
    if len(ranked) > 1:
        (high, best), (low, worst) = ranked[0], ranked[-1]
        yield Question(
            "Which axis follows its property best, and which least?",
            f"{best} best (|SRCC| {high:.2f}), {worst} least ({low:.2f}), on test spectra that the network has not "
            "seen. The lower the number, the less the name of the slider can be taken literally.",
        )


def _number(value: float, digits: str) -> str:
    return format(value, digits).replace("-", "−")
