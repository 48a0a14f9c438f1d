"""The NumPy reference of the layers: Keras' values in every tensor, and integers where floating point is too narrow."""

from __future__ import annotations

import os

import numpy as np
import pytest
from helpers.designs import noise
from helpers.networks import folded_designs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qmfn.design import load_config
from qmfn.model.builder import quantised_network
from qmfn.model.initial import design_checkpoint, random_checkpoint
from qmfn.network import arithmetic
from qmfn.network.constants import Activation, constants_of
from qmfn.network.fixed import OVERFLOWS, ROUNDINGS, FixedType
from qmfn.network.from_checkpoint import network_of
from qmfn.network.layers import Add, Convolution, DepthwiseConvolution, Requantisation
from qmfn.network.mobilefacenet import INPUT
from qmfn.network.network import Network, Padding, Shape, Tensor
from qmfn.simulation.compare import keras_names

EXAMPLES = int(os.environ.get("QMFN_EXAMPLES", 8))


def differing(config, checkpoint, images: np.ndarray) -> dict[str, int]:
    """Tensor -> values that Keras and the reference do not have in common."""
    from tensorflow import keras

    network, model, names = network_of(checkpoint), quantised_network(checkpoint), keras_names(checkpoint, True)
    found = network.evaluate({INPUT: images * np.float32(128)})
    probe = keras.Model(model.input, [model.get_layer(name).output for name in names.values()])
    counts = {}
    for name, wanted in zip(names, probe(images, training=False), strict=True):
        values = found[name] * 2.0 ** network.tensors[name].type.exponent
        counts[name] = int(np.count_nonzero(values != wanted.numpy().reshape(values.shape)))
    assert list(counts) == list(found)
    return counts


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=True
)
@given(config=folded_designs(), seed=st.integers(0, 2**16))
def test_equals_keras_in_every_tensor_of_random_networks(config, seed):
    checkpoint = random_checkpoint(config, seed)
    assert not any(differing(config, checkpoint, noise(config, 3, seed)).values())


@pytest.mark.parametrize("name", ["w8a8", "w4a4", "mixed", "extreme"])
@pytest.mark.slow
def test_equals_keras_in_every_tensor_of_shipped_designs(configs, name):
    config = load_config(configs / f"{name}.yml")
    assert not any(differing(config, design_checkpoint(config), noise(config, 2, seed=2)).values())


# --- against the definition, one output at a time ---------------------------------------------------------------------


