"""`synth`: C-synthesis of a written project with the vendor tools, and the report of `report`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from qmfn.cli import command_parser, quiet_libraries, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; gives the exit code."""
    return run_command(synth, command_line().parse_args(arguments))


def command_line() -> argparse.ArgumentParser:
    parser = command_parser(
        "synth",
        "Synthesise a project with Vitis HLS or Vivado HLS, whichever it was written for: vendor.json.",
        "hls_project/w8a8 --vsynth",
    )
    parser.add_argument("project", type=Path, metavar="PROJECT", help="project that scripts/convert.py wrote")
    parser.add_argument(
        "--cosim", action="store_true", help="also simulate the RTL and compare its outputs with the C-simulation's"
    )
    parser.add_argument("--vsynth", action="store_true", help="also synthesise the RTL with Vivado")
    parser.add_argument("--json", metavar="FILE", help="also write the result as JSON")
    return parser


def synth(arguments: argparse.Namespace) -> int:
    """Earlier results stand until all that was asked for is there."""
    quiet_libraries()
    from qmfn.report import show, write_json
    from qmfn.report.vendor import vendor_document
    from qmfn.vendor.reports import read_run
    from qmfn.vendor.side_by_side import compare
    from qmfn.vendor.synthesis import VENDOR_JSON, Wanted, synthesise

    wanted = Wanted(cosimulation=arguments.cosim, vivado=arguments.vsynth)
    synthesise(arguments.project, wanted, lambda line: print(line, flush=True))
    vendor = compare(read_run(arguments.project)).as_dict()
    write_json(vendor, arguments.project / VENDOR_JSON)
    show(vendor_document(vendor).sections)
    print(f"report: {arguments.project / VENDOR_JSON}")
    if arguments.json:
        write_json(vendor, Path(arguments.json))
    return 0
