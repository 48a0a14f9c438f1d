"""What a folded design needs and how fast it is: pure functions of its stages and streams.

Takes a `Pipeline`, the depths of its FIFOs and a device; gives a `FoldedEstimate`: LUT, FF, DSP, BRAM_18K and URAM of
every stage and FIFO with a band, cycles, frames per second. Cycles are exact (`Stage.iterations`). **Resources are
estimated and were never compared with a vendor tool's result for these kernels**: no HLS run of them exists. They are
what is left after Vivado's synthesis, counted from the structure that the kernels' C++ describes.

Sources:

- UG574 (UltraScale CLB): a LUT has 6 inputs, is a 64 x 1 ROM or RAM, a 32-bit or two 16-bit shift registers, a 4:1
  multiplexer, one bit of an adder; 7 bits of a 64-deep RAM with two ports take 8 LUT; F7 and F8 join 4 LUT.
- UG573: shapes of block RAM and UltraRAM (`memory`); UltraRAM has no initial content, so no weights.
- UG579: one DSP48E2 multiplies 27 x 18 bits; PReLU's products go there by HLS's own rule (`arithmetic`).
- FINN's `lut_estimation` (Blott et al. 2018, arXiv 1809.04570; Xilinx/finn `matrixvectoractivation_hls.py`): per output
  SIMD * (2 * ceil((w + a) / 6) - 1) * (w + a) LUT of multipliers, (w + a) * (2 * SIMD - 1) of adders, all times 1.1,
  plus 300; (weight words / 64) * width of a ROM in LUTs. Ours are the adders that such a unit consists of; FINN's
  count lies above them and inside the band (a test compares).
- FIFOs: the calibrated control of `memory.vitis_fifo`, and the data in shift registers or block RAM (`fifo_memory`).

Bands. LUT and FF: the 10-90 % band that the fitted formulas of stock layers have on held-out repositories, and the
spread of Vivado's synthesis about its median (`coefficients.json`: `bands.resource`, `post_synthesis`), as independent
factors: their logarithms are added in quadrature. These kernels are other ones, so the band is borrowed, not measured.
LUTs that store (ROM, RAM, shift registers) follow from UG574, not from a fitted formula: they have the spread of
synthesis alone. DSP: the spread after synthesis. BRAM_18K: low, what synthesis leaves of a count; high, the shapes that
HLS itself picks for ROMs. A design's band adds those of its stages, as if all erred in the same direction.

Small memories that no pragma binds (tables per output, a matrix-vector unit's pixel, a window's columns, the sums of a
global depthwise convolution) are counted in LUTs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from math import ceil, exp, hypot, log
from typing import Any

import numpy as np

from qmfn.dataflow.memory import (
    LUTRAM_BITS,
    fifo_bram,
    fifo_memory,
    lut_ram,
    lut_rom,
    multiplexer_lut,
    ramb18,
    shift_register_lut,
    uram,
    vitis_fifo,
    weight_rom_bram,
)
from qmfn.dataflow.schedule import schedule
from qmfn.dataflow.stages import Memory, Pipeline, Stage
from qmfn.estimate.arithmetic import dsp_per_multiplication
from qmfn.estimate.coefficients import Band, coefficients
from qmfn.estimate.devices import Device
from qmfn.estimate.resources import RESOURCE_KINDS, Resources

BUDGET = 0.8
"""Share of a device that a design may fill and still be placed and routed at its clock."""


CONTROL_LUT = 60
"""States, handshakes and pipeline enables of a loop. With counters about 160 for a matrix-vector unit and 360 for a
window; FINN counts 300 for either.
"""

CONTROL_FF = 60


SHALLOW_WORDS = 16
"""Depth assumed for a FIFO whose depth is not known yet, if no more than the smallest distributed RAM holds it."""


@dataclass(frozen=True)
class Range:
    """Resources with a band; `low` and `high` are its 10 % and 90 % ends."""

    low: Resources
    expected: Resources
    high: Resources

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)


NOTHING = Range(Resources(), Resources(), Resources())


@dataclass(frozen=True)
class StageEstimate:
    """One kernel; `cycles` per frame, exact."""

    name: str
    layer: str
    kind: str
    simd: int
    pe: int
    reuse_factor: int
    multipliers: int
    multiplier: str
    cycles: int
    input_bits: int
    accumulator_bits: int
    used: Range


@dataclass(frozen=True)
class FifoEstimate:
    """One stream between two stages, out of one of `layer`: `depth` beats of `width` bits."""

    name: str
    layer: str
    depth: int
    width: int
    used: Range

    @property
    def bits(self) -> int:
        return self.depth * self.width


@dataclass(frozen=True)
class FoldedEstimate:
    """Everything that is estimated about a folded design.

    Attributes:
        total: of all stages and FIFOs.
        utilisation: share of the device at the bands' high ends, by resource; of a resource that the device lacks, the
            count itself.
        interval: cycles between two frames, those of the limiting stage; holds where no FIFO is too small.
        latency_lower_bound: cycles from the first value in to the last one out that no FIFO depth can beat, the
            registers of the kernels' pipelines left out.
    """

    device: Device
    clock_period_ns: float
    stages: tuple[StageEstimate, ...]
    fifos: tuple[FifoEstimate, ...]
    total: Range
    utilisation: Mapping[str, float]
    interval: int
    limiting_stage: str
    latency_lower_bound: int

    @property
    def frames_per_second(self) -> float:
        return 1e9 / self.clock_period_ns / self.interval

    @property
    def fits_80_percent(self) -> bool:
        """Whether the bands' high ends leave 20 % of every resource."""
        return max(self.utilisation.values()) <= BUDGET

    @property
    def limiting_resource(self) -> str:
        """The resource of which the largest share is used."""
        return max(self.utilisation, key=self.utilisation.__getitem__)

    @property
    def fifo_bits(self) -> int:
        return sum(fifo.bits for fifo in self.fifos)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        derived = ("frames_per_second", "fits_80_percent", "limiting_resource", "fifo_bits")
        return asdict(self) | {name: getattr(self, name) for name in derived}

    def report_sections(self) -> dict[str, dict[str, Any]]:
        """The sections `estimate` and `fifo` of report.json, keyed as those of stock designs.

        There is one count, that after synthesis, so `total` and `post_synthesis` say the same; layers are stages.
        """
        total = _by_kind(self.total)
        estimate = {
            "tool": "post-synthesis, counted from the kernels' structure",
            "layers": [_report_row(stage) for stage in self.stages],
            "total": asdict(self.total.expected),
            "band": total,
            "post_synthesis": {"expected": asdict(self.total.expected), "band": total},
            "available": {kind: getattr(self.device, kind) for kind in RESOURCE_KINDS},
            "share": {kind: _share(getattr(self.total.expected, kind), kind, self.device) for kind in RESOURCE_KINDS},
            "share_high": dict(self.utilisation),
            "fits": max(self.utilisation.values()) <= 1,
            "interval_cycles": self.interval,
            "latency_cycles": self.latency_lower_bound,
            "frames_per_second": self.frames_per_second,
            "bottleneck": self.limiting_stage,
            "clock_mhz": 1000 / self.clock_period_ns,
        }
        fifos = [{"name": fifo.name, "depth": fifo.depth, "width": fifo.width} for fifo in self.fifos]
        return {"fifo": {"count": len(fifos), "bits": self.fifo_bits, "fifos": fifos}, "estimate": estimate}


