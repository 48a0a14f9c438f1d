"""Sections as Markdown."""

from __future__ import annotations

from qmfn.report.content import Section, Table


def render(title: str, sections: list[Section]) -> str:
    """A Markdown document."""
    blocks = [f"# {title}"]
    for section in sections:
        blocks.append(f"## {section.heading}")
        blocks.extend(section.sentences)
        if section.table:
            blocks.append(_table(section.table))
    return "\n\n".join(blocks) + "\n"


def _table(table: Table) -> str:
    numbers = len(table.columns) - table.text_columns
    lines = [table.columns, ["---"] * table.text_columns + ["---:"] * numbers, *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
