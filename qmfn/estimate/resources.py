"""Estimated LUT, FF, DSP, BRAM_18K and URAM of stock hls4ml io_stream layers and of the FIFOs between them.

Pure functions of a `LayerDesign` or a `FifoDesign`. They follow what C-synthesis *reports* (Vivado HLS
2019-2020, Vitis HLS 2022-2024, `synthesis/*.csv` of the shared data), which is more than what Vivado makes of
it: LUT after synthesis are about 0.46 of these, FF 0.78, DSP the same. A coefficient called *fitted* is a
non-negative least-squares fit of the relative error over the 37 stock streaming Conv2D rows with the Resource
strategy and a reuse factor above 1, or, for unrolled layers, over the 38 others; the median errors given are
of those same rows.

Stock kernels never ask for UltraRAM, so there is no formula for it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil

from qmfn.estimate.design import CONVOLUTIONS, FifoDesign, LayerDesign

REQUANTISATION_LUT = 100
"""LUT to round and saturate one value: slope over the channels, stock ReLU rows with 3 to 6 bits out."""

STREAM_VALUE_LUT = 46
"""LUT to pass one value from stream to stream without rounding (same rows, 16 bits in and out)."""

RAMB18_SHAPES = ((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""(depth, width) that one BRAM_18K can be: UG573, UG473."""


@dataclass(frozen=True)
class Resources:
    """Counts of each kind of FPGA resource."""

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram_18k: int = 0
    uram: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(getattr(self, kind) + getattr(other, kind) for kind in RESOURCE_KINDS))


RESOURCE_KINDS = tuple(field.name for field in fields(Resources))


def layer_resources(layer: LayerDesign, backend: str) -> Resources:
    """All resources of one layer, weights included, its output FIFO not."""
    if layer.kind in CONVOLUTIONS:
        return Resources(
            lut=multiplier_lut(layer)
            + accumulator_lut(layer)
            + line_buffer_lut(layer)
            + requantisation_lut(layer),
            ff=convolution_ff(layer),
            dsp=multiplier_dsp(layer),
            bram_18k=weight_rom_bram_18k(layer),
        )
    return Resources(lut=stream_lut(layer, backend), ff=stream_ff(layer), dsp=multiplier_dsp(layer))


def multipliers(layer: LayerDesign) -> int:
    """Multipliers M = ceil(multiplications per output pixel / reuse factor).

    Multiplications are k*k*C_in*C_out of a convolution, k*k*C of a depthwise one
    (`nnet_depthwise_product.h`), C of a PReLU.
    """
    return ceil(layer.multiplications / layer.reuse_factor)


def built_multipliers(layer: LayerDesign) -> int:
    """Multipliers that need hardware: where weights are constants, those of zero weights fall away."""
    if layer.kind in CONVOLUTIONS and layer.is_unrolled:
        return ceil((layer.multiplications - layer.zero_weights) / layer.reuse_factor)
    return multipliers(layer)


def takes_dsp(a_bits: int, b_bits: int) -> bool:
    """Whether HLS puts an a x b bit multiplication into a DSP: iff max(a, b) >= 11 and min(a, b) >= 5.

    No counter-example in 79 k operators of Vivado HLS 2019-2020 and Vitis HLS 2022-2023; Vitis HLS 2024.2
    uses DSPs for narrower ones, too.
    """
    return max(a_bits, b_bits) >= 11 and min(a_bits, b_bits) >= 5


def dsp_per_multiplication(a_bits: int, b_bits: int) -> int:
    """DSP slices of one multiplication: tiles of the DSP48E2's 27 x 18 bits (UG579), or 0 for fabric."""
    if not takes_dsp(a_bits, b_bits):
        return 0
    return ceil(max(a_bits, b_bits) / 27) * ceil(min(a_bits, b_bits) / 18)


def lut_per_multiplication(a_bits: int, b_bits: int) -> float:
    """LUT of one multiplication in fabric, or 0 for one in a DSP.

    0.62 * max(a, b)^2 for operands of similar width (`multipliers.csv`, up to 10 bits), but no more than a *
    b, one adder per bit of the narrower operand, which matters when a wide value meets a sub-byte weight.
    """
    return 0.0 if takes_dsp(a_bits, b_bits) else min(0.62 * max(a_bits, b_bits) ** 2, a_bits * b_bits)


def multiplier_dsp(layer: LayerDesign) -> int:
    return built_multipliers(layer) * dsp_per_multiplication(layer.input_bits, layer.weight_bits)


def multiplier_lut(layer: LayerDesign) -> int:
    return round(built_multipliers(layer) * lut_per_multiplication(layer.input_bits, layer.weight_bits))


def accumulator_lut(layer: LayerDesign) -> int:
    """LUT of the adders, of the multiplexers that feed the multipliers, and of the window of values.

    Resource: every multiplier has an adder as wide as the accumulator and a multiplexer over min(RF, window)
    inputs. Unrolled: every weight that is not zero has its adder, shared or not. Both: 20 per value of the
    window, because HLS counts a two-input multiplexer as 9 LUT whatever its width. Fitted; the median error
    of the whole layer's LUT is 11 % (Resource, largest 30 %) and 24 % (unrolled).
    """
    window = 20 * layer.window
    if layer.is_unrolled:
        adders = layer.multiplications - layer.zero_weights
        return round(1.2 * adders * layer.accumulator_bits + window + 785)
    selected = min(layer.reuse_factor, layer.window) * layer.input_bits
    return round(multipliers(layer) * (2.6 * layer.accumulator_bits + 0.17 * selected) + window + 675)


