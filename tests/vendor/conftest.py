"""The two real report trees, and small ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.vendor_trees import FIRMWARE, small_tree

from qmfn.shared import shared_folder

REAL = ("vitis_2023.1_cnn_large", "vivado_2020.1_mnist_rf16")


@pytest.fixture(params=REAL)
def real_tree(request) -> Path:
    """A project with the reports of a real run; skips where the shared data is absent."""
    path = shared_folder() / "synthesis" / "reports" / request.param
    if not path.exists():
        pytest.skip(f"{path} is absent; QMFN_SHARED names the folder of the shared data")
    return path


@pytest.fixture(params=[True, False], ids=["Vitis", "Vivado"])
def small(request, tmp_path) -> Path:
    """A project with a small report tree, in both dialects."""
    project = tmp_path / "project"
    small_tree(request.param).write(project)
    return project


@pytest.fixture
def reports(small) -> Path:
    return small / "small_prj" / "solution1" / "syn" / "report"


@pytest.fixture
def firmware(small) -> Path:
    """The project's firmware, written."""
    (small / "firmware").mkdir()
    (small / "firmware" / "small.cpp").write_text(FIRMWARE)
    return small
