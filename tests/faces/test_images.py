"""Reading pictures, folders and tars."""

import gzip
import multiprocessing
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qmfn.errors import UserError
from qmfn.faces.images import FaceStore, read_image

NAMES = ["Alice/1.png", "Alice/2.png", "Bob/1.png", "Bob/2.png", "loose.png"]


def gradient(mode: str) -> Image.Image:
    """A horizontal ramp 0..255, 256 x 16, in the given mode."""
    ramp = np.tile(np.arange(256, dtype=np.uint8), (16, 1))
    return Image.fromarray(ramp).convert("RGB").convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "pgm"), ("RGB", "png"), ("LA", "png"), ("RGBA", "png"), ("CMYK", "tif")]
)
def test_every_mode_is_read_as_the_same_rgb(tmp_path, mode, suffix):
    path = tmp_path / f"ramp.{suffix}"
    gradient(mode).save(path)
    pixels = read_image(path)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.asarray(gradient("RGB")))


@pytest.mark.parametrize("suffix", ["png", "pgm", "tif"])
def test_16_bit_greyscale_is_scaled_not_clipped(tmp_path, suffix):
    deep = np.asarray(gradient("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / f"deep.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"deep.{suffix}"), np.asarray(gradient("RGB")))


def test_transparency_shows_white(tmp_path):
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert (read_image(tmp_path / "clear.png") == 255).all()


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned: to be shown rotated by 90 degrees clockwise
    gradient("RGB").save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png"), np.rot90(gradient("RGB"), -1))


def bad_image(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.jpg"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("this is not a picture")
    elif kind == "empty":
        path.touch()
    elif kind == "truncated":
        gradient("RGB").save(path)
        path.write_bytes(path.read_bytes()[:-200])
    elif kind == "header only":
        gradient("RGB").save(path)
        path.write_bytes(path.read_bytes()[:40])
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "does not exist"),
        ("folder", "is a folder"),
        ("text", "is not an image"),
        ("empty", "is not an image"),
        ("truncated", "truncated or damaged"),
        ("header only", "is not an image|truncated or damaged"),
    ],
)
def test_bad_image_is_a_user_error_that_names_the_file(tmp_path, kind, reason):
    path = bad_image(tmp_path, kind)
    with pytest.raises(UserError, match=reason) as error:
        read_image(path)
    assert str(path) in str(error.value)


def test_tar_and_folder_give_the_same(face_folder, face_tar):
    folder, tar = FaceStore(face_folder), FaceStore(face_tar)
    assert folder.paths() == tar.paths() == NAMES
    assert folder.identities() == tar.identities() == {"Alice": NAMES[:2], "Bob": NAMES[2:4]}
    for name in NAMES:
        np.testing.assert_array_equal(folder.read(name), tar.read(name))


def test_tar_without_common_folder_keeps_names(face_folder, tmp_path):
    with tarfile.open(tmp_path / "flat.tar", "w") as tar:
        tar.add(face_folder, arcname=".")
    assert FaceStore(tmp_path / "flat.tar").paths() == NAMES


def test_store_works_in_worker_processes(face_tar):
    store = FaceStore(face_tar)
    expected = [store.read(name) for name in NAMES]
    unpickled = pickle.loads(pickle.dumps(store))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        read = pool.map(unpickled.read, NAMES)
    np.testing.assert_array_equal(read, expected)


def bad_store(kind: str, tar: Path) -> Path:
    path = tar.with_name(kind)
    data = tar.read_bytes()
    if kind == "empty.tar":
        tarfile.open(path, "w").close()
    elif kind == "zero bytes.tar":
        path.touch()
    elif kind == "noise.tar":
        path.write_bytes(b"noise" * 1000)
    elif kind == "cut in a picture.tar":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "cut between members.tar":
        with tarfile.open(tar) as archive:
            path.write_bytes(data[: archive.getmember("faces_112/Bob/1.png").offset])
    elif kind == "damaged header.tar":
        with tarfile.open(tar) as archive:
            start = archive.getmember("faces_112/Bob/1.png").offset
        path.write_bytes(data[:start] + b"\xff" * 512 + data[start + 512 :])
    elif kind == "packed.tar.gz":
        path.write_bytes(gzip.compress(data))
    elif kind == "no pictures":
        path.mkdir()
        (path / "notes.txt").write_text("nothing to see")
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "does not exist"),
        ("empty.tar", "holds no images"),
        ("zero bytes.tar", "readable, uncompressed tar"),
        ("noise.tar", "readable, uncompressed tar"),
        ("cut in a picture.tar", "readable, uncompressed tar|truncated or damaged"),
        ("cut between members.tar", "truncated or damaged"),
        ("damaged header.tar", "truncated or damaged"),
        ("packed.tar.gz", "readable, uncompressed tar"),
        ("no pictures", "holds no images"),
    ],
)
def test_bad_store_is_a_user_error_that_names_it(face_tar, kind, reason):
    path = bad_store(kind, face_tar)
    with pytest.raises(UserError, match=reason) as error:
        FaceStore(path)
    assert str(path) in str(error.value)


def test_unknown_name_is_a_user_error(face_tar):
    with pytest.raises(UserError, match="holds no image named Carol/1.png"):
        FaceStore(face_tar).read("Carol/1.png")


def test_damaged_picture_in_a_tar_is_named(face_folder, tmp_path):
    (face_folder / "Bob" / "2.png").write_bytes((face_folder / "Bob" / "2.png").read_bytes()[:1000])
    with tarfile.open(tmp_path / "damaged.tar", "w") as tar:
        tar.add(face_folder, arcname="faces_112")
    with pytest.raises(UserError, match="Bob/2.png in .*damaged.tar is a truncated or damaged image"):
        FaceStore(tmp_path / "damaged.tar").read("Bob/2.png")


def test_shared_lfw_tar_holds_aligned_faces(shared):
    store = FaceStore(shared / "faces" / "lfw_112.tar")
    assert len(store.paths()) == 7701
    assert "Aaron_Eckhart/Aaron_Eckhart_0001.jpg" in store
    assert store.read(store.paths()[-1]).shape == (112, 112, 3)
