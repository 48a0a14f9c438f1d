"""`search_bits`: sensitivity of every tensor, and the mixed-precision assignment within a footprint."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from qmfn.cli.shared import add_design_arguments, command_parser, fast_convolutions, quiet_libraries, run_command

WIDTHS = (1, 2, 3, 4, 5, 6, 8)
"""Bits that are measured; one bit for mid-rise weights only."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; gives the exit code."""
    return run_command(search_bits, command_line().parse_args(arguments))


def command_line() -> argparse.ArgumentParser:
    parser = command_parser(
        "search-bits",
        "Measures how sensitive the embedding is to the bits of every layer, and assigns bits by that.",
        "--config configs/mixed.yml --footprint 10 --output bits.yml",
    )
    add_design_arguments(parser)
    parser.add_argument(
        "--footprint", type=float, required=True, metavar="PERCENT", help="weights against float32 weights, at most"
    )
    parser.add_argument(
        "--activation-bits", type=float, metavar="BITS",
        help="also assign activations: mean bits of a multiplication's activation, at most",
    )  # fmt: skip
    parser.add_argument("--images", type=int, default=64, metavar="N", help="training faces to measure on (64)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the assignment as a `quantisation` group")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw sensitivity against bits")
    return parser


def search_bits(arguments: argparse.Namespace) -> int:
    quiet_libraries()
    fast_convolutions()
    from qmfn import report
    from qmfn.config import load_config
    from qmfn.training import bit_search

    config = load_config(arguments.config, arguments.overrides)
    found = bit_search.search(config, arguments.images, WIDTHS, arguments.footprint / 100, arguments.activation_bits)
    print(found.as_yaml(), end="")
    if arguments.output:
        report.atomic_write_text(arguments.output, found.as_yaml())
    if arguments.plot:
        found.draw(arguments.plot)
    if arguments.json:
        report.write_json(found.as_dict(), Path(arguments.json))
    return 0
