"""Rows of the shared synthesis data, and the fit in the repository."""

from __future__ import annotations

import pytest

from qmfn.errors import UserError
from qmfn.estimate import calibration
from qmfn.estimate.coefficients import coefficients
from qmfn.shared import shared_file


@pytest.fixture(scope="session")
def synthesis():
    """name -> rows of synthesis/name.csv as dicts of text; skips where the shared data is absent."""

    def rows(name: str) -> list[dict[str, str]]:
        try:
            return calibration.read_rows(shared_file(f"synthesis/{name}.csv"))
        except UserError as error:
            pytest.skip(str(error))

    return rows


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
