"""The quantised Keras network computes, in float32, exactly what whole numbers give: every layer, every value.

The network below is written for this test, in NumPy int64 and nothing else: it takes the integers and exponents of a
checkpoint and shares no code with the Keras network.
"""

from __future__ import annotations

import numpy as np
import pytest
from tensorflow import keras

from qmfn.design import load_config
from qmfn.model.builder import build_model
from qmfn.model.initial import random_checkpoint
from qmfn.network.checkpoint import Checkpoint
from qmfn.network.mobilefacenet import normalise
from qmfn.network.parameters import set_parameters
from qmfn.stock.types import layer_types

DESIGNS = {
    "as shipped": [],
    "8 bits": ["quantisation={weight_bits: 8, activation_bits: 8, bias_bits: 16, slope_bits: 8}"],
    "2 bits": ["quantisation={weight_bits: 2, activation_bits: 2, bias_bits: 4, slope_bits: 2}"],
    "mixed": [
        "quantisation.layers={conv1: {weight_bits: 8}, '*_depthwise': {weight_bits: 6, activation_bits: 8},"
        " '*_add': {activation_bits: 3}, embedding: {activation_bits: 8}}"
    ],
    "offsets": ["quantisation.offset_bits=4", "quantisation.layers.dwconv1={activation_bits: 3, offset_bits: 8}"],
}


def integer_outputs(checkpoint: Checkpoint, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Every Keras layer's output: int64 times a power of two, as float64 (exact).

    Args:
        pixels: uint8 (N, size, size, 3).
    """
    passed_on = {"pixels": (pixels.astype(np.int64) - 128, -7)}
    found = {}

    def note(name: str, integers: np.ndarray, exponent: int | np.ndarray) -> None:
        found[name] = integers * 2.0**exponent

    for layer in checkpoint.layers:
        bits, exponents = checkpoint.widths[layer.name].activation_bits, checkpoint.exponents[layer.name]
        x, unit = passed_on[layer.source]
        if layer.kind == "add":
            other, other_unit = passed_on[layer.shortcut]
            common = min(unit, other_unit)
            x, unit = (x << unit - common) + (other << other_unit - common), common
        else:
            if layer.padding:
                x = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
                note(f"{layer.name}_pad", x, unit)
            numbers = checkpoint.integers[layer.name]
            x, unit = convolve(layer, x, numbers["kernel"]), unit + np.array(exponents.weight)
            x = x + (numbers["bias"] << np.maximum(exponents.bias - unit, 0))
        note(layer.name, x, unit)
        if layer.prelu:
            finest = min(exponents.slope, 0)
            x = np.where(x >= 0, x << -finest, x * numbers["slope"] << exponents.slope - finest)
            unit = unit + finest
        if layer.prelu and "offset" in numbers:
            common = np.minimum(unit, exponents.activation)
            x, unit = (x << unit - common) - (numbers["offset"] << exponents.activation - common), common
        x, unit = requantise(x, unit, bits, exponents.activation), exponents.activation
        note(f"{layer.name}_prelu" if layer.prelu else f"{layer.name}_quant", x, unit)
        passed_on[layer.name] = (x, unit)
    return found


def convolve(layer, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (layer.kernel, layer.kernel), axis=(1, 2))
    windows = windows[:, :: layer.stride, :: layer.stride]
    if layer.kind == "depthwise":
        return np.einsum("nhwcij,ijc->nhwc", windows, kernel[..., 0])
    return np.einsum("nhwcij,ijco->nhwo", windows, kernel)


def requantise(x: np.ndarray, unit: int | np.ndarray, bits: int, exponent: int) -> np.ndarray:
    """From units of 2**unit to units of 2**exponent: round half to even, saturate; shifts only."""
    drop = np.maximum(exponent - np.asarray(unit), 0)
    x = x << np.maximum(np.asarray(unit) - exponent, 0)
    quotient = x >> drop
    twice_rest = (x - (quotient << drop)) * 2
    quotient += (twice_rest > 1 << drop) | ((twice_rest == 1 << drop) & (quotient & 1 == 1))
    return np.clip(quotient, -(1 << bits - 1), (1 << bits - 1) - 1)


@pytest.mark.parametrize("overrides", DESIGNS.values(), ids=DESIGNS)
def test_every_value_of_every_keras_layer_equals_whole_number_arithmetic(configs, overrides):
    checkpoint = random_checkpoint(load_config(configs / "tiny.yml", overrides), seed=1)
    layer_types(checkpoint, {})  # refuses networks whose sums pass the 24 bits of a float32
    pixels = np.random.default_rng(2).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    pixels[0] = 0  # the largest negative input everywhere

    model = build_model(checkpoint.layers, checkpoint.formats)
    set_parameters(model, checkpoint.parameters())
    probe = keras.Model(model.input, {layer.name: layer.output for layer in model.layers[1:]})
    keras_outputs = {name: output.numpy() for name, output in probe(normalise(pixels)).items()}

    wanted = integer_outputs(checkpoint, pixels)
    assert set(keras_outputs) == set(wanted)
    differing = [name for name in wanted if not np.array_equal(keras_outputs[name], wanted[name])]
    assert not differing


def test_requantising_rounds_half_to_even_and_saturates():
    x = np.array([-7, -6, -5, -2, -1, 1, 2, 3, 6, 7, 1000, -1000])
    assert requantise(x, 0, 8, 2).tolist() == [-2, -2, -1, 0, 0, 0, 0, 1, 2, 2, 127, -128]
    assert requantise(x[:3], 1, 8, 0).tolist() == [-14, -12, -10]
