"""The network as the user wrote it: checked and recorded before hls4ml's passes change the graph.

hls4ml's Keras parser leaves out what it has no attribute for (dilation, groups, the second call of a shared layer), and
its passes drop, insert and rename layers. What can't be seen any more afterwards is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from hls4ml.model.layers import Activation, Conv2D, Input, Layer, Merge
from hls4ml.model.types import UnspecifiedPrecisionType

from qmfn.errors import UserError
from qmfn.network.fixed import FixedType
from qmfn.network.importing import refusal
from qmfn.network.user_model import UserModel

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph

NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
"""A layer's function in C++ has its name."""

DERIVED_NAMES = ("window", "window_out", "out", "out1", "out2", "config", "t")
"""A layer `c` also makes stages, streams and types `c_window`, ..."""

RESERVED_NAMES = ("result", "model_default")
"""hls4ml's own types `result_t`, `model_default_t`."""

CPP_KEYWORDS = (
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl const "
    "const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern "
    "false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or "
    "or_eq private protected public register reinterpret_cast return short signed sizeof static static_assert "
    "static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned using "
    "virtual void volatile wchar_t while xor xor_eq"
)

KERAS_SOURCES = ("KerasModel", "KerasJson", "KerasH5")
"""Keys of an hls4ml configuration under which a Keras network is given."""


def read_user_model(graph: ModelGraph) -> UserModel:
    """Check and record a graph that no pass has changed yet.

    Raises:
        UserError: something that this backend doesn't take, or that hls4ml would leave out.
    """
    _check_front_end(graph)
    keras_layers = _keras_layers(graph)
    owners = _owners(graph, keras_layers)
    nodes = list(graph.get_layers())
    for node in nodes:
        if (why := refusal(node)) is not None:
            raise UserError(f"{owners[node.name]}: {why}")
    _check_ends(graph, owners, keras_layers)
    _check_names(graph)
    for name, layer in keras_layers.items():
        _check_keras_layer(name, layer)
    for node in nodes:
        _check_data_format(owners[node.name], node)
        if isinstance(node, Conv2D):
            _check_weight_quantisers(owners[node.name], node, _layer_object(graph, owners[node.name]))
    return UserModel(
        owners=owners,
        sources={node.name: tuple(_producers(node)) for node in nodes},
        quantisers={
            node.name: _quantised_type(
                owners[node.name], node.get_attr("activation_quantizer"), _layer_object(graph, owners[node.name])
            )
            for node in nodes
            if node.get_attr("activation_quantizer") is not None
        },
        untyped=frozenset(node.name for node in nodes if _is_untyped(node)),
        identities=frozenset(
            node.name
            for node in nodes
            if is_linear(node) and _is_untyped(node) and node.get_attr("activation_quantizer") is None
        ),
        traced=tuple(
            node.name
            for node in nodes
            if node.get_attr("trace", False) and owners[node.name] == node.name and not isinstance(node, Input)
        ),
    )


def is_linear(node: Layer) -> bool:
    """An activation that only changes the type of its values, or nothing."""
    return isinstance(node, Activation) and node.get_attr("activation") == "linear"


def _is_untyped(node: Layer) -> bool:
    return isinstance(node.get_output_variable().type.precision, UnspecifiedPrecisionType)


def _producers(node: Layer) -> Iterator[str]:
    for tensor in node.inputs:
        producer = node.get_input_node(tensor)
        if producer is not None:
            yield producer.name


def _check_front_end(graph: ModelGraph) -> None:
    config = graph.config.config
    for key, name in (("PytorchModel", "PyTorch"), ("OnnxModel", "ONNX")):
        if config.get(key) is not None:
            raise UserError(f"{graph.config.backend.name}: takes Keras and QKeras networks; this one is {name}'s.")
    if config.get("IOType") != "io_stream":
        raise UserError(
            f"io_type = {config.get('IOType')}: {graph.config.backend.name} makes streams; it must be io_stream."
        )


