"""Cycles follow the geometry exactly and the C-synthesis reports closely."""

from dataclasses import replace

import pytest

from qmfn.devices import find_device
from qmfn.devices.tools import Tool, tool_for
from qmfn.resources.coefficients import Delays
from qmfn.stock import LayerDesign
from qmfn.stock.cycles import cycles_per_frame, first_output_cycles, hls_latency, pixel_cycles, product_stages

CONV = LayerDesign(
    name="conv1",
    kind="conv",
    in_height=10,
    in_width=15,
    in_channels=1,
    out_height=8,
    out_width=13,
    out_channels=4,
    kernel=3,
    reuse_factor=36,
    input_bits=16,
    weight_bits=10,
    accumulator_bits=15,
    result_bits=16,
)
VITIS = tool_for("Vitis")
BIG = find_device("xcvu13p")
SLOW = 25.0
DELAYS = Delays({"slow 7 series": 20.0, "fast 7 series": 13.5, "UltraScale": 8.0}, adder=0.15)


def frame(layer, fitted, clock_ns=SLOW):
    return cycles_per_frame(layer, VITIS, BIG, clock_ns, fitted)


def test_only_pixels_that_complete_a_window_cost_the_reuse_factor(fitted):
    assert frame(CONV, fitted) == 8 * 13 * (36 + 5) + (10 * 15 - 8 * 13) * 4 + 1


def test_hls_lets_every_pixel_complete_a_window(fitted):
    assert hls_latency(CONV, VITIS, BIG, SLOW, fitted) == 10 * 15 * (36 + 5) + 1


def test_a_stride_leaves_fewer_firing_pixels(fitted):
    strided = replace(CONV, in_height=9, in_width=9, out_height=4, out_width=4, stride=2)
    assert frame(strided, fitted) == 16 * 41 + (81 - 16) * 4 + 1


def test_a_reuse_factor_beyond_the_multiplications_costs_no_more_than_all_of_them():
    depthwise = replace(CONV, kind="depthwise", out_channels=1, reuse_factor=36)
    assert pixel_cycles(depthwise, VITIS, BIG, SLOW, DELAYS) == (9 + 5, 4)


def test_a_faster_clock_needs_more_stages():
    stages = [product_stages(CONV, VITIS, BIG, clock_ns, DELAYS) for clock_ns in (25.0, 5.0, 2.5)]
    assert stages == [1, 3, 5]


def test_an_older_family_needs_more_stages():
    parts = ("xcvu13p", "xc7vx690t", "xc7z020")
    stages = [product_stages(CONV, tool_for("Vivado"), find_device(part), 5.0, DELAYS) for part in parts]
    assert stages == [2, 4, 5]


def test_the_adder_tree_of_fabric_products_is_one_level_higher():
    tree = replace(CONV, reuse_factor=3, weight_bits=10)
    fabric = replace(tree, weight_bits=4)
    slow = Delays({"UltraScale": 8.0}, adder=1.0)
    assert product_stages(tree, VITIS, BIG, 8 / 0.73, slow) == 2  # 1 + log2(3) - 1
    assert product_stages(fabric, VITIS, BIG, 8 / 0.73, slow) == 3  # 0.6 + log2(3)


def test_padding_takes_the_cycles_of_the_reports_exactly(samples, fitted):
    padding = [sample for sample in samples if sample.group == "padding"]
    assert len(padding) >= 10
    for s in padding:
        assert hls_latency(s.layer, s.tool, s.device, s.clock_ns, fitted) == s.real["latency"]


@pytest.mark.parametrize("kind", ["prelu", "activation", "add", "clone"])
def test_layers_without_a_window_take_one_cycle_per_pixel(kind, fitted):
    layer = replace(CONV, kind=kind, kernel=1, reuse_factor=1)
    assert layer.input_pixels <= frame(layer, fitted) <= layer.input_pixels + 4


def test_a_dense_layer_collects_its_beats_first(fitted):
    dense = replace(CONV, kind="dense", in_height=1, in_width=1, in_channels=64, out_height=1, out_width=1)
    beats = replace(dense, in_width=16, in_channels=4)
    assert frame(beats, fitted) - frame(dense, fitted) == 16 + 4


def test_the_window_of_hls4ml_0_7_moves_value_by_value():
    old = Tool("Vivado", "2020.1", "0.7.1")
    wide = replace(CONV, in_channels=4, out_channels=8)
    assert pixel_cycles(wide, old, BIG, SLOW, DELAYS)[1] == 36 - 2.5


def test_the_first_output_of_a_convolution_waits_for_its_first_window(fitted):
    first = first_output_cycles([CONV], VITIS, BIG, SLOW, fitted)[0]
    assert 2 * 15 + 3 <= first < 4 * (2 * 15 + 3) + 60


def test_first_outputs_come_one_after_the_other(fitted):
    pool = replace(CONV, kind="depthwise", in_height=8, in_width=13, kernel=8, in_channels=4, out_height=1, out_width=6)
    first = first_output_cycles([CONV, replace(CONV, kind="prelu", kernel=1), pool], VITIS, BIG, SLOW, fitted)
    assert first == sorted(first)
    assert first[-1] > frame(CONV, fitted) / 2  # an 8-row window of what CONV makes row by row