def _by_kind(used: Range) -> dict[str, tuple[int, int]]:
    return {kind: (getattr(used.low, kind), getattr(used.high, kind)) for kind in RESOURCE_KINDS}


def _report_row(stage: StageEstimate) -> dict[str, Any]:
    return {
        "layer": stage.name,
        "kind": stage.kind,
        "reuse_factor": stage.reuse_factor if stage.multipliers else 0,
        "simd": 0 if stage.kind == "add" else stage.simd,
        "pe": stage.pe,
        "multipliers": stage.multipliers,
        "cycles": stage.cycles,
        **asdict(stage.used.expected),
        "activation_bits": stage.input_bits,
        "accumulator_bits": stage.accumulator_bits,
        "band": _by_kind(stage.used),
    }


def estimate_pipeline(
    pipeline: Pipeline, depths: Mapping[str, int] | None, device: Device, clock_period_ns: float
) -> FoldedEstimate:
    """Estimate every stage and FIFO, and compare the sum with a device.

    Args:
        depths: FIFO depths by stream name (`qmfn.dataflow.fifos.size_fifos`); None: `assumed_depths`.
    """
    depths = assumed_depths(pipeline) if depths is None else depths
    stages = tuple(_stage_row(stage) for stage in pipeline.stages)
    layers = {stage.name: stage.layer for stage in pipeline.stages}
    fifos = tuple(
        FifoEstimate(stream.name, layers[stream.producer or ""], depth, stream.width, fifo_range(depth, stream.width))
        for stream in pipeline.inner_streams
        for depth in (depths[stream.name],)
    )
    total = sum([*(stage.used for stage in stages), *(fifo.used for fifo in fifos)], start=NOTHING)
    return FoldedEstimate(
        device=device,
        clock_period_ns=clock_period_ns,
        stages=stages,
        fifos=fifos,
        total=total,
        utilisation={kind: _share(getattr(total.high, kind), kind, device) for kind in RESOURCE_KINDS},
        interval=pipeline.interval,
        limiting_stage=pipeline.slowest.name,
        latency_lower_bound=latency_lower_bound(pipeline),
    )


