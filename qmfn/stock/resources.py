"""Estimated LUT, FF, DSP, BRAM_18K and URAM of stock hls4ml layers and of the FIFOs between them.

Pure functions of a `LayerDesign` or `FifoDesign`, the tool and the device. They follow what C-synthesis *reports*,
which is more than what Vivado makes of it. DSP and BRAM_18K are counted by rules (`arithmetic`, `memory`). LUT and FF
are a known part, counted by rules, plus terms with non-negative coefficients that `make calibrate` fits. The terms are
what HLS builds, and the docstrings say so; coefficients have the unit LUT or FF per unit of their term.

Stock kernels never ask for UltraRAM, so its count is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log2

from qmfn.devices.memory import index_rom_bram, line_buffer, vitis_fifo, vivado_fifo, weight_rom_bram
from qmfn.devices.table import Device
from qmfn.devices.tools import Tool
from qmfn.resources.arithmetic import (
    dsp_per_multiplication,
    fused_products_dsp,
    lut_per_multiplication,
    sum_bits,
    takes_dsp,
)
from qmfn.resources.coefficients import Coefficients
from qmfn.resources.resources import Resources
from qmfn.stock.cycles import product_periods
from qmfn.stock.design import CONVOLUTIONS, MATRIX_KINDS, FifoDesign, LayerDesign

Terms = dict[str, float]


def group_of(layer: LayerDesign) -> str:
    """Which fit a layer belongs to: weights in a ROM, weights as constants, or a beat in and a beat out."""
    if layer.kind not in MATRIX_KINDS:
        return "padding" if layer.kind == "zero_padding" else "stream"
    return "unrolled" if layer.is_unrolled else "resource"


def layer_resources(
    layer: LayerDesign, tool: Tool, device: Device, clock_ns: float, fitted: Coefficients
) -> Resources:
    """C-synthesis resources of one layer, weights included, its output FIFO not."""
    group = group_of(layer)
    known_lut, known_ff = known_part(layer, tool, device)
    periods = product_periods(tool, device, clock_ns, fitted.delays)

    def sum_of(terms: Callable[[LayerDesign, Tool, float], Terms], known: float, kind: str) -> int:
        weights = fitted.terms[group][kind]
        return round(known + sum(weights[name] * value for name, value in terms(layer, tool, periods).items()))

    lut_terms, ff_terms = TERMS[group]
    if layer.kind in MATRIX_KINDS and layer.requantises:  # no row of the reports rounds: the ReLU's coefficients serve
        stream = fitted.terms["stream"]["lut"]
        known_lut += sum(stream[name] * value for name, value in requantisation_terms(layer).items())
    return Resources(
        lut=sum_of(lut_terms, known_lut, "lut"),
        ff=sum_of(ff_terms, known_ff, "ff"),
        dsp=dsp_count(layer, tool, fitted),
        bram_18k=bram_count(layer, tool),
    )


def dsp_count(layer: LayerDesign, tool: Tool, fitted: Coefficients) -> int:
    """DSP slices: multipliers times those of one multiplication.

    Constants that are few adders need none: `unrolled` layers have the share of the reports, by width of the weight.
    """
    a_bits, w_bits = layer.input_bits, layer.weight_bits
    each = dsp_per_multiplication(a_bits, w_bits)
    if layer.kind in MATRIX_KINDS and layer.is_unrolled:
        return round(unrolled_products_dsp(layer) * fitted.terms["unrolled"]["dsp"][constant_width(layer)])
    if layer.kind in MATRIX_KINDS and not each and tool.fuses_narrow_products and min(a_bits, w_bits) >= 5:
        return fused_products_dsp(layer.multipliers, layer.out_channels)
    return layer.multipliers * each


def bram_count(layer: LayerDesign, tool: Tool) -> int:
    """BRAM_18K of the weight ROM, RF words of M weights, and of the output indices where RF exceeds the inputs."""
    if layer.kind not in MATRIX_KINDS or layer.is_unrolled:
        return 0
    weights = weight_rom_bram(layer.reuse_factor, layer.multipliers * layer.weight_bits, tool.asks_for_rom)
    if layer.reuse_factor <= layer.window:
        return weights
    return weights + index_rom_bram(layer.reuse_factor, ceil(log2(max(layer.out_channels, 2))))


def known_part(layer: LayerDesign, tool: Tool, device: Device) -> tuple[float, float]:
    """(LUT, FF) that rules give: fabric multipliers, line buffers, adders, one register per value of the window.

    A window is kept in registers once by convolutions, and by dense layers whose inputs arrive over a stream (in Vitis
    only where that takes several beats).
    """
    if layer.kind not in MATRIX_KINDS:
        adders = layer.out_channels * layer.result_bits if layer.kind == "add" else 0
        adders += layer.biases * (layer.input_bits + layer.weight_bits)  # a PReLU's offsets, subtracted from products
        return adders + layer.multipliers * lut_per_multiplication(layer.input_bits, layer.weight_bits), 0
    lut = 0.0
    if not layer.is_unrolled:
        lut = layer.multipliers * lut_per_multiplication(layer.input_bits, layer.weight_bits)
    ff = 0.0
    collects = layer.io_type != "io_parallel" and (tool.backend == "Vivado" or layer.input_pixels > 1)
    if layer.kind in CONVOLUTIONS or collects:
        ff = layer.window * layer.input_bits
    registers = (layer.rows - 1) * layer.in_channels if layer.kind in CONVOLUTIONS else 0
    buffer_lut, buffer_ff = line_buffer(layer.in_width, layer.input_bits, registers, device.family)
    return lut + buffer_lut, ff + buffer_ff


def _accumulator_bits(layer: LayerDesign) -> int:
    return sum_bits(layer.input_bits, layer.weight_bits, layer.window, layer.accumulator_bits)


def _copies(layer: LayerDesign, tool: Tool) -> Terms:
    """Values of the window that the reuse loop keeps copies of, one register set per copy, by tool and kind.

    A rewinding Vivado loop over a matrix-vector product copies its inputs; called from a convolution it does so only
    where several products are summed per pass (RF < inputs).
    """
    convolution, vitis = layer.kind in CONVOLUTIONS, tool.backend == "Vitis"
    return {
        "vitis convolution": layer.window * (convolution and vitis),
        "vivado convolution": layer.window * (convolution and not vitis and layer.reuse_factor < layer.window),
        "vitis dense": layer.window * (not convolution and vitis),
        "vivado dense": layer.window * (not convolution and not vitis),
    }


def _multiplexer_bits(layer: LayerDesign) -> int:
    """Bits that the multiplexers in front of the multipliers choose from.

    Multipliers that read the same inputs share one, so every input bit is counted once - except where the inputs are a
    power of two and the index becomes a bit pattern of its own per multiplier (n128x256 against n120x50 in the data).
    """
    inputs = layer.window
    if layer.reuse_factor < inputs and inputs & (inputs - 1) == 0:
        return layer.multipliers * layer.reuse_factor * layer.input_bits
    return ceil(inputs / layer.reuse_factor) * min(layer.reuse_factor, inputs) * layer.input_bits


def resource_lut_terms(layer: LayerDesign, tool: Tool, _periods: float) -> Terms:
    """LUT beyond the known part of a layer with weights in a ROM.

    Control; multiplexers that keep or reload each copied value; those in front of the multipliers; adders behind
    them, wider in fabric than behind a DSP; demultiplexers of accumulators where RF exceeds the inputs.
    """
    dsp = takes_dsp(layer.input_bits, layer.weight_bits)
    adders = layer.multipliers * _accumulator_bits(layer)
    return {
        "layer": 1,
        "convolution": float(layer.kind in CONVOLUTIONS),
        **_copies(layer, tool),
        "multiplexer bits": _multiplexer_bits(layer),
        "fabric adder bits": 0 if dsp else adders,
        "dsp adder bits": adders if dsp else 0,
        "selected accumulators": layer.out_channels * (layer.reuse_factor > layer.window),
    }


def resource_ff_terms(layer: LayerDesign, tool: Tool, periods: float) -> Terms:
    """FF beyond the known part of a layer with weights in a ROM.

    Control; copies of the window; operands of every multiplier for as many clock periods as a product takes;
    accumulators.
    """
    operands = layer.multipliers * (layer.input_bits + layer.weight_bits)
    return {
        "layer": 1,
        "convolution": float(layer.kind in CONVOLUTIONS),
        **{name: values * layer.input_bits for name, values in _copies(layer, tool).items()},
        "staged operand bits": operands * periods,
        "accumulator bits": layer.out_channels * _accumulator_bits(layer),
    }


def _constants(layer: LayerDesign) -> int:
    """Weights that need hardware where they are constants."""
    return layer.multiplications - layer.zero_weights


def unrolled_lut_terms(layer: LayerDesign, _tool: Tool, _periods: float) -> Terms:
    """LUT of a layer with constant weights: control, window, and an adder tree over every weight that is not 0."""
    dsp = takes_dsp(layer.input_bits, layer.weight_bits)
    tree = _constants(layer) * _accumulator_bits(layer)
    return {
        "layer": 1,
        "convolution": float(layer.kind in CONVOLUTIONS),
        "window": layer.window,
        "fabric tree bits": 0 if dsp else tree,
        "dsp tree bits": tree if dsp else 0,
    }


def unrolled_ff_terms(layer: LayerDesign, tool: Tool, periods: float) -> Terms:
    """FF of a layer with constant weights: control, copies of the window, the adder tree beyond a clock period.

    A convolution's pixel loop is a pipeline in Vitis and a state machine in Vivado, so its control has two sizes.
    """
    convolution, vitis = layer.kind in CONVOLUTIONS, tool.backend == "Vitis"
    return {
        "layer": 1,
        "vitis convolution": float(convolution and vitis),
        "vivado convolution": float(convolution and not vitis),
        "window bits": layer.window * layer.input_bits,
        "staged tree bits": _constants(layer) * _accumulator_bits(layer) * max(0.0, periods - 0.5),
    }


def unrolled_products_dsp(layer: LayerDesign) -> int:
    """DSPs if every product with a constant other than 0 took its own."""
    each = dsp_per_multiplication(layer.input_bits, layer.weight_bits)
    return ceil(_constants(layer) / layer.reuse_factor) * each


def constant_width(layer: LayerDesign) -> str:
    """A narrow constant is more often a few adders than a wide one."""
    return "narrow" if layer.weight_bits <= 10 else "wide"


def requantisation_terms(layer: LayerDesign) -> Terms:
    """LUT to round and saturate the values of a pixel: adder and comparison, longer the more bits are dropped."""
    values = layer.out_channels * layer.requantises
    wide = layer.accumulator_bits or layer.input_bits
    return {"requantised values": values, "dropped bits": values * max(0, wide - layer.result_bits)}


def stream_lut_terms(layer: LayerDesign, _tool: Tool, _periods: float) -> Terms:
    """LUT of a layer that works on a pixel per cycle: control, hand-over, rounding and saturating.

    Padding and clone pass values on, so what their type rounds has been rounded before.
    """
    passes_on = layer.kind in ("clone", "other")
    return {
        "layer": 1,
        "values": layer.out_channels,
        "input bits": layer.out_channels * layer.input_bits,
        **{name: value * (not passes_on) for name, value in requantisation_terms(layer).items()},
    }


def stream_ff_terms(layer: LayerDesign, _tool: Tool, periods: float) -> Terms:
    """FF of a layer that works on a pixel per cycle: control, and its values once per further clock period."""
    return {"layer": 1, "staged input bits": layer.out_channels * layer.input_bits * max(0.0, periods - 1)}


def padding_lut_terms(layer: LayerDesign, tool: Tool, _periods: float) -> Terms:
    """LUT of zero padding: control, and in Vivado a part per channel."""
    return {"layer": 1, "vivado values": layer.out_channels * (tool.backend == "Vivado")}


TERMS: dict[str, tuple[Callable[[LayerDesign, Tool, float], Terms], Callable[[LayerDesign, Tool, float], Terms]]] = {
    "resource": (resource_lut_terms, resource_ff_terms),
    "unrolled": (unrolled_lut_terms, unrolled_ff_terms),
    "stream": (stream_lut_terms, stream_ff_terms),
    "padding": (padding_lut_terms, stream_ff_terms),
}
"""Group -> terms of LUT and of FF."""


def fifo_resources(fifo: FifoDesign, tool: Tool) -> Resources:
    """Resources of one stream: Vivado HLS makes a FIFO per channel, Vitis HLS one of all channels."""
    if tool.backend == "Vitis":
        lut, ff, bram = vitis_fifo(fifo.depth, fifo.bits)
        return Resources(lut=lut, ff=ff, bram_18k=bram)
    lut, ff, bram = vivado_fifo(fifo.depth, ceil(fifo.bits / fifo.channels))
    return Resources(lut=lut * fifo.channels, ff=ff * fifo.channels, bram_18k=bram * fifo.channels)
