"""The hls4ml backends `VitisFolded` and `VivadoFolded`, and how hls4ml finds them.

Derived from hls4ml's Vitis backend: the network is parsed and optimised by hls4ml's own flows, then the passes of
`passes/fold.py` replace its layers by stages. What would go unnoticed there is checked before those flows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hls4ml.backends.vitis.vitis_backend import VitisBackend
from hls4ml.backends.vivado.vivado_backend import VivadoBackend
from hls4ml.model.flow import register_flow

from qmfn.backends.hls4ml.cpp import FoldedStageTemplate
from qmfn.backends.hls4ml.trace import check_trace
from qmfn.backends.hls4ml.writer import FoldedWriter
from qmfn.errors import UserError
from qmfn.names import FOLDED_BACKENDS

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph


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
        check = register_flow("check", [f"{name}:check_network"], backend=self.name)
        stages = register_flow(
            "stages",
            [f"{name}:fold_network", f"{name}:size_fifos", f"{name}:transform_types"],
            requires=["optimize"],
            backend=self.name,
        )
        templates = register_flow("apply_templates", self._get_layer_templates, requires=[stages], backend=self.name)
        requires = [check, "optimize", stages, templates]
        self._default_flow = register_flow("ip", None, requires=requires, backend=self.name)
        self._writer_flow = register_flow(
            "write", ["make_stamp", f"{name}:write_hls"], requires=[f"{name}:ip"], backend=self.name
        )

    def create_initial_config(self, **settings: Any) -> dict[str, Any]:
        """As Vitis has it, for streams.

        Raises:
            UserError: a setting that there isn't; Vitis ignores it.
        """
        known = [name for name in inspect.signature(super().create_initial_config).parameters if name != "_"]
        for name, value in settings.items():
            if name not in known:
                raise UserError(f"{name} = {value}: {self.name} has no such setting; it has {', '.join(known)}.")
        return super().create_initial_config(**{"io_type": "io_stream", **settings})

    def write(self, model: ModelGraph) -> None:
        """Write the project.

        Raises:
            UserError: `graph.trace` was called, and a layer's own output doesn't exist in the design.
        """
        # Probes that were asked for at conversion name stages: `qmfn convert` knows whose output each one has.
        if model.config.trace_output and not model.config.get_config_value("TraceOutput"):
            try:
                check_trace(model)
            except UserError:
                model.config.trace_output = False  # so that the graph can be compiled afterwards
                raise
        super().write(model)


class VivadoFoldedBackend(FoldedBackend):
    """For Vivado HLS 2019.2 and 2020.1."""

    tool = "Vivado"


def register(register_backend: Callable, register_writer: Callable) -> None:
    """Entry point `hls4ml.backends`: hls4ml calls it with its own functions."""
    for backend in (FoldedBackend, VivadoFoldedBackend):
        register_writer(FOLDED_BACKENDS[backend.tool], FoldedWriter)
        register_backend(FOLDED_BACKENDS[backend.tool], backend)
