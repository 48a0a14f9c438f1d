"""QPReLU against Python's integers: exact in float64, and float32 would not do."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from qmfn.model.layers import QPReLU
from qmfn.model.quantizers import fixed_point

SUM_BITS = 24
SLOPE_BITS, SLOPE_EXPONENT = 8, -7
OUTPUT_BITS, OUTPUT_EXPONENT = 8, 17
TIE = 1 << (OUTPUT_EXPONENT - SLOPE_EXPONENT)
"""Output steps are 2**17, products of a sum and a slope come in units of 2**-7: one step is 2**24 of them."""


def apply(layer: QPReLU, slopes: np.ndarray, x: np.ndarray, *offsets: np.ndarray) -> np.ndarray:
    """Output of the layer for x (..., channels) with these slopes and offsets (channels,)."""
    x = tf.constant(x, tf.float32)
    layer(x)  # makes the weights
    layer.set_weights([slopes, *offsets])
    return layer(x).numpy().astype(np.float64)


def prelu(sums: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Output integers of a QPReLU with one channel for every sum."""
    layer = QPReLU(fixed_point(SLOPE_BITS, SLOPE_EXPONENT), fixed_point(OUTPUT_BITS, OUTPUT_EXPONENT))
    output = apply(layer, slopes * 2.0**SLOPE_EXPONENT, sums.reshape(1, 1, 1, -1)).ravel()
    return (output / 2.0**OUTPUT_EXPONENT).astype(np.int64)


def reference(total: int, slope: int, offset: int = 0) -> int:
    """The same in whole numbers: units of 2**-7, then round half to even by hand."""
    product = total * slope if total < 0 else total << -SLOPE_EXPONENT
    quotient, rest = divmod(product - offset * TIE, TIE)
    quotient += 2 * rest > TIE or (2 * rest == TIE and quotient % 2)
    return min(max(quotient, -(2 ** (OUTPUT_BITS - 1))), 2 ** (OUTPUT_BITS - 1) - 1)


def sum_beside_a_tie(slope: int, distance: int) -> int:
    """The negative 24-bit sum whose product with an odd slope lies `distance` units beside a tie."""
    return (TIE // 2 + distance) * pow(slope, -1, TIE) % TIE - TIE


ODD_SLOPES = [slope for slope in range(-127, 128, 2)]
NEAR_TIES = [(sum_beside_a_tie(slope, distance), slope) for slope in ODD_SLOPES for distance in (-1, 0, 1)]


def test_the_near_ties_are_near_ties():
    rests = {(total * slope) % TIE - TIE // 2 for total, slope in NEAR_TIES}
    assert rests == {-1, 0, 1}
    assert all(-(2**SUM_BITS) < total < 0 for total, _ in NEAR_TIES)


def test_float64_is_exact_near_ties():
    sums, slopes = np.array(NEAR_TIES).T
    assert prelu(sums, slopes).tolist() == [reference(total, slope) for total, slope in NEAR_TIES]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-(2**SUM_BITS), 2**SUM_BITS), st.integers(-128, 127)), min_size=1, max_size=50
    )
)
def test_any_24_bit_sum_times_any_8_bit_slope_is_exact(pairs):
    sums, slopes = np.array(pairs).T
    assert prelu(sums, slopes).tolist() == [reference(total, slope) for total, slope in pairs]


def test_positive_values_pass_and_negative_ones_are_scaled_per_channel():
    layer = QPReLU(fixed_point(8, -4), fixed_point(8, -4))
    output = apply(layer, np.array([0.5, -0.25]), np.array([[[[2.0, 2.0]], [[-2.0, -2.0]]]]))
    assert output.tolist() == [[[[2.0, 2.0]], [[-1.0, 0.5]]]]


def test_it_survives_its_own_description():
    layer = QPReLU(fixed_point(6, -3), fixed_point(4, -1), name="conv1_prelu")
    again = QPReLU.from_config(layer.get_config())
    assert again.name == "conv1_prelu"
    assert again.slope_quantizer.get_config() == layer.slope_quantizer.get_config()
    assert again.activation.get_config() == layer.activation.get_config()
    assert again.offset_quantizer is None


def test_an_offset_quantiser_survives_too():
    layer = QPReLU(fixed_point(6, -3), fixed_point(4, -1), fixed_point(5, -1))
    again = QPReLU.from_config(layer.get_config())
    assert again.offset_quantizer.get_config() == {"bits": 5, "exponent": -1, "mid_rise": False}


def test_an_offset_is_subtracted_before_rounding_and_saturating():
    layer = QPReLU(fixed_point(8, -4), fixed_point(4, 0), fixed_point(4, 0))
    x = np.array([0.5, 1.5, 13.0, 20.0, -4.0]).reshape(1, 1, 5, 1)
    output = apply(layer, np.array([0.5]), x, np.array([5.0]))
    # 0.5 - 5 is a tie between -5 and -4: the even one, where 0.5 alone would round to 0 and give -5.
    assert output.ravel().tolist() == [-4, -4, 7, 7, -7]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-(2**SUM_BITS), 2**SUM_BITS), st.integers(-128, 127), st.integers(-128, 127)),
        min_size=1,
        max_size=50,
    )
)
def test_any_24_bit_sum_with_any_8_bit_slope_and_offset_is_exact(triples):
    sums, slopes, offsets = np.array(triples).T
    offset_quantiser = fixed_point(8, OUTPUT_EXPONENT)
    layer = QPReLU(fixed_point(SLOPE_BITS, SLOPE_EXPONENT), fixed_point(OUTPUT_BITS, OUTPUT_EXPONENT), offset_quantiser)
    x, exact_slopes = sums.reshape(1, 1, 1, -1), slopes * 2.0**SLOPE_EXPONENT
    output = apply(layer, exact_slopes, x, offsets * 2.0**OUTPUT_EXPONENT).ravel()
    assert (output / 2.0**OUTPUT_EXPONENT).tolist() == [reference(*triple) for triple in triples]
