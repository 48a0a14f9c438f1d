"""Reads pictures: one file, or a folder or tar of many.

Takes whatever Pillow can open; gives uint8 (H, W, 3) RGB arrays, upright (EXIF orientation applied).
Everything that a user can get wrong ends in a `UserError` that names the file.
"""

import io
import os
import posixpath
import struct
import tarfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from qmfn.errors import UserError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp"})

# What Pillow's decoders raise on damaged data, besides OSError.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def read_image(path: str | Path) -> np.ndarray:
    """Reads one picture: uint8 (H, W, 3) RGB, upright, transparency over white.

    Raises UserError if the file is missing, a folder, unreadable, no image, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder, not an image.")
    return decode_image(_read_bytes(_Location(path)), str(path))


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decodes the bytes of a picture as `read_image` does; `name` stands for it in the UserError."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
    except UnidentifiedImageError:
        raise UserError(f"{name} is not an image in a format that Pillow reads.") from None
    except _DAMAGED as error:
        raise UserError(f"{name} is a truncated or damaged image ({error}).") from None


def is_image_name(name: str | Path) -> bool:
    """Whether the name looks like a picture's; hidden files (such as macOS' `._face.jpg`) do not count."""
    path = PurePosixPath(name)
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


class FaceStore:
    """A folder or an uncompressed tar of pictures, read one at a time.

    Pictures go by their name relative to the folder. In a tar, the directories that all pictures share (such
    as `lfw_112/`) are left off, so a tar and the folder it unpacks to have the same names. Only names and
    positions are kept, no open file: a store can be pickled, and used by forked worker processes.

    Raises UserError if the source is missing, is no readable tar, or holds no images.
    """

    def __init__(self, source: str | Path):
        self.source = Path(source)
        if self.source.is_dir():
            found = _folder_images(self.source)
        elif self.source.exists():
            found = _tar_images(self.source)
        else:
            raise UserError(f"{self.source} does not exist; give a folder or a tar of images.")
        if not found:
            raise UserError(f"{self.source} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}).")
        self._locations = dict(sorted(found.items()))

    def __contains__(self, path: object) -> bool:
        return path in self._locations

    def paths(self) -> list[str]:
        """Names of all pictures, sorted."""
        return list(self._locations)

    def identities(self) -> dict[str, list[str]]:
        """Pictures of each identity, both sorted. The folder is the identity; loose pictures are left out."""
        identities: dict[str, list[str]] = {}
        for path in self._locations:
            if folder := posixpath.dirname(path):
                identities.setdefault(folder, []).append(path)
        return identities

    def read(self, path: str) -> np.ndarray:
        """One picture, uint8 (H, W, 3) RGB. Raises UserError if its name is unknown or it is damaged."""
        if path not in self._locations:
            raise UserError(f"{self.source} holds no image named {path}.")
        return decode_image(_read_bytes(self._locations[path]), f"{path} in {self.source}")


class _Location(NamedTuple):
    """Where the bytes of a picture lie: `size` bytes of a file from `offset` on; -1 is all the rest."""

    file: Path
    offset: int = 0
    size: int = -1


def _read_bytes(location: _Location) -> bytes:
    try:
        with location.file.open("rb") as file:
            file.seek(location.offset)
            return file.read(location.size)
    except FileNotFoundError:
        raise UserError(f"{location.file} does not exist.") from None
    except OSError as error:
        raise UserError(f"{location.file} cannot be read ({error.strerror}).") from None


def _folder_images(root: Path) -> dict[str, _Location]:
    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}).")

    files = [Path(folder, name) for folder, _, names in os.walk(root, onerror=refuse) for name in names]
    return {file.relative_to(root).as_posix(): _Location(file) for file in files if is_image_name(file.name)}


def _tar_images(path: Path) -> dict[str, _Location]:
    try:
        with tarfile.open(path, mode="r:") as tar:
            members = tar.getmembers()
            # tarfile takes a damaged header for the end of the archive; the real end is a block of zeros.
            tar.fileobj.seek(tar.offset)
            complete = tar.fileobj.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)
    except (tarfile.TarError, OSError) as error:
        raise UserError(f"{path} is neither a folder nor a readable, uncompressed tar ({error}).") from None
    if not complete:
        raise UserError(f"{path} is truncated or damaged after {len(members)} members.")
    images = [member for member in members if member.isfile() and is_image_name(member.name)]
    names = [posixpath.normpath(member.name).lstrip("/") for member in images]
    prefix = posixpath.commonpath([posixpath.dirname(name) for name in names]) if names else ""
    return {
        posixpath.relpath(name, prefix or "."): _Location(path, member.offset_data, member.size)
        for name, member in zip(names, images, strict=True)
    }


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow would clip 16-bit greyscale at 255 instead of scaling it.
        image = Image.fromarray(np.clip(np.asarray(image) // 257, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert("RGB")
