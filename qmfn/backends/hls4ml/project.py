"""The written HLS project: what goes to the vendor tools, and the probed copy that the C-simulation runs.

    <folder>/                     hls4ml's project, as Vivado HLS / Vitis HLS takes it
    <folder>/tb_data/             test-bench inputs and expected outputs for the vendor's csim and cosim
    <folder>/csim/                top function and Python bridge with a probe behind every layer

The probed top function is the delivered one but for its `save_layer_output` lines; `check_probes` proves it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np

from qmfn.backends.hls4ml.convert import ModelGraph
from qmfn.errors import UserError
from qmfn.names import PROJECT_NAME

PROBE = re.compile(r"^#ifndef __SYNTHESIS__\n(?: *nnet::save_layer_output<[^\n]*\n)+#endif\n", re.MULTILINE)


def write_project(graph: ModelGraph, folder: Path, final: Path) -> None:
    """Write the project and the probed copy of its top function.

    Args:
        folder: where to write.
        final: where the project will stand; its hls4ml_config.yml names that folder.

    Raises:
        UserError: the folder can't be written.
    """
    top, bridge = f"{PROJECT_NAME}.cpp", f"{PROJECT_NAME}_bridge.cpp"
    csim = folder / "csim"
    try:
        graph.write()
        csim.mkdir(exist_ok=True)
        shutil.move(folder / "firmware" / top, csim / top)
        shutil.move(folder / bridge, csim / bridge)
        _write_without_probes(graph)
        settings = folder / "hls4ml_config.yml"
        settings.write_text(settings.read_text().replace(str(folder), str(final)))
    except OSError as error:
        raise UserError(f"{folder}: the HLS project can't be written ({error.strerror}).") from None
    check_probes((csim / top).read_text(), (folder / "firmware" / top).read_text())


def _write_without_probes(graph: ModelGraph) -> None:
    graph.config.trace_output = False
    graph.config.backend.writer.write_project_cpp(graph)
    graph.config.backend.writer.write_bridge(graph)
    graph.config.trace_output = True


def check_probes(probed: str, delivered: str) -> None:
    """The simulated top function must be the delivered one plus probes."""
    if PROBE.sub("", probed) != delivered:
        raise AssertionError("the simulated top function differs from the delivered one by more than its probes")


def write_test_bench(folder: Path, inputs: np.ndarray, outputs: np.ndarray) -> None:
    """Inputs and expected outputs for the vendor's csim and cosim, one image per line, exact decimals.

    Args:
        folder: the project.
        inputs: (N, size, size, 3), from `normalise`.
        outputs: (N, embedding_size), from Keras.
    """
    for name, values in (("tb_input_features", inputs), ("tb_output_predictions", outputs)):
        np.savetxt(folder / "tb_data" / f"{name}.dat", values.reshape(len(values), -1), fmt="%.17g")
