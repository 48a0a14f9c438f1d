"""Offsets: no better ones exist, and the float network with them computes what it did without."""

from __future__ import annotations

import numpy as np
import pytest

from qmfn.design import load_config
from qmfn.model.builder import float_network
from qmfn.model.calibration import observe_activations, rounded_kernel
from qmfn.model.initial import calibrated_start, design_widths
from qmfn.model.offsets import best_offsets, for_rounded_weights, with_offsets
from qmfn.network.formats import LayerWidths
from qmfn.network.mobilefacenet import architecture, normalise
from qmfn.network.parameters import random_parameters

READERS = {"dwconv1": "bottleneck1_expand", "bottleneck2_depthwise": "bottleneck2_project", "conv2": "gdconv"}


def squared_error(values: np.ndarray, bits: int, exponent: int, offset: int) -> np.ndarray:
    """Sum of squared errors per channel, written anew."""
    steps = values / 2.0**exponent
    found = np.clip(np.rint(steps - offset), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) + offset
    return np.sum((found - steps) ** 2, axis=0) * 4.0**exponent


def behind_a_prelu(seed: int, channels: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = random.normal(size=(300, channels)) * 2.0 ** random.uniform(-2, 2, channels) + random.normal(size=channels)
    return np.where(x >= 0, x, x * random.uniform(-0.5, 0.5, channels)) * 2.0 ** random.uniform(-6, 6)


@pytest.mark.parametrize("offset_bits", [2, 4, 6])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_no_exponent_and_offsets_are_better(bits, offset_bits):
    candidates = range(-(2 ** (offset_bits - 1)), 2 ** (offset_bits - 1))
    for seed in range(8):
        values = behind_a_prelu(seed, channels=3)
        exponent, offsets = best_offsets(values, bits, offset_bits)
        found = sum(
            squared_error(values[:, [channel]], bits, exponent, offset)[0] for channel, offset in enumerate(offsets)
        )
        best = min(
            np.min([squared_error(values, bits, other, offset) for offset in candidates], axis=0).sum()
            for other in range(exponent - 8, exponent + 9)
        )
        assert found == pytest.approx(best, rel=1e-9)


def test_a_channel_that_needs_none_gets_none():
    values = np.zeros((50, 2))
    assert best_offsets(values, 4, 4)[1].tolist() == [0, 0]
    values[:, 1] = np.linspace(0, 15, 50)
    exponent, offsets = best_offsets(values, 4, 4)
    assert (exponent, offsets[0]) == (0, 0)
    assert offsets[1] > 0


@pytest.fixture(scope="module")
def network(configs):
    """(config, layers, float parameters, activations, images) of the tiny network."""
    config = load_config(configs / "tiny.yml", ["quantisation.offset_bits=4"])
    layers = architecture(config.model)
    parameters = random_parameters(layers, seed=5)
    images = normalise(np.random.default_rng(6).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8))
    activations = observe_activations(float_network(layers, parameters), layers, images)
    return config, layers, parameters, activations, images


@pytest.fixture(scope="module")
def shifted(network):
    config, layers, parameters, activations, _ = network
    return with_offsets(layers, parameters, design_widths(config), activations)


def test_the_float_network_computes_the_same(network, shifted):
    _, layers, parameters, _, images = network
    wanted, found = (float_network(layers, values)(images).numpy() for values in (parameters, shifted[0]))
    assert np.any(shifted[0]["conv2"]["offset"])
    assert np.allclose(found, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


def test_the_activations_given_back_are_those_of_the_new_network(network, shifted):
    _, layers, _, before, images = network
    parameters, activations, exponents = shifted
    observed = observe_activations(float_network(layers, parameters), layers, images)
    for name, values in observed.items():
        assert np.allclose(activations[name], values, atol=1e-4 * np.abs(before[name]).max()), name
    for name, exponent in exponents.items():
        steps = parameters[name]["offset"] / 2.0**exponent
        assert np.array_equal(steps, np.rint(steps)) and steps.min() >= -8 and steps.max() <= 7


def test_only_the_biases_of_the_readers_change(network, shifted):
    _, _, parameters, _, _ = network
    changed = {
        (layer, name)
        for layer, values in parameters.items()
        for name, value in values.items()
        if not np.array_equal(shifted[0][layer][name], value)
    }
    assert changed == {(layer, "bias") for layer in (*READERS.values(), "bottleneck1_project", "bottleneck3_project")}


THREE_BITS = LayerWidths(weight_bits=3, activation_bits=5, bias_bits=10, slope_bits=4)


@pytest.mark.parametrize(("layer", "reader"), READERS.items())
def test_a_quantised_network_makes_up_for_offsets_with_its_own_weights(network, shifted, layer, reader):
    _, layers, parameters, _, _ = network
    found = for_rounded_weights(layers, shifted[0], {name: THREE_BITS for name in parameters})
    (spec,) = (spec for spec in layers if spec.name == reader)
    sums = rounded_kernel(parameters[reader]["kernel"], spec, THREE_BITS).astype(np.float64).sum(axis=(0, 1))
    offset = shifted[0][layer]["offset"]
    lacking = sums[:, 0] * offset if spec.kind == "depthwise" else offset @ sums
    assert np.allclose(found[reader]["bias"] - parameters[reader]["bias"], lacking, rtol=1e-3, atol=1e-3)


def test_rounded_weights_need_no_other_biases(network):
    config, layers, parameters, _, images = network
    _, checkpoint = calibrated_start(config, parameters, images, {})
    rounded = checkpoint.parameters()
    again = for_rounded_weights(layers, rounded, checkpoint.widths)
    assert all(np.array_equal(again[name]["bias"], rounded[name]["bias"]) for name in READERS.values())


def test_the_checkpoint_has_the_exponents_that_the_offsets_were_chosen_with(network):
    config, _, parameters, _, images = network
    start, checkpoint = calibrated_start(config, parameters, images, {})
    for name in READERS:
        step = 2.0 ** checkpoint.exponents[name].activation
        assert np.array_equal(checkpoint.integers[name]["offset"] * step, start[name]["offset"])
