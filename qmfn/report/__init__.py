"""Results of a design -> report.json, and one document as page, Markdown and terminal output.

`tree` says what a document is made of. `content` builds it from the result dict of a flow, whose only top-level keys
are `SECTIONS`; each of them may be missing when the flow stopped early. `vendor` and `compare` build the others.
`html`, `markdown` and `terminal` draw. JSON files hold the results themselves, from which documents are built.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from qmfn.report import markdown, terminal
from qmfn.report.content import design_document
from qmfn.report.files import EVALUATION, REPORT, atomic_write_text, write_json
from qmfn.report.tree import Document, Section

__all__ = ["SECTIONS", "atomic_write_text", "show", "write", "write_document", "write_json"]

SECTIONS = ("design", "footprint", "comparison", "verification", "csim", "estimate", "fifo")
PAGE, MARKDOWN = "report.html", "report.md"


def write(folder: Path, result: dict, evaluation: dict | None = None) -> None:
    """Write the results of a design and the report of them into `folder`, each file in one step.

    Args:
        result: what becomes report.json.
        evaluation: what `evaluate --json` writes; becomes evaluation.json.

    Raises:
        UserError: a file can't be written.
        ValueError: a top-level key of the result isn't in `SECTIONS`.
    """
    unknown = set(result) - set(SECTIONS)
    if unknown:
        raise ValueError(f"report sections are {SECTIONS}, not {sorted(unknown)}")
    write_json(result, folder / REPORT)
    if evaluation:
        write_json(evaluation, folder / EVALUATION)
    write_document(folder, design_document(result, evaluation))


def write_document(folder: Path, document: Document) -> None:
    """Write the report as page and as Markdown; raises UserError when a file can't be written."""
    from qmfn.report import html

    atomic_write_text(folder / MARKDOWN, markdown.render(document))
    html.write(document, folder / PAGE)


def show(sections: Sequence[Section], console: Console | None = None) -> None:
    """Print sections; 120 columns wide where there is no terminal to ask."""
    terminal.show(sections, console or Console(width=None if sys.stdout.isatty() else 120))
