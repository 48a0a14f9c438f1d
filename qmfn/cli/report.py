"""`report`: the report of a project again, with what the vendor tools made of it beside what was estimated."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from qmfn.cli.shared import Command

if TYPE_CHECKING:
    from qmfn.report.tree import Document


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "project", type=Path, metavar="PROJECT", help="project, or any folder between it and its syn/report"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write the page to a file of this name")
    parser.add_argument("--json", metavar="FILE", help="also write the vendor's figures as JSON")


def report(arguments: argparse.Namespace) -> int:
    """Missing and truncated reports are named; only where nothing can be read that is an error."""
    from qmfn.report import PAGE, show, write_document, write_json
    from qmfn.report.vendor import vendor_document
    from qmfn.vendor.reports import read_run
    from qmfn.vendor.side_by_side import compare
    from qmfn.vendor.tree import NoReports

    vendor: dict | None
    try:
        vendor = compare(read_run(arguments.project)).as_dict()
        folder = Path(vendor["project"])
        converted = _converted(folder, vendor)
        document = converted or vendor_document(vendor)
    except NoReports:
        vendor, folder = None, arguments.project
        converted = _converted(folder, None)
        if converted is None or arguments.json:
            raise
        document = converted
    if converted:
        write_document(folder, converted)
    if arguments.html:
        from qmfn.report import html

        html.write(document, arguments.html)
    if arguments.json and vendor:
        write_json(vendor, Path(arguments.json))
    show(document.sections)
    if converted:
        print(f"report: {folder / PAGE}")
    return 0


def _converted(folder: Path, vendor: dict | None) -> Document | None:
    """The report of a design that was converted into the folder; None where none was."""
    from qmfn.report.content import design_document
    from qmfn.report.files import REPORT, checked, read_results

    file = folder / REPORT
    if not file.exists():
        return None
    result, evaluation = read_results(file)
    if "design" not in result:
        return None
    with checked(file):
        return design_document(result, evaluation, vendor)


COMMAND = Command(
    name="report",
    group="vendor tools",
    summary="the report of a project again, with what the vendor's tools made of it",
    description="Estimated, C-synthesis and post-synthesis figures of a project, per layer and in total. Renews "
    "report.html\nand report.md of a converted design; of any other hls4ml project it prints the figures and writes "
    "nothing.",
    examples=("hls_project/w8a8",),
    add_arguments=add_arguments,
    run=report,
)
