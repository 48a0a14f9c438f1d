"""Estimated clock cycles of stock hls4ml layers: per frame, to the first output, and as HLS itself reports them.

Pure functions of a `LayerDesign`, the tool and the device; nothing here looks at a graph. A layer reads one pixel (all
channels) per beat. State counts (the constants) are read from the loop tables of the reports in `synthesis/layers.csv`
and `synthesis/other_layers.csv` of the shared data and from the loops of hls4ml's `nnet_utils`; delays are fitted
(`coefficients.json`).

HLS's own maximum latency assumes that every input pixel completes a window. `hls_latency` estimates that number, which
reports can be compared with; `cycles_per_frame` counts the pixels that really do. Add, clone and PReLU are in no
report and taken to behave like the ReLU, pointwise and depthwise convolutions with the Resource strategy like the
standard one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

from qmfn.devices.table import Device
from qmfn.devices.tools import Tool
from qmfn.resources.arithmetic import takes_dsp
from qmfn.resources.coefficients import Coefficients, Delays
from qmfn.stock.design import CONVOLUTIONS, LayerDesign

SPEED_CLASS = {
    "Zynq-7000": "slow 7 series",
    "Artix-7": "slow 7 series",
    "Virtex-7": "fast 7 series",
    "Kintex UltraScale": "UltraScale",
    "Zynq UltraScale+": "UltraScale",
    "Virtex UltraScale+": "UltraScale",
}
"""Device family -> class with one delay."""

FABRIC_DELAY = 0.6
"""Delay of an 8 x 8 bit product in fabric / that of a DSP: fewer stages in the same clock."""

IDLE_CYCLES = {"Vitis": 4, "Vivado": 3}
"""Cycles of a pixel that only moves into the line buffer; Vivado takes 5 on Zynq-7000."""

FIRING_STATES = {"Vitis": 0, "Vivado": 0.5}
"""States around the reuse loop of a pixel that completes a window, beyond the idle ones; Vivado takes 0 or 1."""

SERIAL_SHIFT_OVERLAP = 2.5
"""hls4ml 0.7 moves its window value by value: 6 cycles for 9 values, 34 for 36 (one repository)."""

DENSE_STATES = {"Vitis": 0, "Vivado": 2}
"""States around the reuse loop of a dense layer."""

BEAT_STATES = {"Vitis": 4, "Vivado": 2}
"""States of the loop that collects the inputs of a dense layer, where they arrive in several beats."""

UNROLLED_INTERVAL = {"Vitis": 2, "Vivado": 1}
"""Initiation interval of the pixel loop at reuse factor 1 when the sum takes one stage."""

UNROLLED_DELAYS = 3.5, 0.8
"""ns of the product of an unrolled layer, and of each level of its adder tree."""

LATENCY_OVERHEAD = 3
"""Cycles beyond the reuse factor of the pixel loop with the Latency strategy (seen: 2-3)."""

STREAM_OVERHEAD = {"Vitis": 2, "Vivado": 4}
"""Pipeline depth of one-pixel-per-cycle loops such as ReLU (seen: Vitis 0-2, Vivado 2-4)."""

PADDING_OVERHEAD = {"Vitis": 13, "Vivado": 3}
"""Cycles of ZeroPadding2D beyond one per output pixel: exact in every stock row with padding 1."""


def cycles_per_frame(layer: LayerDesign, tool: Tool, device: Device, clock_ns: float, fitted: Coefficients) -> int:
    """Clock cycles between two frames in one layer, when neither input nor output makes it wait."""
    if layer.kind in CONVOLUTIONS:
        fires, idle = pixel_cycles(layer, tool, device, clock_ns, fitted.delays)
        return ceil(layer.output_pixels * fires + (layer.input_pixels - layer.output_pixels) * idle) + 1
    return hls_latency(layer, tool, device, clock_ns, fitted)


def hls_latency(layer: LayerDesign, tool: Tool, device: Device, clock_ns: float, fitted: Coefficients) -> int:
    """The maximum latency in cycles that the C-synthesis report of the layer states."""
    if layer.kind in CONVOLUTIONS:
        fires, _ = pixel_cycles(layer, tool, device, clock_ns, fitted.delays)
        return round(layer.input_pixels * fires) + 1
    if layer.kind == "dense":
        return dense_cycles(layer, tool, device, clock_ns, fitted.delays)
    if layer.kind == "zero_padding":
        return layer.output_pixels + PADDING_OVERHEAD[tool.backend]
    # A PReLU takes a pixel every reuse-factor cycles; the others have a reuse factor of 1.
    return layer.input_pixels * layer.reuse_factor + STREAM_OVERHEAD[tool.backend]


def pixel_cycles(
    layer: LayerDesign, tool: Tool, device: Device, clock_ns: float, delays: Delays
) -> tuple[float, float]:
    """Cycles of an input pixel of a convolution: (when it completes a window, when it does not).

    Every output pixel is fired by exactly one input pixel. An unrolled loop is pipelined and costs the same for every
    pixel; with the Latency strategy and a reuse factor above 1 that is an upper bound, because HLS finds a shorter
    interval where many weights are zero or powers of two.
    """
    reuse_factor = min(layer.reuse_factor, layer.multiplications)
    if reuse_factor == 1:
        interval = UNROLLED_INTERVAL[tool.backend] + max(0, _unrolled_stages(layer, tool, clock_ns) - 2)
        return interval, interval
    if layer.is_unrolled:
        return reuse_factor + LATENCY_OVERHEAD, reuse_factor + LATENCY_OVERHEAD
    idle = idle_cycles(layer, tool, device)
    stages = product_stages(layer, tool, device, clock_ns, delays)
    return reuse_factor + idle + FIRING_STATES[tool.backend] * (not tool.shifts_window_serially) + stages, idle


def idle_cycles(layer: LayerDesign, tool: Tool, device: Device) -> float:
    """Cycles of a pixel of a Resource convolution that only moves into the line buffer."""
    if tool.shifts_window_serially:
        return layer.window - SERIAL_SHIFT_OVERLAP
    return 5 if (tool.backend, device.family) == ("Vivado", "Zynq-7000") else IDLE_CYCLES[tool.backend]


def dense_cycles(layer: LayerDesign, tool: Tool, device: Device, clock_ns: float, delays: Delays) -> int:
    """Latency of a dense layer: collect the beats, then one pass of the reuse loop."""
    if layer.reuse_factor == 1:
        return max(0, _unrolled_stages(layer, tool, clock_ns) - 1)
    around = 0 if layer.io_type == "io_parallel" else DENSE_STATES[tool.backend]
    beats = layer.input_pixels + BEAT_STATES[tool.backend] if layer.input_pixels > 1 else 0
    return layer.reuse_factor + around + beats + product_stages(layer, tool, device, clock_ns, delays)


def product_stages(layer: LayerDesign, tool: Tool, device: Device, clock_ns: float, delays: Delays) -> int:
    """Pipeline stages of one pass: product and adder tree over what a clock period has room for.

    A DSP has an adder behind its multiplier, so the tree of products in DSPs is one level lower.
    """
    levels = log2(max(1, ceil(layer.multipliers / layer.out_channels)))
    in_dsp = takes_dsp(layer.input_bits, layer.weight_bits)
    tree = delays.adder * (max(0, levels - 1) if in_dsp else levels)
    product = 1 if in_dsp else FABRIC_DELAY
    return max(1, ceil((product + tree) * product_periods(tool, device, clock_ns, delays) - 1e-9))


def product_periods(tool: Tool, device: Device, clock_ns: float, delays: Delays) -> float:
    """Delay of a product in a DSP in usable clock periods."""
    return delays.product[SPEED_CLASS[device.family]] / (clock_ns * (1 - tool.clock_uncertainty))


def _unrolled_stages(layer: LayerDesign, tool: Tool, clock_ns: float) -> int:
    product, level = UNROLLED_DELAYS
    return ceil((product + level * log2(layer.window)) / (clock_ns * (1 - tool.clock_uncertainty)))


def first_output_cycles(
    layers: Sequence[LayerDesign], tool: Tool, device: Device, clock_ns: float, fitted: Coefficients
) -> list[int]:
    """Cycles from the first input beat of the design to the first output beat of each layer, in dataflow order.

    Every layer of a MobileFaceNet lies on the longest path: a residual shortcut is there before the branch that it
    waits for. A layer gets its pixels at the pace of the slowest layer before it and needs those of its first window.
    """
    first, pace, found = 0.0, 1.0, []
    for layer in layers:
        cycles = cycles_per_frame(layer, tool, device, clock_ns, fitted)
        first += (_pixels_of_first_output(layer) - 1) * max(pace, _idle(layer, tool, device, clock_ns, fitted.delays))
        first += cycles / layer.output_pixels if layer.kind in CONVOLUTIONS else STREAM_OVERHEAD[tool.backend]
        if layer.kind == "dense":
            first += layer.reuse_factor
        pace = max(pace * layer.input_pixels, cycles) / layer.output_pixels
        found.append(ceil(first))
    return found


def _pixels_of_first_output(layer: LayerDesign) -> int:
    """Input pixels up to the one that completes the first window; zero padding waits for nothing."""
    if layer.kind in CONVOLUTIONS:
        return (layer.rows - 1) * layer.in_width + layer.kernel
    return layer.input_pixels if layer.kind == "dense" else 1


def _idle(layer: LayerDesign, tool: Tool, device: Device, clock_ns: float, delays: Delays) -> float:
    return pixel_cycles(layer, tool, device, clock_ns, delays)[1] if layer.kind in CONVOLUTIONS else 1
