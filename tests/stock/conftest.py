"""Rows that are fitted to, and the fit in the repository."""

from __future__ import annotations

import pytest

from qmfn.resources.coefficients import coefficients
from qmfn.stock import calibration


@pytest.fixture(scope="session")
def layer_samples(synthesis) -> list[calibration.Sample]:
    """Every row of layers.csv that is fitted to."""
    return calibration.select_layers(synthesis("layers"))


@pytest.fixture(scope="session")
def samples(synthesis, layer_samples) -> list[calibration.Sample]:
    """Every row that is fitted to."""
    return layer_samples + calibration.select_streams(synthesis("other_layers"))


@pytest.fixture(scope="session")
def fitted():
    """The coefficients in the repository."""
    return coefficients()
