"""Bits are assigned where they matter most, within the limits."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from qmfn.design import load_config
from qmfn.errors import UserError
from qmfn.model.builder import float_network
from qmfn.model.calibration import observe_activations
from qmfn.network.formats import LayerWidths
from qmfn.network.mobilefacenet import architecture, normalise
from qmfn.network.parameters import random_parameters
from qmfn.training.bit_search import BitSearch, assign_activation_bits, assign_weight_bits
from qmfn.training.sensitivity import Sensitivity, measure
from qmfn.training.student import Student

WIDTHS = (2, 4, 8)


@pytest.fixture(scope="module")
def layers(configs):
    return architecture(load_config(configs / "tiny.yml").model)


@pytest.fixture(scope="module")
def measured(layers):
    parameters = random_parameters(layers, seed=1)
    images = normalise(np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8))
    activations = observe_activations(float_network(layers, parameters), layers, images)
    widths = {layer.name: LayerWidths(8, 8, 10, 4) for layer in layers}
    return parameters, images, measure(layers, parameters, activations, images, WIDTHS, widths)


def invented(layers, kind: str) -> list[Sensitivity]:
    """Sensitivities that halve per bit, of another size in every layer."""
    sizes = np.random.default_rng(2).uniform(0.1, 10, len(layers))
    return [
        Sensitivity(layer.name, kind, bits, size * 2.0**-bits)
        for layer, size in zip(layers, sizes, strict=True)
        for bits in WIDTHS
        if kind == "activation" or layer.kind != "add"
    ]


def test_every_tensor_is_measured_at_every_width(layers, measured):
    wanted = {(layer.name, "activation", bits) for layer in layers for bits in WIDTHS}
    wanted |= {(layer.name, "weight", bits) for layer in layers if layer.kind != "add" for bits in WIDTHS}
    assert {(item.layer, item.kind, item.bits) for item in measured[2]} == wanted


def test_fewer_bits_turn_the_embedding_further(measured):
    by_width = {bits: np.mean([item.distance for item in measured[2] if item.bits == bits]) for bits in WIDTHS}
    assert by_width[2] > 3 * by_width[4] > 9 * by_width[8] >= 0


def test_a_weight_is_measured_by_rounding_it_alone(layers, measured):
    parameters, images, found = measured
    from qmfn.model.calibration import weight_exponents
    from qmfn.network.integers import quantise_to_integers

    layer = next(layer for layer in layers if layer.name == "bottleneck1_expand")
    kernel = parameters[layer.name]["kernel"]
    exponents = np.array(weight_exponents(kernel, layer, LayerWidths(2, 8, 10, 4)))
    rounded = (quantise_to_integers(kernel, 2, exponents) * 2.0**exponents).astype(np.float32)
    changed = {**parameters, layer.name: {**parameters[layer.name], "kernel": rounded}}

    def embeddings(values):
        raw = Student(layers, values).embeddings(images).numpy()
        return raw / np.linalg.norm(raw, axis=1, keepdims=True)

    distance = np.mean(1 - np.sum(embeddings(parameters) * embeddings(changed), axis=1))
    (item,) = [item for item in found if (item.layer, item.kind, item.bits) == (layer.name, "weight", 2)]
    assert item.distance == pytest.approx(distance, rel=1e-3)


@pytest.mark.parametrize("share", [0.07, 0.1, 0.2])
def test_no_other_assignment_of_weight_bits_is_less_sensitive(layers, share):
    some = [layer for layer in layers if layer.kind != "add"][:5]
    table = invented(some, "weight")
    found = assign_weight_bits(some, table, share)
    distance = {(item.layer, item.bits): item.distance for item in table}
    count = {layer.name: int(np.prod(layer.kernel_shape)) for layer in some}

    def cost(bits):
        return sum(distance[layer, width] for layer, width in bits.items())

    def fits(bits):
        return sum(count[layer] * width for layer, width in bits.items()) <= share * 32 * sum(count.values())

    every = [dict(zip(count, widths, strict=True)) for widths in product(WIDTHS, repeat=len(count))]
    assert fits(found)
    assert cost(found) == pytest.approx(min(cost(bits) for bits in every if fits(bits)))


def test_activation_bits_are_averaged_over_the_multiplications_that_read_them(layers):
    found = assign_activation_bits(layers, invented(layers, "activation"), 4.5)
    readers = [layer for layer in layers if layer.source in found]
    total = sum(layer.multiplications for layer in readers)
    assert sum(found[layer.source] * layer.multiplications for layer in readers) <= 4.5 * total
    assert len(set(found.values())) > 1


def test_limits_that_cannot_be_met_are_errors(layers):
    with pytest.raises(UserError, match="no assignment of the measured weight bits stays within 6.00%"):
        assign_weight_bits(layers, invented(layers, "weight"), 0.06)
    with pytest.raises(UserError, match="no assignment of the measured activation bits has a mean of 1.5 bits"):
        assign_activation_bits(layers, invented(layers, "activation"), 1.5)


def test_a_search_reads_as_the_common_widths_and_the_layers_that_differ():
    found = BitSearch((), {"conv1": 8, "conv2": 3, "embedding": 3}, {"conv1": 5, "conv2": 5, "embedding": 8})
    assert found.as_yaml() == (
        "quantisation:\n  weight_bits: 3\n  activation_bits: 5\n  layers:\n"
        "    conv1: {weight_bits: 8}\n    embedding: {activation_bits: 8}\n"
    )
