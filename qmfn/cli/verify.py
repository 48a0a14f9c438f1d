"""`verify`: do two photos show the same person, by the quantised network or by the HLS code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qmfn.cli.shared import Command, add_design_arguments, load_design, write_result

if TYPE_CHECKING:
    import numpy as np

    from qmfn.faces.matching import PhotoFace

ENGINES = ("exact", "keras", "csim")
FAR_CHOICES = ("1e-2", "1e-3")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name in ("first", "second"):
        parser.add_argument(name, type=Path, metavar="PHOTO", help="photo, or an aligned face of the design's size")
    add_matching_arguments(parser)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw both aligned faces with the verdict")


def add_matching_arguments(parser: argparse.ArgumentParser) -> None:
    """What `verify` and `identify` share: the design, the engine, the false accept rate."""
    add_design_arguments(parser)
    parser.add_argument(
        "--engine", choices=ENGINES, default=ENGINES[0],
        help="exact: the quantised network in integer arithmetic (default); keras, and csim, the HLS code, which is "
        "compiled first, give the same embeddings",
    )  # fmt: skip
    parser.add_argument(
        "--far", choices=FAR_CHOICES, default="1e-3",
        help="false accept rate of the decision (1e-3): one of so many pairs of different people is called the same",
    )  # fmt: skip


def verify(arguments: argparse.Namespace) -> int:
    """Exit code 0 whether it is the same person or not: the verdict says so."""
    config = load_design(arguments, with_checkpoint=True)
    from qmfn.faces import images, matching
    from qmfn.faces.operating_point import known_threshold
    from qmfn.faces.verification import cosine

    threshold, about = known_threshold(config, arguments.far)
    images.read_image(arguments.second)  # before the face detector is loaded for the first
    first, second = (matching.face_of(path, config.model.input_size) for path in (arguments.first, arguments.second))
    faces = (first, second)
    for face in faces:
        if face.remark:
            print(face.remark)
    say_what_takes_long(arguments.engine)
    from qmfn.engines import engine

    with engine(config, arguments.engine, jobs=1) as embed:
        similarity = cosine(*embed(stacked(faces)).astype(float))
    decision = matching.decision(similarity, threshold)
    verdict = f"similarity {similarity:.4f}"
    if threshold and decision:
        verdict = f"{WORDS[decision]}: {verdict}, threshold {threshold.cosine:.4f} at FAR {arguments.far}"
    print(f"{verdict} ({config.name}, {arguments.engine})")
    print(about)
    if arguments.picture:
        matching.draw_pair(faces, verdict, arguments.picture)
        print(f"picture: {arguments.picture}")
    result = {
        "design": config.name,
        "engine": arguments.engine,
        "photos": [face.as_dict() for face in faces],
        "similarity": similarity,
        "far": arguments.far,
        "threshold": threshold.cosine if threshold else None,
        "decision": decision,
        "about": about,
    }
    write_result(arguments, result)
    return 0


COMMAND = Command(
    name="verify",
    group="photos",
    summary="do two photos show the same person",
    description="Finds and aligns the largest face of two photos, embeds both, and compares the embeddings.",
    examples=(
        "a.jpg b.jpg --config configs/w4a4.yml",
        "a.jpg b.jpg --config configs/w4a4.yml --engine csim --picture pair.png",
    ),
    add_arguments=add_arguments,
    run=verify,
)


WORDS = {"same": "same person", "different": "different people"}


def say_what_takes_long(engine: str) -> None:
    """The C-simulation of a design of full size takes a minute to compile the first time."""
    if engine == "csim":
        print("converting the design and compiling its C-simulation ...", flush=True)


def stacked(faces: Sequence[PhotoFace]) -> np.ndarray:
    """Faces as an engine takes them: uint8 (N, size, size, 3)."""
    import numpy as np

    return np.stack([face.pixels for face in faces])
