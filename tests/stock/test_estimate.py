"""The estimate of a whole design is complete, fast and fit for JSON."""

import json
import time

import pytest

from qmfn.errors import UserError
from qmfn.stock import Design, FifoDesign, LayerDesign, estimate

LAYER_KEYS = {
    "layer", "kind", "reuse_factor", "multipliers", "cycles", "hls_latency_cycles", "first_output_cycles",
    "lut", "ff", "dsp", "bram_18k", "uram", "weight_bits", "activation_bits", "accumulator_bits", "band",
    "post_synthesis",
}  # fmt: skip
KINDS = ("lut", "ff", "dsp", "bram_18k", "uram")


def conv(name: str, reuse_factor: int) -> LayerDesign:
    return LayerDesign(
        name=name,
        kind="pointwise",
        in_height=14,
        in_width=14,
        in_channels=128,
        out_height=14,
        out_width=14,
        out_channels=256,
        reuse_factor=reuse_factor,
        input_bits=4,
        weight_bits=4,
        accumulator_bits=15,
        result_bits=4,
        weights=128 * 256,
        requantises=True,
    )


def design(layers: int = 3, part: str = "xczu7ev-ffvc1156-2-e") -> Design:
    return Design(
        name="small",
        backend="Vitis",
        part=part,
        clock_period_ns=5.0,
        io_type="io_stream",
        layers=tuple(conv(f"layer{i}", 64 * (i + 1)) for i in range(layers)),
        fifos=(FifoDesign("layer0_out", 196, 1024, 256),) * (layers - 1),
    )


def test_the_slowest_layer_sets_the_frame_rate():
    found = estimate(design())
    assert found.bottleneck == "layer2"
    assert 196 * 192 < found.interval_cycles < 196 * 202
    assert found.frames_per_second == pytest.approx(200e6 / found.interval_cycles)
    assert found.latency_cycles < found.interval_cycles  # a pointwise layer answers its first pixel


def test_totals_are_layers_plus_fifos_and_shares_are_of_the_device():
    found = estimate(design())
    layers = sum(layer.bram_18k for layer in found.layers)
    assert found.total["bram_18k"] == layers + 2 * 57
    assert found.available["lut"] == 230_400
    assert found.share["lut"] == found.total["lut"] / 230_400


def test_a_device_without_uram_has_no_share_of_it_used():
    assert estimate(design(part="xczu9eg-ffvb1156-2-e")).share["uram"] == 0


def test_weight_bits_are_the_storage_of_the_layer():
    layer = estimate(design()).layers[0]
    assert (layer.weight_bits, layer.activation_bits, layer.accumulator_bits) == (128 * 256 * 4, 4, 15)


def test_the_report_sections_are_json_with_the_agreed_keys():
    sections = json.loads(json.dumps(estimate(design()).report_sections()))
    assert set(sections) == {"estimate", "fifo"}
    assert sections["fifo"] == {"count": 2, "bits": 2 * 196 * 1024}
    assert set(sections["estimate"]["layers"][0]) == LAYER_KEYS
    assert set(sections["estimate"]) == {
        "tool", "layers", "total", "band", "post_synthesis", "available", "share", "share_high", "fits",
        "interval_cycles", "latency_cycles", "frames_per_second", "bottleneck", "clock_mhz",
    }  # fmt: skip
    assert set(sections["estimate"]["layers"][0]["post_synthesis"]) == {"expected", "band"}


def test_an_estimate_lies_in_its_band():
    found = estimate(design())
    for kind in KINDS:
        low, high = found.band[kind]
        assert low <= found.total[kind] <= high
        for layer in found.layers:
            assert layer.band[kind][0] <= getattr(layer, kind) <= layer.band[kind][1]
    assert found.band["lut"][0] < found.total["lut"] < found.band["lut"][1]


def test_post_synthesis_is_less_lut_than_c_synthesis():
    found = estimate(design())
    low, high = found.post_synthesis.band["lut"]
    assert low < found.post_synthesis.expected["lut"] < high
    assert found.post_synthesis.expected["lut"] < found.total["lut"]


def test_the_verdict_uses_the_high_end_of_the_band():
    found = estimate(design(part="xc7z020"))
    kinds = [kind for kind in KINDS if found.band[kind][1] > found.available[kind]]
    assert found.fits == (not kinds)
    assert found.share_high["lut"] == found.band["lut"][1] / 53_200
    between = estimate(design(layers=2, part="xcku040"))
    assert between.share["lut"] < 1 < between.share_high["lut"]
    assert not between.fits


def test_the_tool_version_can_be_given():
    assert estimate(design(), "2022.2").tool == "Vitis HLS 2022.2"
    with pytest.raises(UserError, match="newest"):
        estimate(design(), "newest")


def test_a_design_without_layers_is_refused():
    with pytest.raises(UserError, match="no layers"):
        estimate(design(layers=0))


def test_an_unknown_part_is_an_error_of_the_user():
    with pytest.raises(UserError, match="xc7q999"):
        estimate(design(part="xc7q999"))


def test_a_network_of_mobilefacenets_size_takes_well_under_two_seconds():
    start = time.process_time()  # other work on the machine doesn't stretch it
    estimate(design(layers=150))
    assert time.process_time() - start < 0.5
