"""The network as training sees it: the same formats as the Keras network, fused for speed.

A layer is a convolution and one pass over its sums - bias, PReLU, offset, requantisation - as in the hardware. XLA
makes one loop of that pass, forward and backward; TensorFlow would make about ten. Gradients are straight-through:
rounding passes them on, saturation of an activation stops them, saturation of a weight does not (it could never come
back).

What is trained is counted in quantisation steps: a weight in steps of its channel, a bias and an offset in steps of the
layer's output. One learning rate then suits all channels, however large or small equalisation has made their weights.

Values equal those of the exact Keras network but for the PReLU product and its offset, taken in float32 here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from qmfn.model.formats import Format, LayerFormat
from qmfn.model.integers import integer_range
from qmfn.model.mobilefacenet import INPUT, LayerSpec, normalise
from qmfn.model.offsets import for_rounded_weights
from qmfn.model.parameters import Parameters
from qmfn.model.quantizers import fixed_point


class Student(tf.Module):
    """A trainable network.

    Args:
        layers: from `architecture`.
        parameters: where it starts; of the float network, or rounded.
        formats: number formats; None: the float network.
    """

    def __init__(
        self, layers: Sequence[LayerSpec], parameters: Parameters, formats: Mapping[str, LayerFormat] | None = None
    ):
        super().__init__(name="student")
        self.compiled_embeddings = tf.function(self.embeddings)
        self.layers = layers
        self.formats = formats
        self.steps = _steps_by_layer(layers, formats) if formats else {}
        if formats:
            bits = {layer: form.weight.bits for layer, form in formats.items() if form.weight}
            parameters = for_rounded_weights(layers, parameters, bits)
        self.trained = {
            layer: {
                name: tf.Variable(value / self._step(layer, name), name=f"{layer}_{name}", dtype=tf.float32)
                for name, value in values.items()
            }
            for layer, values in parameters.items()
        }

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Every layer's output by name, of images (N, size, size, 3) from `normalise`."""
        tensors = {INPUT: images}
        for layer in self.layers:
            tensors[layer.name] = self._layer(tensors, layer)
        return tensors

    def embeddings(self, images: tf.Tensor) -> tf.Tensor:
        """Embeddings (N, embedding_size), not normalised."""
        return tf.reshape(self(images)[self.layers[-1].name], (-1, self.layers[-1].out_channels))

    def parameters(self) -> Parameters:
        """The float parameters as they are now."""
        return {
            layer: {name: value.numpy() * self._step(layer, name) for name, value in values.items()}
            for layer, values in self.trained.items()
        }

    def _step(self, layer: str, name: str) -> np.ndarray:
        return self.steps.get(layer, {}).get(name, np.float32(1))

    def _layer(self, tensors: Mapping[str, tf.Tensor], layer: LayerSpec) -> tf.Tensor:
        form = self.formats[layer.name] if self.formats else None
        x, activation = tensors[layer.source], form.activation if form else None
        if layer.kind == "add":
            return requantise(x + tensors[layer.shortcut], activation)
        if form and form.requantises_input:
            x = requantise(x, form.input)
        values = {name: value * self._step(layer.name, name) for name, value in self.trained[layer.name].items()}
        kernel, bias = values["kernel"], values["bias"]
        if form:
            kernel = fixed_point(form.weight.bits, _by_output(np.array(form.weight.exponents), layer))(kernel)
            bias = fixed_point(form.bias.bits, form.bias.exponents)(bias)
        slope, offset = values.get("slope"), values.get("offset")
        if slope is not None and form:
            slope = fixed_point(form.slope.bits, form.slope.exponent)(slope)
        if offset is not None and form:
            offset = fixed_point(form.offset.bits, form.offset.exponent)(offset)
        return bias_prelu_requantise(_convolve(x, kernel, layer), bias, slope, activation, offset)


