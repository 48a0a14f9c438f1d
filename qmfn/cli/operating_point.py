"""`operating-point`: the thresholds of a design at stated false accept rates, kept beside its checkpoint."""

from __future__ import annotations

import argparse
import shlex

from qmfn.cli.shared import Command, add_design_arguments, design_words, fast_convolutions, load_design, write_result
from qmfn.errors import UserError

BATCH = 64
"""Faces that are embedded at once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design_arguments(parser)


def operating_point(arguments: argparse.Namespace) -> int:
    """About two minutes for a design of full size on two cores."""
    config = load_design(arguments, with_checkpoint=True)
    if config.checkpoint is None:
        raise UserError(f"{config.file}: checkpoint: is missing; random weights tell nobody apart.")
    from qmfn.training.data import load_held_out_faces

    faces, people = load_held_out_faces(config.training, config.model.input_size)
    fast_convolutions()
    import numpy as np
    from tqdm import tqdm

    from qmfn.engines import keras_engine
    from qmfn.faces import operating_point

    embed = keras_engine(config)
    starts = tqdm(range(0, len(faces), BATCH), desc="embedding", unit="batch", leave=False, disable=None)
    embeddings = np.concatenate([embed(faces[start : start + BATCH]) for start in starts])
    checkpoint = config.resolve(config.checkpoint)
    points = operating_point.measure(
        embeddings.astype(np.float64), people, checkpoint,
        f"{len(np.unique(people))} people of {config.training.faces[0]} whom the training of the design keeps out",
        shlex.join(["qmfn", "operating-point", *design_words(arguments)]),
    )  # fmt: skip
    path = operating_point.save(points, checkpoint)
    print(f"{points.different_pairs:,} pairs of different people, {points.same_pairs:,} of one: {points.measured_on}")
    for far, threshold in points.thresholds.items():
        print(f"FAR {far}: threshold {threshold.cosine:.4f}, TAR {threshold.tar:.2%}")
    print(f"thresholds: {path}")
    write_result(arguments, points.model_dump())
    return 0


COMMAND = Command(
    name="operating-point",
    group="networks",
    summary="the thresholds of a design at stated false accept rates",
    description=(
        "Measures the cosine at which two faces count as one person's, at false accept rates of 1e-2 and 1e-3,\n"
        "on the people that the design's training keeps out; writes <checkpoint>.thresholds.json."
    ),
    examples=("--config configs/w4a4.yml",),
    add_arguments=add_arguments,
    run=operating_point,
)
