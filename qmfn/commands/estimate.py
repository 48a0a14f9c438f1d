"""`estimate`: cycles and resources of a design with error bars, from config and checkpoint, without conversion."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qmfn.cli import add_design_arguments, command_parser, quiet_libraries, run_command

if TYPE_CHECKING:
    from qmfn.config import DesignConfig
    from qmfn.estimate import Estimate, FoldedEstimate
    from qmfn.model.checkpoint import Checkpoint


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
    from qmfn.model.initial import design_checkpoint
    from qmfn.report.content import estimate_sections

    config = load_config(arguments.config, arguments.overrides)
    estimated = _folded if config.hls.dataflow == "folded" else _stock
    result = estimated(config, design_checkpoint(config), arguments.tool_version).report_sections()
    report.show(estimate_sections(result))
    if arguments.json:
        report.write_json(result, Path(arguments.json))
    return 0


def _stock(config: DesignConfig, checkpoint: Checkpoint, tool_version: str | None) -> Estimate:
    from qmfn.estimate import describe_design, estimate

    return estimate(describe_design(config, checkpoint), tool_version)


def _folded(config: DesignConfig, checkpoint: Checkpoint, tool_version: str | None) -> FoldedEstimate:
    from qmfn.dataflow.fifos import size_fifos
    from qmfn.errors import UserError
    from qmfn.estimate import estimate_pipeline, find_device
    from qmfn.estimate.folding_search import settled
    from qmfn.hls.folded.from_checkpoint import folded_pipeline

    if tool_version is not None:
        raise UserError("--tool-version: estimates of the folded dataflow know no versions; leave it out.")
    pipeline = folded_pipeline(settled(config, checkpoint), checkpoint)
    device = find_device(config.hls.part)
    return estimate_pipeline(pipeline, size_fifos(pipeline).depths, device, config.hls.clock_period_ns)
