"""Equalisation changes sizes of channels by powers of two, and nothing that the network computes."""

from __future__ import annotations

import numpy as np
import pytest

from qmfn.design import load_config
from qmfn.model.builder import float_network
from qmfn.model.calibration import best_activation_exponent, observe_activations
from qmfn.model.equalisation import FURTHEST, equalise
from qmfn.model.initial import design_widths
from qmfn.network.mobilefacenet import architecture, normalise
from qmfn.network.parameters import random_parameters


@pytest.fixture(scope="module")
def network(tiny):
    """(layers, parameters with channels of very different sizes, activations, images)."""
    layers = architecture(tiny.model)
    parameters = random_parameters(layers, seed=2)
    random = np.random.default_rng(3)
    for layer in layers:
        if layer.prelu:
            sizes = 2.0 ** random.integers(-2, 3, layer.out_channels)
            by_output = sizes[:, None] if layer.kind == "depthwise" else sizes
            parameters[layer.name]["kernel"] = (parameters[layer.name]["kernel"] * by_output).astype(np.float32)
            parameters[layer.name]["bias"] = (parameters[layer.name]["bias"] * sizes).astype(np.float32)
    images = normalise(random.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8))
    return layers, parameters, observe_activations(float_network(layers, parameters), layers, images), images


@pytest.fixture(scope="module")
def equalised(network, tiny):
    layers, parameters, activations, _ = network
    return equalise(layers, parameters, design_widths(tiny), activations)


def embeddings(layers, parameters, images) -> np.ndarray:
    return float_network(layers, parameters)(images).numpy()


def test_the_network_computes_the_same(network, equalised):
    layers, parameters, _, images = network
    assert np.array_equal(embeddings(layers, parameters, images), embeddings(layers, equalised[0], images))


def test_every_weight_changes_by_a_power_of_two(network, equalised):
    _, parameters, _, _ = network
    ratios = np.concatenate([
        np.log2(equalised[0][layer][name][values != 0] / values[values != 0]).ravel()
        for layer, arrays in parameters.items() for name, values in arrays.items()
    ])  # fmt: skip
    assert np.array_equal(ratios, np.rint(ratios))
    assert 0 < np.abs(ratios).max() <= 2 * FURTHEST


def test_slopes_and_the_given_parameters_stay(network, equalised):
    layers, parameters, _, images = network
    assert all(
        np.array_equal(parameters[layer.name]["slope"], equalised[0][layer.name]["slope"])
        for layer in layers if layer.prelu
    )  # fmt: skip
    assert not np.array_equal(parameters["conv1"]["kernel"], equalised[0]["conv1"]["kernel"])


def test_the_activations_given_back_are_those_of_the_new_network(network, equalised):
    layers, _, _, images = network
    parameters, activations = equalised
    observed = observe_activations(float_network(layers, parameters), layers, images)
    assert all(np.array_equal(activations[name], observed[name]) for name in observed)


def test_channels_in_front_of_a_depthwise_layer_get_one_size(network, equalised, tiny):
    layers, _, before, _ = network
    bits = tiny.quantisation.activation_bits

    def spread(activations, name: str) -> int:
        sizes = [best_activation_exponent(channel, bits) for channel in activations[name].T]
        return max(sizes) - min(sizes)

    for layer in layers:
        if layer.kind == "depthwise" and layer.source in before and layer.name != "gdconv":
            assert spread(before, layer.source) >= 3
            assert spread(equalised[1], layer.source) <= 1


def test_tensors_with_two_readers_and_the_embedding_keep_their_values(network, equalised):
    layers, _, before, _ = network
    shortcuts = {layer.shortcut for layer in layers if layer.shortcut}
    for name in (*shortcuts, "pixels", "embedding", *(layer.name for layer in layers if layer.kind == "add")):
        assert np.array_equal(before[name], equalised[1][name]), name


def test_a_channel_that_is_always_zero_is_moved_no_further_than_the_limit(tiny):
    config = load_config(tiny.file)
    layers = architecture(config.model)
    parameters = random_parameters(layers, seed=0)
    values = {layer.name: np.ones((8, layer.out_channels)) * 1e-9 for layer in layers}
    values["conv1"][:, 1:] = 1e6
    found, _ = equalise(layers, parameters, design_widths(config), values)
    ratio = found["conv1"]["bias"] / np.where(parameters["conv1"]["bias"], parameters["conv1"]["bias"], 1)
    assert np.abs(np.log2(ratio[ratio != 0])).max() <= FURTHEST


def test_the_size_of_a_channel_with_an_offset_is_that_of_its_spread(configs):
    config = load_config(configs / "tiny.yml", ["quantisation.layers.conv2.offset_bits=7"])
    layers = architecture(config.model)
    spread = np.linspace(-1, 1, 64)[:, None]
    values = {layer.name: np.repeat(spread, layer.out_channels, axis=1) for layer in layers}
    values["conv2"][:, 3] += 2  # far from zero, no wider than the others
    parameters = random_parameters(layers, seed=0)
    with_offset, _ = equalise(layers, parameters, design_widths(config), values)
    without, _ = equalise(layers, parameters, design_widths(load_config(configs / "tiny.yml")), values)
    assert np.array_equal(with_offset["conv2"]["bias"], parameters["conv2"]["bias"])
    assert not np.array_equal(without["conv2"]["bias"], parameters["conv2"]["bias"])
