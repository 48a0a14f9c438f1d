"""`schema`: the JSON schema of design files for editors, and their reference for people."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from qmfn.cli.shared import command_parser, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; gives the exit code."""
    return run_command(schema, command_line().parse_args(arguments))


def command_line() -> argparse.ArgumentParser:
    parser = command_parser(
        "schema",
        "The JSON schema of design files; printed unless it is written.",
        "--output configs/schema.json --reference docs/config.md",
        script=False,
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON schema")
    parser.add_argument("--reference", type=Path, metavar="FILE", help="write the reference in Markdown")
    return parser


def schema(arguments: argparse.Namespace) -> int:
    from qmfn.config import reference
    from qmfn.report import atomic_write_text

    if arguments.output:
        atomic_write_text(arguments.output, reference.schema_text())
    if arguments.reference:
        atomic_write_text(arguments.reference, reference.reference_text())
    if not arguments.output and not arguments.reference:
        print(reference.schema_text(), end="")
    return 0
