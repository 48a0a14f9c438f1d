"""Sections on a terminal, within its width, without what only the page shows and without details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from qmfn.report.forms import TEXT, plain
from qmfn.report.tree import Block, Cell, Code, Column, Paragraph, Picture, Pictures, Section, Table

STYLES = {"good": "bold green", "fair": "bold yellow", "bad": "bold red", "open": "dim", None: ""}

SHORTEST_NAME = 24
"""Characters that are left of a long name at least."""


def show(sections: Sequence[Section], console: Console) -> None:
    """Print every section that has something to print."""
    for section in sections:
        parts = [part for block in section.blocks for part in _block(block, console.width)]
        if parts:
            for part in (Text(plain(section.heading), "bold"), *parts, ""):
                console.print(part)


def _block(block: Block, width: int) -> list[RenderableType]:
    match block:
        case Paragraph():
            spans = [(plain(span.text), "bold" if span.bold else STYLES[span.status]) for span in block.in_text]
            return [Text.assemble(*spans, style="yellow" if block.style == "problem" else "")] if spans else []
        case Code():
            return [] if block.detail else [Text(block.text)]
        case Table():
            return _table(block, width)
        case Picture() | Pictures():
            return []
    return _table(block.table, width)


def _table(table: Table, width: int) -> list[RenderableType]:
    if table.detail or not table.rows:
        return []
    columns, lines = _fitting(table, width) if table.has_headings else (table.columns, table.lines)
    # One space between columns: tables of layers need the width.
    grid = Grid(box=None, padding=(0, 1, 0, 0), header_style="underline", show_header=table.has_headings)
    for column in columns:
        grid.add_column(plain(column.heading), justify="left" if column.form.is_text else "right", overflow="fold")
    for index, line in enumerate(lines):
        style = "bold" if index == table.marked else ""
        grid.add_row(*(Text(plain(cell.text), STYLES[cell.status] or style) for cell in line))
    left_out = {column.heading for column in table.columns} - {column.heading for column in columns}
    hints = "; ".join(f"{heading}: {hint}" for heading, hint in table.hints.items() if heading not in left_out)
    return [*([Text(plain(table.title), "bold")] if table.title else []), grid, *([Text(f"{hints}.")] if hints else [])]


def _fitting(table: Table, width: int) -> tuple[Sequence[Column], Sequence[Sequence[Cell]]]:
    """Columns and lines of a table, without as many of its spare columns, from the last on, as the width asks for.

    If that is not enough, the names in the first column lose their middle, where a vendor's names have their types.
    """
    columns, lines = list(table.columns), table.lines

    def excess() -> int:
        texts = [[column.heading, *(line[place].text for line in lines)] for place, column in enumerate(columns)]
        return sum(max(map(len, column)) + 1 for column in texts) - width

    for place in reversed(range(len(columns))):
        if excess() > 0 and columns[place].spare:
            del columns[place]
            lines = [[*line[:place], *line[place + 1 :]] for line in lines]
    room = max(SHORTEST_NAME, max(len(line[0].text) for line in lines) - max(0, excess()))
    return columns, [[replace(line[0], value=_shortened(line[0].text, room), form=TEXT), *line[1:]] for line in lines]


def _shortened(name: str, room: int) -> str:
    head, tail = room // 2 - 2, room - room // 2 - 1
    return name if len(name) <= room else f"{name[:head]}...{name[-tail:]}"
