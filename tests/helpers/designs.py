"""A design converted, written, compiled and compared: the steps of the flow as single calls."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np

from qmfn.backends.hls4ml import convert, project, readback
from qmfn.backends.request import request_of
from qmfn.design import DesignConfig
from qmfn.model.builder import quantised_network
from qmfn.network.checkpoint import Checkpoint
from qmfn.network.mobilefacenet import normalise
from qmfn.simulation import compare, compiler, csim


def noise(config: DesignConfig, images: int, seed: int) -> np.ndarray:
    """Random pixels: every value of the input range, extremes included."""
    size = config.model.input_size
    pixels = np.random.default_rng(seed).integers(0, 256, (images, size, size, 3), dtype=np.uint8)
    pixels[0, ::2] = 255
    pixels[-1, :, ::2] = 0
    return normalise(pixels)


def written(config: DesignConfig, checkpoint: Checkpoint, folder: Path):
    """(Keras network, hls4ml graph) of a design, the project written and read back."""
    model = quantised_network(checkpoint)
    request = request_of(config, checkpoint)
    with contextlib.redirect_stdout(io.StringIO()):
        graph = convert.convert(config, checkpoint, request, model, folder)
        project.write_project(graph, folder, folder)
    readback.check_project(graph, checkpoint, request, folder)
    return model, graph


def simulate(graph, folder: Path, types: compiler.Types = "fast") -> csim.Csim:
    """The compiled C-simulation of a written project."""
    library = compiler.library_for(folder, types)
    return csim.Csim(csim.Simulation(library, folder / "firmware" / "weights", csim.tensors_of(graph)))


def compared(
    config: DesignConfig,
    checkpoint: Checkpoint,
    folder: Path,
    images: np.ndarray,
    types: compiler.Types = "fast",
) -> compare.Comparison:
    """Convert, compile and compare every value of every layer."""
    model, graph = written(config, checkpoint, folder)
    return compare.compare(
        simulate(graph, folder, types), model, checkpoint, images, config.hls.dataflow == "folded"
    )
