"""`convert`: a design file becomes a verified HLS project with a report."""

from __future__ import annotations

import argparse
import functools
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from qmfn.cli import EXIT_ERROR, add_design_arguments, command_parser, quiet_libraries, run_command

STEPS = ("load", "faces", "model", "write", "estimate", "compile", "compare")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; gives the exit code."""
    return run_command(convert, command_line().parse_args(arguments))


def command_line() -> argparse.ArgumentParser:
    parser = command_parser(
        "convert",
        "Convert a design to a bit-exact hls4ml project: hls_project/<name>/.",
        "--config configs/w8a8.yml --set hls.backend=Vivado",
    )
    add_design_arguments(parser)
    parser.add_argument("--faces", metavar="PATH", help="photo, folder or tar to compare on, instead of the design's")
    parser.add_argument("--until", choices=STEPS, default=STEPS[-1], help="last step to run")
    parser.add_argument(
        "--output", type=Path, default=Path("hls_project"), metavar="DIR", help="folder of projects (hls_project)"
    )
    return parser


def convert(arguments: argparse.Namespace) -> int:
    """Exit code 1 if a single value differs."""
    quiet_libraries()
    from qmfn import flow, report
    from qmfn.config import load_config
    from qmfn.faces.evaluation import known_evaluation
    from qmfn.report.content import design_document

    overrides = list(arguments.overrides)
    if arguments.faces:
        overrides.append(f"comparison.faces={json.dumps(str(Path(arguments.faces).resolve()))}")
    config = load_config(arguments.config, overrides)
    words = [word for override in overrides for word in ("--set", override)]
    command = shlex.join(["qmfn", "convert", "--config", arguments.config, *words])
    say = functools.partial(print, flush=True)
    result = flow.run_flow(config, arguments.output, arguments.until, say, command)
    report.show(design_document(result, known_evaluation(config)).sections)
    print(f"report: {arguments.output / config.name / report.PAGE}")
    if arguments.json:
        report.write_json(result, Path(arguments.json))
    return EXIT_ERROR if result.get("comparison", {}).get("mismatches") else 0
