"""The network as training sees it: the same formats as the Keras network, fused for speed.

A layer is a convolution and one pass over its sums - bias, PReLU, offset, requantisation - as in the hardware. XLA
makes one loop of that pass, forward and backward; TensorFlow would make about ten. Gradients are straight-through:
rounding passes them on, saturation of an activation stops them, saturation of a weight does not (it could never come
back).

What is trained is counted in quantisation steps: a weight in steps of its channel, a bias in steps of the layer's
output. One learning rate then suits all channels, however large or small equalisation has made their weights.

Offsets are not trained, and training does not see them: a tensor is given with its offset added again, and the bias of
its reader is the one without. Otherwise every weight that changes would shift the sums by itself times the offset.

Values equal those of the exact Keras network but for that, and for the PReLU product, which is taken in float32 here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from qmfn.model.quantizers import fixed_point
from qmfn.network.formats import Format, LayerFormat
from qmfn.network.integers import integer_range
from qmfn.network.mobilefacenet import INPUT, LayerSpec, normalise
from qmfn.network.parameters import Parameters


class Student(tf.Module):
    """A trainable network.

    Args:
        layers: from `architecture`.
        parameters: where it starts; of the float network, with offsets or without, or rounded.
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
        self.offsets = {layer: values["offset"] for layer, values in parameters.items() if "offset" in values}
        self.trained = {
            layer.name: {
                name: tf.Variable(value / self._step(layer.name, name), name=f"{layer.name}_{name}", dtype=tf.float32)
                for name, value in self._without_offsets(layer, parameters[layer.name]).items()
            }
            for layer in layers
        }

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Every layer's output by name, offsets added again, of images (N, size, size, 3) from `normalise`."""
        tensors = {INPUT: images}
        for layer in self.layers:
            tensors[layer.name] = self._layer(tensors, layer)
        return tensors

    def embeddings(self, images: tf.Tensor) -> tf.Tensor:
        """Embeddings (N, embedding_size), not normalised."""
        return tf.reshape(self(images)[self.layers[-1].name], (-1, self.layers[-1].out_channels))

    def parameters(self) -> Parameters:
        """The float parameters as they are now, with offsets, and biases for the weights as they are rounded."""
        found: Parameters = {}
        for layer in self.layers:
            values = {name: value.numpy() for name, value in self._values(layer).items()}
            if layer.source in self.offsets:
                values["bias"] = values["bias"] + self._offset_response(layer, self._kernel(layer)).numpy()
            if layer.name in self.offsets:
                values["offset"] = self.offsets[layer.name]
            found[layer.name] = values
        return found

    def _step(self, layer: str, name: str) -> np.ndarray:
        return self.steps.get(layer, {}).get(name, np.ones((), np.float32))

    def _without_offsets(self, layer: LayerSpec, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A layer's parameters as they would be if there were no offsets."""
        found = {name: value for name, value in values.items() if name != "offset"}
        if layer.source in self.offsets:
            found["bias"] = found["bias"] - self._offset_response(layer, found["kernel"]).numpy()
        return found

    def _offset_response(self, layer: LayerSpec, kernel: tf.Tensor) -> tf.Tensor:
        """What the offset of a layer's input adds to its sums, (C_out,)."""
        weights, offset = tf.reduce_sum(kernel, axis=(0, 1)), self.offsets[layer.source]
        if layer.kind == "depthwise":
            return weights[:, 0] * offset
        return tf.linalg.matvec(weights, offset, transpose_a=True)

    def _values(self, layer: LayerSpec) -> dict[str, tf.Tensor]:
        """What is trained of a layer, in its own units."""
        return {name: value * self._step(layer.name, name) for name, value in self.trained[layer.name].items()}

    def _kernel(self, layer: LayerSpec) -> tf.Tensor:
        """Weights as they are multiplied."""
        kernel = self.trained[layer.name]["kernel"] * self._step(layer.name, "kernel")
        if not self.formats:
            return kernel
        form, _ = self.formats[layer.name].of_convolution
        return fixed_point(form.bits, _by_output(np.array(form.exponents), layer).tolist(), form.mid_rise)(kernel)

    def _bias(self, layer: LayerSpec, bias: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The bias that makes the sums of an input with its offset what the hardware's are without."""
        if not self.formats:
            return bias
        _, form = self.formats[layer.name].of_convolution
        rounded = fixed_point(form.bits, list(form.exponents))
        if layer.source not in self.offsets:
            return rounded(bias)
        response = tf.stop_gradient(self._offset_response(layer, kernel))
        return rounded(bias + response) - response

    def _layer(self, tensors: Mapping[str, tf.Tensor], layer: LayerSpec) -> tf.Tensor:
        form = self.formats[layer.name] if self.formats else None
        x, activation = tensors[layer.source], form.activation if form else None
        if layer.kind == "add":
            return requantise(x + tensors[layer.shortcut], activation)
        if form and form.requantises_input:
            x = requantise(x, form.input)
        values, kernel = self._values(layer), self._kernel(layer)
        bias, slope = self._bias(layer, values["bias"], kernel), values.get("slope")
        if slope is not None and form:
            assert form.slope is not None, "a PReLU has slopes"
            slope = fixed_point(form.slope.bits, form.slope.exponent)(slope)
        offset = self.offsets.get(layer.name) if form else None
        return bias_prelu_requantise(convolve(x, kernel, layer), bias, slope, activation, offset)


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
                "kernel": _by_output(np.exp2(np.array(form.weight.exponents, np.float32)), layer),
                "bias": np.exp2(np.float32(form.activation.exponent)),
            }
        if form.slope:
            steps[layer.name]["slope"] = np.exp2(np.float32(form.slope.exponent))
    return steps


def _by_output(values: np.ndarray, layer: LayerSpec) -> np.ndarray:
    """One value per output channel in a shape that broadcasts against the layer's kernel."""
    return values[:, None] if layer.kind == "depthwise" else values


def convolve(x: tf.Tensor, kernel: tf.Tensor, layer: LayerSpec) -> tf.Tensor:
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
    sums: tf.Tensor, bias: tf.Tensor, slope: tf.Tensor | None, form: Format | None, offset: np.ndarray | None = None
) -> tf.Tensor:
    """`requantise(PReLU(sums + bias) - offset) + offset`; linear without slope, float without format."""
    step, low, high = (2.0**form.exponent, *integer_range(form.bits)) if form else (1.0, None, None)
    linear = slope is None
    slope = tf.ones_like(bias) if linear else slope

    @tf.custom_gradient
    def straight_through(sums, bias, slope):
        def gradient(upstream):
            to_sums, to_slope = _epilogue_gradient(sums, bias, slope, offset, upstream, step, low, high)
            return to_sums, _sum_by_channel(to_sums), None if linear else _sum_by_channel(to_slope)

        return _epilogue(sums, bias, slope, offset, step, low, high), gradient

    return straight_through(sums, bias, slope)


