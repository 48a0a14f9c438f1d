"""One result, three faces: report.json, report.md and the terminal.

Takes the result dict of a flow, whose only top-level keys are `SECTIONS`; each of them may be missing when
the flow stopped early. Gives files and output; it calculates nothing but sums and shares of what it is given.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from qmfn.report import markdown, terminal
from qmfn.report.content import Section, estimate_sections, sections
from qmfn.report.files import atomic_write_text

__all__ = [
    "SECTIONS",
    "atomic_write_text",
    "print_estimate",
    "print_summary",
    "show_sections",
    "write_json",
    "write_report",
]

SECTIONS = ("design", "footprint", "comparison", "csim", "estimate", "fifo")


def write_report(result: dict, folder: Path) -> None:
    """Write report.json and report.md into `folder`, each in one step.

    Raises UserError when the folder can't be written and ValueError for a top-level key that isn't in
    `SECTIONS`.
    """
    unknown = set(result) - set(SECTIONS)
    if unknown:
        raise ValueError(f"report sections are {SECTIONS}, not {sorted(unknown)}")
    title = result.get("design", {}).get("name", folder.name)
    write_json(result, folder / "report.json")
    atomic_write_text(folder / "report.md", markdown.render(f"Report of {title}", sections(result)))


def write_json(result: dict, path: Path) -> None:
    """Write a result as JSON in one step; raises UserError when the file can't be written."""
    atomic_write_text(path, json.dumps(result, indent=2, default=_plain) + "\n")


def print_summary(result: dict, console: Console | None = None) -> None:
    """Print the report as tables, the verdict first; 120 columns wide where there is no terminal to ask."""
    show_sections(sections(result), console)


def show_sections(parts: list[Section], console: Console | None = None) -> None:
    """Print sections as tables; 120 columns wide where there is no terminal to ask."""
    terminal.show(parts, console or Console(width=None if sys.stdout.isatty() else 120))


def print_estimate(result: dict, console: Console | None = None) -> None:
    """Print what is estimated alone, 120 columns wide where there is no terminal to ask."""
    show_sections(estimate_sections(result), console)


def _plain(value: object) -> object:
    """JSON for what results are made of: NumPy scalars and arrays, paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} has no place in report.json")
