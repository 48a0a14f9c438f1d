"""Fitted weights lie on their grid, lose less than rounded ones, and bring the network nearer to the float one."""

from __future__ import annotations

import numpy as np
import pytest

from qmfn.design import load_config
from qmfn.model.initial import calibrated_start
from qmfn.network.checkpoint import quantise
from qmfn.network.formats import LayerWidths
from qmfn.network.integers import integer_range
from qmfn.network.mobilefacenet import LayerSpec, architecture, normalise
from qmfn.network.parameters import random_parameters
from qmfn.training import reconstruction
from qmfn.training.reconstruction import reconstruct, round_adjusting
from qmfn.training.student import Student, convolve

WIDTH, EXPONENT = LayerWidths(weight_bits=4, activation_bits=5, bias_bits=10, slope_bits=4), -3


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


def rounded(weights: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(weights / 2.0**EXPONENT), *integer_range(WIDTH.weight_bits)) * 2.0**EXPONENT


def test_inputs_that_know_nothing_of_each_other_leave_nothing_to_adjust(random):
    squares = np.stack([np.diag(random.uniform(0.5, 2, 6)) for _ in range(3)])
    weights = random.normal(0, 0.4, (3, 6, 5))
    assert np.array_equal(round_adjusting(squares, weights, WIDTH, np.full((3, 5), EXPONENT)), rounded(weights))


def test_related_inputs_make_up_for_each_other(random):
    inputs = random.normal(size=(400, 12)) @ random.normal(size=(12, 12))
    squares = (inputs.T @ inputs / 400)[None]
    weights = random.normal(0, 0.4, (1, 12, 30))
    found = round_adjusting(squares, weights, WIDTH, np.full((1, 30), EXPONENT))
    assert np.array_equal(found, rounded(found))

    def error(candidate):
        return np.mean((inputs @ (candidate - weights)[0]) ** 2)

    assert error(found) < 0.7 * error(rounded(weights))


LAYERS = [
    LayerSpec("dense", "conv", "input", 8, 4, 3, 5, 3, stride=2, padding=1),
    LayerSpec("pointwise", "conv", "input", 8, 8, 3, 5, 1),
    LayerSpec("depthwise", "depthwise", "input", 8, 4, 3, 3, 3, stride=2, padding=1),
    LayerSpec("global", "depthwise", "input", 8, 1, 3, 3, 8),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_sampled_inputs_times_the_kernel_are_the_sums(layer, random, monkeypatch):
    monkeypatch.setattr(reconstruction, "ROWS", 40)
    inputs = random.normal(size=(6, 8, 8, 3)).astype(np.float32)
    kernel = random.normal(size=layer.kernel_shape).astype(np.float32)
    sums = convolve(inputs, kernel, layer).numpy()
    rows, wanted = reconstruction._sampled(layer, inputs, sums)
    assert 0 < rows.shape[1] <= 40
    assert np.allclose(rows @ reconstruction._as_groups(layer, kernel), wanted, atol=1e-4)
    assert np.array_equal(reconstruction._as_kernel(layer, reconstruction._as_groups(layer, kernel)), kernel)


MID_RISE = ["quantisation.weight_quantiser=mid-rise", "quantisation.weight_bits=2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides", [[], ["quantisation.offset_bits=4"], MID_RISE], ids=["no offsets", "offsets", "mid-rise"]
)
def test_the_fitted_network_is_on_its_grid_and_nearer_to_the_float_one(configs, overrides, random):
    requantised = "quantisation.layers={bottleneck1_project: {activation_bits: 7}, bottleneck2_expand: {input_bits: 3}}"
    config = load_config(configs / "tiny.yml", [requantised, *overrides])
    layers = architecture(config.model)
    images, others = (normalise(random.integers(0, 256, (32, 32, 32, 3), dtype=np.uint8)) for _ in range(2))
    weights, start = calibrated_start(config, random_parameters(layers, seed=2), images, {})
    parameters, exponents = reconstruct(layers, weights, start.widths, start.exponents, images)

    fitted = quantise(config.model, parameters, start.widths, exponents, {})
    for layer, values in fitted.parameters().items():
        assert "kernel" not in values or np.array_equal(values["kernel"], parameters[layer]["kernel"]), layer
    wanted = Student(layers, weights).embeddings(others)

    def distance(checkpoint):
        found = Student(layers, checkpoint.parameters(), checkpoint.formats).embeddings(others)
        return np.mean((found - wanted) ** 2)

    assert distance(fitted) < 0.8 * distance(start)
