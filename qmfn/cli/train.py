"""`train`: from float weights to the checkpoint that a design names; resumes where it was killed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from qmfn.cli.shared import add_design_arguments, command_parser, fast_convolutions, quiet_libraries, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; gives the exit code."""
    return run_command(train, command_line().parse_args(arguments))


def command_line() -> argparse.ArgumentParser:
    parser = command_parser(
        "train",
        "Quantisation-aware distillation; writes the checkpoint that the design names.",
        "--config configs/w8a8.yml (again after a kill: it resumes)",
    )
    add_design_arguments(parser)
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="folder with the state of the run and its log (runs/<name>)"
    )
    return parser


def train(arguments: argparse.Namespace) -> int:
    quiet_libraries()
    fast_convolutions()
    from qmfn import report
    from qmfn.config import load_config
    from qmfn.errors import UserError
    from qmfn.model.footprint import footprint
    from qmfn.training import distill

    config = load_config(arguments.config, arguments.overrides)
    if config.checkpoint is None:
        raise UserError(f"{config.file}: checkpoint: is missing; name the file that training shall write.")
    path = config.resolve(config.checkpoint)
    checkpoint = distill.train(config, arguments.run or Path("runs") / config.name, path)
    result = {"checkpoint": str(path), "origin": dict(checkpoint.origin), "footprint": footprint(checkpoint).as_dict()}
    scores = checkpoint.origin
    print(f"{path}: held-out AUC {scores['held_out_auc']:.4f}, cosine to float {scores['held_out_cosine']:.4f}")
    if arguments.json:
        report.write_json(result, Path(arguments.json))
    return 0
