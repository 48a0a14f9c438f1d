"""The boxed text tables of .rpt files.

HLS reports have sections (`== Utilization Estimates`), groups (`+ Detail:`) and named tables (`* Instance:`); Vivado's
have numbered sections. A row counts only with both its borders, so that a cut-off line is never half a number.
"""

from __future__ import annotations

import re

HEADING = re.compile(r"^\s*([+*]) ([A-Z][^:|]*?):\s*$")

Rows = list[list[str]]


def named_tables(text: str) -> dict[tuple[str, str, str], Rows]:
    """(section, group, name) -> rows of cells, headers included; the group is "" where there is none."""
    tables: dict[tuple[str, str, str], Rows] = {}
    section = group = name = ""
    for line in text.splitlines():
        if line.startswith("== "):
            section, group, name = line[3:].strip(), "", ""
        elif found := HEADING.match(line):
            if found[1] == "+":
                group, name = found[2], ""
            else:
                name = found[2]
        elif cells := row(line):
            tables.setdefault((section, group, name), []).append(cells)
    return tables


def row(line: str) -> list[str]:
    """The cells of a table line; none where it isn't one. Cells keep their indentation."""
    line = line.strip()
    if len(line) < 2 or line[0] != "|" or line[-1] != "|":
        return []
    return [cell.rstrip() for cell in line[1:-1].split("|")]


def records(rows: Rows) -> list[dict[str, str]]:
    """Rows below the first as column -> cell, stripped; rows of another width are left out."""
    if not rows:
        return []
    header = [cell.strip() for cell in rows[0]]
    return [
        dict(zip(header, (cell.strip() for cell in cells), strict=True))
        for cells in rows[1:]
        if len(cells) == len(header)
    ]
