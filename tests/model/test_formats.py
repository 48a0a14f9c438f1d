"""Widths by layer: what a design asks for, and what can't be."""

from __future__ import annotations

import pytest

from qmfn.config import load_config
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
        ('"*_add": {input_bits: 3}', r"\*_add.input_bits = 3: bottleneck2_add is an add, it multiplies nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_an_error_that_names_the_key(configs, override, said):
    with pytest.raises(UserError, match=f"tiny.yml: quantisation.layers.{said}"):
        design_widths(tiny(configs, override))
