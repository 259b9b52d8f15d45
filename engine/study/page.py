"""Parts of a page as HTML text; every text is escaped, figures are SVG text and go in as they are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from html import escape
from typing import Any


def section(title: str, text: str, figures: Sequence[str]) -> str:
    """A heading, a paragraph and figures; nothing without figures."""
    return f"<h2>{escape(title)}</h2>{figures_with(text, figures)}" if figures else ""


def figures_with(text: str, figures: Sequence[str]) -> str:
    """A paragraph and figures side by side; nothing without figures."""
    return f'<p>{escape(text)}</p><div class="figures">{"".join(figures)}</div>' if figures else ""


def table(rows: Sequence[Sequence[str]], *, head: bool = True, chosen: int = -1) -> str:
    """Rows of cells, the first one as heads; without ``head`` a list of names and texts. ``chosen`` is in bold."""
    lines = []
    for i, row in enumerate(rows):
        kind = "th" if head and i == 0 else "td"
        cells = "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in row)
        lines.append(f'<tr class="chosen">{cells}</tr>' if i == chosen else f"<tr>{cells}</tr>")
    look = "numbers" if head else "text"
    return f'<div class="wide"><table class="{look}">{"".join(lines)}</table></div>'


def number(value: float | None) -> str:
    """Four digits after the point; a dash where there is no number."""
    return "–" if value is None else f"{value:.4f}"


def without_noise(values: Sequence[float]) -> list[float]:
    """The values with 0 for what is 0 but for rounding, beside the largest of them."""
    least = 1e-9 * max(map(abs, values))
    return [value if abs(value) > least else 0.0 for value in values]


def axis_title(axis: str, scores: Mapping[Hashable, Any]) -> str:
    """The name of an axis and, by a member's row of the score table, how well it follows its descriptor."""
    return f"{axis}, |SRCC| {scores[f'{axis} srcc']:.3f}" if f"{axis} srcc" in scores else axis