def _share(used: int, kind: str, device: Device) -> float:
    return used / max(getattr(device, kind), 1)


def _stage_row(stage: Stage) -> StageEstimate:
    return StageEstimate(
        name=stage.name,
        layer=stage.layer,
        kind=stage.kind,
        simd=stage.simd,
        pe=stage.pe,
        reuse_factor=stage.reuse_factor,
        multipliers=stage.multipliers,
        multiplier=stage.multiplier,
        cycles=stage.iterations,
        input_bits=stage.input_bits,
        accumulator_bits=stage.accumulator_bits,
        used=stage_range(stage),
    )


def latency_lower_bound(pipeline: Pipeline) -> int:
    """Cycles of one frame alone: every stage waits for its first beats, then needs all its iterations."""
    ready: dict[str, int] = {}
    ends = 0
    for stage in pipeline.stages:
        start = max((ready.get(name, 0) for name in stage.inputs), default=0)
        first = start + iterations_before_output(stage) + 1
        ready |= dict.fromkeys(stage.outputs, first)
        ends = max(ends, start + stage.iterations)
    return ends


def iterations_before_output(stage: Stage) -> int:
    """Iterations of a frame before the one that writes the first beat."""
    return int(np.argmax(schedule(stage).writes[0]))


# --- Bands ------------------------------------------------------------------------------------------------------------


@cache
def band_factors() -> dict[str, tuple[float, float]]:
    """(low, high) on counts; why, is explained in this module's docstring."""
    fitted = coefficients()
    formulas, synthesis = fitted.bands["resource"], fitted.post_synthesis
    factors = {kind: _independent(formulas[kind], synthesis[kind]) for kind in ("lut", "ff")}
    lut = synthesis["lut"]
    factors["memory_lut"] = lut.low / lut.median, lut.high / lut.median
    return factors | {kind: (synthesis[kind].low, synthesis[kind].high) for kind in ("dsp", "bram_18k")}


def _independent(formula: Band, synthesis: Band) -> tuple[float, float]:
    """Two independent factors as one: logarithms in quadrature; synthesis relative to its own median."""
    low, high = (
        hypot(log(own), log(after / synthesis.median))
        for own, after in ((formula.low, synthesis.low), (formula.high, synthesis.high))
    )
    return exp(-low), exp(high)


def _banded(counted: _Count) -> Range:
    factors = band_factors()

    def end(index: int) -> dict[str, int]:
        lut = counted.lut * factors["lut"][index] + counted.memory * factors["memory_lut"][index]
        low_or_high_bram = (round(counted.bram * factors["bram_18k"][0]), max(counted.bram, counted.bram_high))
        return {
            "lut": round(lut),
            "ff": round(counted.ff * factors["ff"][index]),
            "dsp": round(counted.dsp * factors["dsp"][index]),
            "bram_18k": low_or_high_bram[index],
            "uram": counted.uram,
        }

    expected = Resources(
        round(counted.lut + counted.memory), round(counted.ff), counted.dsp, counted.bram, counted.uram
    )
    return Range(Resources(**end(0)), expected, Resources(**end(1)))


