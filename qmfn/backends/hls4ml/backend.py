"""The hls4ml backends `VitisFolded` and `VivadoFolded`, and how hls4ml finds them.

Derived from hls4ml's Vitis backend: the network is parsed and optimised by hls4ml's own flows, then the passes of
`passes/fold.py` replace its layers by stages.
"""

from __future__ import annotations

from collections.abc import Callable

from hls4ml.backends.vitis.vitis_backend import VitisBackend
from hls4ml.backends.vivado.vivado_backend import VivadoBackend
from hls4ml.model.flow import register_flow

from qmfn.backends.hls4ml.cpp import FoldedStageTemplate
from qmfn.backends.hls4ml.writer import FoldedWriter
from qmfn.names import FOLDED_BACKENDS


class FoldedBackend(VitisBackend):
    """For Vitis HLS."""

    tool = "Vitis"

    def __init__(self) -> None:
        super(VivadoBackend, self).__init__(name=FOLDED_BACKENDS[self.tool])  # as VitisBackend does, with another name
        self._register_layer_attributes()
        self.register_template(FoldedStageTemplate)
        self._register_flows()

    def _register_flows(self) -> None:
        name = self.name.lower()
        stages = register_flow(
            "stages",
            [f"{name}:fold_network", f"{name}:size_fifos", f"{name}:transform_types"],
            requires=["optimize"],
            backend=self.name,
        )
        templates = register_flow("apply_templates", self._get_layer_templates, requires=[stages], backend=self.name)
        self._default_flow = register_flow("ip", None, requires=["optimize", stages, templates], backend=self.name)
        self._writer_flow = register_flow(
            "write", ["make_stamp", f"{name}:write_hls"], requires=[f"{name}:ip"], backend=self.name
        )


class VivadoFoldedBackend(FoldedBackend):
    """For Vivado HLS 2019.2 and 2020.1."""

    tool = "Vivado"


def register(register_backend: Callable, register_writer: Callable) -> None:
    """Entry point `hls4ml.backends`: hls4ml calls it with its own functions."""
    for backend in (FoldedBackend, VivadoFoldedBackend):
        register_writer(FOLDED_BACKENDS[backend.tool], FoldedWriter)
        register_backend(FOLDED_BACKENDS[backend.tool], backend)
