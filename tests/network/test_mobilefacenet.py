"""The architecture is the one of the paper: Chen et al. 2018, arXiv 1804.07573, table 1."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qmfn.design import ModelConfig, load_config
from qmfn.network.mobilefacenet import INPUT, architecture, normalise
from qmfn.network.parameters import parameter_shapes

# Input of every row of the table: first layer of the row, size, channels.
PAPER_INPUTS = [
    ("conv1", 112, 3),
    ("dwconv1", 56, 64),
    ("bottleneck1_expand", 56, 64),
    ("bottleneck6_expand", 28, 64),
    ("bottleneck7_expand", 14, 128),
    ("bottleneck13_expand", 14, 128),
    ("bottleneck14_expand", 7, 128),
    ("conv2", 7, 128),
    ("gdconv", 7, 512),
    ("embedding", 1, 512),
]


@pytest.fixture(scope="module")
def paper():
    return architecture(ModelConfig())


def test_every_row_of_the_table_takes_what_the_paper_says(paper):
    layers = {layer.name: layer for layer in paper}
    assert [(name, layers[name].in_size, layers[name].in_channels) for name, _, _ in PAPER_INPUTS] == PAPER_INPUTS


def test_the_embedding_has_128_values(paper):
    assert (paper[-1].out_size, paper[-1].out_channels) == (1, 128)


def test_there_are_50_convolutions_33_prelus_and_12_adds(paper):
    assert sum(layer.kind != "add" for layer in paper) == 50
    assert sum(layer.prelu for layer in paper) == 33
    assert sum(layer.kind == "add" for layer in paper) == 12


def test_it_multiplies_221_million_times(paper):
    assert sum(layer.multiplications for layer in paper) == pytest.approx(220.97e6, abs=5e3)


def test_it_has_976000_weights_and_993344_parameters(paper):
    shapes = [parameter_shapes(layer) for layer in paper]
    assert sum(math.prod(shape["kernel"]) for shape in shapes if shape) == 976_000
    assert sum(math.prod(values) for shape in shapes for values in shape.values()) == 993_344


def test_sizes_halve_from_112_to_7(paper):
    assert list(dict.fromkeys(layer.in_size for layer in paper)) == [112, 56, 28, 14, 7, 1]


def test_linear_layers_are_projections_the_global_convolution_and_the_embedding(paper):
    linear = [layer.name for layer in paper if layer.kind != "add" and not layer.prelu]
    assert linear == [*(f"bottleneck{i}_project" for i in range(1, 16)), "gdconv", "embedding"]


def test_a_bottleneck_adds_its_input_where_stride_is_1_and_channels_agree(paper):
    adds = [layer.name for layer in paper if layer.kind == "add"]
    assert adds == [f"bottleneck{i}_add" for i in (2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15)]
    by_name = {layer.name: layer for layer in paper}
    assert by_name["bottleneck2_add"].shortcut == "bottleneck1_project"
    assert by_name["bottleneck3_add"].shortcut == "bottleneck2_add"


def test_the_global_convolution_covers_what_is_left(paper):
    gdconv = paper[-2]
    assert (gdconv.kind, gdconv.kernel, gdconv.out_size, gdconv.padding) == ("depthwise", 7, 1, 0)


@pytest.mark.parametrize("width", [0.25, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("name", ["tiny", "w8a8"])
def test_every_layer_takes_what_its_source_gives(configs, name, width):
    model = load_config(configs / f"{name}.yml", [f"model.width_multiplier={width}"]).model
    given = {INPUT: (model.input_size, 3)}
    for layer in architecture(model):
        assert (layer.in_size, layer.in_channels) == given[layer.source], layer.name
        if layer.kind == "add":
            assert given[layer.shortcut] == given[layer.source], layer.name
        else:
            reached = (layer.in_size + 2 * layer.padding - layer.kernel) // layer.stride + 1
            assert layer.out_size == reached, layer.name
        given[layer.name] = (layer.out_size, layer.out_channels)


def test_half_the_width_halves_all_channels_but_the_embedding():
    half = architecture(ModelConfig(width_multiplier=0.5))
    for layer, full in zip(half, architecture(ModelConfig()), strict=True):
        assert layer.out_channels == (full.out_channels if layer.name == "embedding" else full.out_channels // 2)


@pytest.mark.parametrize("width", [0.01, 0.3, 0.77])
def test_scaled_channels_are_multiples_of_4(width):
    layers = architecture(ModelConfig(width_multiplier=width))
    assert all(layer.out_channels % 4 == 0 and layer.out_channels >= 4 for layer in layers)


def test_layer_names_are_unique_and_say_where_they_stand(paper):
    names = [layer.name for layer in paper]
    assert len(set(names)) == len(names) == 62
    assert names[:5] == [
        "conv1", "dwconv1", "bottleneck1_expand", "bottleneck1_depthwise", "bottleneck1_project",
    ]  # fmt: skip


def test_every_pixel_enters_as_an_exact_multiple_of_a_128th():
    pixels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(normalise(pixels) * 128, np.arange(256) - 128)
    assert normalise(pixels).dtype == np.float32