# --- Stages -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Count:
    """Part of a stage: LUT of logic and of memory, and BRAM_18K at the high end. LUT and FF may be fractions."""

    lut: float = 0
    ff: float = 0
    memory: float = 0
    dsp: int = 0
    bram: int = 0
    bram_high: int = 0
    uram: int = 0


def stage_range(stage: Stage) -> Range:
    """Resources of one stage with their band, its streams not included."""
    parts = [_control(stage), *_PARTS[stage.kind](stage), *_ends_of_streams(stage)]
    total = _Count(*(sum(getattr(part, field.name) for part in parts) for field in fields(_Count)))
    return _banded(total)


def _ends_of_streams(stage: Stage) -> Iterator[_Count]:
    for lanes in stage.read_lanes:
        yield _taken(lanes, stage.lanes_in, stage.stream_bits)
    for lanes in stage.write_lanes:
        yield _given(lanes, stage.lanes_out, stage.output_bits)


def beats_range(lanes: int, at_a_time: tuple[int, int], bits: int) -> Range:
    """What it costs the two ends of a stream, that gives and that takes `at_a_time`, that its beats have `lanes`."""
    gives, takes = at_a_time
    return _banded(_given(lanes, gives, bits)) + _banded(_taken(lanes, takes, bits))


def _taken(lanes: int, at_a_time: int, bits: int) -> _Count:
    """A beat that is loaded, or moves up, and a counter; nothing where a beat is taken as it is."""
    if lanes == at_a_time:
        return _Count()
    counter = _digits(lanes // at_a_time - 1)
    return _Count((lanes - at_a_time) * bits + counter_lut(counter), lanes * bits + counter)


def _given(lanes: int, at_a_time: int, bits: int) -> _Count:
    """A shift register, and a counter."""
    if lanes == at_a_time:
        return _Count()
    counter = _digits(lanes // at_a_time - 1)
    return _Count(counter_lut(counter), lanes * bits + counter)


def _control(stage: Stage) -> _Count:
    counters = [stage.iterations, *_counters(stage)]
    bits = [_digits(largest) for largest in counters]
    return _Count(CONTROL_LUT + sum(map(counter_lut, bits)), CONTROL_FF + sum(bits))


def _digits(largest: int) -> int:
    """Bits of a counter up to `largest`."""
    return max(1, largest.bit_length())


def _counters(stage: Stage) -> list[int]:
    """The largest value of each of a kernel's own counters, as its C++ declares them."""
    if stage.kind == "matvec":
        groups, parts = stage.out_channels // stage.pe, stage.terms // stage.simd
        return [groups - 1, parts - 1, groups * parts - 1]
    if stage.kind in ("window", "depthwise"):
        reach = (stage.kernel - 1 - stage.padding) * (stage.width + 1)
        position = reach + stage.out_height * stage.stride * stage.width
        return [
            position, position, stage.groups - 1, stage.steps - 1, stage.width * stage.groups - 1, stage.out_height,
            stage.out_width - 1, stage.groups * stage.steps - 1,
        ]  # fmt: skip
    return [stage.groups - 1] if stage.kind == "global_depthwise" else []


def _matvec(stage: Stage) -> list[_Count]:
    groups, parts = stage.out_channels // stage.pe, stage.terms // stage.simd
    return [
        _requantised(stage, stage.simd),
        _pixel_memory(groups, parts, stage.simd * stage.input_bits),
        _dot_products(stage),
        _accumulators(stage),
        _weights(stage),
        _ends_of_sums(stage),
        _tables(stage, groups),
    ]


def _depthwise(stage: Stage) -> list[_Count]:
    product_bits = stage.weight_bits + stage.input_bits + stage.mid_rise
    terms = ceil(stage.simd / 2) if stage.multiplier == "dsp" and not stage.mid_rise else stage.simd
    sums = stage.pe * (adder_tree_lut(terms, product_bits) + stage.accumulator_bits)
    return [
        *_window_parts(stage, stage.pe * stage.simd),
        _separate_products(stage),
        _Count(sums, sums),
        _weights(stage),
        _ends_of_sums(stage),
        _tables(stage, stage.groups),
    ]


def _global_depthwise(stage: Stage) -> list[_Count]:
    sums = stage.pe * stage.accumulator_bits
    return [
        _requantised(stage, stage.pe),
        _separate_products(stage),
        _Count(sums, sums, memory=_kept_lut(stage.groups, sums)),
        _weights(stage),
        _ends_of_sums(stage),
        _tables(stage, stage.groups),
    ]


def _window(stage: Stage) -> list[_Count]:
    return _window_parts(stage, stage.simd)


def _window_parts(stage: Stage, taps_at_once: int) -> list[_Count]:
    """Lines, columns, and for each tap that is looked at a multiplexer over the steps and zeros beyond the edges."""
    column_bits = stage.kernel * stage.pe * stage.input_bits
    columns = (stage.kernel - 1) * column_bits
    # Two comparisons with a constant per row and column of the window, two bits per LUT.
    inside = stage.kernel * (stage.height.bit_length() + stage.width.bit_length())
    taps = taps_at_once * stage.input_bits
    return [
        _requantised(stage, stage.pe),
        _memory(stage.line_memory, stage.width * stage.groups, (stage.kernel - 1) * stage.pe * stage.input_bits),
        _Count(ff=stage.kernel * column_bits, memory=_kept_lut(stage.groups, columns)),
        _Count(inside + taps * (multiplexer_lut(stage.steps) + 1), taps),
    ]


def _kept_lut(groups: int, width: int) -> int:
    """LUT of what is kept per group of channels until the next pixel; of a single group, registers."""
    return lut_ram(groups, width) if groups > 1 else 0


def _add(stage: Stage) -> list[_Count]:
    bits = stage.input_bits + 1
    return [_Count(stage.pe * (bits + requantise_lut(bits, stage.output_bits)), 2 * stage.pe * bits)]


_PARTS = {
    "window": _window,
    "matvec": _matvec,
    "depthwise": _depthwise,
    "global_depthwise": _global_depthwise,
    "add": _add,
}


def _requantised(stage: Stage, lanes: int) -> _Count:
    """What arrives, on the grid and in the bits that are multiplied."""
    each = requantise_lut(stage.stream_bits, stage.input_bits)
    return _Count(lanes * each, lanes * stage.input_bits)


def _pixel_memory(groups: int, parts: int, width: int) -> _Count:
    """A matrix-vector unit keeps a pixel for all but the first group of outputs: LUT RAM and the choice before it."""
    if groups == 1:
        return _Count(0, width)
    if parts == 1:
        return _Count(width, 2 * width)
    return _Count(width, width, memory=lut_ram(parts, width))


def _dot_products(stage: Stage) -> _Count:
    """`pe` sums of `simd` products of the same x: multipliers in fabric, in DSPs, or in DSPs that lanes share.

    Behind DSPs the first level of the tree costs nothing: HLS makes a multiply-add of every second product
    (`arithmetic.fused_products_dsp`; calibration finds 41 % of the LUTs per adder bit behind DSPs, `dsp adder bits`).
    """
    product_bits = stage.weight_bits + stage.input_bits
    tree = adder_tree_lut(stage.simd, product_bits)
    pairs = ceil(stage.simd / 2)
    if stage.multiplier == "fabric":
        each = stage.simd * multiplier_lut(stage.weight_bits, stage.input_bits)
        registers = stage.simd * product_bits + tree / 2  # products, and every second level of the tree
        return _Count(stage.pe * (each + tree), stage.pe * registers)
    if stage.lanes_per_dsp == 1:
        tree = adder_tree_lut(pairs, product_bits + 1)
        return _Count(stage.pe * tree, stage.pe * tree / 2, dsp=stage.simd * stage.pe)
    groups = ceil(stage.pe / stage.lanes_per_dsp)
    lanes, field = stage.lanes_per_dsp, stage.field_bits
    sums = (pairs - 1) * lanes * field
    apart = (lanes - 1) * field
    return _Count(groups * (sums + apart), groups * (sums / 2 + apart), dsp=groups * stage.simd)


def _separate_products(stage: Stage) -> _Count:
    """Products of a depthwise stage, each with its own x; a mid-rise weight adds x to twice its product."""
    product_bits = stage.weight_bits + stage.input_bits
    odd = product_bits + 1 if stage.mid_rise else 0
    if stage.multiplier == "dsp":
        return _Count(stage.multipliers * odd, stage.multipliers * odd, dsp=stage.multipliers)
    each = multiplier_lut(stage.weight_bits, stage.input_bits)
    return _Count(stage.multipliers * (each + odd), stage.multipliers * (product_bits + odd))


def _accumulators(stage: Stage) -> _Count:
    """A sum per output. Where stored weights are not the weights themselves (mid-rise, shared DSPs), also the sum of x,
    once for all outputs; a multiple of it is a third term of the adder that adds the bias, which costs no more LUTs.
    """
    sums = stage.pe * stage.accumulator_bits
    if not stage.mid_rise and stage.lanes_per_dsp == 1:
        return _Count(sums, sums)
    ones = adder_tree_lut(stage.simd, stage.input_bits) + 2 * stage.accumulator_bits  # accumulated; its multiple
    return _Count(sums + ones, sums + ones)


def _ends_of_sums(stage: Stage) -> _Count:
    """Per lane: bias adder, barrel shifter, PReLU (product, choice by sign), offset, rounding and saturation."""
    result, slope = stage.result_bits, stage.slope_bits
    bits = result + slope
    lut = max(stage.accumulator_bits, stage.bias_bits) + 1 + result * ceil(stage.shift_bits / 2)
    dsp = 0
    if slope:
        dsp = dsp_per_multiplication(result, slope)
        lut += bits + (0 if dsp else multiplier_lut(result, slope))
    lut += (bits if stage.offset_bits else 0) + requantise_lut(bits, stage.output_bits)
    ff = 2 * result + bits + stage.output_bits
    return _Count(stage.pe * lut, stage.pe * ff, dsp=stage.pe * dsp)


def _tables(stage: Stage, groups: int) -> _Count:
    """Shift, bias, slope and offset per output, one row per group; a single row is constants."""
    width = stage.pe * (stage.shift_bits + stage.bias_bits + stage.slope_bits + stage.offset_bits)
    return _Count(ff=width, memory=lut_rom(groups, width)) if groups > 1 else _Count()


def _weights(stage: Stage) -> _Count:
    depth, width = stage.weight_words, stage.multipliers * stage.weight_bits
    if depth == 1:
        return _Count()
    if stage.weights_memory == "lutram" or (stage.weights_memory == "auto" and depth * width <= LUTRAM_BITS):
        return _Count(ff=width, memory=lut_rom(depth, width))
    return _Count(bram=ramb18(depth, width), bram_high=weight_rom_bram(depth, width, pinned=True))


def _memory(kind: Memory, depth: int, width: int) -> _Count:
    """A RAM that is read and written in the same cycle; auto: HLS's rule, LUTs for small ones, else block RAM."""
    if kind == "uram":
        return _Count(uram=uram(depth, width))
    if kind == "lutram" or (kind == "auto" and depth * width <= LUTRAM_BITS):
        return _Count(ff=width, memory=lut_ram(depth, width))
    return _Count(bram=ramb18(depth, width), bram_high=ramb18(depth, width))


# --- Pieces -----------------------------------------------------------------------------------------------------------


def counter_lut(bits: int) -> int:
    """LUT of an increment that is cleared where a comparison with a constant, 6 bits per LUT, wraps it around."""
    return bits + ceil(bits / 6) + 2


def multiplier_lut(a_bits: int, b_bits: int) -> int:
    """LUT of a fabric multiplier: rows of adders, one per bit of the narrower factor but one; the first adds two."""
    narrow, wide = sorted((a_bits, b_bits))
    return wide if narrow == 1 else (narrow - 1) * (wide + 2)


def adder_tree_lut(terms: int, bits: int) -> int:
    """LUT of the sum of `terms` values of `bits` bits: one per bit of each adder, which grow by a bit per level."""
    lut = 0
    while terms > 1:
        bits += 1
        lut += terms // 2 * bits
        terms = ceil(terms / 2)
    return lut


def requantise_lut(bits: int, to_bits: int) -> int:
    """LUT of rounding half to even and saturating: increment, choice of the limits, what decides on either."""
    return 0 if bits <= to_bits else 2 * to_bits + ceil(bits / 5) + 1


def fifo_range(depth: int, width: int) -> Range:
    """Resources of one FIFO with their band: control, and shift registers or block RAM for its data.

    `vitis_fifo` counts control as C-synthesis reports it; synthesis leaves its median share of that.
    """
    in_bram = fifo_memory(depth, width) == "bram"
    lut, ff, _ = vitis_fifo(512 if in_bram else 2, width)
    left = coefficients().post_synthesis
    stored = 0 if in_bram else ceil(width * shift_register_lut(depth))
    bram = fifo_bram(depth, width) if in_bram else 0
    control_lut, control_ff = round(lut * left["lut"].median), round(ff * left["ff"].median)
    return _banded(_Count(control_lut, control_ff + width, stored, bram=bram))


def assumed_depths(pipeline: Pipeline) -> dict[str, int]:
    """FIFO depths where none were simulated: shallow, but for shortcuts and around windows.

    A shortcut keeps as many pixels as the stages beside it lag. A matrix-vector unit that has no time to catch up with
    a depthwise stage beside it needs a FIFO of about half of that one's lag between them (`keeps_up`).
    """
    stages = {stage.name: stage for stage in pipeline.stages}
    depths = {stream.name: shallow_depth(stream.width) for stream in pipeline.inner_streams}
    for stage in pipeline.stages:
        if stage.kind == "add":
            _deepen(depths, pipeline, *_shortcut(pipeline, stages, stage))
        if stage.kind != "matvec":
            continue
        before, behind = _neighbour(pipeline, stages, stage, -1), _neighbour(pipeline, stages, stage, 1)
        if before and not keeps_up(stage.iterations, before, pipeline.interval):
            _deepen(depths, pipeline, stage.inputs[0], burst_share(before))
        if behind and not keeps_up(stage.iterations, behind, pipeline.interval):
            _deepen(depths, pipeline, stage.outputs[0], burst_share(behind))
    return depths


def keeps_up(cycles: int, depthwise: Stage, interval: int) -> bool:
    """Whether a stage of so many cycles has the time to catch up after a depthwise stage beside it has paused."""
    return cycles <= interval * (1 - 2 * burst_share(depthwise))


def burst_share(depthwise: Stage) -> float:
    """Half the lag of a depthwise stage's window, as a share of a frame."""
    return lag_in_pixels(depthwise) / 2 / depthwise.pixels


def _neighbour(pipeline: Pipeline, stages: Mapping[str, Stage], stage: Stage, step: int) -> Stage | None:
    """The depthwise stage right before (-1) or behind (1) a stage."""
    stream = pipeline.streams[stage.inputs[0] if step < 0 else stage.outputs[0]]
    name = stream.producer if step < 0 else stream.consumer
    return stages[name] if name and stages[name].kind == "depthwise" else None


def _deepen(depths: dict[str, int], pipeline: Pipeline, stream: str, share: float) -> None:
    """Make a FIFO hold so much of a frame."""
    depths[stream] = max(depths[stream], ceil(pipeline.streams[stream].beats * share))


def _shortcut(pipeline: Pipeline, stages: Mapping[str, Stage], add: Stage) -> tuple[str, float]:
    """The stream in which an add's shortcut leaves, and the share of a frame that the stages beside it lag."""
    first, second = (_way_back(pipeline, stages, name) for name in add.inputs)
    begin = next(name for name in first if name in second)
    beside = [stages[name] for name in first[: first.index(begin)]]
    lag = sum(lag_in_pixels(other) for other in beside)
    readers = {*second[: second.index(begin)], add.name}
    stream = next(name for name in reversed(stages[begin].outputs) if pipeline.streams[name].consumer in readers)
    return stream, lag / add.pixels


def lag_in_pixels(stage: Stage) -> int:
    """Pixels that a stage has taken when it gives its first one; a layer that is not folded yet has its window."""
    if stage.kind in ("window", "depthwise") or stage.kernel > 1 and stage.kind == "matvec":
        return (stage.kernel - 1 - stage.padding) * (stage.width + 1) + 1
    return 1 if stage.kind == "matvec" else 0


def shallow_depth(width: int) -> int:
    """Depth assumed for a FIFO of `width` bits that only decouples two stages."""
    return max(2, min(SHALLOW_WORDS, LUTRAM_BITS // width))


def _way_back(pipeline: Pipeline, stages: Mapping[str, Stage], stream: str) -> list[str]:
    """Names of the stages before a stream, nearest first, along first inputs."""
    names = []
    producer = pipeline.streams[stream].producer
    while producer:
        names.append(producer)
        producer = pipeline.streams[stages[producer].inputs[0]].producer
    return names
