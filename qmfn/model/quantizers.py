"""Dynamic fixed point for QKeras: integers times powers of two, with exact forward values.

QKeras' own `quantized_bits` can't take this part: it rejects negative integer bits (a tensor whose range is below 0.5),
its `alpha='auto_po2'` picks scales of its own, and its forward value `x + (xq - x)` need not be the grid value in
float32. Here the forward value *is* the grid value, and only the gradient is straight-through.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from qkeras import BaseQuantizer

from qmfn.network.integers import Exponents, integer_range


class fixed_point(BaseQuantizer):  # noqa: N801 - QKeras names its quantisers like functions
    """`clip(round_half_even(x / 2**exponent), -2**(bits-1), 2**(bits-1) - 1) * 2**exponent`.

    Mid-rise, for weights: `clip(2 floor(x / 2**(exponent+1)) + 1, -(2**bits - 1), 2**bits - 1) * 2**exponent`.

    Mid-tread is the same as `ap_fixed<bits, bits + exponent, AP_RND_CONV, AP_SAT>` in HLS. Works in the precision of
    its input (float32 or float64); scaling by a power of two is exact in both.

    Args:
        bits: width, sign included.
        exponent: exponent of the least significant bit; an integer for the tensor, or a nested list that broadcasts
            against it (one per output channel for weights).
        mid_rise: odd integers instead of all (`qmfn.network.integers`).
    """

    def __init__(self, bits: int, exponent: Exponents, mid_rise: bool = False):
        super().__init__()
        self.bits = bits
        self.mid_rise = mid_rise
        self.exponent = np.asarray(exponent).tolist()

    def __call__(self, x: Any) -> tf.Tensor:
        x = tf.convert_to_tensor(x)
        low, high = integer_range(self.bits, self.mid_rise)
        step = 2.0 ** np.asarray(self.exponent, np.float64)

        @tf.custom_gradient
        def straight_through(x: tf.Tensor) -> tuple[tf.Tensor, Any]:
            scaled = x * tf.constant(1 / step, x.dtype)
            integers = 2 * tf.floor(scaled / 2) + 1 if self.mid_rise else tf.round(scaled)
            return tf.clip_by_value(integers, low, high) * tf.constant(step, x.dtype), lambda upstream: upstream

        return straight_through(x)

    def max(self) -> float:
        return float(np.max(2.0 ** np.asarray(self.exponent, np.float64))) * integer_range(self.bits, self.mid_rise)[1]

    def min(self) -> float:
        return float(np.max(2.0 ** np.asarray(self.exponent, np.float64))) * integer_range(self.bits, self.mid_rise)[0]

    def get_config(self) -> dict[str, Any]:
        return {"bits": self.bits, "exponent": self.exponent, "mid_rise": self.mid_rise}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> fixed_point:
        return cls(**config)
