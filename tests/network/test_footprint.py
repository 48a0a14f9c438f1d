"""The footprint adds up, and the designs take the shares that their names promise."""

from __future__ import annotations

import math

import pytest

from qmfn.design import load_config
from qmfn.model.initial import design_checkpoint, random_checkpoint
from qmfn.network.footprint import Footprint, LayerFootprint, channel_exponent_bits, footprint
from qmfn.network.parameters import parameter_shapes

PARTS = ("weight_bits", "exponent_bits", "bias_bits", "slope_bits", "offset_bits")


@pytest.fixture(scope="module")
def mixed_tiny(configs):
    """A small network with other widths in some layers."""
    overrides = ["quantisation.layers={conv1: {weight_bits: 8, bias_bits: 16}, '*_depthwise': {slope_bits: 7}}"]
    return random_checkpoint(load_config(configs / "tiny.yml", overrides), seed=0)


def convolutions(found: Footprint) -> list[LayerFootprint]:
    return [layer for layer in found.layers if layer.weights]


def test_every_layer_counts_every_parameter_at_its_width(mixed_tiny):
    layers = {layer.layer: layer for layer in footprint(mixed_tiny).layers}
    for layer in mixed_tiny.layers:
        if layer.kind == "add":
            continue
        counts = {name: math.prod(shape) for name, shape in parameter_shapes(layer).items()}
        found, widths = layers[layer.name], mixed_tiny.widths[layer.name]
        assert found.weights == counts["kernel"]
        assert found.weight_bits == counts["kernel"] * widths.weight_bits
        assert found.bias_bits == counts["bias"] * widths.bias_bits
        assert found.slope_bits == counts.get("slope", 0) * widths.slope_bits
        assert found.float_bits == 32 * sum(counts.values())


def test_exponents_are_counted_per_channel_and_per_tensor(mixed_tiny):
    for found in convolutions(footprint(mixed_tiny)):
        exponents = mixed_tiny.exponents[found.layer]
        spread = max(exponents.weight) - min(exponents.weight)
        per_channel = math.ceil(math.log2(spread + 1))
        tensors = 3 if exponents.slope is None else 4  # smallest weight exponent, bias, activation, slope
        assert found.exponent_bits == len(exponents.weight) * per_channel + 8 * tensors


def test_an_add_counts_with_its_exponent_alone(mixed_tiny):
    layers = {layer.layer: layer for layer in footprint(mixed_tiny).layers}
    assert list(layers) == [layer.name for layer in mixed_tiny.layers]
    assert layers["bottleneck2_add"] == LayerFootprint(
        "bottleneck2_add", weights=0, weight_width=0, weight_bits=0, exponent_bits=8, bias_bits=0, slope_bits=0,
        offset_bits=0, total_bits=8, float_bits=0,
    )  # fmt: skip


def test_offsets_add_their_bits_and_nothing_else(configs):
    overrides = ["quantisation.layers={conv2: {offset_bits: 5}, dwconv1: {offset_bits: 3}}"]
    without = footprint(random_checkpoint(load_config(configs / "tiny.yml"), seed=0))
    found = footprint(random_checkpoint(load_config(configs / "tiny.yml", overrides), seed=0))
    assert found.offset_bits == 16 * 5 + 8 * 3
    assert (found.bias_bits, found.slope_bits, found.float_bits) == (
        without.bias_bits, without.slope_bits, without.float_bits
    )  # fmt: skip
    assert without.offset_bits == 0


def test_the_exponents_of_the_adds_count_too(mixed_tiny):
    found = footprint(mixed_tiny)
    adds = sum(layer.kind == "add" for layer in mixed_tiny.layers)
    assert found.exponent_bits == sum(layer.exponent_bits for layer in convolutions(found)) + 8 * adds


@pytest.mark.parametrize(
    ("exponents", "bits"), [((3,), 0), ((-4, -4), 0), ((-4, -3), 2), ((-4, -1), 4), ((0, 4), 6), ((1, 8, 3), 9)]
)
def test_a_channel_exponent_takes_the_bits_of_its_distance_from_the_smallest(exponents, bits):
    assert channel_exponent_bits(exponents) == bits


def test_the_total_is_the_sum_of_its_parts_and_of_its_layers(mixed_tiny):
    found = footprint(mixed_tiny)
    assert found.total_bits == sum(getattr(found, part) for part in PARTS)
    for part in (*PARTS, "total_bits", "float_bits"):
        assert getattr(found, part) == sum(getattr(layer, part) for layer in found.layers)
    assert all(layer.total_bits == sum(getattr(layer, part) for part in PARTS) for layer in found.layers)


def test_shares_compare_with_32_bit_floats(mixed_tiny):
    found = footprint(mixed_tiny)
    weights = sum(layer.weights for layer in found.layers)
    assert found.share == found.total_bits / found.float_bits
    assert found.weight_share == found.weight_bits / (32 * weights)


def test_it_becomes_plain_values(mixed_tiny):
    found = footprint(mixed_tiny)
    values = found.as_dict()
    assert values["total_bits"] == found.total_bits
    assert values["layers"][0]["layer"] == "conv1"


def test_the_weights_take_the_share_of_their_bits(configs):
    found = footprint(design_checkpoint(load_config(configs / "w8a8.yml")))
    assert found.weight_bits == 0.25 * 32 * 976_000
    assert found.weight_share == 0.25


@pytest.mark.parametrize(("name", "limit"), [("w4a4", 0.125), ("mixed", 0.10), ("extreme", 0.0625)])
def test_a_design_of_several_widths_stays_within_its_share(configs, name, limit):
    found = footprint(design_checkpoint(load_config(configs / f"{name}.yml")))
    assert 0.95 * limit < found.weight_share <= limit
