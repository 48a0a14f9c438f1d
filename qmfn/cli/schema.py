"""`schema`: the JSON schema of design files for editors, and their reference for people."""

from __future__ import annotations

import argparse
from pathlib import Path

from qmfn.cli.shared import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON schema")
    parser.add_argument("--reference", type=Path, metavar="FILE", help="write the reference in Markdown")


def schema(arguments: argparse.Namespace) -> int:
    from qmfn.design import reference
    from qmfn.report import atomic_write_text

    if arguments.output:
        atomic_write_text(arguments.output, reference.schema_text())
    if arguments.reference:
        atomic_write_text(arguments.reference, reference.reference_text())
    if not arguments.output and not arguments.reference:
        print(reference.schema_text(), end="")
    return 0


COMMAND = Command(
    name="schema",
    group="designs",
    summary="the JSON schema of design files, for editors",
    description="The JSON schema of design files; printed unless it is written.",
    examples=("--output configs/schema.json --reference docs/config.md",),
    add_arguments=add_arguments,
    run=schema,
)
