"""Types that hls4ml's passes chose, or that a user's `hls_config` asks for: they must round nothing but what is asked.

hls4ml drops an activation that it takes for a change of type only, and gives every layer a type of its own where none
is asked for.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from qmfn.errors import UserError
from qmfn.network.fixed import FixedType, type_of_values
from qmfn.network.importing import INPUTS, Reader, fixed_type, holds_values
from qmfn.network.layers import WeightedLayer, ZeroPadding
from qmfn.network.network import Layer, Network, Tensor
from qmfn.network.user_model import UserModel

if TYPE_CHECKING:
    from hls4ml.model.graph import ModelGraph


def check_dropped(graph: ModelGraph, model: UserModel) -> None:
    """Where hls4ml dropped a quantiser, the layer in front must have its type; where not, it must have its own.

    Raises:
        UserError: it has another type.
    """
    for node, quantiser in model.quantisers.items():
        name = model.owners[node]
        if node in graph.graph:
            result = _result_type(graph, name, node)
            if not _same_integers(result, quantiser):
                raise UserError(
                    f"{name}: is quantised to {quantiser} in the network, but hls_config gives it the type "
                    f"{result}; give it that of the network."
                )
            continue
        between = model.sources_of(node)[0]
        source = between
        while source not in graph.graph:
            source = model.sources_of(source)[0]
        read = model.owners[source]
        result = _result_type(graph, read, source)
        rounds = result.requantises or graph.graph[source].class_name in INPUTS
        if _same_integers(result, quantiser) and rounds:
            continue
        if between in model.quantisers:
            raise UserError(
                f"{name}: hls4ml drops this quantiser behind the quantiser {model.owners[between]}; give "
                f"{source}_linear the result type {result}, that of {read}."
            )
        raise UserError(
            f"{name}: hls4ml drops this quantiser, and the result type of {read} is {result}; give {read} the "
            f"result type {quantiser}."
        )


def _result_type(graph: ModelGraph, name: str, node: str) -> FixedType:
    return fixed_type(name, graph.graph[node].get_output_variable().type.precision)


def _same_integers(first: FixedType, second: FixedType) -> bool:
    return (first.width, first.integer, first.signed) == (second.width, second.integer, second.signed)


def with_exact_type(layer: Layer, node: Any, model: UserModel, inputs: tuple[Tensor, ...]) -> Layer:
    """A result type that hls4ml chose itself is no wish of the user's: the layer gets one that rounds nothing."""
    if node.name not in model.untyped:
        return layer
    exact = layer.exact_type(inputs)
    if exact is None or layer.result(*inputs).type.requantises:
        return layer
    return dataclasses.replace(layer, output=exact)  # type: ignore[call-arg]


def check_asked_constants(graph: ModelGraph, node: Any, reader: Reader) -> None:
    """Kernels keep values, not types: a type that `hls_config` gives must hold them.

    Raises:
        UserError: it doesn't.
    """
    for key in ("weight", "depthwise", "bias"):
        variable = node.weights.get("bias" if key == "bias" else "weight")
        asked = _asked_type(graph, node, key, reader)
        if asked is None or variable is None or not hasattr(variable.type.precision, "integer"):
            continue
        if not holds_values(asked, variable.data):
            raise UserError(
                f"{reader.name(node)}: its {key} values need {type_of_values(variable.data)}, but hls_config says "
                f"{asked}."
            )


def check_asked_padding(graph: ModelGraph, layer: ZeroPadding, node: Any, source: Tensor, reader: Reader) -> None:
    """Zero padding changes no type.

    Raises:
        UserError: `hls_config` gives it one that does.
    """
    asked = _asked_type(graph, node, "result", reader)
    if asked is not None and not asked.holds(source.type):
        raise UserError(
            f"{reader.name(node)}: has the type {asked}, but pads values of the type {source.type}; the folded backend "
            "takes zero padding that changes no type."
        )


def check_asked_sums(graph: ModelGraph, network: Network, reader: Reader) -> None:
    """Kernels have sums as wide as they need to be.

    Raises:
        UserError: `hls_config` gives an accumulator a type that doesn't hold them.
    """
    for layer in network.layers:
        if not isinstance(layer, WeightedLayer):
            continue
        node = graph.graph[layer.name]
        asked = _asked_type(graph, node, "accum", reader)
        needed = layer.constants(network.inputs_of(layer)[0]).biased
        if asked is not None and not asked.holds(needed):
            raise UserError(
                f"{reader.name(node)}: its sums need {needed}, but hls_config gives them the type {asked}; the folded "
                "backend has exact sums, so leave it out."
            )


def _asked_type(graph: ModelGraph, node: Any, key: str, reader: Reader) -> FixedType | None:
    """The type that `hls_config` gives explicitly, or None."""
    config = graph.config
    by_name = config.layer_name_precision.get(f"{node.name.lower()}_{key}")
    by_type = config.layer_type_precision.get(f"{node.class_name.lower()}_{key}")
    asked = by_name or by_type or config.model_precision.get(key)
    if asked in (None, "auto"):
        return None
    return fixed_type(reader.name(node), config.backend.convert_precision_string(asked))
