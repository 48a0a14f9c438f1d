"""What turns aligned faces into embeddings: integer arithmetic, Keras, the HLS code, or the float network.

An engine is a function from uint8 faces (N, size, size, 3) to embeddings (N, embedding_size). `exact`, `keras` and
`csim` give the same values.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from qmfn.design import DesignConfig
from qmfn.model.initial import design_checkpoint
from qmfn.network.mobilefacenet import architecture, normalise

Engine = Callable[[np.ndarray], np.ndarray]

QUANTISED = ("exact", "keras", "csim")
"""Engines of the quantised network, the fastest first."""

FACES_AT_A_TIME = 4
"""Of one thread: few enough for the processor's caches."""


@contextlib.contextmanager
def engine(config: DesignConfig, name: str, jobs: int = -1) -> Iterator[Engine]:
    """An engine of a design.

    Args:
        name: one of `QUANTISED`, or "float".
        jobs: threads of the exact engine, processes of the C-simulation; -1: every core.

    Raises:
        UserError: what the design names is missing, or the HLS code can't be compiled.
    """
    if name == "csim":
        with csim_engine(config, jobs) as found:
            yield found
    elif name == "exact":
        yield exact_engine(config, jobs)
    else:
        yield float_engine(config) if name == "float" else keras_engine(config)


def exact_engine(config: DesignConfig, jobs: int = -1) -> Engine:
    """The network's own integer arithmetic, without TensorFlow."""
    from threadpoolctl import threadpool_limits

    from qmfn.network.from_checkpoint import network_of

    network = network_of(design_checkpoint(config))
    (source, tensor), (output,) = next(iter(network.inputs.items())), network.outputs
    step, unit = 2.0**tensor.type.exponent, 2.0 ** network.tensors[output].type.exponent
    workers = os.cpu_count() or 1 if jobs < 0 else jobs

    def embed_few(faces: np.ndarray) -> np.ndarray:
        integers = normalise(faces) / np.float32(step)
        return network.outputs_of({source: integers})[output].reshape(len(faces), -1) * unit

    def embed(faces: np.ndarray) -> np.ndarray:
        parts = [faces[first : first + FACES_AT_A_TIME] for first in range(0, len(faces), FACES_AT_A_TIME)]
        with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:  # a thread per part, not per matrix product
            return np.concatenate(list(pool.map(embed_few, parts)))

    return embed


def keras_engine(config: DesignConfig) -> Engine:
    """The quantised network."""
    from qmfn.model.builder import quantised_network

    return _batch_engine(quantised_network(design_checkpoint(config)))


def float_engine(config: DesignConfig) -> Engine:
    """The float network that the design starts from."""
    from qmfn.model.builder import float_network
    from qmfn.network.parameters import import_float_weights
    from qmfn.shared import shared_file

    layers = architecture(config.model)
    weights = import_float_weights(shared_file(config.training.float_weights), layers)
    return _batch_engine(float_network(layers, weights))


@contextlib.contextmanager
def csim_engine(config: DesignConfig, jobs: int) -> Iterator[Engine]:
    """The HLS code of a project that is written for this purpose and gone afterwards."""
    from qmfn.flow import project_simulation  # hls4ml, which the other engines can do without
    from qmfn.simulation.csim import simulate

    with tempfile.TemporaryDirectory(prefix="qmfn.") as folder:
        simulation = project_simulation(config, Path(folder))
        yield lambda faces: np.stack(list(simulate(simulation, normalise(faces), jobs)))


def _batch_engine(model: Any) -> Engine:
    return lambda faces: model.predict_on_batch(normalise(faces)).reshape(len(faces), -1)
