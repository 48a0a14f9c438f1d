"""C-simulation: the compiled project called from Python, one image at a time or many over all cores.

The library keeps state in static variables (line buffers), so one process runs one image at a time, and many images run
in many processes. This module imports neither TensorFlow nor hls4ml: worker processes start fast.
"""

from __future__ import annotations

import ctypes
import functools
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from joblib.externals.loky import get_reusable_executor

from qmfn.names import PROJECT_NAME, WEIGHTS_VARIABLE


@dataclass(frozen=True)
class Tensors:
    """Shapes of what goes in and comes out: the input, the output, and every probed layer's result in order."""

    input: tuple[int, ...]
    output: tuple[int, ...]
    layers: tuple[tuple[str, tuple[int, ...]], ...]


def tensors_of(graph) -> Tensors:
    """The tensors of a converted network (hls4ml `ModelGraph`); layers in the order of computation."""
    probed = tuple(
        (layer.name, tuple(layer.get_output_variable().shape))
        for layer in graph.get_layers()
        if layer.get_attr("trace", False) and layer.get_attr("function_cpp", None)
    )
    return Tensors(tuple(graph.get_input_variables()[0].shape), tuple(graph.get_output_variables()[0].shape), probed)


@dataclass(frozen=True)
class Simulation:
    """What a process needs to simulate a design: the library, the folder of its weights, its tensors."""

    library: Path
    weights: Path
    tensors: Tensors


class _TraceData(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.c_void_p)]


class Csim:
    """A compiled project as a function from an image to its embedding and all tensors before it."""

    def __init__(self, simulation: Simulation):
        self.tensors = simulation.tensors
        self._weights = str(simulation.weights)
        self._library = ctypes.CDLL(str(simulation.library))
        self._top = getattr(self._library, f"{PROJECT_NAME}_double")
        self._library.allocate_trace_storage.argtypes = [ctypes.c_size_t]

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Embedding, float64 (embedding_size,), of one normalised image (size, size, 3)."""
        image = np.ascontiguousarray(image, np.float64)
        if image.shape != self.tensors.input:
            raise ValueError(f"image has shape {image.shape}, the design takes {self.tensors.input}")
        os.environ[WEIGHTS_VARIABLE] = self._weights
        output = np.empty(math.prod(self.tensors.output))
        self._top(image.ctypes.data_as(ctypes.c_void_p), output.ctypes.data_as(ctypes.c_void_p))
        return output

    def trace(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Every probed layer's result for one image, float64, in the order of computation."""
        self._library.allocate_trace_storage(ctypes.sizeof(ctypes.c_double))
        try:
            self.predict(image)
            found = (_TraceData * len(self.tensors.layers))()
            self._library.collect_trace_output(found)
            storage = {entry.name.decode(): entry.data for entry in found}
            return {name: _copy(storage[name], shape) for name, shape in self.tensors.layers}
        finally:
            self._library.free_trace_storage()


def _copy(address: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(ctypes.c_double)), shape).copy()


def simulate(simulation: Simulation, images: Iterable[np.ndarray], jobs: int = -1) -> Iterator[np.ndarray]:
    """Embeddings of a stream of images, in its order, over `jobs` processes (-1: every core).

    Only a few images are in memory at a time. Inside `joblib.parallel_config(backend="dask")` or `"ray"` the same call
    runs on that cluster, whose machines must see library and weights under the same paths.

    Args:
        simulation: what to run.
        images: normalised images (size, size, 3).
    """
    # Workers take one image at a time: it costs them a quarter of a second, handing it over a thousandth.
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=1, pre_dispatch="2*n_jobs")
    finished = False
    try:
        yield from parallel(joblib.delayed(_predict)(simulation, image) for image in images)
        finished = True
    finally:
        if not finished:  # interrupted: the local workers go too
            get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _predict(simulation: Simulation, image: np.ndarray) -> np.ndarray:
    return _loaded(simulation).predict(image)


@functools.lru_cache(maxsize=1)
def _loaded(simulation: Simulation) -> Csim:
    """The library of this process: loaded when the first image comes."""
    return Csim(simulation)
