"""`compare`: several converted designs side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from qmfn.cli.shared import Command, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "designs", nargs="+", type=Path, metavar="DESIGN",
        help="folder of a converted design, or its report.json; accuracy comes from evaluation.json beside it, "
        "which convert puts there where it is known (evaluate --json)",
    )  # fmt: skip
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page with table and pictures")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="also draw the trade-offs: speed for LUTs, accuracy for bits"
    )
    add_json_argument(parser)


def compare(arguments: argparse.Namespace) -> int:
    """Exit code 0 whatever the figures are: the table says so."""
    from qmfn.report import compare, show, write_json

    designs = compare.read_designs(arguments.designs)
    document = compare.document(designs)
    show(document.sections)
    if arguments.html:
        from qmfn.report import html

        html.write(document, arguments.html)
    if arguments.picture:
        compare.write_picture(designs, arguments.picture)
    if arguments.json:
        write_json(compare.as_dict(designs), Path(arguments.json))
    return 0


COMMAND = Command(
    name="compare",
    group="designs",
    summary="several designs side by side",
    description="Set converted designs side by side: bits, accuracy, frames per second, resources.",
    examples=("hls_project/w8a8 hls_project/w4a4", "hls_project/* --html compare.html --picture pareto.png"),
    add_arguments=add_arguments,
    run=compare,
)
