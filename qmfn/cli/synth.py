"""`synth`: C-synthesis of a written project with the vendor tools, and the report of `report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from qmfn.cli.shared import Command, add_json_argument, write_result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT", help="project that scripts/convert.py wrote")
    parser.add_argument(
        "--cosim", action="store_true", help="also simulate the RTL and compare its outputs with the C-simulation's"
    )
    parser.add_argument("--vsynth", action="store_true", help="also synthesise the RTL with Vivado")
    add_json_argument(parser)


def synth(arguments: argparse.Namespace) -> int:
    """Earlier results stand until all that was asked for is there."""
    from qmfn.report import show
    from qmfn.report.vendor import vendor_document
    from qmfn.vendor.synthesis import VENDOR_JSON, Wanted, synthesise

    wanted = Wanted(cosimulation=arguments.cosim, vivado=arguments.vsynth)
    vendor = synthesise(arguments.project, wanted).as_dict()
    show(vendor_document(vendor).sections)
    print(f"report: {arguments.project / VENDOR_JSON}")
    write_result(arguments, vendor)
    return 0


COMMAND = Command(
    name="synth",
    group="vendor tools",
    summary="C-synthesis of a project with the vendor's tool",
    description="Synthesise a project with Vitis HLS or Vivado HLS, whichever it was written for: vendor.json.",
    examples=("hls_project/w8a8 --vsynth",),
    add_arguments=add_arguments,
    run=synth,
)
