"""Sections on the terminal, within 120 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from qmfn.report.content import Section, Table


def show(sections: list[Section], console: Console) -> None:
    """Print every section: heading, sentences, table."""
    for section in sections:
        console.print(Text(section.heading, style="bold"))
        for sentence in section.sentences:
            console.print(Text(sentence))
        if section.table:
            console.print(_table(section.table))
        console.print()


def _table(table: Table) -> RichTable:
    # One space between columns: the layer table needs the width.
    drawn = RichTable(
        box=None, padding=(0, 1, 0, 0), header_style="underline", show_header=any(table.columns)
    )
    for index, column in enumerate(table.columns):
        drawn.add_column(column, justify="left" if index < table.text_columns else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(cell, style="bold red" if cell == "does not fit" else "") for cell in row))
    return drawn