def _keras_layers(graph: ModelGraph) -> dict[str, dict[str, Any]]:
    """The layers of the user's Keras network as Keras describes them; none where hls4ml was given none."""
    # Not imported above: hls4ml loads this backend before its converters.
    from hls4ml.converters.keras_v2_to_hls import get_model_arch

    if all(graph.config.config.get(key) is None for key in KERAS_SOURCES):
        return {}
    layers = get_model_arch(graph.config.config)[0]["config"]
    layers = layers["layers"] if isinstance(layers, dict) else layers
    return {layer["config"]["name"]: layer for layer in layers}


def _layer_object(graph: ModelGraph, name: str) -> Any:
    """A layer of the Keras network as an object, or None: QKeras' quantisers have options that no file keeps."""
    network = graph.config.config.get("KerasModel")
    return network.get_layer(name) if hasattr(network, "get_layer") else None


def _owners(graph: ModelGraph, keras_layers: Mapping[str, Any]) -> dict[str, str]:
    """Node -> layer. hls4ml's parser calls the activation of a layer `c` `c_linear`, `c_relu`, ..."""
    owners: dict[str, str] = {}
    for node in graph.get_layers():
        owners[node.name] = node.name
        source = node.get_input_node() if isinstance(node, Activation) and node.inputs else None
        if (
            node.name not in keras_layers
            and source is not None
            and not isinstance(source, Activation)
            and source.get_attr("activation") is not None
            and node.name.startswith(f"{source.name}_")
        ):
            owners[node.name] = owners[source.name]
    return owners


def _check_ends(graph: ModelGraph, owners: Mapping[str, str], keras_layers: Mapping[str, Any]) -> None:
    """One input, one output."""
    for what, names in (("inputs", graph.inputs), ("outputs", [owners.get(name, name) for name in graph.outputs])):
        if len(names) > 1:
            raise UserError(f"{', '.join(names)}: are {len(names)} {what}; the folded backend takes networks with one.")
    if not graph.outputs:
        left_out = ", ".join(name for name in keras_layers if name not in graph.graph)
        raise UserError(f"{left_out}: is the network's output, but hls4ml leaves this layer out; take it off the end.")


def _check_names(graph: ModelGraph) -> None:
    """Layers name keys of hls4ml's configuration; convolutions, adds and the input also what is in the C++."""
    seen: dict[str, str] = {}
    for name in graph.graph:
        if seen.setdefault(name.lower(), name) != name:
            raise UserError(f"{name}: differs from {seen[name.lower()]} in case only, which hls4ml doesn't tell apart.")
    stages = [node.name for node in graph.get_layers() if isinstance(node, Conv2D | Merge)]
    names = [*graph.inputs, *stages]
    for name in names:
        if not NAME.fullmatch(name) or name in CPP_KEYWORDS.split():
            raise UserError(
                f"{name}: can't be a name in C++; give the layer a name of letters, digits and underscores that is no "
                "keyword of C++."
            )
        if name in (*RESERVED_NAMES, graph.config.get_project_name()):
            raise UserError(f"{name}: is a name of hls4ml's own C++; give the layer another one.")
    for name in stages:
        for derived in DERIVED_NAMES:
            if f"{name}_{derived}" in names:
                raise UserError(f"{name}_{derived}: is also a name in the C++ of the layer {name}; rename one of them.")


def _check_keras_layer(name: str, layer: Mapping[str, Any]) -> None:
    """What hls4ml's parser doesn't read."""
    calls = len(layer.get("inbound_nodes", []))
    if calls > 1:
        raise UserError(
            f"{name}: is called {calls} times, of which hls4ml reads the first; the folded backend takes layers that "
            "are called once."
        )
    config = layer["config"]
    for key, what in (("dilation_rate", "no dilation"), ("groups", "one group")):
        value = config.get(key, 1)
        if np.any(np.asarray(value) != 1):
            raise UserError(f"{name}: {key} = {value}; the folded backend takes convolutions with {what}.")


