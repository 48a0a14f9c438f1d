"""Writes the HLS project of a folded design: hls4ml's own project with stages instead of layers.

`firmware/parameters.h` has one configuration and one function per stage, `firmware/weights/<stage>.h` its constants,
`firmware/folded/` the kernels that it uses.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hls4ml.writer.vitis_writer import VitisWriter

from qmfn.backends.hls4ml.cpp import HEADER_FOLDER, tables_code
from qmfn.backends.hls4ml.stage_layer import FoldedStage, plan_of
from qmfn.devices.memory import fifo_memory
from qmfn.devices.target import Tool
from qmfn.plan.plan import Stream

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph

VIVADO_PRAGMAS = {
    "PIPELINE II=1 style=flp": "PIPELINE II=1 enable_flush",
    "BIND_OP variable=product op=mul impl=fabric": "RESOURCE variable=product core=Mul_LUT",
    "BIND_OP variable=product op=mul impl=dsp": "RESOURCE variable=product core=DSP48",
    "BIND_STORAGE variable=pixel type=ram_s2p impl=lutram": "RESOURCE variable=pixel core=RAM_S2P_LUTRAM",
    "BIND_STORAGE variable=sums type=ram_s2p impl=lutram": "RESOURCE variable=sums core=RAM_S2P_LUTRAM",
}
"""Pragmas of the kernels, as Vitis HLS and as Vivado HLS spell them."""


INTERFACE = re.compile(r"^ *#pragma HLS INTERFACE [^\n]*\n", re.MULTILINE)
STREAM = re.compile(r"^( *)#pragma HLS STREAM variable=(\w+) depth=(\d+)\n", re.MULTILINE)


class FoldedWriter(VitisWriter):
    def write_hls(self, model: ModelGraph) -> None:
        if model.config.backend.tool == "Vitis":
            super().write_hls(model)
        else:
            super(VitisWriter, self).write_hls(model)

    def write_project_cpp(self, model: ModelGraph) -> None:
        """As hls4ml does; under a board's own top function the network's is an inner one, without interface."""
        super().write_project_cpp(model)
        source = _firmware(model, f"{model.config.get_project_name()}.cpp")
        tool, streams = model.config.backend.tool, plan_of(model).streams
        text = INTERFACE.sub(lambda m: f"#ifndef QMFN_BOARD_TOP\n{m[0]}#endif\n", source.read_text())
        source.write_text(STREAM.sub(lambda m: m[0] + _fifo_pragma(streams[m[2]], int(m[3]), m[1], tool), text))

    def write_weights(self, model: ModelGraph) -> None:
        for node in model.get_layers():
            if isinstance(node, FoldedStage) and (code := tables_code(node)):
                _firmware(model, "weights", f"{node.name}.h").write_text(code)

    def write_nnet_utils(self, model: ModelGraph) -> None:
        """As hls4ml does, and the design's kernels with the pragmas of the tool."""
        super().write_nnet_utils(model)
        folder = _firmware(model, HEADER_FOLDER)
        folder.mkdir(exist_ok=True)
        kernels = [stage.kernel for stage in plan_of(model).stages]
        for header in {header for kernel in kernels for header in (kernel.header, *kernel.common_headers)}:
            (folder / header.name).write_text(_for_tool(header.read_text(), model.config.backend.tool))


def _for_tool(text: str, tool: Tool) -> str:
    """The C++ of a kernel with the pragmas as a tool spells them."""
    if tool == "Vivado":
        for vitis, vivado in VIVADO_PRAGMAS.items():
            text = text.replace(f"#pragma HLS {vitis}\n", f"#pragma HLS {vivado}\n")
    return text


def _fifo_pragma(stream: Stream, depth: int, indent: str, tool: str) -> str:
    """Where a FIFO's beats are kept."""
    memory = fifo_memory(depth, stream.width)
    if tool == "Vivado":
        return f"{indent}#pragma HLS RESOURCE variable={stream.name} core=FIFO_{memory.upper()}\n"
    return f"{indent}#pragma HLS BIND_STORAGE variable={stream.name} type=fifo impl={memory}\n"


def _firmware(model: ModelGraph, *parts: str) -> Path:
    return Path(model.config.get_output_dir(), "firmware", *parts)
