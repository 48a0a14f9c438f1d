"""At which cosine two faces count as one person's: thresholds at stated false accept rates.

Takes embeddings of people that training never saw; gives thresholds and keeps them in a small JSON beside the
checkpoint, `w4a4.thresholds.json` beside `w4a4.npz`, with what they were measured on and by which command. The file
names the checkpoint by its content: a retrained one has no thresholds until they are measured again.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from qmfn.design import DesignConfig
from qmfn.design.schema import Strict
from qmfn.errors import UserError
from qmfn.faces.verification import FAR_TARGETS
from qmfn.files import file_aside, file_hash

MIN_FALSE_ACCEPTS = 10
"""A rate that fewer false accepts stand for is not stated: 1e-3 takes 10,000 pairs of different people."""


class Threshold(Strict):
    """Pairs with this cosine or more are accepted; `far` and `tar` are what that gave, 0..1."""

    cosine: float
    far: float
    tar: float


class OperatingPoints(Strict):
    """The thresholds of one checkpoint by false accept rate ("1e-3"), and what they were measured on."""

    checkpoint_sha256: str
    measured_on: str
    command: str
    people: int
    faces: int
    same_pairs: int
    different_pairs: int
    thresholds: dict[str, Threshold]


def measure(
    embeddings: np.ndarray, people: np.ndarray, checkpoint: Path, measured_on: str, command: str
) -> OperatingPoints:
    """The thresholds over all pairs of faces.

    Args:
        embeddings: (N, D), one per face.
        people: (N,) index of the person of each face.
        checkpoint: file that the embeddings come from.
        measured_on, command: what the file says about its origin.

    Raises:
        UserError: too few pairs for any of the rates.
    """
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = np.divide(embeddings, lengths, out=np.zeros(embeddings.shape), where=lengths > 0)
    first, second = np.triu_indices(len(unit), k=1)
    scores = (unit @ unit.T)[first, second]
    same = people[first] == people[second]
    thresholds = {
        name: threshold_at(scores, same, rate)
        for name, rate in FAR_TARGETS.items()
        if rate * np.count_nonzero(~same) >= MIN_FALSE_ACCEPTS
    }
    if not thresholds or not same.any():
        pairs = f"{np.count_nonzero(same)} pairs of one person and {np.count_nonzero(~same)} of two"
        least = round(MIN_FALSE_ACCEPTS / max(FAR_TARGETS.values()))
        raise UserError(f"{measured_on}: {pairs} are too few; a threshold takes one and {least:,}.")
    return OperatingPoints(
        checkpoint_sha256=content_hash(checkpoint),
        measured_on=measured_on,
        command=command,
        people=len(np.unique(people)),
        faces=len(people),
        same_pairs=int(np.count_nonzero(same)),
        different_pairs=int(np.count_nonzero(~same)),
        thresholds=thresholds,
    )


def threshold_at(scores: np.ndarray, same: np.ndarray, rate: float) -> Threshold:
    """The lowest threshold whose false accept rate is at most `rate`, midway between two different pairs' scores.

    Args:
        scores: (N,) cosines.
        same: bool (N,), whether a pair shows one person.
        rate: 0..1.
    """
    different = np.sort(scores[~same])[::-1]
    refused = different[int(rate * len(different))]
    accepted = different[different > refused]
    halfway = (refused + (accepted.min() if len(accepted) else 1.0)) / 2
    cosine = float(max(halfway, np.nextafter(refused, np.inf)))  # above `refused`, even where that is 1
    far, tar = (float(np.mean(part >= cosine)) for part in (different, scores[same]))
    return Threshold(cosine=cosine, far=far, tar=tar)


def thresholds_file(checkpoint: Path) -> Path:
    """Where the thresholds of a checkpoint are kept."""
    return checkpoint.with_suffix(".thresholds.json")


def save(points: OperatingPoints, checkpoint: Path) -> Path:
    """Write the file in one step; gives its path. Raises UserError if it can't be written."""
    path = thresholds_file(checkpoint)
    try:
        with file_aside(path) as aside:
            aside.write_text(json.dumps(points.model_dump(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: can't be written ({error.strerror}).") from None
    return path


def known_threshold(config: DesignConfig, far: str) -> tuple[Threshold | None, str]:
    """The threshold of a design at a false accept rate ("1e-3"), and where it is from or why there is none.

    Raises:
        UserError: the file of thresholds is damaged.
    """
    if config.checkpoint is None:
        return None, f"no threshold is known: {config.file} names no checkpoint, its weights are random."
    checkpoint = config.resolve(config.checkpoint)
    path = thresholds_file(checkpoint)
    remedy = f"measure it: qmfn operating-point --config {config.file}"
    if not path.exists():
        return None, f"no threshold is known for {checkpoint.name}; {remedy}"
    points = _read(path)
    if points.checkpoint_sha256 != content_hash(checkpoint):
        return None, f"no threshold is known: {path.name} is that of another {checkpoint.name}; {remedy}"
    if far not in points.thresholds:
        return None, f"no threshold is known at FAR {far}: {points.different_pairs:,} pairs were too few to measure it."
    pairs = f"{points.different_pairs:,} pairs of different people"
    return points.thresholds[far], f"threshold at FAR {far}, measured on {pairs}: {points.measured_on}."


def _read(path: Path) -> OperatingPoints:
    try:
        return OperatingPoints.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{path}: is no file of thresholds ({where}: {first['msg']}); delete it.") from None
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}).") from None


def content_hash(path: Path) -> str:
    """SHA-256 of a file. Raises UserError if it can't be read."""
    try:
        return file_hash(path)
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}).") from None
