"""From hls4ml's layers to layers that can be folded: what belongs to one kernel is put together.

A convolution takes in the requantisation and the padding in front of it and the PReLU or ReLU behind it. The result is
plain data (`NetworkLayer`); the graph is left as it is.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from hls4ml.model.layers import Activation, Conv2D, DepthwiseConv2D, Input, Layer, Merge, ZeroPadding2D
from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType, RoundingMode, SaturationMode

from qmfn.dataflow.build import FoldedLayer
from qmfn.dataflow.stages import Kind, Stage
from qmfn.errors import UserError
from qmfn.hls.folded.numbers import LayerNumbers, layer_numbers, with_numbers, with_prelu
from qmfn.hls.types import FixedType, type_of_values

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph


PRELUS = ("QPReLU", "PReLU")
"""By name: the module of our own imports hls4ml, which may be importing this one."""


@dataclass(frozen=True)
class NetworkLayer:
    """One layer before folding.

    Attributes:
        arrives: hls4ml type of the values that are multiplied (an add: of its first input).
        precision: hls4ml type of the values that leave.
        trace: hls4ml shall record the output in C-simulation.
    """

    folded: FoldedLayer
    arrives: Any
    precision: Any
    shape: tuple[int, int, int]
    trace: bool
    numbers: LayerNumbers | None = None


def network_layers(graph: ModelGraph) -> list[NetworkLayer]:
    """The layers of a converted, not yet folded graph, in the order of computation.

    Raises:
        UserError: a layer that this backend has no kernel for.
    """
    return list(_Reader(graph).layers.values())


def fixed_type(node: Layer, precision: Any) -> FixedType:
    """An hls4ml type as `FixedType`.

    Raises:
        UserError: it is not fixed point.
    """
    if not isinstance(precision, FixedPrecisionType | IntegerPrecisionType):
        raise UserError(f"{node.name}: has the type {precision}; the folded backend takes fixed-point types only.")
    return FixedType(precision.width, precision.integer, signed=precision.signed)


def requantises(precision: Any) -> bool:
    """Whether an assignment to this hls4ml type rounds half to even and saturates, as the kernels do."""
    modes = (getattr(precision, "rounding_mode", None), getattr(precision, "saturation_mode", None))
    return modes == (RoundingMode.RND_CONV, SaturationMode.SAT)


def requantised_type(node: Layer) -> Any:
    """The type that a node requantises to.

    Raises:
        UserError: it rounds or overflows in another way.
    """
    precision = node.get_output_variable().type.precision
    fixed_type(node, precision)
    if not requantises(precision):
        raise UserError(
            f"{node.name}: has the result type {precision}; the folded backend rounds half to even and saturates, "
            "so the type must say RND_CONV,SAT."
        )
    return precision


@dataclass
class _Tensor:
    """What a tensor is on its way into a convolution: a layer's output, requantised and padded."""

    layer: str
    precision: Any
    padding: tuple[int, int] = (0, 0)
    handed_on: bool = field(default=True)  # as the layer gave it: an add can read it


