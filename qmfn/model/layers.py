"""What neither Keras nor QKeras has: PReLU per channel with quantised slopes and output, and with an offset."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

from qmfn.model.quantizers import fixed_point


class OffsetPReLU(keras.layers.PReLU):
    """The float network's `PReLU(x) - offset`, one slope and one offset per channel.

    Shapes: (batch, height, width, channels) -> the same, float32.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.offset = self.add_weight(name="offset", shape=(input_shape[-1],), initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return super().call(x) - self.offset


class QPReLU(keras.layers.Layer):
    """`quantise((x if x >= 0 else slope * x) - offset)`, one slope and perhaps one offset per channel.

    The product of a wide convolution sum and a slope can need more than the 24 bits of a float32 (8-bit networks:
    about 30). It is taken in float64, which holds it, so the layer's output is exactly what the fixed-point hardware
    computes.

    Args:
        slope_quantizer: quantiser of the slopes, shape (channels,).
        activation: quantiser of the output.
        offset_quantizer: quantiser of the offsets, shape (channels,); None: nothing is subtracted.

    Shapes: (batch, height, width, channels) -> the same, float32.
    """

    def __init__(self, slope_quantizer: Any, activation: Any, offset_quantizer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.slope_quantizer = _quantiser(slope_quantizer)
        self.activation = _quantiser(activation)
        self.offset_quantizer = _quantiser(offset_quantizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.slope = self.add_weight(name="slope", shape=(input_shape[-1],), initializer="zeros")
        if self.offset_quantizer:
            self.offset = self.add_weight(name="offset", shape=(input_shape[-1],), initializer="zeros")
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        x, slope = tf.cast(x, tf.float64), tf.cast(self.slope_quantizer(self.slope), tf.float64)
        x = tf.where(x >= 0, x, x * slope)
        if self.offset_quantizer:
            x -= tf.cast(self.offset_quantizer(self.offset), tf.float64)
        return tf.cast(self.activation(x), tf.float32)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "slope_quantizer": keras.utils.serialize_keras_object(self.slope_quantizer),
            "activation": keras.utils.serialize_keras_object(self.activation),
            "offset_quantizer": keras.utils.serialize_keras_object(self.offset_quantizer),
        }


def _quantiser(quantiser: Any) -> fixed_point:
    return fixed_point.from_config(quantiser["config"]) if isinstance(quantiser, dict) else quantiser


CUSTOM_OBJECTS = {"fixed_point": fixed_point, "QPReLU": QPReLU}
"""What Keras needs to know to load a quantised network."""
