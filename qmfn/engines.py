"""What turns aligned faces into embeddings: the quantised Keras network, the HLS code, or the float network.

An engine is a function from uint8 faces (N, size, size, 3) to embeddings (N, embedding_size).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from qmfn.config import DesignConfig
from qmfn.model.builder import float_network, quantised_network
from qmfn.model.initial import design_checkpoint
from qmfn.model.mobilefacenet import architecture, normalise
from qmfn.model.parameters import import_float_weights
from qmfn.shared import shared_file

Engine = Callable[[np.ndarray], np.ndarray]


@contextlib.contextmanager
def engine(config: DesignConfig, name: str, jobs: int = -1) -> Iterator[Engine]:
    """The engine "keras", "csim" or "float" of a design; `jobs` are the processes of the C-simulation.

    Raises:
        UserError: what the design names is missing, or the HLS code can't be compiled.
    """
    if name == "csim":
        with csim_engine(config, jobs) as found:
            yield found
    else:
        yield float_engine(config) if name == "float" else keras_engine(config)


def keras_engine(config: DesignConfig) -> Engine:
    """The quantised network."""
    return _batch_engine(quantised_network(design_checkpoint(config)))


def float_engine(config: DesignConfig) -> Engine:
    """The float network that the design starts from."""
    layers = architecture(config.model)
    weights = import_float_weights(shared_file(config.training.float_weights), layers)
    return _batch_engine(float_network(layers, weights))


@contextlib.contextmanager
def csim_engine(config: DesignConfig, jobs: int) -> Iterator[Engine]:
    """The HLS code of a project that is written for this purpose and gone afterwards."""
    from qmfn.flow import project_simulation  # hls4ml, which the other engines can do without
    from qmfn.hls.csim import simulate

    with tempfile.TemporaryDirectory(prefix="qmfn.") as folder:
        simulation = project_simulation(config, Path(folder))
        yield lambda faces: np.stack(list(simulate(simulation, normalise(faces), jobs)))


def _batch_engine(model) -> Engine:
    return lambda faces: model.predict_on_batch(normalise(faces)).reshape(len(faces), -1)