def _check_data_format(name: str, node: Layer) -> None:
    data_format = node.get_attr("data_format", "channels_last")
    if data_format != "channels_last":
        raise UserError(f"{name}: data_format = {data_format}; the folded backend takes channels_last.")
    if isinstance(node, Input) and len(node.get_output_variable().shape) != 3:
        shape = tuple(node.get_output_variable().shape)
        raise UserError(f"{name}: has the shape {shape}; the folded backend takes (height, width, channels).")


def _check_weight_quantisers(name: str, node: Conv2D, layer: Any) -> None:
    """hls4ml moves a quantiser's scale into a layer of its own, or drops it."""
    depthwise = node.class_name == "DepthwiseConv2D"
    for weight, attribute in (("weight", "depthwise" if depthwise else "weight"), ("bias", "bias")):
        key = {"weight": "kernel_quantizer"}.get(attribute, f"{attribute}_quantizer")
        alpha = getattr(node.get_attr(f"{attribute}_quantizer"), "alpha", None)
        if not depthwise and not _is_one(alpha):
            raise UserError(
                f"{name}: its {key} has alpha = {alpha}; the folded backend takes alpha = 1, as in "
                "quantized_bits(4, 0, alpha=1)."
            )
        variable = node.weights[weight]
        if hasattr(variable.quantizer, "quantizer_fn"):
            function = getattr(layer, f"{key}_internal", variable.quantizer.quantizer_fn)
            values = np.asarray(function(np.asarray(variable.data_unquantized, np.float32)))
            if not np.array_equal(values, variable.data, equal_nan=True):
                kind = variable.quantizer.qkeras_config["class_name"]
                raise UserError(
                    f"{name}: its {key} is {kind}, whose values hls4ml changes; the folded backend takes "
                    "quantized_bits."
                )


def _is_one(alpha: Any) -> bool:
    return alpha is None or bool(np.all(np.asarray(alpha) == 1))


def _quantised_type(name: str, quantiser: Mapping[str, Any], layer: Any) -> FixedType:
    """The type whose assignment is a QKeras quantiser, found by comparing the two.

    Args:
        name: of the layer.
        quantiser: class and settings as hls4ml records them.
        layer: the Keras layer, or None.

    Raises:
        UserError: no type does what the quantiser does.
    """
    from qkeras.quantizers import get_quantizer

    kind, config = quantiser["class_name"], quantiser["config"]
    kind = "quantized_bits" if kind == "linear" else kind  # hls4ml's parser renames it
    bits, integer = config["bits"], config["integer"]
    fixed = FixedType.requantising(bits, integer, signed=False)
    if kind == "quantized_bits":
        fixed = FixedType.requantising(bits, integer + 1)
    if not _is_one(config.get("alpha")):
        raise UserError(f"{name}: its {kind} has alpha = {config['alpha']}; the folded backend takes 1 or None.")
    values = _around(fixed)
    function = getattr(layer, "quantizer", getattr(layer, "activation", None))
    if not callable(function):
        function = get_quantizer({"class_name": kind, "config": config})
    by_keras = np.asarray(function(values.astype(np.float32)))
    low, high = fixed.integers
    by_type = np.clip(np.rint(values / 2.0**fixed.exponent), low, high) * 2.0**fixed.exponent
    different = np.flatnonzero(by_keras != by_type)
    if different.size:
        value, keras, ours = (array[different[0]] for array in (values, by_keras, by_type))
        raise UserError(
            f"{name}: its {kind} makes {keras:g} of {value:g}, but {fixed} makes {ours:g} of it; the folded backend "
            f"takes quantisers that only round half to even and saturate, without other options of {kind}."
        )
    return fixed


def _around(fixed: FixedType) -> np.ndarray:
    """Values in quarters of the type's step, from below its range to above: all, or 2**16 of many."""
    low, high = fixed.integers
    quarters = np.linspace(4 * (low - 3), 4 * (high + 3), min(4 * (high - low + 6) + 1, 2**16)).round()
    return np.unique(quarters) * 2.0 ** (fixed.exponent - 2)
