"""`report`: what the vendor tools made of a project, beside what was estimated."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from qmfn.cli import command_parser, quiet_libraries, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; gives the exit code."""
    return run_command(report, command_line().parse_args(arguments))


def command_line() -> argparse.ArgumentParser:
    parser = command_parser(
        "report",
        "Estimated, C-synthesis and post-synthesis figures of a project, per layer and in total.",
        "hls_project/w8a8",
    )
    parser.add_argument(
        "project", type=Path, metavar="PROJECT", help="project, or any folder between it and its syn/report"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON")
    return parser


def report(arguments: argparse.Namespace) -> int:
    """Missing and truncated reports are named; only where nothing can be read that is an error."""
    quiet_libraries()
    from qmfn.report import show, write_json
    from qmfn.report.vendor import vendor_document
    from qmfn.vendor.reports import read_run
    from qmfn.vendor.side_by_side import compare

    vendor = compare(read_run(arguments.project)).as_dict()
    show(vendor_document(vendor).sections)
    if arguments.json:
        write_json(vendor, Path(arguments.json))
    return 0