def slow_convolution(integers, layer, source, multiplier: int):
    """Exact rational arithmetic with Python's integers."""
    if layer.input is not None:
        integers = layer.input.convert(integers, source.type.exponent)
    step = 2.0 ** layer.multiplied(source).exponent
    images = layer.padding.pad(np.asarray(integers)).astype(np.float64) * step
    shape = layer.result(source).shape
    sums = np.zeros((len(images), shape.height, shape.width, shape.channels))
    rows, columns = layer.kernel
    for y in range(shape.height):
        for x in range(shape.width):
            top, left = y * layer.stride[0], x * layer.stride[1]
            window = images[:, top : top + rows, left : left + columns]
            if multiplier:
                products = window[..., None] * layer.weights
                sums[:, y, x] = products.sum(axis=(1, 2)).reshape(len(images), -1)
            else:
                sums[:, y, x] = np.einsum("nrki,rkio->no", window, layer.weights)
    values = sums + layer.bias
    if layer.activation is not None:
        values = np.where(values >= 0, values, values * layer.activation.slope)
        if layer.activation.offset is not None:
            values = values - layer.activation.offset
    return layer.output.convert(np.rint(values * 2.0**20).astype(np.int64), -20)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_every_rounding_and_overflow_of_an_output(rounding, overflow):
    random = np.random.default_rng(1)
    source = Tensor(Shape(6, 5, 3), FixedType(5, 2))
    layer = Convolution(
        "c", ("x",), weights=random.integers(-4, 4, (3, 2, 3, 4)) / 4, bias=random.integers(-9, 9, 4) / 8,
        output=FixedType(4, 2, True, rounding, overflow), stride=(2, 1), padding=Padding(1, 0, 0, 2),
        activation=Activation(random.integers(-4, 4, 4) / 8),
    )  # fmt: skip
    integers = random.integers(-16, 16, (2, 6, 5, 3))
    assert np.array_equal(layer.evaluate([source], integers), slow_convolution(integers, layer, source, 0))


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("offset", [None, np.array([1.0, -2.0, 0.5, 3.0, 0.0, 1.5])])
def test_depthwise_with_rectangles_and_unsigned_values(multiplier, signed, offset):
    random = np.random.default_rng(2)
    source = Tensor(Shape(5, 7, 6 // multiplier), FixedType(4, 1, signed=signed))
    layer = DepthwiseConvolution(
        "d", ("x",), weights=random.integers(-8, 8, (2, 3, 6 // multiplier, multiplier)) / 8,
        bias=random.integers(-9, 9, 6) / 4, output=FixedType.requantising(6, 5), stride=(1, 2),
        padding=Padding(0, 1, 2, 1), input=FixedType.requantising(3, 1, signed=signed),
        activation=Activation(random.integers(-4, 4, 6) / 8, offset),
    )  # fmt: skip
    low, high = source.type.integers
    integers = random.integers(low, high + 1, (2, 5, 7, 6 // multiplier))
    assert np.array_equal(layer.evaluate([source], integers), slow_convolution(integers, layer, source, multiplier))


@pytest.mark.parametrize("width", [8, 20, 30])
def test_the_end_of_a_sum_is_the_same_in_integers_and_in_floating_point(width):
    random = np.random.default_rng(width)
    activation = Activation(random.integers(-8, 8, 5) / 16, random.integers(-8, 8, 5) / 4)
    output = FixedType.requantising(8, 6)
    weights, bias = random.integers(-4, 4, (7, 5)) / 4, random.integers(-64, 64, 5) / 64
    constants = constants_of("c", weights, bias, FixedType(width, 4), activation, output)
    low, high = constants.sums
    sums = np.concatenate([random.integers(low, high, (400, 5)), np.arange(-50, 50)[:, None] + np.zeros((1, 5), int)])
    drop = output.exponent - (constants.biased.exponent - constants.slope_fraction_bits)
    wanted = arithmetic._finished_in_integers(sums, constants, output, drop, 60)
    assert np.array_equal(arithmetic.finished(sums.astype(np.float64), constants, output), wanted)


def test_adds_and_requantisations_of_any_grid():
    random = np.random.default_rng(3)
    types = (FixedType(5, 2), FixedType(6, 4, signed=False))
    values = [random.integers(*(fixed.integers[0], fixed.integers[1] + 1), (2, 3, 3, 4)) for fixed in types]
    tensors = [Tensor(Shape(3, 3, 4), fixed) for fixed in types]
    exact = sum(value * 2.0**fixed.exponent for value, fixed in zip(values, types, strict=True))
    for output in (FixedType.requantising(5, 3), FixedType(5, 3), FixedType.requantising(9, 7)):
        wanted = output.convert(np.rint(exact * 1024).astype(np.int64), -10)
        assert np.array_equal(Add("a", ("x", "y"), output).evaluate(tensors, *values), wanted)
        wanted = output.convert(values[0], types[0].exponent)
        assert np.array_equal(Requantisation("r", ("x",), output).evaluate(tensors[:1], values[0]), wanted)


def test_a_network_forgets_what_nobody_reads_any_more(tiny_checkpoint):
    network = network_of(tiny_checkpoint)
    images = np.random.default_rng(4).integers(-128, 128, (2, 32, 32, 3))
    every = network.evaluate({INPUT: images})
    (output,) = network.outputs
    assert np.array_equal(network.outputs_of({INPUT: images})[output], every[output])


def test_equal_networks_have_equal_digests_and_others_not(tiny_checkpoint):
    network, same = network_of(tiny_checkpoint), network_of(tiny_checkpoint)
    assert network == same and network.digest == same.digest
    changed = Network(network.inputs, network.layers, (network.layers[0].name,))
    assert changed != network
