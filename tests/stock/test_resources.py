"""Resource rules agree with the C-synthesis reports that they were read from."""

import re
from dataclasses import replace

import pytest

from qmfn.devices import find_device
from qmfn.devices.memory import fifo_bram, line_buffer, lutram_luts, ramb18, uram, weight_rom_bram
from qmfn.devices.tools import Tool, tool_for
from qmfn.resources.arithmetic import (
    dsp_per_multiplication,
    fused_products_dsp,
    lut_per_multiplication,
    sum_bits,
    takes_dsp,
)
from qmfn.stock import FifoDesign, LayerDesign
from qmfn.stock.resources import bram_count, dsp_count, fifo_resources, group_of, known_part, layer_resources

VITIS, VIVADO = tool_for("Vitis"), tool_for("Vivado")
DEVICE = find_device("xczu7ev")
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


def resources(layer, fitted, tool=VITIS):
    return layer_resources(layer, tool, DEVICE, 5.0, fitted)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (POINTWISE, 64 * 128 // 64),
        (replace(POINTWISE, kind="conv", kernel=3, in_channels=3), 54),
        (replace(POINTWISE, kind="conv", kernel=3, in_channels=3, reuse_factor=100), 35),
        (DEPTHWISE, 9 * 128 // 12),
        (replace(POINTWISE, kind="prelu", in_channels=128, reuse_factor=16), 8),
        (replace(POINTWISE, kind="dense", in_height=1, in_width=1), 128),
        (replace(POINTWISE, kind="add"), 0),
    ],
)
def test_multipliers_are_multiplications_per_pixel_over_the_reuse_factor(layer, expected):
    assert layer.multipliers == expected


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


@pytest.mark.parametrize(("multipliers", "chains", "dsp"), [(10, 5, 5), (5, 1, 3), (6, 6, 6), (7, 2, 4)])
def test_vitis_2024_2_fuses_every_second_narrow_product_of_a_chain(multipliers, chains, dsp):
    assert fused_products_dsp(multipliers, chains) == dsp


def test_only_vitis_2024_2_puts_narrow_products_into_dsps(fitted):
    layer = replace(POINTWISE, input_bits=6, weight_bits=6)
    assert dsp_count(layer, VITIS, fitted) == 0
    assert dsp_count(layer, tool_for("Vitis", "2024.2"), fitted) == 128


def test_a_sum_is_no_wider_than_its_products_make_it():
    assert sum_bits(8, 8, 9, limit=32) == 20
    assert sum_bits(8, 8, 9, limit=16) == 16


@pytest.mark.parametrize(("depth", "width", "blocks"), [(512, 36, 1), (513, 36, 2), (1024, 19, 2), (16384, 1, 1)])
def test_a_memory_takes_the_block_rams_of_its_best_shape(depth, width, blocks):
    assert ramb18(depth, width) == blocks


@pytest.mark.parametrize(("depth", "width", "blocks"), [(4096, 72, 1), (4097, 72, 2), (1, 73, 2)])
def test_ultraram_is_4096_by_72(depth, width, blocks):
    assert uram(depth, width) == blocks


def test_distributed_ram_is_64_bits_per_lut():
    assert (lutram_luts(64, 8), lutram_luts(65, 8)) == (8, 16)


def test_weight_roms_take_the_brams_of_the_reports(layer_samples):
    rows = [s for s in layer_samples if s.group == "resource" and s.layer.kernel_rows is None]
    assert len(rows) >= 80
    for s in rows:
        # Of wide weights HLS drops bits that are the same in all of them: 3,200 x 32 of 20 bits in 124 blocks.
        assert bram_count(s.layer, s.tool) == pytest.approx(s.real["bram_18k"], rel=0.03, abs=1), s


def test_a_small_rom_stays_in_lut_unless_it_is_pinned_to_block_ram():
    assert weight_rom_bram(36, 10, pinned=False) == 0
    assert weight_rom_bram(36, 10, pinned=True) == 1
    assert not Tool("Vivado", "2019.2", "0.8.1").asks_for_rom
    assert VITIS.asks_for_rom and Tool("Vivado", "2019.1", "1.2.0").asks_for_rom


