"""Settings by layer: patterns, their order, and patterns that match nothing."""

from __future__ import annotations

import pytest

from qmfn.design import HlsLayerConfig, LayerBits, Setting, settings_by_layer
from qmfn.errors import UserError

LAYERS = ("conv1", "bottleneck1_expand", "bottleneck1_depthwise", "bottleneck2_depthwise", "embedding")


def test_without_overrides_no_layer_has_settings():
    assert settings_by_layer({}, LAYERS, "key") == {layer: {} for layer in LAYERS}


def test_a_pattern_reaches_exactly_the_layers_that_match():
    settings = settings_by_layer({"bottleneck*_depthwise": LayerBits(weight_bits=6)}, LAYERS, "key")
    assert [layer for layer in LAYERS if settings[layer]] == ["bottleneck1_depthwise", "bottleneck2_depthwise"]
    assert settings["bottleneck1_depthwise"] == {
        "weight_bits": Setting(6, "key.bottleneck*_depthwise.weight_bits")
    }


@pytest.mark.parametrize(("first", "second"), [("*", "conv1"), ("conv1", "*")])
def test_a_later_entry_wins(first, second):
    overrides = {first: LayerBits(weight_bits=3), second: LayerBits(weight_bits=7)}
    assert settings_by_layer(overrides, LAYERS, "key")["conv1"] == {
        "weight_bits": Setting(7, f"key.{second}.weight_bits")
    }


def test_a_later_entry_keeps_what_it_does_not_set():
    overrides = {"*": LayerBits(weight_bits=3, bias_bits=9), "conv1": LayerBits(weight_bits=7)}
    assert settings_by_layer(overrides, LAYERS, "key")["conv1"] == {
        "weight_bits": Setting(7, "key.conv1.weight_bits"),
        "bias_bits": Setting(9, "key.*.bias_bits"),
    }


def test_a_later_entry_keeps_the_precisions_it_does_not_set():
    overrides = {
        "conv*": HlsLayerConfig(precision={"accum": "fixed<30,15>", "bias": "fixed<20,10>"}),
        "conv1": HlsLayerConfig(precision={"bias": "fixed<30,15>"}),
    }
    assert settings_by_layer(overrides, LAYERS, "key")["conv1"] == {
        "precision.accum": Setting("fixed<30,15>", "key.conv*.precision.accum"),
        "precision.bias": Setting("fixed<30,15>", "key.conv1.precision.bias"),
    }


def test_null_leaves_the_value_of_the_design():
    assert settings_by_layer({"conv1": LayerBits(weight_bits=None)}, LAYERS, "key")["conv1"] == {}


def test_hls_settings_go_the_same_way():
    overrides = {"conv*": HlsLayerConfig(reuse_factor=9, precision={"accum": "fixed<20,8>"})}
    assert settings_by_layer(overrides, LAYERS, "key")["conv1"] == {
        "reuse_factor": Setting(9, "key.conv*.reuse_factor"),
        "precision.accum": Setting("fixed<20,8>", "key.conv*.precision.accum"),
    }


def test_a_pattern_without_a_match_suggests_near_names():
    with pytest.raises(UserError) as error:
        settings_by_layer({"bottelneck1_expand": LayerBits()}, LAYERS, "w4a4.yml: quantisation.layers")
    assert str(error.value).startswith(
        "w4a4.yml: quantisation.layers.bottelneck1_expand: no layer of this network has that name; "
        "near ones: bottleneck1_expand"
    )


def test_a_pattern_like_no_name_shows_some():
    with pytest.raises(UserError, match="near ones: conv1, bottleneck1_expand, bottleneck1_depthwise, ..."):
        settings_by_layer({"xyz": LayerBits()}, LAYERS, "key")
