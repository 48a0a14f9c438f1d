"""`estimate`: cycles and resources of a design with error bars, from config and checkpoint, without conversion."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from qmfn.cli import add_design_arguments, command_parser, quiet_libraries, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; gives the exit code."""
    return run_command(estimate_design, command_line().parse_args(arguments))


def command_line() -> argparse.ArgumentParser:
    parser = command_parser(
        "estimate",
        "Estimate a design: cycles, resources with 10-90 % bands, frames per second. Nothing is converted.",
        "--config configs/w4a4.yml --set hls.clock_period_ns=4",
    )
    add_design_arguments(parser)
    parser.add_argument("--tool-version", metavar="YEAR.N", help="of Vitis or Vivado HLS, instead of the newest known")
    return parser


def estimate_design(arguments: argparse.Namespace) -> int:
    """Exit code 0 whether it fits or not: the table says so."""
    quiet_libraries()
    from qmfn import report
    from qmfn.config import load_config
    from qmfn.estimate import describe_design, estimate
    from qmfn.model.initial import design_checkpoint

    config = load_config(arguments.config, arguments.overrides)
    design = describe_design(config, design_checkpoint(config))
    result = estimate(design, arguments.tool_version).report_sections()
    report.print_estimate(result)
    if arguments.json:
        report.write_json(result, Path(arguments.json))
    return 0