def embed(network: Student, faces: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Unit-length embeddings, float32 (N, embedding_size), of uint8 faces (N, size, size, 3)."""
    batches = [faces[start : start + batch_size] for start in range(0, len(faces), batch_size)]
    embeddings = np.concatenate([network.compiled_embeddings(normalise(batch)).numpy() for batch in batches])
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)


def _steps_by_layer(
    layers: Sequence[LayerSpec], formats: Mapping[str, LayerFormat]
) -> dict[str, dict[str, np.ndarray]]:
    """The unit that each parameter is trained in, float32, broadcastable against it."""
    steps = {}
    for layer in layers:
        form = formats[layer.name]
        if form.weight:
            steps[layer.name] = {
                "kernel": _by_output(np.exp2(np.float32(form.weight.exponents)), layer),
                "bias": np.exp2(np.float32(form.activation.exponent)),
            }
        if form.slope:
            steps[layer.name]["slope"] = np.exp2(np.float32(form.slope.exponent))
        if form.offset:
            steps[layer.name]["offset"] = np.exp2(np.float32(form.offset.exponent))
    return steps


def _by_output(values: np.ndarray, layer: LayerSpec) -> np.ndarray:
    """One value per output channel in a shape that broadcasts against the layer's kernel."""
    return values[:, None] if layer.kind == "depthwise" else values


def _convolve(x: tf.Tensor, kernel: tf.Tensor, layer: LayerSpec) -> tf.Tensor:
    """Sums without bias. At stride 1, Keras' "same" is the symmetric padding that the network has."""
    padding = "SAME" if layer.padding and layer.stride == 1 else "VALID"
    if layer.padding and layer.stride != 1:
        x = tf.pad(x, [[0, 0], [layer.padding] * 2, [layer.padding] * 2, [0, 0]])
    strides = [1, layer.stride, layer.stride, 1]
    if layer.kind == "depthwise":
        return tf.nn.depthwise_conv2d(x, kernel, strides, padding)
    return tf.nn.conv2d(x, kernel, strides, padding)


def requantise(x: tf.Tensor, form: Format | None) -> tf.Tensor:
    """A tensor brought to a format; without one, as it is."""
    if form is None:
        return x
    step, (low, high) = 2.0**form.exponent, integer_range(form.bits)

    @tf.custom_gradient
    def straight_through(x):
        return _requantise(x, step, low, high), lambda upstream: _requantise_gradient(x, upstream, step, low, high)

    return straight_through(x)


def bias_prelu_requantise(
    sums: tf.Tensor, bias: tf.Tensor, slope: tf.Tensor | None, form: Format | None, offset: tf.Tensor | None = None
) -> tf.Tensor:
    """`requantise(PReLU(sums + bias) - offset)`; linear without slope, float without format."""
    step, low, high = (2.0**form.exponent, *integer_range(form.bits)) if form else (1.0, None, None)
    linear = slope is None
    slope = tf.ones_like(bias) if linear else slope

    @tf.custom_gradient
    def straight_through(sums, bias, slope, *offset):
        def gradient(upstream):
            to_sums, to_slope, *to_offset = _epilogue_gradient(sums, bias, slope, offset, upstream, step, low, high)
            to_slope = None if linear else _sum_by_channel(to_slope)
            return to_sums, _sum_by_channel(to_sums), to_slope, *map(_sum_by_channel, to_offset)

        return _epilogue(sums, bias, slope, offset, step, low, high), gradient

    return straight_through(sums, bias, slope, *(() if offset is None else (offset,)))


@tf.function(jit_compile=True)
def _requantise(x, step, low, high):
    return tf.clip_by_value(tf.round(x * (1 / step)), low, high) * step


@tf.function(jit_compile=True)
def _requantise_gradient(x, upstream, step, low, high):
    return tf.where(_in_range(x, step, low, high), upstream, 0.0)


@tf.function(jit_compile=True)
def _epilogue(sums, bias, slope, offset, step, low, high):
    x = _prelu_with_offset(sums + bias, slope, offset)
    return x if low is None else tf.clip_by_value(tf.round(x * (1 / step)), low, high) * step


@tf.function(jit_compile=True)
def _epilogue_gradient(sums, bias, slope, offset, upstream, step, low, high):
    x = sums + bias
    negative = x < 0
    if low is not None:
        upstream = tf.where(_in_range(_prelu_with_offset(x, slope, offset), step, low, high), upstream, 0.0)
    to_offset = [-upstream] if offset else []
    return tf.where(negative, upstream * slope, upstream), tf.where(negative, upstream * x, 0.0), *to_offset


def _prelu_with_offset(x, slope, offset):
    """`offset` is a tuple of one tensor, or empty: what is not there takes no time."""
    x = tf.where(x >= 0, x, x * slope)
    return x - offset[0] if offset else x


def _in_range(x, step, low, high):
    return (x >= low * step) & (x <= high * step)


def _sum_by_channel(x: tf.Tensor) -> tf.Tensor:
    """Sum over all axes but the last: as a matrix product several times faster than `reduce_sum` on a CPU."""
    rows = tf.reshape(x, (-1, x.shape[-1]))
    return tf.reshape(tf.matmul(tf.ones((1, tf.shape(rows)[0])), rows), (x.shape[-1],))
