"""Writes the HLS project of a folded design: hls4ml's own project with stages instead of layers.

`firmware/parameters.h` has one configuration and one function per stage, `firmware/weights/<stage>.h` its constants,
`firmware/folded/` the kernels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hls4ml.writer.vitis_writer import VitisWriter

from qmfn.hls.folded.cpp import tables_code
from qmfn.hls.folded.stage_layer import FoldedStage

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph


class FoldedWriter(VitisWriter):
    def write_hls(self, model: ModelGraph) -> None:
        (Path(model.config.get_output_dir()) / "firmware" / "folded").mkdir(parents=True, exist_ok=True)
        if model.config.backend.tool == "Vitis":
            super().write_hls(model)
        else:
            super(VitisWriter, self).write_hls(model)

    def write_parameters(self, model: ModelGraph) -> None:
        """As hls4ml does; for Vivado HLS the kernels are told so, for their pragmas."""
        super().write_parameters(model)
        if model.config.backend.tool == "Vivado":
            parameters = Path(model.config.get_output_dir()) / "firmware" / "parameters.h"
            parameters.write_text(f"#define FOLDED_VIVADO_HLS\n{parameters.read_text()}")

    def write_weights(self, model: ModelGraph) -> None:
        weights = Path(model.config.get_output_dir()) / "firmware" / "weights"
        for node in model.get_layers():
            if isinstance(node, FoldedStage) and (code := tables_code(node)):
                (weights / f"{node.name}.h").write_text(code)