def test_unrolled_layers_have_no_weight_rom():
    assert bram_count(replace(POINTWISE, reuse_factor=1), VITIS) == 0
    assert bram_count(replace(POINTWISE, strategy="latency"), VITIS) == 0


def test_line_buffers_take_what_the_reports_say(synthesis):
    rows = [
        row
        for row in synthesis("memories")
        if row["kind"] == "conv2d" and row["tool"] == "Vivado HLS" and int(row["bits"]) >= 8 and row["strategy"]
        and (int(row["LUT"]), int(row["FF"])) in ((32, 64), (64, 64), (4, 0), (16, 0))
    ]  # fmt: skip
    assert len(rows) >= 5
    for row in rows:
        found = line_buffer(int(row["words"]), int(row["bits"]), 1, find_device(row["part"]).family)
        assert found == (int(row["LUT"]), int(row["FF"])), row


def test_fifos_take_the_brams_of_the_reports(synthesis):
    rows = [row for row in synthesis("fifos") if not row["part"].startswith(("xcvu13p", "xcu250"))]
    assert len(rows) >= 150
    for row in rows:
        fifo = FifoDesign("stream", int(row["depth"]), int(row["bits"]), channels=1)
        tool = tool_for(row["tool"].removesuffix(" HLS"))
        assert fifo_resources(fifo, tool).bram_18k == int(row["BRAM_18K"]), row


def test_vivado_makes_a_fifo_per_channel_and_vitis_one_of_all():
    fifo = FifoDesign("stream", depth=100, bits=64 * 4, channels=64)
    assert fifo_resources(fifo, VIVADO).bram_18k == 0
    assert fifo_resources(fifo, VITIS).bram_18k == 15
    assert fifo_resources(replace(fifo, depth=200), VIVADO).bram_18k == 64


def test_a_fifo_deeper_than_a_bram_is_split_by_bits():
    assert fifo_bram(16900, 32) == 64


def test_requantising_results_costs_luts_per_channel_and_dropped_bit(fitted):
    plain = resources(replace(POINTWISE, result_bits=4), fitted).lut
    rounding = resources(replace(POINTWISE, result_bits=4, requantises=True), fitted).lut
    assert rounding - plain > 128 * 10


def test_more_multipliers_and_wider_values_never_cost_less(fitted):
    for cheaper, dearer in (
        (POINTWISE, replace(POINTWISE, reuse_factor=32)),
        (POINTWISE, replace(POINTWISE, input_bits=6)),
        (POINTWISE, replace(POINTWISE, in_channels=128)),
    ):
        before, after = resources(cheaper, fitted), resources(dearer, fitted)
        assert before.lut < after.lut and before.ff < after.ff


def test_coefficients_are_not_negative(fitted):
    for group in fitted.terms.values():
        for terms in group.values():
            assert min(terms.values()) >= 0


def test_a_window_is_in_registers_once():
    _, ff = known_part(replace(DEPTHWISE, in_width=32), VITIS, DEVICE)
    assert ff == 9 * 128 * 4 + 2 * 128 * 64


def test_groups_follow_strategy_and_reuse_factor():
    assert group_of(POINTWISE) == "resource"
    assert group_of(replace(POINTWISE, reuse_factor=1)) == group_of(replace(POINTWISE, strategy="latency"))
    assert group_of(replace(POINTWISE, kind="prelu")) == "stream"


def test_the_channels_of_a_prelu_share_multipliers(fitted):
    prelu = replace(POINTWISE, kind="prelu", in_channels=128, input_bits=14, weight_bits=8, requantises=True)
    assert resources(replace(prelu, reuse_factor=1), fitted).dsp == 128
    assert resources(replace(prelu, reuse_factor=32), fitted).dsp == 4


def test_an_offset_costs_a_prelu_one_adder_per_channel():
    prelu = replace(POINTWISE, kind="prelu", in_channels=128, input_bits=14, weight_bits=8, requantises=True)
    without, _ = known_part(prelu, VITIS, DEVICE)
    found, _ = known_part(replace(prelu, biases=128, bias_bits=4), VITIS, DEVICE)
    assert found - without == 128 * (14 + 8)
