"""Calibration finds the exponent with the smallest mean squared error."""

from __future__ import annotations

import numpy as np
import pytest

from qmfn.model.builder import build_model
from qmfn.model.calibration import (
    best_exponent,
    calibrate,
    covering_exponent,
    observe_activations,
    weight_exponents,
)
from qmfn.model.initial import design_widths
from qmfn.network.formats import LayerWidths
from qmfn.network.mobilefacenet import architecture, normalise
from qmfn.network.parameters import random_parameters, set_parameters

DISTRIBUTIONS = {
    "normal": lambda random, count: random.normal(size=count),
    "laplace": lambda random, count: random.laplace(size=count),
    "uniform": lambda random, count: random.uniform(-1, 1, count),
    "after a PReLU": lambda random, count: np.maximum(x := random.normal(size=count), 0.1 * x),
    "skewed": lambda random, count: random.lognormal(size=count),
}


def squared_error(values: np.ndarray, bits: int, exponent: int) -> float:
    """Mean squared error, written anew: nearest grid point, then the ends of the grid."""
    step = 2.0**exponent
    grid = np.clip(np.round(values / step), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * step
    return float(np.mean((grid - values) ** 2))


def losses(draw, bits: int, count: int, samples: int = 10) -> list[tuple[int, int]]:
    """(chosen, better) exponents wherever any exponent within a factor of 2**12 is better than the chosen one."""
    random = np.random.default_rng((bits, count))
    found = []
    for _ in range(samples):
        values = draw(random, count) * 2.0 ** random.uniform(-8, 8)
        chosen = best_exponent(values, bits)
        better = min(range(chosen - 12, chosen + 13), key=lambda e: squared_error(values, bits, e))
        if squared_error(values, bits, better) < squared_error(values, bits, chosen):
            found.append((chosen, better))
    return found


@pytest.mark.parametrize("draw", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
@pytest.mark.parametrize("bits", range(2, 9))
def test_no_exponent_is_better_for_many_values(draw, bits):
    assert losses(draw, bits, count=1000) == []


def test_no_exponent_is_better_for_few_values():
    found = {
        (name, bits): lost
        for name, draw in DISTRIBUTIONS.items()
        for bits in range(2, 9)
        if (lost := losses(draw, bits, count=9, samples=40))
    }
    assert found == {}


def test_zeros_get_an_exponent_too():
    assert best_exponent(np.zeros(4), 8) == covering_exponent(np.zeros(4), 8) == -7


@pytest.mark.parametrize("bits", [2, 4, 12, 24])
def test_a_covering_exponent_saturates_nothing_and_is_the_finest_such(bits):
    random = np.random.default_rng(bits)
    for values in random.normal(size=(50, 5)) * 2.0 ** random.uniform(-8, 8, (50, 1)):
        exponent = covering_exponent(values, bits)

        def fits(exponent: int, values=values) -> bool:
            steps = values / 2.0**exponent
            return steps.min() >= -(2 ** (bits - 1)) and np.rint(steps.max()) < 2 ** (bits - 1)

        assert fits(exponent)
        assert not fits(exponent - 1)


def test_every_output_channel_gets_its_own_exponent(tiny):
    for layer in architecture(tiny.model):
        if layer.kind == "add":
            continue
        scales = 2.0 ** np.arange(layer.out_channels)
        kernel = np.ones(layer.kernel_shape)
        kernel = kernel * (scales[:, None] if layer.kind == "depthwise" else scales)
        first, *others = weight_exponents(kernel, layer, LayerWidths(4, 4, 10, 4))
        assert others == [first + channel for channel in range(1, layer.out_channels)]


@pytest.fixture(scope="module")
def calibrated(tiny):
    """(layers, parameters, exponents) of the small network."""
    layers = architecture(tiny.model)
    parameters = random_parameters(layers, seed=1)
    model = build_model(layers)
    set_parameters(model, parameters)
    images = normalise(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8))
    activations = observe_activations(model, layers, images)
    return layers, parameters, activations, calibrate(layers, parameters, design_widths(tiny), activations)


def test_activations_are_observed_behind_the_prelu(calibrated):
    layers, _, activations, _ = calibrated
    assert set(activations) == {"pixels", *(layer.name for layer in layers)}
    assert activations["embedding"].shape == (2, 8)


def test_a_bias_does_not_saturate_and_is_no_finer_than_the_finest_product(calibrated, tiny):
    layers, parameters, _, exponents = calibrated
    outputs = {"pixels": -7} | {name: chosen.activation for name, chosen in exponents.items()}
    for layer in layers:
        if layer.kind != "add":
            chosen = exponents[layer.name]
            assert chosen.bias >= min(chosen.weight) + outputs[layer.source], layer.name
            largest = np.abs(parameters[layer.name]["bias"]).max()
            assert largest <= 2.0 ** (tiny.quantisation.bias_bits - 1 + chosen.bias), layer.name


def test_next_to_no_weights_beside_a_bias_do_not_count_it_in_more_units_than_float32_has(tiny):
    layers = architecture(tiny.model)
    parameters = random_parameters(layers, seed=1)
    bits = tiny.quantisation.bias_bits
    for values in parameters.values():
        if "kernel" in values:
            values["kernel"] *= 1e-9
    activations = {name: np.ones((4, 2), np.float32) for name in ("pixels", *(layer.name for layer in layers))}
    exponents = calibrate(layers, parameters, design_widths(tiny), activations)
    outputs = {"pixels": -7} | {name: chosen.activation for name, chosen in exponents.items()}
    for layer in layers:
        if layer.kind != "add":
            product = min(exponents[layer.name].weight) + outputs[layer.source]
            assert 2.0 ** (bits - 1 + exponents[layer.name].bias - product) <= 2.0**23, layer.name


def test_an_add_has_only_an_activation_exponent_and_a_linear_layer_no_slope(calibrated):
    exponents = calibrated[-1]
    assert (exponents["bottleneck2_add"].weight, exponents["bottleneck2_add"].bias) == (None, None)
    assert exponents["embedding"].slope is None
    assert exponents["conv1"].slope is not None
