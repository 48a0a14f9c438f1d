"""What several folders of tests need: the shipped designs, small face pictures, float weights of a small network.

And their order: `make test` spreads the files over processes in the order given here, so slow ones come first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory) -> Iterator[None]:
    """The C-simulations that tests compile stay out of the user's cache, and out of that of another process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QMFN_CACHE", str(tmp_path_factory.mktemp("libraries")))
        yield


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def configs() -> Path:
    """Folder of the shipped designs."""
    return REPOSITORY / "configs"


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """The float weights of the full network; skips where the shared data is absent."""
    folder = Path(os.environ.get("QMFN_SHARED", REPOSITORY.parent / "shared"))
    path = folder / "weights" / "mobilefacenet_y1_folded.npz"
    if not path.exists():
        pytest.skip(f"{path} is absent; QMFN_SHARED names the folder of the shared data")
    return path


@pytest.fixture(scope="session")
def write_faces() -> Callable[..., Path]:
    """A function that fills a folder with noise pictures: `person0/0.png` and so on, each picture another one."""

    def write(folder: Path, people: int, pictures: int, size: int) -> Path:
        random = np.random.default_rng((people, pictures, size))
        for person in range(people):
            (folder / f"person{person}").mkdir(parents=True)
            for picture in range(pictures):
                pixels = random.integers(0, 256, (size, size, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"person{person}" / f"{picture}.png")
        return folder

    return write


@pytest.fixture(scope="session")
def write_float_weights() -> Callable[..., Path]:
    """A function that writes parameters the way the float weights come: arrays `bottleneck1/expand/kernel`."""

    def write(path: Path, parameters: dict[str, dict[str, np.ndarray]]) -> Path:
        arrays = {
            f"{layer.replace('_', '/')}/{name}": values
            for layer, tensors in parameters.items()
            for name, values in tensors.items()
        }
        np.savez(path, **arrays)
        return path

    return write


@pytest.fixture(scope="session")
def tiny(configs):
    """The small design."""
    from qmfn.design import load_config

    return load_config(configs / "tiny.yml")


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny):
    """Its random checkpoint."""
    from qmfn.model.initial import random_checkpoint

    return random_checkpoint(tiny, seed=0)


@pytest.fixture(scope="session")
def synthesis():
    """name -> rows of synthesis/name.csv as dicts of text; skips where the shared data is absent."""

    from qmfn.errors import UserError
    from qmfn.shared import shared_file
    from qmfn.stock import calibration

    def rows(name: str) -> list[dict[str, str]]:
        try:
            return calibration.read_rows(shared_file(f"synthesis/{name}.csv"))
        except UserError as error:
            pytest.skip(str(error))

    return rows
