"""`estimate`: cycles and resources of a design with error bars, from config and checkpoint, without conversion."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from qmfn.cli.shared import Command, add_design_arguments, load_design, write_result

if TYPE_CHECKING:
    from qmfn.design import DesignConfig
    from qmfn.network.checkpoint import Checkpoint
    from qmfn.resources.estimate import PlanEstimate
    from qmfn.stock import Estimate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design_arguments(parser)
    parser.add_argument("--tool-version", metavar="YEAR.N", help="of Vitis or Vivado HLS, instead of the newest known")


def estimate_design(arguments: argparse.Namespace) -> int:
    """Exit code 0 whether it fits or not: the table says so."""
    config = load_design(arguments)
    from qmfn.model.initial import design_checkpoint
    from qmfn.report import show
    from qmfn.report.content import estimate_sections

    estimated = _folded if config.hls.dataflow == "folded" else _stock
    result = estimated(config, design_checkpoint(config), arguments.tool_version).report_sections()
    show(estimate_sections(result))
    write_result(arguments, result)
    return 0


COMMAND = Command(
    name="estimate",
    group="designs",
    summary="cycles and resources of a design, without converting it",
    description="Estimate a design: cycles, resources with 10-90 % bands, frames per second. Nothing is converted.",
    examples=("--config configs/w4a4.yml --set hls.clock_period_ns=4",),
    add_arguments=add_arguments,
    run=estimate_design,
)


def _stock(config: DesignConfig, checkpoint: Checkpoint, tool_version: str | None) -> Estimate:
    from qmfn.stock import describe_design, estimate

    return estimate(describe_design(config, checkpoint), tool_version)


def _folded(config: DesignConfig, checkpoint: Checkpoint, tool_version: str | None) -> PlanEstimate:
    from qmfn.backends.request import request_of
    from qmfn.errors import UserError
    from qmfn.plan.fifos import size_fifos
    from qmfn.resources.estimate import estimate_plan
    from qmfn.search.foldings import settled

    if tool_version is not None:
        raise UserError("--tool-version: estimates of the folded dataflow know no versions; leave it out.")
    plan = request_of(settled(config, checkpoint), checkpoint).plan
    assert plan is not None, "the design is folded"
    return estimate_plan(size_fifos(plan), config.hls.target)