def shift_registers(layer: LayerDesign) -> int:
    """`ap_shift_reg` line buffers: one per channel and stored row, (k-1) * C_in, each an image row long."""
    return (layer.kernel - 1) * layer.in_channels


def line_buffer_lut(layer: LayerDesign) -> int:
    """LUT of the line buffers: HLS counts 32 per 32 pixels of row, however wide (`memories.csv`)."""
    return shift_registers(layer) * 32 * ceil(layer.in_width / 32)


def requantisation_lut(layer: LayerDesign) -> int:
    """LUT to bring a pixel's results to a type that rounds or saturates; 0 for one that does neither."""
    return layer.out_channels * REQUANTISATION_LUT if layer.requantises else 0


def convolution_ff(layer: LayerDesign) -> int:
    """FF of a convolution: line buffers (64 each, `memories.csv`), window registers, multiplier operands.

    Fitted; the median error is 9 % (Resource, largest 30 %). Unrolled layers of small windows differ by up to
    2x, since the clock decides how often their adder trees are registered.
    """
    line_buffers = 64 * shift_registers(layer)
    window = layer.window * layer.input_bits
    if layer.is_unrolled:
        return round(line_buffers + 1.6 * window + 323)
    operands = multipliers(layer) * (layer.input_bits + layer.weight_bits)
    return round(line_buffers + 2.3 * window + 1.8 * operands + 320)


def weight_rom_bram_18k(layer: LayerDesign) -> int:
    """BRAM_18K of the weight ROM, which is RF words of M weights.

    Up to RF 512 it is ceil(M * w / 36), above that the best shape; up to 1,024 bits it stays in LUT. The
    second rule fails for small ROMs of Vivado HLS 2019.1 and Vitis HLS 2024.2, which go to BRAM
    (`layers.csv`, `weights_bram`).
    """
    if layer.is_unrolled:
        return 0
    depth, width = layer.reuse_factor, multipliers(layer) * layer.weight_bits
    if depth * width <= 1024:
        return 0
    if depth <= 512:
        return ceil(width / 36)
    return min(ceil(depth / words) * ceil(width / bits) for words, bits in RAMB18_SHAPES[:3])


def stream_lut(layer: LayerDesign, backend: str) -> int:
    """LUT of a layer that works on one pixel per cycle (PReLU, ReLU, add, clone, padding).

    Padding: 430 in Vitis whatever the channels, 200 + 33 per channel in Vivado (`other_layers.csv`). The
    others: 100 of control and, per channel, the handling of a value plus the layer's own multiplier or adder.
    Add, clone and PReLU are in no report, so only the ReLU part of that sum is measured.
    """
    if layer.kind == "zero_padding":
        return 430 if backend == "Vitis" else 200 + 33 * layer.out_channels
    computes = layer.kind in ("prelu", "activation", "add")
    per_value = REQUANTISATION_LUT if computes and layer.requantises else STREAM_VALUE_LUT
    adder = layer.result_bits if layer.kind == "add" else 0
    return 100 + layer.out_channels * (per_value + adder) + multiplier_lut(layer)


def stream_ff(layer: LayerDesign) -> int:
    """FF of a layer that works on one pixel per cycle: one register per bit of a pixel, and 40 of control."""
    return 40 + layer.out_channels * layer.result_bits


def fifo_resources(fifo: FifoDesign, backend: str) -> Resources:
    """Resources of one stream.

    Vivado HLS makes a FIFO per channel, in BRAM iff depth * bits > 512; Vitis HLS one of C * bits, in BRAM
    iff it is deeper than 2 and holds more than 1,024 bits. Widths in BRAM are rounded up to the RAMB18 shape
    of the depth. `fifos.csv` agrees in every row but those of Vitis HLS on xcvu13p and xcu250, which keep
    more out of BRAM.
    """
    if backend == "Vivado":
        channel = _vivado_fifo(fifo.depth, ceil(fifo.bits / fifo.channels))
        return Resources(*(getattr(channel, kind) * fifo.channels for kind in RESOURCE_KINDS))
    in_bram = fifo.depth > 2 and fifo.depth * fifo.bits > 1024
    blocks = fifo_bram_18k(fifo.depth, fifo.bits) if in_bram else 0
    return Resources(lut=60, ff=160 if blocks else 99, bram_18k=blocks)


def _vivado_fifo(depth: int, bits: int) -> Resources:
    """One channel's FIFO: constants read from `fifos.csv` (FF) and from the FIFO totals of `designs.csv`
    (LUT).
    """
    if depth * bits <= 512:
        return Resources(lut=15 + bits, ff=6)
    return Resources(lut=60 + bits, ff=20 + bits, bram_18k=fifo_bram_18k(depth, bits))


def fifo_bram_18k(depth: int, bits: int) -> int:
    """BRAM_18K of a memory of depth x bits in the deepest-fitting RAMB18 shape."""
    for words, width in RAMB18_SHAPES:
        if depth <= words:
            return ceil(bits / width)
    return ceil(depth / RAMB18_SHAPES[-1][0]) * bits
