"""Types hold every value that can occur, and not one bit more than that takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmfn.design import DesignConfig, Setting
from qmfn.errors import UserError
from qmfn.model.initial import random_checkpoint
from qmfn.network.formats import ChannelFormat, Format, LayerFormat
from qmfn.network.mobilefacenet import LayerSpec
from qmfn.stock.types import FixedType, difference_type, layer_types, sum_type, type_of_values

TINY = {
    "name": "tiny",
    "model": {
        "input_size": 8,
        "stem_channels": 3,
        "bottlenecks": [{"expansion": 2, "channels": 3, "repeats": 2, "stride": 2}],
        "head_channels": 4,
        "embedding_size": 2,
    },
}


def limits(fixed: FixedType) -> tuple[float, float, float]:
    """(smallest value, largest value, step)."""
    step = 2.0 ** (fixed.integer - fixed.width)
    return -(2.0 ** (fixed.integer - 1)), 2.0 ** (fixed.integer - 1) - step, step


@given(st.lists(st.integers(-300, 300), min_size=1), st.integers(-12, 6))
def test_type_of_values_holds_all_and_is_the_narrowest(integers, exponent):
    values = np.asarray(integers) * 2.0**exponent
    fixed = type_of_values(values)
    smallest, largest, step = limits(fixed)
    assert smallest <= values.min() and values.max() <= largest
    assert np.all(values / step == np.rint(values / step))
    if fixed.width > 2 and np.any(values):
        half = FixedType(fixed.width - 1, fixed.integer - 1)
        coarse = FixedType(fixed.width - 1, fixed.integer)
        assert values.min() < limits(half)[0] or values.max() > limits(half)[1]
        assert np.any(values / limits(coarse)[2] != np.rint(values / limits(coarse)[2]))


@given(
    st.integers(1, 6), st.integers(1, 3), st.integers(2, 8), st.integers(2, 8), st.integers(0, 2**32 - 1)
)  # fmt: skip
def test_sum_type_holds_the_worst_input_and_is_the_narrowest(terms, channels, weight_bits, input_bits, seed):
    rng = np.random.default_rng(seed)
    layer = LayerSpec("c", "conv", "x", 1, 1, terms, channels)
    exponents = tuple(int(e) for e in rng.integers(-9, -4, channels))
    source = Format(input_bits, -5)
    form = LayerFormat(
        source=source,
        input=source,
        activation=Format(8, -4),
        weight=ChannelFormat(weight_bits, exponents),
        bias=ChannelFormat(8, tuple(e - 5 + 2 for e in exponents)),
    )
    kernel = rng.integers(-(2 ** (weight_bits - 1)), 2 ** (weight_bits - 1), (1, 1, terms, channels))
    bias = rng.integers(-128, 128, channels)
    fixed = sum_type(layer, form, {"kernel": kernel, "bias": bias})

    low, high = -(2 ** (input_bits - 1)), 2 ** (input_bits - 1) - 1
    sums = []
    for channel in range(channels):
        weights = kernel[0, 0, :, channel]
        for inputs in (np.where(weights > 0, high, low), np.where(weights > 0, low, high), np.zeros(terms)):
            total = int(np.sum(weights * inputs)) + int(bias[channel]) * 4
            sums.append(total * 2.0 ** (exponents[channel] - 5))
    smallest, largest, step = limits(fixed)
    assert smallest <= min(sums) and max(sums) <= largest
    assert all(value / step == round(value / step) for value in sums)
    assert step == 2.0 ** (min(exponents) - 5)
    if fixed.width > 2:
        assert min(*sums, 0.0) < smallest / 2 or max(*sums, 0.0) > largest / 2


def test_sums_beyond_what_float32_counts_exactly_are_refused():
    layer = LayerSpec("wide", "conv", "x", 1, 1, 1024, 1)
    form = LayerFormat(*[Format(8, 0)] * 3, ChannelFormat(8, (0,)), ChannelFormat(8, (0,)))
    integers = {"kernel": np.full((1, 1, 1024, 1), -128), "bias": np.array([1])}
    with pytest.raises(UserError, match="wide: its sums can reach 16777217 units"):
        sum_type(layer, form, integers)


@pytest.fixture(scope="module")
def checkpoint():
    return random_checkpoint(DesignConfig.model_validate(TINY), seed=1)


def test_a_wider_type_is_taken_as_asked(checkpoint):
    types = layer_types(checkpoint, {"conv1": {"accum": Setting("fixed<40,12>", "conv1.accum")}})
    assert types["conv1"].accum == FixedType(40, 12)
    assert types["conv1"].result != FixedType(40, 12)


@pytest.mark.parametrize(
    ("layer", "name", "text", "reason"),
    [
        ("conv1", "accum", "fixed<6,3>", "too narrow for conv1 to be exact; it must hold fixed<"),
        ("conv1", "weight", "fixed<30,-9>", "too narrow for conv1"),
        ("bottleneck2_project", "result", "fixed<30,12>", "type that activation_bits and checkpoint set"),
        ("bottleneck2_project", "slope", "fixed<30,12>", "no such type; it has output, weight, bias"),
    ],
)
def test_a_type_that_cannot_be_honoured_is_refused(checkpoint, layer, name, text, reason):
    key = f"design.yml: hls.layers.{layer}.precision.{name}"
    with pytest.raises(UserError, match=f"^{key} = {text}: .*{reason}"):
        layer_types(checkpoint, {layer: {name: Setting(text, key)}})


def test_a_difference_type_holds_sum_and_product_minus_offset():
    fixed = difference_type(FixedType(10, 4), FixedType(6, 1), FixedType(4, 5))
    smallest, largest, step = limits(fixed)
    extremes = [sums * slope for sums in limits(FixedType(10, 4))[:2] for slope in (1, *limits(FixedType(6, 1))[:2])]
    assert all(smallest <= value - offset <= largest for value in extremes for offset in limits(FixedType(4, 5))[:2])
    assert step == 2.0**-11
    assert fixed.width == 6 + 11


def test_an_offset_that_float64_cannot_subtract_exactly_is_refused(checkpoint):
    widths = {**checkpoint.widths, "conv2": replace(checkpoint.widths["conv2"], offset_bits=2)}
    offset = {"offset": np.array([1, 0, 0, 0])}
    integers = {**checkpoint.integers, "conv2": checkpoint.integers["conv2"] | offset}
    layer_types(replace(checkpoint, widths=widths, integers=integers), {})
    far = replace(checkpoint.exponents["conv2"], activation=40)
    exponents = {**checkpoint.exponents, "conv2": far}
    with pytest.raises(UserError, match="conv2: its PReLU minus the offset takes 6. bits, beyond the 54"):
        layer_types(replace(checkpoint, widths=widths, integers=integers, exponents=exponents), {})
