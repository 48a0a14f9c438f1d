"""The network of a converted hls4ml graph: every layer by its import rule, then fused.

Takes a `ModelGraph` after hls4ml's own optimisation; the graph is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import qmfn.network.layers  # noqa: F401 - registers the rules
from qmfn.errors import UserError
from qmfn.network.fuse import fuse
from qmfn.network.importing import RULES, Reader
from qmfn.network.network import Layer, Network, Tensor

if TYPE_CHECKING:
    from hls4ml.model.graph import ModelGraph


@dataclass(frozen=True)
class Imported:
    """A graph's network; `nodes` are hls4ml's nodes by the name of the layer that they became part of."""

    network: Network
    nodes: Mapping[str, tuple[Any, ...]]


def network_of_graph(graph: ModelGraph) -> Imported:
    """The fused network of a converted graph.

    Raises:
        UserError: a layer that has no rule, or that its rule doesn't take.
    """
    names: dict[str, str] = {}
    reader, inputs, layers = Reader(names), {}, []
    for node in graph.get_layers():
        for output in node.outputs:
            names[output] = node.name
        if node.class_name in ("Input", "InputLayer"):
            inputs[node.name] = Tensor(reader.output_shape(node), reader.output_type(node))
        else:
            layers.append(_read(node, reader))
    outputs = tuple(names[output] for output in graph.outputs)
    fused = fuse(Network(inputs, tuple(layers), outputs))
    nodes: dict[str, tuple[Any, ...]] = {layer.name: () for layer in fused.network.layers}
    for node in graph.get_layers():
        if fused.absorbed.get(node.name) in nodes:
            nodes[fused.absorbed[node.name]] += (node,)
    return Imported(fused.network, nodes)


def _read(node: Any, reader: Reader) -> Layer:
    rule = RULES.get(node.class_name)
    if rule is None:
        raise UserError(
            f"{node.name}: the folded backend has no kernel for {node.class_name}; it takes {', '.join(sorted(RULES))}."
        )
    return rule(node, reader)
