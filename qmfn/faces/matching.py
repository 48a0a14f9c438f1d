"""Photos that are compared: one face of each, their similarity, the decision, and a picture of two.

Takes photos as a camera makes them, or aligned faces; gives uint8 (size, size, 3) faces for an engine
(`qmfn.engines`), and sentences about what was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from qmfn.errors import UserError
from qmfn.faces.align import detect_and_align
from qmfn.faces.images import FaceStore, read_image
from qmfn.faces.operating_point import Threshold
from qmfn.files import file_aside


@dataclass(frozen=True)
class PhotoFace:
    """The face of a photo that is compared.

    name: of the photo.
    pixels: uint8 (size, size, 3) RGB, aligned.
    detected: how many faces were found; None for a picture that was aligned already.
    box: left, top, right, bottom of this one in pixels of the photo; None as well.
    """

    name: str
    pixels: np.ndarray
    detected: int | None = None
    box: tuple[float, float, float, float] | None = None

    @property
    def remark(self) -> str | None:
        """What a user should know about the choice of this face."""
        if self.detected is None:
            height, width = self.pixels.shape[:2]
            return f"{self.name}: is {width}x{height}, taken as an aligned face as it is"
        return f"{self.name}: {self.detected} faces, the largest is taken" if self.detected > 1 else None

    def as_dict(self) -> dict:
        return {"photo": self.name, "faces": self.detected, "box": self.box}


@dataclass(frozen=True)
class Gallery:
    """People and their faces: `people[i]` is on `faces[i]`; `left_out` says what could not be used, and why."""

    people: list[str]
    faces: list[PhotoFace]
    left_out: list[str]


def face_of(path: str | Path, size: int) -> PhotoFace:
    """The largest face of a photo; a picture of size x size is an aligned face already.

    Raises:
        UserError: the file can't be read as a picture, or no face is found.
    """
    return largest_face(str(path), read_image(path), size)


def largest_face(name: str, photo: np.ndarray, size: int) -> PhotoFace:
    """The largest face of a photo, uint8 (H, W, 3), as `face_of`; `name` stands for it in the UserError."""
    if photo.shape[:2] == (size, size):
        return PhotoFace(name, photo)
    faces = detect_and_align(photo, size)
    if not faces:
        raise UserError(
            f"{name}: no face was found; give a sharper picture, the face upright and at least 20 pixels wide "
            f"(a picture of {size}x{size} counts as aligned already)."
        )
    largest = max(faces, key=lambda face: (face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))
    return PhotoFace(name, largest.pixels, len(faces), largest.box)


def read_gallery(folder: str | Path, size: int) -> Gallery:
    """A folder of people: a sub-folder of pictures for each, or one picture, named after the person.

    Raises:
        UserError: no such folder, or no picture in it has a face.
    """
    store = FaceStore(folder)
    people, faces, left_out = [], [], []
    for path in _with_progress(store.paths()):
        try:
            faces.append(largest_face(path, store.read(path), size))
        except UserError as error:
            left_out.append(str(error))
        else:
            people.append(_person(path))
    if not faces:
        raise UserError(f"{folder}: no picture in it has a face that can be used, first {left_out[0]}")
    return Gallery(people, faces, left_out)


def _person(path: str) -> str:
    parts = PurePosixPath(path).parts
    return parts[0] if len(parts) > 1 else PurePosixPath(path).stem


def _with_progress(paths: Sequence[str]) -> Iterator[str]:
    from tqdm import tqdm

    yield from tqdm(paths, desc="gallery", unit="photo", leave=False, disable=None)


def best_by_person(gallery: Gallery, similarities: Sequence[float]) -> list[tuple[str, PhotoFace, float]]:
    """(person, most similar face, its similarity) of everyone, the most similar person first."""
    best: dict[str, tuple[str, PhotoFace, float]] = {}
    for person, face, similarity in zip(gallery.people, gallery.faces, similarities, strict=True):
        if person not in best or similarity > best[person][2]:
            best[person] = (person, face, similarity)
    return sorted(best.values(), key=lambda match: -match[2])


def decision(similarity: float, threshold: Threshold | None) -> str | None:
    """ "same" or "different"; None where no threshold is known."""
    if threshold is None:
        return None
    return "same" if similarity >= threshold.cosine else "different"


def draw_pair(faces: tuple[PhotoFace, PhotoFace], verdict: str, path: Path) -> None:
    """Both aligned faces side by side, the verdict above.

    Raises:
        UserError: the picture can't be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained", facecolor="white")
    for face, axes in zip(faces, figure.subplots(1, 2), strict=True):
        axes.imshow(face.pixels)
        axes.set_title(Path(face.name).name, fontsize=9)
        axes.axis("off")
    figure.suptitle(verdict, fontsize=11)
    try:
        with file_aside(path) as aside:
            figure.savefig(aside, format=path.suffix.lstrip(".") or "png", dpi=120)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: the picture can't be written ({error}).") from None
