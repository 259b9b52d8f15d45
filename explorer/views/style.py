"""How text and tables of numbers look in the parts of the page."""

from __future__ import annotations

TABLE_STYLE = """
table {border-collapse: collapse; width: 100%; font-size: 13px}
th, td {text-align: left; padding: 3px 10px 3px 0; border-bottom: 1px solid rgba(128, 128, 128, 0.3)}
th, td {vertical-align: top}
td.number, th.number {text-align: right; font-variant-numeric: tabular-nums}
details {font-size: 13px; margin-bottom: 8px}
summary {cursor: pointer}
.card h1, .card h2 {font-size: 15px; margin: 12px 0 4px 0}
.card {line-height: 1.45; overflow-wrap: anywhere}
.card ul {margin: 4px 0; padding-left: 20px}
p {margin: 0 0 6px 0; font-size: 13px; line-height: 1.4}
"""
