"""`train`: from float weights to the checkpoint that a design names; resumes where it was killed."""

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
from qmfn.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design_arguments(parser)
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="folder with the state of the run and its log (runs/<name>)"
    )


def train(arguments: argparse.Namespace) -> int:
    config = load_design(arguments)
    if config.checkpoint is None:
        raise UserError(f"{config.file}: checkpoint: is missing; name the file that training shall write.")
    require_training_faces(config)
    fast_convolutions()
    from qmfn.network.footprint import footprint
    from qmfn.training import distill

    path = config.resolve(config.checkpoint)
    checkpoint = distill.train(config, arguments.run or Path("runs") / config.name, path)
    result = {"checkpoint": str(path), "origin": dict(checkpoint.origin), "footprint": footprint(checkpoint).as_dict()}
    scores = checkpoint.origin
    print(f"{path}: held-out AUC {scores['held_out_auc']:.4f}, cosine to float {scores['held_out_cosine']:.4f}")
    write_result(arguments, result)
    return 0


COMMAND = Command(
    name="train",
    group="networks",
    summary="the checkpoint of a design by quantisation-aware distillation",
    description="Quantisation-aware distillation; writes the checkpoint that the design names.",
    examples=("--config configs/w8a8.yml (again after a kill: it resumes)",),
    add_arguments=add_arguments,
    run=train,
)
