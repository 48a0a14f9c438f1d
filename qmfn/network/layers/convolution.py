"""Convolutions, dense and depthwise, with what belongs to their kernel: padding, requantised input, PReLU, rounding."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from qmfn.errors import UserError
from qmfn.network import arithmetic
from qmfn.network.constants import Activation, Constants, constants_of
from qmfn.network.fixed import FixedType
from qmfn.network.importing import Reader, imports
from qmfn.network.network import Layer, Padding, Shape, Tensor, register_layer


@dataclass(frozen=True, eq=False)
class WeightedLayer(Layer):
    """A convolution: requantise the input, pad it with zeros, multiply, add the bias, activate, requantise.

    Attributes:
        weights: exact values, (height, width, C_in, C_out), depthwise (height, width, C, multiplier).
        bias: (C_out,), exact values.
        output: type of the result; sums are exact until they are assigned to it.
        input: type that the source is requantised to before it is multiplied; None: unmodified.
        activation: PReLU or ReLU, with an offset behind it; None: linear.
    """

    weights: np.ndarray
    bias: np.ndarray
    output: FixedType
    stride: tuple[int, int] = (1, 1)
    padding: Padding = Padding()
    input: FixedType | None = None
    activation: Activation | None = None

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the window."""
        height, width = self.weights.shape[:2]
        return height, width

    @property
    @abstractmethod
    def out_channels(self) -> int: ...

    @property
    @abstractmethod
    def terms(self) -> int:
        """Products per output value."""

    @property
    def matrix(self) -> np.ndarray:
        """Weights as (terms, outputs)."""
        return self.weights.reshape(-1, self.out_channels)

    def multiplied(self, source: Tensor) -> FixedType:
        """Type of the values that the weights are multiplied with."""
        return self.input or source.type

    def result(self, *inputs: Tensor) -> Tensor:
        (source,) = inputs
        padded = self.padding.of(source.shape)
        height, width = (
            (size - window) // step + 1
            for size, window, step in zip((padded.height, padded.width), self.kernel, self.stride, strict=True)
        )
        if height < 1 or width < 1:
            raise UserError(f"{self.name}: its window {self.kernel} is larger than its padded input {padded}.")
        return Tensor(Shape(height, width, self.out_channels), self.output)

    def constants(self, source: Tensor) -> Constants:
        """The integers that hardware keeps.

        Raises:
            UserError: the values span more than a kernel can hold.
        """
        return _constants(self, self.multiplied(source))

    def integers(self, inputs: Sequence[Tensor]) -> Constants:
        return self.constants(inputs[0])

    def exact_type(self, inputs: Sequence[Tensor]) -> FixedType | None:
        has_offset = self.activation is not None and self.activation.offset is not None
        return None if has_offset else self.constants(inputs[0]).exact_result

    def evaluate(self, inputs: Sequence[Tensor], *values: np.ndarray) -> np.ndarray:
        (source,), (integers,) = inputs, values
        if self.input is not None:
            integers = arithmetic.assigned(integers, source.type, self.input)
        constants = self.constants(source)
        bound = arithmetic.largest_sum(constants.weights, self.multiplied(source))
        weights = arithmetic.exact(constants.weights, bound)
        sums = self._sums(arithmetic.exact(integers, bound), weights, self.result(source).shape)
        return arithmetic.finished(sums, constants, self.output)

    @abstractmethod
    def _sums(self, images: np.ndarray, weights: np.ndarray, result: Shape) -> np.ndarray:
        """Sums of products (N, height, width, C_out) of images and weights (terms, C_out)."""


@cache
def _constants(layer: WeightedLayer, multiplied: FixedType) -> Constants:
    return constants_of(layer.name, layer.matrix, layer.bias, multiplied, layer.activation, layer.output)


@register_layer
@dataclass(frozen=True, eq=False)
class Convolution(WeightedLayer):
    """Every output sums over all input channels."""

    @property
    def out_channels(self) -> int:
        return self.weights.shape[3]

    @property
    def terms(self) -> int:
        return self.weights[..., 0].size

    def result(self, *inputs: Tensor) -> Tensor:
        if inputs[0].shape.channels != self.weights.shape[2]:
            raise UserError(f"{self.name}: has weights for {self.weights.shape[2]} channels, reads {inputs[0].shape}.")
        return super().result(*inputs)

    def _sums(self, images: np.ndarray, weights: np.ndarray, result: Shape) -> np.ndarray:
        return arithmetic.convolved(self.padding.pad(images), weights, self.kernel, self.stride)


@register_layer
@dataclass(frozen=True, eq=False)
class DepthwiseConvolution(WeightedLayer):
    """Every output sums over the window of one input channel; `multiplier` outputs per channel."""

    @property
    def multiplier(self) -> int:
        return self.weights.shape[3]

    @property
    def out_channels(self) -> int:
        return self.weights.shape[2] * self.multiplier

    @property
    def terms(self) -> int:
        return self.weights[..., 0, 0].size

    def result(self, *inputs: Tensor) -> Tensor:
        if inputs[0].shape.channels != self.weights.shape[2]:
            raise UserError(f"{self.name}: has weights for {self.weights.shape[2]} channels, reads {inputs[0].shape}.")
        return super().result(*inputs)

    def _sums(self, images: np.ndarray, weights: np.ndarray, result: Shape) -> np.ndarray:
        repeated = np.repeat(images, self.multiplier, axis=3) if self.multiplier > 1 else images
        origin = (self.padding.top, self.padding.left)
        return arithmetic.depthwise_convolved(
            repeated, weights.reshape(*self.kernel, -1), self.stride, origin, (result.height, result.width)
        )


@imports("Conv2D", "PointwiseConv2D", "DepthwiseConv2D")
def read_convolution(node: Any, reader: Reader) -> WeightedLayer:
    """hls4ml keeps weights as Keras does until a backend's strategy reorders them; no strategy has run."""
    reader.refuse_unless(node, "data_format", ("channels_last",), "the data format")
    for side in ("height", "width"):
        reader.refuse_unless(node, f"dilation_{side}", (1,), "a dilation of")
    kind = DepthwiseConvolution if node.class_name == "DepthwiseConv2D" else Convolution
    weights, bias = reader.values(node, "weight"), reader.values(node, "bias").ravel()
    kernel = (node.get_attr("filt_height"), node.get_attr("filt_width"))
    if weights.shape[:2] != kernel:
        raise UserError(f"{reader.name(node)}: has weights of {weights.shape}, but a window of {kernel}.")
    channels = reader.output_shape(node).channels
    if bias.shape != (channels,):
        raise UserError(
            f"{reader.name(node)}: has {bias.size} bias values for {channels} channels; it needs one per channel."
        )
    return kind(
        name=node.name,
        sources=reader.sources(node),
        weights=weights,
        bias=bias,
        output=reader.output_type(node),
        stride=(node.get_attr("stride_height"), node.get_attr("stride_width")),
        padding=reader.padding(node),
    )
