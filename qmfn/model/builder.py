"""From the layer table to Keras: one builder for the float and the quantised network."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import tensorflow as tf
from qkeras import QActivation, QConv2D, QDepthwiseConv2D
from tensorflow import keras

from qmfn.model.layers import OffsetPReLU, QPReLU
from qmfn.model.quantizers import fixed_point
from qmfn.network.checkpoint import Checkpoint
from qmfn.network.formats import Format, LayerFormat
from qmfn.network.mobilefacenet import INPUT, LayerSpec
from qmfn.network.parameters import Parameters, set_parameters


def float_network(layers: Sequence[LayerSpec], parameters: Parameters) -> keras.Model:
    """The float Keras network with its weights."""
    model = build_model(layers, offsets={layer for layer, values in parameters.items() if "offset" in values})
    set_parameters(model, parameters)
    return model


def quantised_network(checkpoint: Checkpoint) -> keras.Model:
    """The quantised Keras network of a checkpoint: every tensor equals the fixed-point hardware's."""
    model = build_model(checkpoint.layers, checkpoint.formats)
    set_parameters(model, checkpoint.parameters())
    return model


def build_model(
    layers: Sequence[LayerSpec],
    formats: Mapping[str, LayerFormat] | None = None,
    offsets: Collection[str] = (),
) -> keras.Model:
    """The Keras network: float without formats, quantised (QKeras) with them.

    Args:
        layers: from `architecture`.
        formats: widths and exponents per layer.
        offsets: layers of the float network with an offset; formats say it of the quantised one.

    Shapes: (batch, input_size, input_size, 3) float32 from `normalise` -> (batch, 1, 1, embedding_size).
    """
    pixels = keras.Input((layers[0].in_size, layers[0].in_size, 3), name=INPUT)
    tensors = {INPUT: pixels}
    for layer in layers:
        x = tensors[layer.source]
        if layer.kind == "add":
            x = keras.layers.Add(name=layer.name)([x, tensors[layer.shortcut]])
        if formats is not None and formats[layer.name].requantises_input:
            x = QActivation(_quantiser(formats[layer.name].input), name=f"{layer.name}_input")(x)
        if layer.padding:
            x = keras.layers.ZeroPadding2D(layer.padding, name=f"{layer.name}_pad")(x)
        if formats is None:
            tensors[layer.name] = _float_layer(x, layer, layer.name in offsets)
        else:
            tensors[layer.name] = _quantised_layer(x, layer, formats[layer.name])
    return keras.Model(pixels, tensors[layers[-1].name], name="mobilefacenet")


def _float_layer(x: tf.Tensor, layer: LayerSpec, has_offset: bool) -> tf.Tensor:
    if layer.kind == "conv":
        x = keras.layers.Conv2D(layer.out_channels, layer.kernel, layer.stride, name=layer.name)(x)
    elif layer.kind == "depthwise":
        x = keras.layers.DepthwiseConv2D(layer.kernel, layer.stride, name=layer.name)(x)
    if layer.prelu:
        prelu = OffsetPReLU if has_offset else keras.layers.PReLU
        x = prelu(shared_axes=[1, 2], name=f"{layer.name}_prelu")(x)
    return x


def _quantised_layer(x: tf.Tensor, layer: LayerSpec, form: LayerFormat) -> tf.Tensor:
    if layer.kind == "conv":
        weights, biases = form.of_convolution
        kernel = fixed_point(weights.bits, list(weights.exponents), weights.mid_rise)
        bias = fixed_point(biases.bits, list(biases.exponents))
        x = QConv2D(
            layer.out_channels, layer.kernel, layer.stride,
            kernel_quantizer=kernel, bias_quantizer=bias, name=layer.name,
        )(x)  # fmt: skip
    elif layer.kind == "depthwise":
        weights, biases = form.of_convolution
        kernel = fixed_point(weights.bits, [[n] for n in weights.exponents], weights.mid_rise)
        bias = fixed_point(biases.bits, list(biases.exponents))
        x = QDepthwiseConv2D(
            layer.kernel, layer.stride, depthwise_quantizer=kernel, bias_quantizer=bias, name=layer.name
        )(x)
    if layer.prelu:
        assert form.slope is not None, "a PReLU has slopes"
        offset = _quantiser(form.offset) if form.offset else None
        return QPReLU(_quantiser(form.slope), _quantiser(form.activation), offset, name=f"{layer.name}_prelu")(x)
    return QActivation(_quantiser(form.activation), name=f"{layer.name}_quant")(x)


def _quantiser(form: Format) -> fixed_point:
    return fixed_point(form.bits, form.exponent)
