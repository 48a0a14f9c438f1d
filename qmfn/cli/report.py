"""`report`: what the vendor tools made of a project, beside what was estimated."""

from __future__ import annotations

import argparse
from pathlib import Path

from qmfn.cli.shared import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "project", type=Path, metavar="PROJECT", help="project, or any folder between it and its syn/report"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON")


def report(arguments: argparse.Namespace) -> int:
    """Missing and truncated reports are named; only where nothing can be read that is an error."""
    from qmfn.report import show_sections, write_json
    from qmfn.vendor.content import sections
    from qmfn.vendor.reports import read_run
    from qmfn.vendor.side_by_side import compare

    comparison = compare(read_run(arguments.project))
    show_sections(sections(comparison))
    if arguments.json:
        write_json(comparison.as_dict(), Path(arguments.json))
    return 0


COMMAND = Command(
    name="report",
    group="vendor tools",
    summary="what the vendor's tool made of a project, beside the estimates",
    description="Estimated, C-synthesis and post-synthesis figures of a project, per layer and in total.",
    examples=("hls_project/w8a8",),
    add_arguments=add_arguments,
    run=report,
)
