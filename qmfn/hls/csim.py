"""C-simulation: the project's C++ compiled with g++ and called from Python, every layer probed.

The library keeps state in static variables (line buffers), so one process runs one image at a time.
"""

from __future__ import annotations

import ctypes
import math
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qmfn.errors import UserError
from qmfn.hls.convert import PROJECT_NAME, ModelGraph

# The weights are read when the first image comes, from wherever the project stands then.
WEIGHTS_VARIABLE = "QMFN_CSIM_WEIGHTS"
FLAGS = (
    "-O3", "-fPIC", "-std=c++11", "-fno-gnu-unique", "-w",
    f'-DWEIGHTS_DIR=std::getenv("{WEIGHTS_VARIABLE}")',
)  # fmt: skip


def find_compiler() -> list[str]:
    """The C++ compiler command: `CXX` or g++.

    Raises:
        UserError: there is none.
    """
    compiler = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    if shutil.which(compiler[0]) is None:
        raise UserError(f"{compiler[0]}: no such C++ compiler on PATH; install g++ or set CXX to one.")
    return compiler


def compile_library(folder: Path) -> Path:
    """Compile the probed project of `folder`; its two sources at the same time.

    Raises:
        UserError: no compiler, or the compiler rejects the sources.
    """
    compiler = find_compiler()
    csim = folder / "csim"
    library = csim / f"lib{PROJECT_NAME}.so"
    includes = [f"-I{folder}", f"-I{folder / 'firmware'}", f"-I{folder / 'firmware' / 'ap_types'}"]
    sources = [csim / f"{PROJECT_NAME}.cpp", csim / f"{PROJECT_NAME}_bridge.cpp"]
    objects = [source.with_suffix(".o") for source in sources]
    _run_all(
        [*compiler, *FLAGS, *includes, "-c", str(source), "-o", str(target)]
        for source, target in zip(sources, objects, strict=True)
    )
    _run_all([[*compiler, "-shared", *map(str, objects), "-o", str(library)]])
    for file in objects:
        file.unlink()
    return library


def _run_all(commands: Iterable[list[str]]) -> None:
    """Run compilers side by side; when this is interrupted, or one fails, none stays behind."""
    processes = []
    try:
        for command in commands:
            # A session of its own: the compiler's own children end with it.
            processes.append(
                subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
                )
            )
        for process in processes:
            output, _ = process.communicate()
            if process.returncode:
                raise UserError(f"{process.args[0]}: can't compile the HLS project: {_first_error(output)}")
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _first_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it says nothing"]
    return next((line for line in lines if "error" in line), lines[-1])


class _TraceData(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.c_void_p)]


@dataclass(frozen=True)
class Tensors:
    """Shapes of what goes in and comes out: the input, the output, and every probed layer's result."""

    input: tuple[int, ...]
    output: tuple[int, ...]
    layers: Mapping[str, tuple[int, ...]]


def tensors_of(graph: ModelGraph) -> Tensors:
    """The tensors of a converted network; layers in the order of computation."""
    probed = {
        layer.name: tuple(layer.get_output_variable().shape)
        for layer in graph.get_layers()
        if layer.get_attr("trace", False) and layer.get_attr("function_cpp", None)
    }
    return Tensors(tuple(graph.get_input_variables()[0].shape), tuple(graph.get_output_variables()[0].shape), probed)


class Csim:
    """A compiled project as a function from an image to its embedding and all tensors before it."""

    def __init__(self, library: Path, weights: Path, tensors: Tensors):
        os.environ[WEIGHTS_VARIABLE] = str(weights)
        self._library = ctypes.CDLL(str(library))
        self._top = getattr(self._library, f"{PROJECT_NAME}_double")
        self._library.allocate_trace_storage.argtypes = [ctypes.c_size_t]
        self.tensors = tensors

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Embedding, float64 (embedding_size,), of one normalised image (size, size, 3)."""
        image = np.ascontiguousarray(image, np.float64)
        if image.shape != self.tensors.input:
            raise ValueError(f"image has shape {image.shape}, the design takes {self.tensors.input}")
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
            results = {entry.name.decode(): self._copy(entry) for entry in found}
        finally:
            self._library.free_trace_storage()
        return {name: results[name] for name in self.tensors.layers}

    def _copy(self, entry: _TraceData) -> np.ndarray:
        shape = self.tensors.layers[entry.name.decode()]
        return np.ctypeslib.as_array(ctypes.cast(entry.data, ctypes.POINTER(ctypes.c_double)), shape).copy()
