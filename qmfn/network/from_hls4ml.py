"""The network of a converted hls4ml graph: every layer by its import rule, then fused.

Takes a `ModelGraph` after hls4ml's own optimisation; the graph is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qmfn.errors import UserError
from qmfn.network import hls4ml_types as types
from qmfn.network.fuse import fuse
from qmfn.network.importing import INPUTS, RULES, Reader, refusal
from qmfn.network.layers import ZeroPadding
from qmfn.network.network import Layer, Network, Tensor
from qmfn.network.unfused import check_fused, result_of
from qmfn.network.user_model import UserModel

if TYPE_CHECKING:
    from hls4ml.model.graph import ModelGraph


@dataclass(frozen=True)
class Imported:
    """A graph's network.

    Attributes:
        nodes: layer -> hls4ml's nodes that became part of it.
        results: layer -> the layer of the user's model whose output it gives.
    """

    network: Network
    nodes: Mapping[str, tuple[Any, ...]]
    results: Mapping[str, str]


def network_of_graph(graph: ModelGraph, model: UserModel) -> Imported:
    """The fused network of a converted graph.

    Args:
        model: the same network before hls4ml's passes.

    Raises:
        UserError: a layer that has no rule, or that would be computed in another way than the user's.
    """
    types.check_dropped(graph, model)
    names: dict[str, str] = {}
    reader, inputs, layers = Reader(names, model), {}, []
    tensors: dict[str, Tensor] = {}
    for node in graph.get_layers():
        names.update(dict.fromkeys(node.outputs, node.name))
        if node.class_name in INPUTS:
            inputs[node.name] = tensors[node.name] = Tensor(reader.output_shape(node), reader.output_type(node))
        elif node.name in model.identities:
            names.update(dict.fromkeys(node.outputs, reader.sources(node)[0]))
        else:
            layer = _read(graph, node, reader, tensors)
            tensors[node.name] = layer.result(*(tensors[name] for name in layer.sources))
            layers.append(layer)
    outputs = tuple(names[output] for output in graph.outputs)
    before = Network(inputs, tuple(layers), outputs)
    fused = fuse(before)
    owners = {node.name: reader.name(node) for node in graph.get_layers()}
    check_fused(before, fused, owners, model)
    types.check_asked_sums(graph, fused.network, reader)
    nodes: dict[str, tuple[Any, ...]] = {layer.name: () for layer in fused.network.layers}
    for node in graph.get_layers():
        if fused.absorbed.get(node.name) in nodes:
            nodes[fused.absorbed[node.name]] += (node,)
    return Imported(fused.network, nodes, {name: owners[result_of(name, before, fused)] for name in nodes})


def _read(graph: ModelGraph, node: Any, reader: Reader, tensors: Mapping[str, Tensor]) -> Layer:
    """A node as a layer that computes it, with the types and sizes that it has in the graph."""
    if (why := refusal(node)) is not None:  # a pass of hls4ml put it in
        raise UserError(f"{reader.name(node)}: {why}")
    layer = RULES[node.class_name].read(node, reader)
    inputs = tuple(tensors[name] for name in layer.sources)
    if isinstance(layer, ZeroPadding):
        types.check_asked_padding(graph, layer, node, inputs[0], reader)
    shape, by_hls4ml = layer.result(*inputs).shape, reader.output_shape(node)
    if shape != by_hls4ml:
        raise UserError(
            f"{reader.name(node)}: makes {by_hls4ml}, but its inputs and settings give {shape}; the folded backend "
            "takes nothing else that changes the size."
        )
    types.check_asked_constants(graph, node, reader)
    return types.with_exact_type(layer, node, reader.model, inputs)
