"""Resource rules agree with the C-synthesis reports that they were read from."""

import re
from dataclasses import replace
from statistics import median

import pytest

from qmfn.estimate import FifoDesign, LayerDesign
from qmfn.estimate.resources import (
    built_multipliers,
    dsp_per_multiplication,
    fifo_bram_18k,
    fifo_resources,
    layer_resources,
    lut_per_multiplication,
    multipliers,
    takes_dsp,
    weight_rom_bram_18k,
)

POINTWISE = LayerDesign(
    name="bottleneck1_expand",
    kind="pointwise",
    in_height=56,
    in_width=56,
    in_channels=64,
    out_height=56,
    out_width=56,
    out_channels=128,
    reuse_factor=64,
    input_bits=4,
    weight_bits=4,
    accumulator_bits=14,
    result_bits=14,
    weights=64 * 128,
)
DEPTHWISE = replace(POINTWISE, kind="depthwise", kernel=3, in_channels=128, reuse_factor=12, weights=9 * 128)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (POINTWISE, 64 * 128 // 64),
        (replace(POINTWISE, kind="conv", kernel=3, in_channels=3), 54),
        (replace(POINTWISE, kind="conv", kernel=3, in_channels=3, reuse_factor=100), 35),
        (DEPTHWISE, 9 * 128 // 12),
        (replace(POINTWISE, kind="prelu", in_channels=128, reuse_factor=16), 8),
        (replace(POINTWISE, kind="add"), 0),
    ],
)
def test_multipliers_are_multiplications_per_pixel_over_the_reuse_factor(layer, expected):
    assert multipliers(layer) == expected


def test_zero_weights_cost_no_multiplier_where_weights_are_constants():
    assert built_multipliers(replace(POINTWISE, reuse_factor=1, zero_weights=192)) == 8000
    assert built_multipliers(replace(POINTWISE, zero_weights=192)) == 128


@pytest.mark.parametrize(
    ("a_bits", "b_bits", "dsp"),
    [(8, 8, 0), (10, 10, 0), (11, 4, 0), (11, 5, 1), (6, 16, 1), (27, 18, 1), (20, 20, 2), (24, 16, 1)],
)
def test_wide_multiplications_take_dsps(a_bits, b_bits, dsp):
    assert dsp_per_multiplication(a_bits, b_bits) == dsp


def test_the_dsp_rule_has_no_counter_example_in_streaming_designs(synthesis):
    for row in synthesis("multipliers"):
        widths = re.search(r"mul_(\d+)n?s_(\d+)n?s_", row["op"])
        # io_parallel designs of Vitis HLS 2021.1 bind operators by directive, 2024.2 uses more DSPs.
        if not widths or row["tool_version"] in ("2021.1", "2024.2"):
            continue
        a_bits, b_bits = (int(width) for width in widths.groups())
        if min(a_bits, b_bits) < 5 or max(a_bits, b_bits) >= 18:
            continue
        assert takes_dsp(a_bits, b_bits) == (int(row["DSP"]) > 0), row["op"]


@pytest.mark.parametrize(("a_bits", "b_bits", "lut"), [(8, 8, 40), (5, 6, 23), (5, 8, 40), (8, 10, 62)])
def test_fabric_multipliers_cost_the_luts_of_the_reports(a_bits, b_bits, lut):
    assert lut_per_multiplication(a_bits, b_bits) == pytest.approx(lut, rel=0.05)


def test_a_sub_byte_weight_keeps_the_multiplier_of_a_wide_value_small():
    assert lut_per_multiplication(23, 4) == 23 * 4


def test_luts_and_ffs_of_resource_convolutions_lie_near_the_reports(stock_convolutions, backend_of):
    errors = {"lut": [], "ff": []}
    for row, layer in stock_convolutions:
        if not layer.is_unrolled:
            found = layer_resources(layer, backend_of(row))
            errors["lut"].append(abs(found.lut / int(row["LUT"]) - 1))
            errors["ff"].append(abs(found.ff / int(row["FF"]) - 1))
    for kind in errors:
        assert len(errors[kind]) >= 20
        assert median(errors[kind]) < 0.15
        assert max(errors[kind]) < 0.35


