"""The passes that turn a converted network into stages.

`check_network` looks at the network before hls4ml's own passes do. `fold_network` makes a plan of the layers and
replaces them by its stages, `size_fifos` finds the depths of the streams between them, and `transform_types` gives
streams their beats and depths. Each works on the whole graph once.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from hls4ml.backends.fpga.fpga_types import APTypeConverter, HLSTypeConverter
from hls4ml.backends.vivado.vivado_types import VivadoStreamVariableDefinition
from hls4ml.model.layers import Input, Layer
from hls4ml.model.optimizer import GlobalOptimizerPass, OptimizerPass
from hls4ml.model.types import PackedType

from qmfn.backends.hls4ml.foldings import graph_foldings
from qmfn.backends.hls4ml.hls_config import check_hls_config
from qmfn.backends.hls4ml.stage_layer import FoldedStage, StageAttribute, plan_of
from qmfn.backends.hls4ml.user_model import read_user_model
from qmfn.devices import family_of
from qmfn.network.from_hls4ml import Imported, network_of_graph
from qmfn.plan.fifos import size_fifos
from qmfn.plan.fold import fold_layers, unfolded
from qmfn.plan.plan import Plan

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph


def is_folded(graph: ModelGraph) -> bool:
    return any(isinstance(node, FoldedStage) for node in graph.get_layers())


USER_MODEL = "user_model"
"""Attribute of the input between the two passes; hls4ml's passes carry no other data."""


class CheckNetwork(OptimizerPass):
    """Refuse what the backend doesn't take, and remember the network as it is until it is folded."""

    def match(self, node: Layer) -> bool:
        return isinstance(node, Input) and node.get_attr(USER_MODEL) is None and not is_folded(node.model)

    def transform(self, model: ModelGraph, node: Layer) -> bool:
        check_hls_config(model)
        node.set_attr(USER_MODEL, read_user_model(model))
        return False


class FoldNetwork(OptimizerPass):
    """Replace all layers but the input by the stages of the folded design."""

    def match(self, node: Layer) -> bool:
        """Once per graph, at its input."""
        return isinstance(node, Input) and not is_folded(node.model)

    def transform(self, model: ModelGraph, node: Layer) -> bool:
        user_model = node.attributes.pop(USER_MODEL)
        node.set_attr("traced", list(user_model.traced))
        imported = network_of_graph(model, user_model)
        layers = unfolded(imported.network)
        family = family_of(model.config.get_config_value("Part"))
        plan = fold_layers(imported.network, layers, graph_foldings(model, layers, imported.nodes), family)
        _replace_layers(model, imported, plan)
        return True


def _replace_layers(model: ModelGraph, imported: Imported, plan: Plan) -> None:
    inputs = [node for node in model.get_layers() if node.name in imported.network.inputs]
    model.graph = OrderedDict((node.name, node) for node in inputs)
    model.output_vars = {node.outputs[0]: node.get_output_variable() for node in inputs}
    model.outputs = list(plan.stages[-1].outputs)
    for stage in plan.stages:
        own = stage.name == stage.layer  # else it stands in front of the layer's own kernel
        traced = own and any(node.get_attr("trace", False) for node in imported.nodes[stage.layer])
        attributes = {
            "stage": StageAttribute(stage, plan.constants.get(stage.name)), "network": plan.network, "trace": traced,
            "result_of": imported.results[stage.layer],
        }  # fmt: skip
        node = model.make_node(FoldedStage, stage.name, attributes, list(stage.inputs), list(stage.outputs))
        model.graph[stage.name] = node
    model.config.pipeline_style = "dataflow"


class SizeFifos(OptimizerPass):
    """Find the depths of the streams by simulating the dataflow."""

    def match(self, node: Layer) -> bool:
        """Once per graph, at its first stage."""
        first = next((other for other in node.model.get_layers() if isinstance(other, FoldedStage)), None)
        return first is not None and node is first and first.get_attr("depths") is None

    def transform(self, model: ModelGraph, node: Layer) -> bool:
        depths = size_fifos(plan_of(model)).depths
        for stage in model.get_layers():
            if isinstance(stage, FoldedStage):
                stage.set_attr("depths", {name: depths[name] for name in stage.outputs if name in depths})
        return False


class TransformTypes(GlobalOptimizerPass):
    """Streams of beats: `nnet::array<type, values>`, as deep as the simulation found.

    hls4ml runs the pass of this name again when it loads a saved graph.
    """

    def __init__(self) -> None:
        self.types = HLSTypeConverter(precision_converter=APTypeConverter())

    def transform(self, model: ModelGraph, node: Layer) -> None:
        plan = plan_of(model)
        for variable in node.variables.values():
            if isinstance(variable, VivadoStreamVariableDefinition):
                continue
            stream = plan.streams[variable.name if isinstance(node, FoldedStage) else node.outputs[0]]
            kind = PackedType(variable.type.name, variable.type.precision, stream.values, 1)
            variable.type = self.types.convert(kind)
            variable.pragma = ("stream", plan.depths[stream.name]) if stream.name in plan.depths else None
            plain = type(variable)
            saved_as = {"_wrapped": f"{plain.__module__}.{plain.__qualname__}"}  # hls4ml's serialisation
            variable.__class__ = type("FoldedStreamVariable", (plain, VivadoStreamVariableDefinition), saved_as)
            # hls4ml defines the types that are attributes
            node.set_attr("result_t" if variable.name == node.outputs[0] else f"{variable.name}_t", variable.type)
