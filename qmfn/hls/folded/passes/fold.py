"""The passes that turn a converted network into stages.

`fold_network` replaces the layers by stages, `size_fifos` finds the depths of the streams between them, and
`stream_types` gives streams their beats and depths. Each works on the whole graph once.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from hls4ml.backends.fpga.fpga_types import APTypeConverter, HLSTypeConverter
from hls4ml.backends.vivado.vivado_types import VivadoStreamVariableDefinition
from hls4ml.model.layers import Input, Layer
from hls4ml.model.optimizer import GlobalOptimizerPass, OptimizerPass
from hls4ml.model.types import PackedType

from qmfn.dataflow.build import Input as SourceTensor
from qmfn.dataflow.build import build_pipeline
from qmfn.dataflow.fifos import size_fifos
from qmfn.dataflow.stages import Pipeline, Stage
from qmfn.hls.folded.cpp import window_order
from qmfn.hls.folded.foldings import graph_foldings
from qmfn.hls.folded.network import NetworkLayer, network_layers
from qmfn.hls.folded.numbers import LayerNumbers
from qmfn.hls.folded.stage_layer import FoldedStage, ValueTypes

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph


class FoldNetwork(OptimizerPass):
    """Replace all layers but the input by the stages of the folded design."""

    def match(self, node: Layer) -> bool:
        """Once per graph, at its input."""
        return isinstance(node, Input) and not any(isinstance(n, FoldedStage) for n in node.model.get_layers())

    def transform(self, model: ModelGraph, node: Layer) -> bool:
        layers = {layer.folded.name: layer for layer in network_layers(model)}
        folded = [layer.folded for layer in layers.values()]
        pipeline = build_pipeline(_source(node), folded, graph_foldings(model, folded))
        _replace_layers(model, node, layers, pipeline)
        return True


def _source(node: Input) -> SourceTensor:
    height, width, channels = node.get_output_variable().shape
    return SourceTensor(node.name, height * width, channels, node.get_output_variable().type.precision.width)


def _replace_layers(model: ModelGraph, source: Input, layers: dict[str, NetworkLayer], pipeline: Pipeline) -> None:
    model.graph = OrderedDict({source.name: source})
    model.output_vars = {source.outputs[0]: source.get_output_variable()}
    model.outputs = list(pipeline.stages[-1].outputs)
    names = {source.name: source.outputs[0]}  # the pipeline calls the input stream by its layer
    for stage in pipeline.stages:
        inputs = [names.get(name, name) for name in stage.inputs]
        layer = layers[stage.layer]
        shape, precision = _tensor(stage, layer)
        attributes = {
            "stage": stage,
            "shape": list(shape),
            "value_types": ValueTypes(layer.arrives, precision),
            "numbers": _numbers(layer, pipeline) if stage.name == layer.folded.name else None,
            "trace": layer.trace and stage.name == layer.folded.name,
        }
        node = model.make_node(FoldedStage, stage.name, attributes, inputs, list(stage.outputs))
        model.graph[stage.name] = node
    source.set_attr("pipeline", pipeline)
    model.config.pipeline_style = "dataflow"


def _numbers(layer: NetworkLayer, pipeline: Pipeline) -> LayerNumbers | None:
    """A layer's constants; behind a sliding window in the order in which the window hands on its terms."""
    stage, numbers = layer.folded.stage, layer.numbers
    if numbers is None or stage.kind != "matvec" or stage.kernel == 1:
        return numbers
    lanes = next(window.pe for window in pipeline.stages if window.kind == "window" and window.layer == stage.name)
    order = window_order(stage.kernel, stage.channels, lanes)
    return dataclasses.replace(numbers, weights=numbers.weights[order])


def _tensor(stage: Stage, layer: NetworkLayer) -> tuple[tuple[int, ...], Any]:
    """Shape and value type of what a stage gives."""
    if stage.kind == "window":
        return (stage.out_height, stage.out_width, stage.terms), layer.arrives
    return layer.shape, layer.precision


class SizeFifos(OptimizerPass):
    """Find the depths of the streams by simulating the dataflow; a depth that is given stays."""

    def match(self, node: Layer) -> bool:
        return isinstance(node, Input) and node.get_attr("pipeline") is not None and node.get_attr("fifos") is None

    def transform(self, model: ModelGraph, node: Layer) -> bool:
        node.set_attr("fifos", size_fifos(node.get_attr("pipeline")))
        return False


class StreamTypes(GlobalOptimizerPass):
    """Streams of beats: `nnet::array<type, lanes>`, as deep as the simulation found."""

    def __init__(self) -> None:
        self.types = HLSTypeConverter(precision_converter=APTypeConverter())

    def transform(self, model: ModelGraph, node: Layer) -> None:
        source = next(iter(model.get_layers()))
        streams, depths = source.get_attr("pipeline").streams, source.get_attr("fifos").depths
        for variable in node.variables.values():
            if isinstance(variable, VivadoStreamVariableDefinition):
                continue
            stream = streams[source.name if node is source else variable.name]
            kind = PackedType(variable.type.name, variable.type.precision, stream.lanes, 1)
            variable.type = self.types.convert(kind)
            variable.pragma = ("stream", depths[stream.name]) if stream.name in depths else None
            bases = (type(variable), VivadoStreamVariableDefinition)
            variable.__class__ = type("FoldedStreamVariable", bases, {})
            # hls4ml defines the types that are attributes
            node.set_attr("result_t" if variable.name == node.outputs[0] else f"{variable.name}_t", variable.type)
