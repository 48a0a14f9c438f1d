"""`identify`: who of a folder of people is on a photo."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from qmfn.cli.shared import Command, load_design, write_result
from qmfn.cli.verify import add_matching_arguments, say_what_takes_long, stacked

if TYPE_CHECKING:
    from qmfn.report.tree import Section

BATCH = 64
"""Faces that are embedded at once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="photo, or an aligned face of the design's size")
    parser.add_argument("--gallery", required=True, type=Path, metavar="DIR", help="folder of people")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="people to show (5)")
    add_matching_arguments(parser)


def identify(arguments: argparse.Namespace) -> int:
    """Exit code 0 whether somebody is found or not: the table says so."""
    config = load_design(arguments, with_checkpoint=True)
    import numpy as np

    from qmfn.faces import images, matching
    from qmfn.faces.operating_point import known_threshold
    from qmfn.faces.verification import cosine

    threshold, about = known_threshold(config, arguments.far)
    images.FaceStore(arguments.gallery)  # before the face detector is loaded
    probe = matching.face_of(arguments.photo, config.model.input_size)
    gallery = matching.read_gallery(arguments.gallery, config.model.input_size)
    for remark in filter(None, [probe.remark, *(f"left out: {reason}" for reason in gallery.left_out)]):
        print(remark)
    say_what_takes_long(arguments.engine)
    from qmfn.engines import engine
    from qmfn.report import show

    pixels = stacked([probe, *gallery.faces])
    with engine(config, arguments.engine) as embed:
        batches = [embed(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
    wanted, *known = np.concatenate(batches).astype(float)
    found = matching.best_by_person(gallery, [cosine(wanted, embedding) for embedding in known])
    matches = [
        {
            "person": person,
            "picture": face.name,
            "similarity": similarity,
            "decision": matching.decision(similarity, threshold),
        }
        for person, face, similarity in found
    ]
    result = {
        "design": config.name,
        "engine": arguments.engine,
        "photo": probe.as_dict(),
        "far": arguments.far,
        "threshold": threshold.cosine if threshold else None,
        "about": about,
        "matches": matches,
        "left_out": gallery.left_out,
    }
    show([_section(result, len(gallery.faces), arguments.top)])
    write_result(arguments, result)
    return 0


COMMAND = Command(
    name="identify",
    group="photos",
    summary="who of a folder of people is on a photo",
    description="Compares the largest face of a photo with everyone in a folder: a sub-folder or a picture per person.",
    examples=("photo.jpg --gallery people/ --config configs/w4a4.yml",),
    add_arguments=add_arguments,
    run=identify,
)


def _section(result: dict, pictures: int, top: int) -> Section:
    from qmfn.report.forms import COSINE, TEXT
    from qmfn.report.tree import Column, Section, Table, paragraph

    matches, threshold = result["matches"], result["threshold"]
    sentences = [result["about"]]
    if threshold is not None:
        best = matches[0]
        reached = f"the threshold {threshold:.4f} at FAR {result['far']}"
        nobody = f"nobody in the gallery: no similarity reaches {reached}."
        sentences = [
            f"{best['person']}: similarity {best['similarity']:.4f} reaches {reached}."
            if best["decision"] == "same"
            else nobody,
            *sentences,
            f"The rate is per comparison: with {pictures:,} pictures a stranger is taken for someone up to that many "
            "times as often.",
        ]
    rows = [
        [match["person"], match["picture"], match["decision"] or "", match["similarity"]]
        for match in matches[: max(1, top)]
    ]
    columns = [*(Column(heading, TEXT) for heading in ("person", "picture", "decision")), Column("similarity", COSINE)]
    heading = f"{result['photo']['photo']} ({result['design']}, {result['engine']})"
    return Section(heading, [*map(paragraph, sentences), Table(columns, rows)])
