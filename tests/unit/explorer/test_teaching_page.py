"""The teaching page: its text, its escaping, and answers that follow from the model."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np

from engine.model.decoder_weights import DecoderWeights
from explorer.components.member import Member, make_member
from explorer.components.questions import questions
from explorer.components.teaching import teaching_page
from explorer.runs import MemberInfo
from tests.unit.explorer.test_player import HOSTILE, some_sites, straight_member


class Tags(HTMLParser):
    """Counts the elements of a page and collects what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_holds_all_it_needs_and_shows_names_as_text() -> None:
    page = teaching_page(straight_member(some_sites()), f"A {HOSTILE} title </title>")
    parsed = Tags()
    parsed.feed(page)
    assert parsed.addresses == []
    assert "img" not in parsed.tags
    assert parsed.tags.count("script") == 2
    assert "<img" not in page
    assert "default-src 'none'" in page
    content = re.search(r'<script type="application/json" id="member">(.*?)</script>', page)
    assert content is not None
    assert json.loads(content[1])["axes"][0]["name"] == HOSTILE


class Bump:
    """The first axis moves an edge by 2 eV per unit, the second raises the peak, the third does both a bit."""

    axis_names = ("MOVE", "RAISE", "free 1")
    energy_ev = np.linspace(8980.0, 9030.0, 201)

    def encode(self, mu: np.ndarray) -> np.ndarray:
        return np.zeros((len(mu), 3))

    def decode(self, z: np.ndarray) -> np.ndarray:
        z = np.asarray(z)
        x = self.energy_ev[None, :] - 9000 - 2 * z[:, :1] - 0.1 * z[:, 2:]
        peak = (1 + 0.2 * z[:, 1:2] + 0.02 * z[:, 2:]) * np.exp(-(((x - 4) / 2) ** 2))
        return 0.5 + np.arctan(x) / np.pi + peak

    def percentile(self, axis: str, q: int) -> float:
        return {0: -2.0, 5: -1.0, 95: 1.0, 100: 2.0}[q]


def bump_member(scores: dict[str, float]) -> Member:
    weights = DecoderWeights((3, 201), "silu", "none", 1.0, np.zeros(4 * 201 + 402, dtype=np.float32))
    return make_member(Bump(), (weights,), 0, MemberInfo(0, 7, True, scores), None, ("MOVE", "RAISE"))


def test_answers_follow_from_the_model() -> None:
    answers = {q.question: q.answer for q in questions(bump_member({"MOVE srcc": 0.5, "RAISE srcc": 0.9}))}
    assert len(answers) == 6
    edge = answers["Which axis moves the edge most?"]
    assert edge.startswith("MOVE: ")
    assert re.search(r"changes by \+4\.\d\d eV", edge)
    white_line = answers["Which axis changes the height of the white line most?"]
    assert white_line.startswith("RAISE: ")
    assert "changes by +0.400" in white_line
    trust = answers["Which axis follows its property best, and which least?"]
    assert trust.startswith("RAISE best (|SRCC| 0.90), MOVE least (0.50)")
    left = answers["How much of the spectra do the named properties leave unexplained?"]
    assert "free 1, which follows no property, is number 3 of 3" in left


def test_questions_without_an_answer_are_not_asked() -> None:
    asked = [q.question for q in questions(straight_member())]
    assert "Which axis follows its property best, and which least?" not in asked
    page = teaching_page(straight_member(), "No sites")
    assert 'id="map"' not in page
