"""`operating-point`: the thresholds of a design at stated false accept rates, kept beside its checkpoint."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from qmfn.cli.shared import add_design_arguments, command_parser, fast_convolutions, quiet_libraries, run_command

BATCH = 64
"""Faces that are embedded at once."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; gives the exit code."""
    return run_command(operating_point, command_line().parse_args(arguments))


def command_line() -> argparse.ArgumentParser:
    parser = command_parser(
        "operating-point",
        "Measures the cosine at which two faces count as one person's, at false accept rates of 1e-2 and 1e-3,\n"
        "on the people that the design's training keeps out; writes <checkpoint>.thresholds.json.",
        "--config configs/w4a4.yml",
        script=False,
    )
    add_design_arguments(parser)
    return parser


def operating_point(arguments: argparse.Namespace) -> int:
    """About two minutes for a design of full size on two cores."""
    quiet_libraries()
    fast_convolutions()
    import numpy as np
    from tqdm import tqdm

    from qmfn import report
    from qmfn.config import load_config
    from qmfn.engines import keras_engine
    from qmfn.errors import UserError
    from qmfn.faces import operating_point
    from qmfn.training.data import load_held_out_faces

    config = load_config(arguments.config, arguments.overrides)
    if config.checkpoint is None:
        raise UserError(f"{config.file}: checkpoint: is missing; random weights tell nobody apart.")
    embed = keras_engine(config)
    faces, people = load_held_out_faces(config.training, config.model.input_size)
    starts = tqdm(range(0, len(faces), BATCH), desc="embedding", unit="batch", leave=False, disable=None)
    embeddings = np.concatenate([embed(faces[start : start + BATCH]) for start in starts])
    checkpoint = config.resolve(config.checkpoint)
    points = operating_point.measure(
        embeddings.astype(np.float64), people, checkpoint,
        f"{len(np.unique(people))} people of {config.training.faces[0]} whom the training of the design keeps out",
        _command(arguments),
    )  # fmt: skip
    path = operating_point.save(points, checkpoint)
    print(f"{points.different_pairs:,} pairs of different people, {points.same_pairs:,} of one: {points.measured_on}")
    for far, threshold in points.thresholds.items():
        print(f"FAR {far}: threshold {threshold.cosine:.4f}, TAR {threshold.tar:.2%}")
    print(f"thresholds: {path}")
    if arguments.json:
        report.write_json(points.model_dump(), Path(arguments.json))
    return 0


def _command(arguments: argparse.Namespace) -> str:
    overrides = [word for override in arguments.overrides for word in ("--set", override)]
    return shlex.join(["qmfn", "operating-point", "--config", arguments.config, *overrides])
