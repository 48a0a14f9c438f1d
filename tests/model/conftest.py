"""The small design and its random checkpoint."""

from __future__ import annotations

import pytest

from qmfn.config import DesignConfig, load_config
from qmfn.model.checkpoint import Checkpoint
from qmfn.model.initial import random_checkpoint


@pytest.fixture(scope="session")
def tiny(configs) -> DesignConfig:
    return load_config(configs / "tiny.yml")


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny) -> Checkpoint:
    return random_checkpoint(tiny, seed=0)
