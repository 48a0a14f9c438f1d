"""`convert`: a design file becomes a verified HLS project with a report."""

from __future__ import annotations

import argparse
import json
import logging
import shlex
from pathlib import Path

from qmfn.cli.shared import EXIT_ERROR, Command, add_design_arguments, design_words, load_design, write_result

STEPS = ("load", "faces", "model", "write", "estimate", "compile", "compare", "verify")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design_arguments(parser)
    parser.add_argument("--faces", metavar="PATH", help="photo, folder or tar to compare on, instead of the design's")
    parser.add_argument("--until", choices=STEPS, default=STEPS[-1], help="last step to run")
    parser.add_argument(
        "--output", type=Path, default=Path("hls_project"), metavar="DIR",
        help="folder of projects (hls_project). An earlier project of the same design file is replaced; if synthesis "
        "results or anything else was added to it, or a file was edited, it is kept as <name>.kept-<date>. Any other "
        "folder called <name> stays, and that is an error",
    )  # fmt: skip
    parser.add_argument(
        "--force", action="store_true", help="also replace a project that was converted from another design file"
    )


def convert(arguments: argparse.Namespace) -> int:
    """Exit code 1 if a single value differs."""
    if arguments.faces:
        arguments.overrides.append(f"comparison.faces={json.dumps(str(Path(arguments.faces).resolve()))}")
    config = load_design(arguments, with_checkpoint=True)
    if arguments.faces:
        from qmfn.faces.samples import require_photo

        require_photo(arguments.faces)
    from qmfn import flow, report
    from qmfn.faces.evaluation import known_evaluation
    from qmfn.report.content import design_document

    command = shlex.join(["qmfn", "convert", *design_words(arguments)])
    say = logging.getLogger(flow.__name__).info
    result = flow.run_flow(config, arguments.output, arguments.until, say, command, arguments.force)
    report.show(design_document(result, known_evaluation(config)).sections)
    print(f"report: {arguments.output / config.name / report.PAGE}")
    write_result(arguments, result)
    return EXIT_ERROR if result.get("comparison", {}).get("mismatches") else 0


COMMAND = Command(
    name="convert",
    group="designs",
    summary="a design becomes a bit-exact HLS project with a report",
    description="Convert a design to a bit-exact hls4ml project: hls_project/<name>/.",
    examples=("--config configs/w8a8.yml --set hls.backend=Vivado",),
    add_arguments=add_arguments,
    run=convert,
)