class _Reader:
    def __init__(self, graph: ModelGraph):
        self.graph = graph
        self.layers: dict[str, NetworkLayer] = {}
        self.tensors: dict[str, _Tensor] = {}
        for node in graph.get_layers():
            self._read(node)
        for name in self.layers:
            if not requantises(self.layers[name].precision):
                requantised_type(graph.graph[name])

    def _read(self, node: Layer) -> None:
        if isinstance(node, Input):
            self.tensors[node.outputs[0]] = _Tensor(node.name, node.get_output_variable().type.precision)
        elif isinstance(node, DepthwiseConv2D | Conv2D):
            self._convolution(node)
        elif isinstance(node, Merge) and node.get_attr("op") == "add":
            self._add(node)
        elif isinstance(node, ZeroPadding2D):
            self._padding(node)
        elif node.class_name in PRELUS or _is_relu(node):
            self._prelu(node)
        elif isinstance(node, Activation) and node.get_attr("activation") == "linear":
            self._requantisation(node)
        else:
            raise UserError(
                f"{node.name}: the folded backend has no kernel for {node.class_name}; it takes 2-D convolutions, "
                "depthwise ones, zero padding, PReLU, ReLU, requantisation and add."
            )

    def _requantisation(self, node: Layer) -> None:
        source = self.tensors[node.inputs[0]]
        if source.padding != (0, 0):
            raise UserError(f"{node.name}: requantises behind zero padding; put it in front.")
        wanted = fixed_type(node, node.get_output_variable().type.precision)
        if wanted.holds(fixed_type(node, source.precision)):
            self.tensors[node.outputs[0]] = source  # nothing changes
            return
        precision = requantised_type(node)
        producer = self.layers.get(source.layer)
        if producer is not None and not requantises(producer.precision):
            self._requantise_producer(node, producer, precision)
        else:
            self.tensors[node.outputs[0]] = _Tensor(source.layer, precision, handed_on=False)

    def _requantise_producer(self, node: Layer, producer: NetworkLayer, precision: Any) -> None:
        """What a layer gave exactly is requantised by the activation behind it: one step, in the layer's own kernel."""
        if len(self.graph.graph[producer.folded.name].get_output_nodes()) > 1:
            raise UserError(f"{node.name}: requantises {producer.folded.name}, which others read as it is.")
        stage = dataclasses.replace(producer.folded.stage, output_bits=precision.width)
        folded = dataclasses.replace(producer.folded, stage=stage)
        self.layers[stage.name] = dataclasses.replace(producer, folded=folded, precision=precision)
        self.tensors[node.outputs[0]] = _Tensor(stage.name, precision)

    def _padding(self, node: Layer) -> None:
        source = self.tensors[node.inputs[0]]
        padding = (node.get_attr("pad_top"), node.get_attr("pad_left"))
        self.tensors[node.outputs[0]] = dataclasses.replace(source, padding=padding, handed_on=False)

    def _convolution(self, node: Layer) -> None:
        source = self.tensors[node.inputs[0]]
        height, width, channels = self._shape_of(source.layer)
        out_height, out_width, out_channels = node.get_output_variable().shape
        padding = self._padding_of(node, source)
        depthwise = isinstance(node, DepthwiseConv2D)
        kernel, bias = (_exact_values(node, name) for name in ("weight", "bias"))
        size = kernel.shape[0]
        if kernel.shape[1] != size or node.get_attr("stride_height") != node.get_attr("stride_width"):
            raise UserError(f"{node.name}: the folded backend takes square kernels and strides only.")
        kind: Kind = "depthwise" if depthwise else "matvec"
        if depthwise and (height, width, out_height, out_width) == (size, size, 1, 1) and not padding:
            kind = "global_depthwise"
        outputs = channels if depthwise else out_channels
        numbers = layer_numbers(
            node.name,
            kernel.reshape(-1, outputs),
            bias.ravel(),
            fixed_type(node, source.precision),
        )
        precision = node.get_output_variable().type.precision
        stage = Stage(
            name=node.name, kind=kind, layer=node.name, inputs=(), outputs=(), height=height, width=width,
            channels=channels, out_height=out_height, out_width=out_width, out_channels=out_channels, kernel=size,
            stride=node.get_attr("stride_height"), padding=padding,
            stream_bits=self._precision_of(source.layer).width, input_bits=_signed_bits(source.precision),
            output_bits=precision.width,
        )  # fmt: skip
        self._put(node, stage, (source.layer,), source.precision, precision, numbers)

    def _padding_of(self, node: Layer, source: _Tensor) -> int:
        own = (node.get_attr("pad_top", 0), node.get_attr("pad_left", 0))
        top, left = (outside + inside for outside, inside in zip(source.padding, own, strict=True))
        if top != left:
            raise UserError(f"{node.name}: is padded by {top} above and {left} to the left; they must be the same.")
        return top

    def _prelu(self, node: Layer) -> None:
        convolution = self.layers.get(self.tensors[node.inputs[0]].layer)
        if convolution is None or convolution.numbers is None or convolution.numbers.slope is not None:
            raise UserError(f"{node.name}: an activation must follow a convolution directly.")
        name, channels = convolution.folded.name, convolution.folded.stage.out_channels
        slope = _slope(node, channels)
        offset = _exact_values(node, "offset") if "offset" in node.weights else None
        precision = requantised_type(node)
        numbers = with_prelu(name, convolution.numbers, slope, offset, fixed_type(node, precision))
        stage = dataclasses.replace(convolution.folded.stage, output_bits=precision.width)
        self._put(node, stage, convolution.folded.sources, convolution.arrives, precision, numbers)

    def _add(self, node: Layer) -> None:
        sources = [self.tensors[name] for name in node.inputs]
        for source, name in zip(sources, node.inputs, strict=True):
            if not source.handed_on:
                raise UserError(f"{node.name}: adds {name}, which is requantised or padded; add what a layer gives.")
        height, width, channels = node.get_output_variable().shape
        precision = node.get_output_variable().type.precision
        bits = fixed_type(node, sources[0].precision).width
        stage = Stage(
            name=node.name, kind="add", layer=node.name, inputs=(), outputs=(), height=height, width=width,
            channels=channels, out_height=height, out_width=width, out_channels=channels, stream_bits=bits,
            input_bits=bits, output_bits=precision.width,
        )  # fmt: skip
        self._put(node, stage, tuple(source.layer for source in sources), sources[0].precision, precision, None)

    def _put(
        self, node: Layer, stage: Stage, sources: tuple[str, ...], arrives: Any, precision: Any,
        numbers: LayerNumbers | None,
    ) -> None:  # fmt: skip
        if numbers is not None:
            stage = with_numbers(stage, numbers)
        self.layers[stage.name] = NetworkLayer(
            folded=FoldedLayer(stage, sources),
            arrives=arrives,
            precision=precision,
            shape=(stage.out_height, stage.out_width, stage.out_channels),
            trace=bool(node.get_attr("trace", False)),
            numbers=numbers,
        )
        self.tensors[node.outputs[0]] = _Tensor(stage.name, precision)

    def _shape_of(self, layer: str) -> tuple[int, int, int]:
        if layer in self.layers:
            return self.layers[layer].shape
        height, width, channels = self.graph.graph[layer].get_output_variable().shape
        return height, width, channels

    def _precision_of(self, layer: str) -> Any:
        if layer in self.layers:
            return self.layers[layer].precision
        return self.graph.graph[layer].get_output_variable().type.precision


def _signed_bits(precision: Any) -> int:
    """Bits of the signed integer that holds a value."""
    return precision.width if precision.signed else precision.width + 1


def _exact_values(node: Layer, name: str) -> np.ndarray:
    """A layer's constants, which their type must hold: the kernels take values, not types."""
    values, precision = np.asarray(node.weights[name].data), node.weights[name].type.precision
    needed = type_of_values(values)
    if (
        hasattr(precision, "integer")
        and values.any()
        and not FixedType(precision.width, precision.integer).holds(needed)
    ):
        raise UserError(f"{node.name}: its {name} values need {needed}, but their type is {precision}.")
    return values


def _is_relu(node: Layer) -> bool:
    return isinstance(node, Activation) and node.get_attr("activation") == "relu"


def _slope(node: Layer, channels: int) -> np.ndarray:
    if node.class_name == "QPReLU":
        return _exact_values(node, "slope")
    if node.class_name == "PReLU":
        per_channel = _exact_values(node, "param").reshape(-1, channels)
        if np.any(per_channel != per_channel[0]):
            raise UserError(f"{node.name}: a PReLU must have one slope per channel.")
        return per_channel[0]
    return np.zeros(channels)  # ReLU