def test_luts_of_unrolled_convolutions_lie_near_the_reports(stock_convolutions, backend_of):
    rows = [(row, layer) for row, layer in stock_convolutions if layer.is_unrolled]
    errors = [abs(layer_resources(layer, backend_of(row)).lut / int(row["LUT"]) - 1) for row, layer in rows]
    assert len(errors) >= 30
    assert median(errors) < 0.3


def test_dsps_of_resource_convolutions_are_those_of_the_reports(stock_convolutions, backend_of):
    for row, layer in stock_convolutions:
        if not layer.is_unrolled and row["tool_version"] != "2024.2":
            assert layer_resources(layer, backend_of(row)).dsp == int(row["DSP"])


@pytest.mark.parametrize(
    ("reuse_factor", "multiplier_count", "weight_bits", "blocks"),
    # Rows of layers.csv and memories.csv, one per rule.
    [
        (8, 90, 8, 20),
        (9, 32, 16, 15),
        (64, 5, 16, 3),
        (72, 4, 16, 2),
        (784, 13, 6, 5),
        (3, 576, 16, 256),
        (36, 1, 10, 0),
    ],
)
def test_weight_roms_take_the_brams_of_the_reports(reuse_factor, multiplier_count, weight_bits, blocks):
    layer = replace(
        POINTWISE,
        in_channels=reuse_factor,
        out_channels=multiplier_count,
        reuse_factor=reuse_factor,
        weight_bits=weight_bits,
    )
    assert weight_rom_bram_18k(layer) == blocks


def test_unrolled_layers_have_no_weight_rom():
    assert weight_rom_bram_18k(replace(POINTWISE, reuse_factor=1)) == 0
    assert weight_rom_bram_18k(replace(POINTWISE, strategy="latency")) == 0


def test_fifos_take_the_brams_of_the_reports(synthesis, backend_of):
    rows = [row for row in synthesis("fifos") if not row["part"].startswith(("xcvu13p", "xcu250"))]
    assert len(rows) >= 150
    for row in rows:
        fifo = FifoDesign("stream", int(row["depth"]), int(row["bits"]), channels=1)
        assert fifo_resources(fifo, backend_of(row)).bram_18k == int(row["BRAM_18K"]), row


def test_vivado_makes_a_fifo_per_channel_and_vitis_one_of_all():
    fifo = FifoDesign("stream", depth=100, bits=64 * 4, channels=64)
    assert fifo_resources(fifo, "Vivado").bram_18k == 0
    assert fifo_resources(fifo, "Vitis").bram_18k == 15
    deeper = replace(fifo, depth=200)
    assert fifo_resources(deeper, "Vivado").bram_18k == 64


def test_a_memory_deeper_than_a_bram_is_split_by_bits():
    assert fifo_bram_18k(16900, 32) == 64


def test_requantising_results_costs_luts_per_channel():
    plain, rounding = (layer_resources(replace(POINTWISE, requantises=r), "Vitis").lut for r in (False, True))
    assert rounding == plain + 128 * 100


def test_only_padding_is_free_of_widths_in_vitis():
    pad = replace(POINTWISE, kind="zero_padding", kernel=1, out_height=58, out_width=58, out_channels=64)
    assert layer_resources(pad, "Vitis").lut == 430
    assert layer_resources(pad, "Vivado").lut == 200 + 33 * 64


def test_the_channels_of_a_prelu_share_multipliers():
    prelu = replace(POINTWISE, kind="prelu", in_channels=128, input_bits=14, weight_bits=8, requantises=True)
    assert layer_resources(replace(prelu, reuse_factor=1), "Vitis").dsp == 128
    assert layer_resources(replace(prelu, reuse_factor=32), "Vitis").dsp == 4