@tf.function(jit_compile=True)
def _requantise(x, step, low, high):
    return tf.clip_by_value(tf.round(x * (1 / step)), low, high) * step


@tf.function(jit_compile=True)
def _requantise_gradient(x, upstream, step, low, high):
    return tf.where(_in_range(x, step, low, high), upstream, 0.0)


@tf.function(jit_compile=True)
def _epilogue(sums, bias, slope, offset, step, low, high):
    x = sums + bias
    x = tf.where(x >= 0, x, x * slope)
    if low is None:
        return x
    if offset is None:
        return tf.clip_by_value(tf.round(x * (1 / step)), low, high) * step
    return tf.clip_by_value(tf.round((x - offset) * (1 / step)), low, high) * step + offset


@tf.function(jit_compile=True)
def _epilogue_gradient(sums, bias, slope, offset, upstream, step, low, high):
    x = sums + bias
    negative = x < 0
    if low is not None:
        y = tf.where(negative, x * slope, x)
        upstream = tf.where(_in_range(y if offset is None else y - offset, step, low, high), upstream, 0.0)
    return tf.where(negative, upstream * slope, upstream), tf.where(negative, upstream * x, 0.0)


def _in_range(x, step, low, high):
    return (x >= low * step) & (x <= high * step)


def _sum_by_channel(x: tf.Tensor) -> tf.Tensor:
    """Sum over all axes but the last: as a matrix product several times faster than `reduce_sum` on a CPU."""
    rows = tf.reshape(x, (-1, x.shape[-1]))
    return tf.reshape(tf.matmul(tf.ones((1, tf.shape(rows)[0])), rows), (x.shape[-1],))
