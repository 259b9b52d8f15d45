"""Tables of the Compare part as HTML; every text in them is escaped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from explorer.columns import Column
from explorer.messages import as_html
from explorer.views.data import TABLE_STYLE

STYLE = (
    TABLE_STYLE
    + """
.better {color: #009E73; font-weight: 600; white-space: nowrap}
.worse {color: #D55E00; font-weight: 600; white-space: nowrap}
.same {opacity: 0.7; white-space: nowrap}
tr.chosen td {font-weight: 600}
td.number {white-space: nowrap}
.wide {overflow-x: auto}
"""
)
MARKS = {1: ("better", "▲"), -1: ("worse", "▼"), 0: ("same", "=")}
FOUR_DIGITS = ("RMSE", "MAE")


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]], chosen: Sequence[int] = (), words: int = 1) -> str:
    """A table of plain texts, the first ``words`` columns words, the others numbers; the rows ``chosen`` are bold."""
    top = "".join(f"<th{_side(i, words)}>{as_html(cell)}</th>" for i, cell in enumerate(head))
    body = "".join(
        f"<tr{' class=chosen' if place in chosen else ''}>"
        + "".join(f"<td{_side(i, words)}>{as_html(cell)}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for place, row in enumerate(rows)
    )
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def words_html(lines: Sequence[str]) -> str:
    """Lines of plain text."""
    return "".join(f"<p>{as_html(line)}</p>" for line in lines)


def score_table_html(columns: Sequence[Column], table: pd.DataFrame) -> str:
    """``compare_scores`` of the columns: a row per measure; from the second column on, the difference to the first."""
    head = "".join(f"<th{_side(1)}>{as_html(column.name)}</th>" for column in columns)
    body = []
    for (descriptor, measure), rows in table.groupby(["descriptor", "measure"], sort=False):
        if rows["value"].isna().all():
            continue
        by_member = rows.set_index("member")
        cells = [_score_cell(by_member, place, str(measure)) for place in range(len(columns))]
        body.append(f"<tr><td>{as_html(f'{descriptor} {measure}'.strip())}</td>{''.join(cells)}</tr>")
    return f'<div class="wide"><table><tr><th></th>{head}</tr>{"".join(body)}</table></div>'


def number(value: float, digits: int = 3, *, sign: bool = False) -> str:
    """A number with a real minus sign, or a dash where it is not known."""
    if not np.isfinite(value):
        return "–"
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def _score_cell(rows: pd.DataFrame, place: int, measure: str) -> str:
    if place not in rows.index:
        return f"<td{_side(1)}>–</td>"
    row = rows.loc[place]
    digits = 4 if measure in FOUR_DIGITS else 3
    text = as_html(number(float(row["value"]), digits))
    if place and np.isfinite(row["difference"]):
        told = abs(row["difference"]) >= 0.5 * 10**-digits
        style, mark = MARKS[int(row["better"]) if told else 0]
        text += f' <span class="{style}">{mark} {as_html(number(float(row["difference"]), digits, sign=True))}</span>'
    return f"<td{_side(1)}>{text}</td>"


def _side(place: int, words: int = 1) -> str:
    """The attribute that puts every column but the first ``words`` to the right."""
    return ' class="number"' if place >= words else ""
