"""The fixed-point quantiser against exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from qmfn.model.quantizers import fixed_point
from qmfn.network.integers import integer_range, quantise_to_integers

BITS = st.integers(2, 8)
EXPONENTS = st.integers(-30, 30)


def reference(value: float, bits: int, exponent: int) -> int:
    """Python rounds a Fraction to the nearest integer, ties to even, without any error."""
    return min(max(round(Fraction(value) / Fraction(2) ** exponent), -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)


def gradient(quantiser: fixed_point, values: list[float]) -> list[float]:
    x = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = 3 * quantiser(x)
    return tape.gradient(y, x).numpy().tolist()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20), BITS, EXPONENTS
)
def test_the_forward_value_is_exact_for_any_float32(values, bits, exponent):
    quantised = fixed_point(bits, exponent)(tf.constant(values, tf.float32)).numpy()
    assert [Fraction(float(value)) for value in quantised] == [
        reference(value, bits, exponent) * Fraction(2) ** exponent for value in values
    ]


@settings(max_examples=200, deadline=None)
@given(st.integers(-600, 600), st.integers(-1, 1), BITS, EXPONENTS)
def test_near_and_on_ties_it_rounds_to_even(half_steps, nudge, bits, exponent):
    value = np.ldexp(half_steps / 2 + nudge * 2.0**-12, exponent)
    found = fixed_point(bits, exponent)(tf.constant([value], tf.float32)).numpy()[0]
    assert found == np.ldexp(reference(value, bits, exponent), exponent)
    assert quantise_to_integers(value, bits, exponent) == reference(value, bits, exponent)


def test_ties_go_to_the_even_neighbour():
    ties = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    assert quantise_to_integers(ties, 8, 0).tolist() == [-2, -2, 0, 0, 2, 2]
    assert fixed_point(8, 0)(tf.constant(ties, tf.float32)).numpy().tolist() == [-2, -2, 0, 0, 2, 2]


@pytest.mark.parametrize("bits", range(2, 9))
def test_it_saturates_at_the_ends_of_twos_complement(bits):
    low, high = integer_range(bits)
    assert (low, high) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    values = tf.constant([-3.4e38, low - 0.6, high + 0.6, 3.4e38])
    assert fixed_point(bits, 0)(values).numpy().tolist() == [low, low, high, high]


def test_negative_integer_bits_are_fine():
    quantiser = fixed_point(4, -7)  # ap_fixed<4,-3>: below 1/16
    assert quantiser(tf.constant([0.03, 0.2, -0.2])).numpy().tolist() == [4 / 128, 7 / 128, -8 / 128]


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e6, 1e6), BITS, EXPONENTS)
def test_a_quantised_value_stays_where_it_is(value, bits, exponent):
    quantiser = fixed_point(bits, exponent)
    once = quantiser(tf.constant([value], tf.float32))
    assert np.array_equal(quantiser(once), once)


@settings(max_examples=100, deadline=None)
@given(st.lists(EXPONENTS, min_size=3, max_size=3), st.integers(0, 2**32 - 1))
def test_every_channel_has_its_own_exponent(exponents, seed):
    values = np.random.default_rng(seed).normal(0, 2.0 ** np.array(exponents), (5, 3)).astype(np.float32)
    together = fixed_point(4, exponents)(values).numpy()
    apart = [fixed_point(4, exponent)(values[:, i]).numpy() for i, exponent in enumerate(exponents)]
    assert np.array_equal(together, np.stack(apart, axis=1))
    assert np.array_equal(quantise_to_integers(values, 4, exponents) * 2.0 ** np.array(exponents), together)


def test_float64_stays_float64_and_keeps_bits_that_float32_has_not():
    value = 0.5 + 2.0**-40
    assert fixed_point(8, 0)(tf.constant([value], tf.float64)).numpy().tolist() == [1.0]
    assert fixed_point(8, 0)(tf.constant([value], tf.float32)).numpy().tolist() == [0.0]


def test_the_gradient_goes_straight_through_for_weights():
    assert gradient(fixed_point(4, 0), [-100.0, -8.0, 0.4, 7.0, 100.0]) == [3.0] * 5


def test_it_survives_its_own_description():
    quantiser = fixed_point(5, [-3, -4])
    again = fixed_point.from_config(quantiser.get_config())
    assert again.get_config() == {"bits": 5, "exponent": [-3, -4], "mid_rise": False}


@pytest.mark.parametrize(("bits", "levels"), [(1, [-1, 1]), (2, [-3, -1, 1, 3]), (3, [-7, -5, -3, -1, 1, 3, 5, 7])])
def test_mid_rise_has_odd_levels_symmetric_about_zero(bits, levels):
    values = np.linspace(-9, 9, 1801)
    integers = quantise_to_integers(values, bits, 0, mid_rise=True)
    assert sorted(set(integers.tolist())) == levels
    inside = np.abs(values) <= levels[-1] + 1
    assert np.abs(integers - values)[inside].max() <= 1
    found = fixed_point(bits, -3, mid_rise=True)(tf.constant(values / 8, tf.float32)).numpy()
    assert np.array_equal(found * 8, quantise_to_integers((values / 8).astype(np.float32), bits, -3, mid_rise=True))
    assert np.array_equal(found, fixed_point(bits, -3, mid_rise=True)(found).numpy())


def test_it_says_its_range():
    assert (fixed_point(2, 0, mid_rise=True).min(), fixed_point(2, 0, mid_rise=True).max()) == (-3.0, 3.0)
    assert (fixed_point(4, [-2, -1]).min(), fixed_point(4, [-2, -1]).max()) == (-4.0, 3.5)
