"""A document as Markdown, without what only the page shows."""

from __future__ import annotations

from qmfn.report.forms import plain
from qmfn.report.tree import Block, Cell, Code, Document, Paragraph, Picture, Pictures, Section, Table


def render(document: Document) -> str:
    """The whole document."""
    about = ": ".join(filter(None, [document.kicker, ", ".join(document.subtitle)]))
    parts = [f"# {_text(document.title)}", f"{_text(about)}.", *filter(None, map(_section, document.sections))]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> str:
    blocks = [text for text in map(_block, section.blocks) if text]
    return "\n\n".join([f"## {_text(section.heading)}", *blocks]) if blocks else ""


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            texts = (f"**{_text(span.text)}**" if span.bold else _text(span.text) for span in block.in_text)
            return "".join(texts).strip()
        case Code():
            fence = "````" if "```" in block.text else "```"
            return _titled(block.title, f"{fence}\n{block.text.rstrip()}\n{fence}")
        case Table():
            return _titled(block.title, _table(block))
        case Picture() | Pictures():
            return ""
    return _table(block.table)


def _titled(title: str, text: str) -> str:
    return f"### {_text(title)}\n\n{text}" if title else text


def _table(table: Table) -> str:
    """A list where there are no headings."""
    lines = [[_cell(cell) for cell in line] for line in table.lines]
    if not table.has_headings:
        return "\n".join(f"- {name}: {', '.join(filter(None, values))}" for name, *values in lines)
    headings = [_text(column.heading) for column in table.columns]
    rules = ["---" if column.form.is_text else "---:" for column in table.columns]
    text = "\n".join("| " + " | ".join(line) + " |" for line in [headings, rules, *lines])
    hints = "; ".join(f"{_text(heading)}: {_text(hint)}" for heading, hint in table.hints.items())
    return f"{text}\n\n{hints}." if hints else text


def _cell(cell: Cell) -> str:
    return f"**{_text(cell.text)}**" if cell.text and cell.status else _text(cell.text)


def _text(text: str) -> str:
    return plain(text).replace("|", "\\|")
