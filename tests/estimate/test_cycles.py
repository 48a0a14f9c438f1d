"""Cycles follow the geometry exactly and the C-synthesis reports closely."""

from dataclasses import replace

import pytest

from qmfn.estimate import LayerDesign
from qmfn.estimate.cycles import cycles_per_frame, pixel_cycles

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


def family_of(row):
    return "Zynq-7000" if row["part"].startswith("xc7z") else "other"


def test_only_pixels_that_complete_a_window_cost_the_reuse_factor():
    assert cycles_per_frame(CONV, "Vitis", "") == 8 * 13 * (36 + 5) + (10 * 15 - 8 * 13) * 4 + 1


def test_a_stride_leaves_fewer_firing_pixels():
    strided = replace(CONV, in_height=9, in_width=9, out_height=4, out_width=4, stride=2)
    assert cycles_per_frame(strided, "Vitis", "") == 16 * 41 + (81 - 16) * 4 + 1


def test_a_reuse_factor_beyond_the_multiplications_costs_no_more_than_all_of_them():
    depthwise = replace(CONV, kind="depthwise", out_channels=1, reuse_factor=36)
    assert pixel_cycles(depthwise, "Vitis", "") == (9 + 5, 4)


def test_resource_convolutions_take_the_cycles_of_vitis_reports_exactly(stock_convolutions, backend_of):
    checked = 0
    for row, layer in stock_convolutions:
        if layer.is_unrolled or backend_of(row) != "Vitis":
            continue
        fires, idle = pixel_cycles(layer, "Vitis", family_of(row))
        assert layer.input_pixels * fires + 1 == int(row["ii_max"])
        assert layer.input_pixels * idle + 1 == int(row["ii_min"])
        checked += 1
    assert checked >= 10


def test_resource_convolutions_take_the_cycles_of_vivado_reports_within_a_cycle_per_pixel(
    stock_convolutions, backend_of
):
    checked = 0
    for row, layer in stock_convolutions:
        # Virtex-7 lies between the two families that the rule knows.
        if layer.is_unrolled or backend_of(row) != "Vivado" or row["part"].startswith("xc7v"):
            continue
        fires, _ = pixel_cycles(layer, "Vivado", family_of(row))
        assert abs(layer.input_pixels * fires + 1 - int(row["ii_max"])) <= layer.input_pixels
        checked += 1
    assert checked >= 7


def test_padding_takes_the_cycles_of_the_reports_exactly(synthesis, backend_of):
    rows = [r for r in synthesis("other_layers") if r["stock"] == "yes" and r["kind"] == "zeropad2d_cl"]
    assert len(rows) >= 10
    for row in rows:
        layer = LayerDesign(
            "pad",
            "zero_padding",
            *(int(row[c]) for c in ("in_h", "in_w", "in_c", "out_h", "out_w", "out_c")),
            16,
            16,
        )
        assert cycles_per_frame(layer, backend_of(row), family_of(row)) == int(row["ii_max"])


@pytest.mark.parametrize("kind", ["prelu", "activation", "add", "clone"])
def test_layers_without_a_window_take_one_cycle_per_pixel(kind):
    layer = replace(CONV, kind=kind, kernel=1, reuse_factor=1)
    assert layer.input_pixels <= cycles_per_frame(layer, "Vitis", "") <= layer.input_pixels + 4
