"""Widths by layer: what a design asks for, and what can't be."""

from __future__ import annotations

import pytest

from qmfn.design import load_config
from qmfn.errors import UserError
from qmfn.model.initial import design_widths, random_checkpoint


def tiny(configs, *overrides: str):
    return load_config(configs / "tiny.yml", [f"quantisation.layers={{{', '.join(overrides)}}}"])


def test_a_layer_may_multiply_fewer_bits_than_arrive(configs):
    config = tiny(configs, "bottleneck1_project: {activation_bits: 8}", "bottleneck2_expand: {input_bits: 3}")
    form = random_checkpoint(config, seed=0).formats["bottleneck2_expand"]
    assert (form.source.bits, form.input.bits, form.requantises_input) == (8, 3, True)


def test_as_many_bits_as_arrive_need_no_requantisation(configs):
    config = tiny(configs, '"*_expand": {input_bits: 5}')
    assert design_widths(config)["bottleneck1_expand"].input_bits is None
    assert not random_checkpoint(config, seed=0).formats["bottleneck1_expand"].requantises_input


def test_the_pixels_can_be_requantised_too(configs):
    form = random_checkpoint(tiny(configs, "conv1: {input_bits: 6}"), seed=0).formats["conv1"]
    assert (form.source.bits, form.input.bits) == (8, 6)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("conv2: {input_bits: 6}", "conv2.input_bits = 6: bottleneck3_project gives conv2 5 bits"),
        ("conv2: {weight_bits: 1}", "conv2.weight_bits = 1: one bit has no zero, so conv2 needs weight_quantiser"),
        ('"*_add": {input_bits: 3}', r"\*_add.input_bits = 3: bottleneck2_add is an add, it multiplies nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_an_error_that_names_the_key(configs, override, said):
    with pytest.raises(UserError, match=f"tiny.yml: quantisation.layers.{said}"):
        design_widths(tiny(configs, override))


def test_offsets_go_where_a_bias_can_make_up_for_them(configs):
    config = load_config(configs / "tiny.yml", ["quantisation.offset_bits=3"])
    with_offset = [name for name, width in design_widths(config).items() if width.offset_bits is not None]
    depthwise = [f"bottleneck{number}_depthwise" for number in (1, 2, 3)]
    assert with_offset == ["dwconv1", *depthwise, "conv2"]
    formats = random_checkpoint(config, seed=0).formats
    assert all((formats[name].offset.bits, formats[name].offset.exponent) == (3, formats[name].activation.exponent)
               for name in with_offset)  # fmt: skip
    assert formats["conv1"].offset is None


def test_without_the_key_there_is_no_offset(configs):
    assert all(width.offset_bits is None for width in design_widths(load_config(configs / "tiny.yml")).values())


def test_a_layer_or_pattern_overrides_the_bits_of_the_offset(configs):
    config = tiny(configs, '"*_depthwise": {offset_bits: 4}', "bottleneck2_depthwise: {offset_bits: 6}")
    bits = {name: width.offset_bits for name, width in design_widths(config).items()}
    assert (bits["bottleneck1_depthwise"], bits["bottleneck2_depthwise"], bits["conv2"]) == (4, 6, None)


SHORTCUT_BEHIND_DWCONV1 = "model.bottlenecks=[{expansion: 1, channels: 8, repeats: 1, stride: 1}]"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["quantisation.layers.embedding.offset_bits=4"],
            "embedding.offset_bits = 4: embedding can't have an offset, it has no PReLU",
        ),
        (
            ["quantisation.layers={'*_expand': {offset_bits: 5}}"],
            r"\*_expand.offset_bits = 5: bottleneck1_expand can't have an offset, bottleneck1_depthwise pads",
        ),
        (
            ["quantisation.layers.dwconv1.offset_bits=4", SHORTCUT_BEHIND_DWCONV1],
            "dwconv1.offset_bits = 4: dwconv1 can't have an offset, bottleneck1_add adds its output",
        ),
    ],
)
def test_an_offset_that_cannot_be_is_an_error_that_names_the_key(configs, overrides, said):
    with pytest.raises(UserError, match=f"tiny.yml: quantisation.layers.{said}"):
        design_widths(load_config(configs / "tiny.yml", overrides))
