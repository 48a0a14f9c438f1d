"""Estimated clock cycles per frame of stock hls4ml io_stream layers.

Pure functions of a `LayerDesign`, the backend and the device family; nothing here looks at a graph. A layer
reads one pixel (all channels) per beat. The constants come from the C-synthesis reports collected in
`synthesis/layers.csv` and `synthesis/other_layers.csv` of the shared data (loop iteration latencies
`loop_iter_lat`, initiation intervals `ii_max`); what was not in them (add, clone, PReLU, pointwise with the
Resource strategy) is taken to behave like its nearest relative.
"""

from __future__ import annotations

from qmfn.estimate.design import CONVOLUTIONS, LayerDesign

FIRING_OVERHEAD = {"Vitis": 5, "Vivado": 6, "Vivado Zynq-7000": 11}
"""Cycles beyond the reuse factor when a pixel completes a window (seen: 5; UltraScale+ 5-6; Zynq-7 11-12)."""

IDLE_CYCLES = {"Vitis": 4, "Vivado": 3, "Vivado Zynq-7000": 5}
"""Cycles of a pixel that only moves into the line buffer."""

UNROLLED_INTERVAL = {"Vitis": 3, "Vivado": 1, "Vivado Zynq-7000": 1}
"""Initiation interval of the pixel loop at reuse factor 1 (seen in Vitis: 2-6, mostly 3)."""

LATENCY_OVERHEAD = 3
"""Cycles beyond the reuse factor of the pixel loop with the Latency strategy (seen: 2-3)."""

STREAM_OVERHEAD = {"Vitis": 2, "Vivado": 4, "Vivado Zynq-7000": 4}
"""Pipeline depth of one-pixel-per-cycle loops such as ReLU (seen: Vitis 0-2, Vivado 2-4)."""

PADDING_OVERHEAD = {"Vitis": 13, "Vivado": 3, "Vivado Zynq-7000": 3}
"""Cycles of ZeroPadding2D beyond one per output pixel: exact in every stock row with padding 1."""


def cycles_per_frame(layer: LayerDesign, backend: str, family: str) -> int:
    """Estimated clock cycles between two frames in one layer, when neither input nor output makes it wait."""
    tool = _tool(backend, family)
    if layer.kind in CONVOLUTIONS:
        fires, idle = pixel_cycles(layer, backend, family)
        firing = layer.output_pixels
        return firing * fires + (layer.input_pixels - firing) * idle + 1
    if layer.kind == "zero_padding":
        return layer.output_pixels + PADDING_OVERHEAD[tool]
    # A PReLU takes a pixel every reuse-factor cycles; the others have a reuse factor of 1.
    return layer.input_pixels * layer.reuse_factor + STREAM_OVERHEAD[tool]


def pixel_cycles(layer: LayerDesign, backend: str, family: str) -> tuple[int, int]:
    """Cycles of an input pixel of a convolution: (when it completes a window, when it does not).

    Every output pixel is fired by exactly one input pixel, so a frame costs out pixels * first + the rest *
    second. HLS itself reports a maximum that lets every input pixel fire; `test_cycles.py` checks the first
    value against that.

    An unrolled loop is pipelined and costs the same for every pixel. With the Latency strategy and a reuse
    factor above 1 that is an upper bound: HLS finds a shorter interval where many weights are zero or powers
    of two.
    """
    tool = _tool(backend, family)
    reuse_factor = min(layer.reuse_factor, layer.multiplications)
    if reuse_factor == 1:
        return UNROLLED_INTERVAL[tool], UNROLLED_INTERVAL[tool]
    if layer.is_unrolled:
        return reuse_factor + LATENCY_OVERHEAD, reuse_factor + LATENCY_OVERHEAD
    return reuse_factor + FIRING_OVERHEAD[tool], IDLE_CYCLES[tool]


def _tool(backend: str, family: str) -> str:
    return "Vivado Zynq-7000" if (backend, family) == ("Vivado", "Zynq-7000") else backend
