"""A reuse factor is generated as asked, or refused with the list of valid ones."""

from __future__ import annotations

import hls4ml
import pytest

from qmfn.design import DesignConfig, HlsConfig, ModelConfig
from qmfn.errors import UserError
from qmfn.network.mobilefacenet import LayerSpec, architecture
from qmfn.stock.reuse import dense_reuse_factors, hls_by_layer, prelu_reuse_factor, valid_reuse_factors

LAYERS = architecture(ModelConfig())


def settings(**hls) -> dict:
    return hls_by_layer(HlsConfig.model_validate(hls), LAYERS, "design.yml")


@pytest.mark.parametrize(
    "layer",
    [
        LayerSpec("conv", "conv", "x", 8, 4, 3, 16, kernel=3, stride=2, padding=1),
        LayerSpec("pointwise", "conv", "x", 4, 4, 24, 12),
    ],
)
def test_valid_reuse_factors_are_those_of_hls4ml(layer):
    backend = hls4ml.backends.get_backend("Vitis")
    assert valid_reuse_factors(layer) == backend.get_valid_reuse_factors(layer.terms, layer.out_channels)


@pytest.mark.parametrize("n_in", [1, 2, 7, 12, 27, 64])
@pytest.mark.parametrize("n_out", [1, 3, 8, 30])
def test_the_quick_list_is_that_of_hls4ml(n_in, n_out):
    backend = hls4ml.backends.get_backend("Vivado")
    assert dense_reuse_factors(n_in, n_out) == backend.get_valid_reuse_factors(n_in, n_out)


def test_valid_reuse_factors_of_depthwise_layers_are_those_that_the_cpp_computes():
    layer = LayerSpec("depthwise", "depthwise", "x", 4, 4, 6, 6, kernel=3, padding=1)
    backend = hls4ml.backends.get_backend("Vitis")
    assert valid_reuse_factors(layer) == [1, 2, 3, 6, 9, 18, 27, 54]
    assert set(valid_reuse_factors(layer)) < set(backend.get_valid_reuse_factors(54, 6))


def test_an_invalid_reuse_factor_lists_the_valid_ones():
    with pytest.raises(UserError, match=r"hls.layers.conv1.reuse_factor = 64: .* valid: 1, 3, 9, 27, 54"):
        settings(reuse_factor=64, layers={"conv1": {"reuse_factor": 64}})
    with pytest.raises(UserError, match=r"design.yml: hls.reuse_factor = 64: does not divide the work of conv1"):
        settings(reuse_factor=64)


def test_layers_and_patterns_override_the_default():
    found = settings(
        reuse_factor=64,
        layers={
            "conv1": {"reuse_factor": 27},
            "bottleneck*_depthwise": {"reuse_factor": 9, "strategy": "Latency"},
            "bottleneck3_depthwise": {"reuse_factor": 3},
        },
    )
    assert (found["conv1"].reuse_factor, found["conv2"].reuse_factor) == (27, 64)
    assert (found["bottleneck2_depthwise"].reuse_factor, found["bottleneck2_depthwise"].strategy) == (9, "Latency")
    assert (found["bottleneck3_depthwise"].reuse_factor, found["bottleneck3_depthwise"].strategy) == (3, "Latency")


def test_a_prelu_is_no_slower_than_its_convolution():
    for layer in LAYERS:
        if layer.prelu:
            shared = prelu_reuse_factor(layer, 64)
            assert shared <= 64 and layer.out_channels % shared == 0


def test_an_add_has_no_reuse_factor():
    with pytest.raises(UserError, match=r"design.yml: hls.layers.bottleneck2_add: a residual add has no such settings"):
        settings(layers={"conv1": {"reuse_factor": 27}, "bottleneck2_add": {"reuse_factor": 1}})


def test_a_pattern_may_match_an_add_among_others():
    found = settings(layers={"conv1": {"reuse_factor": 27}, "bottleneck2_*": {"reuse_factor": 4}})
    assert found["bottleneck2_expand"].reuse_factor == 4 and "bottleneck2_add" not in found


def test_the_design_schema_takes_no_zero():
    with pytest.raises(ValueError, match="greater than 0"):
        DesignConfig.model_validate({"name": "a", "hls": {"reuse_factor": 0}})
