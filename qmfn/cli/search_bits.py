"""`search_bits`: sensitivity of every tensor, and the mixed-precision assignment within a footprint."""

from __future__ import annotations

import argparse
from pathlib import Path

from qmfn.cli.shared import (
    Command,
    add_design_arguments,
    fast_convolutions,
    load_design,
    require_training_faces,
    write_result,
)

WIDTHS = (1, 2, 3, 4, 5, 6, 8)
"""Bits that are measured; one bit for mid-rise weights only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
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


def search_bits(arguments: argparse.Namespace) -> int:
    config = load_design(arguments)
    require_training_faces(config)
    fast_convolutions()
    from qmfn.report import atomic_write_text
    from qmfn.training import bit_search

    found = bit_search.search(config, arguments.images, WIDTHS, arguments.footprint / 100, arguments.activation_bits)
    print(found.as_yaml(), end="")
    if arguments.output:
        atomic_write_text(arguments.output, found.as_yaml())
    if arguments.plot:
        found.draw(arguments.plot)
    write_result(arguments, found.as_dict())
    return 0


COMMAND = Command(
    name="search-bits",
    group="networks",
    summary="which layer gets how many bits, within a footprint",
    description="Measures how sensitive the embedding is to the bits of every layer, and assigns bits by that.",
    examples=("--config configs/mixed.yml --footprint 10 --output bits.yml",),
    add_arguments=add_arguments,
    run=search_bits,
)
