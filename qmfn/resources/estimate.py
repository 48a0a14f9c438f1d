"""What a plan needs and how fast it is: every stage and FIFO priced, with a band, and compared with a device.

Takes a plan and a target; gives a `PlanEstimate`. Cycles are exact (`Kernel.iterations`). **Resources are estimated and
were never compared with a vendor tool's result for these kernels**: no HLS run of them exists. They are what is left
after Vivado's synthesis, counted from the structure that the kernels' C++ describes (`qmfn.resources.amd`).

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

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from math import exp, hypot, log
from typing import Any

import numpy as np

from qmfn.devices import Device, Target
from qmfn.kernels.common.streams import packing, unpacking
from qmfn.kernels.primitives import Fifo, Primitive
from qmfn.plan.plan import Plan, Stage
from qmfn.resources.amd import Count, price
from qmfn.resources.coefficients import Band, coefficients
from qmfn.resources.resources import NOTHING, RESOURCES, Range, Resources

BUDGET = 0.8
"""Share of a device that a design may fill and still be placed and routed at its clock."""


@dataclass(frozen=True)
class StageEstimate:
    """One stage, and its resources."""

    stage: Stage
    used: Range

    def as_dict(self) -> dict[str, Any]:
        """The stage's row in report.json; a width or a factor that it does not have is 0."""
        kernel = self.stage.kernel
        return {
            "layer": self.stage.name,
            "kind": kernel.kind,
            "reuse_factor": kernel.reuse_factor,
            "simd": kernel.simd if kernel.is_foldable else 0,
            "pe": kernel.pe,
            "multipliers": kernel.multipliers,
            "cycles": kernel.iterations,
            **asdict(self.used.expected),
            "activation_bits": kernel.input_bits,
            "accumulator_bits": kernel.sum_bits,
            "band": self.used.by_resource(),
        }


@dataclass(frozen=True)
class FifoEstimate:
    """One stream between two stages, out of one of `layer`: `depth` beats of `width` bits."""

    name: str
    layer: str
    depth: int
    width: int
    used: Range


@dataclass(frozen=True)
class PlanEstimate:
    """Everything that is estimated about a folded design.

    Attributes:
        total: of all stages and FIFOs.
        utilisation: share of the device at the bands' high ends, by resource; of a resource that the device lacks, the
            count itself.
        latency_lower_bound: cycles from the first value in to the last one out that no FIFO depth can beat, the
            registers of the kernels' pipelines left out.
    """

    target: Target
    plan: Plan
    stages: tuple[StageEstimate, ...]
    fifos: tuple[FifoEstimate, ...]
    total: Range
    utilisation: Mapping[str, float]
    latency_lower_bound: int

    @property
    def interval(self) -> int:
        """Initiation interval in cycles per frame, set by the slowest stage; holds where no FIFO is too small."""
        return self.plan.interval

    @property
    def frames_per_second(self) -> float:
        return 1e9 / self.target.clock_period_ns / self.interval

    @property
    def most_utilised(self) -> str:
        """The resource of which the largest share is used."""
        return max(self.utilisation, key=self.utilisation.__getitem__)

    @property
    def fits_80_percent(self) -> bool:
        """Whether the bands' high ends leave 20 % of every resource."""
        return max(self.utilisation.values()) <= BUDGET

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: the sections of report.json, and what a search decides by."""
        return {
            "device": asdict(self.target.device),
            "utilisation": dict(self.utilisation),
            "most_utilised": self.most_utilised,
            "fits_80_percent": self.fits_80_percent,
            **self.report_sections(),
        }

    def report_sections(self) -> dict[str, dict[str, Any]]:
        """The sections `estimate` and `fifo` of report.json, keyed as those of stock designs.

        There is one count, that after synthesis, so `total` and `post_synthesis` say the same; layers are stages.
        """
        device, band, expected = self.target.device, self.total.by_resource(), asdict(self.total.expected)
        estimate = {
            "tool": "post-synthesis, counted from the kernels' structure",
            "layers": [stage.as_dict() for stage in self.stages],
            "total": expected,
            "band": band,
            "post_synthesis": {"expected": expected, "band": band},
            "available": {resource: getattr(device, resource) for resource in RESOURCES},
            "share": {resource: share(expected[resource], resource, device) for resource in RESOURCES},
            "share_high": dict(self.utilisation),
            "fits": max(self.utilisation.values()) <= 1,
            "interval_cycles": self.interval,
            "latency_cycles": self.latency_lower_bound,
            "frames_per_second": self.frames_per_second,
            "bottleneck": self.plan.slowest.name,
            "clock_mhz": self.target.clock_mhz,
        }
        fifos = [{"name": fifo.name, "depth": fifo.depth, "width": fifo.width} for fifo in self.fifos]
        bits = sum(fifo.depth * fifo.width for fifo in self.fifos)
        return {"fifo": {"count": len(fifos), "bits": bits, "fifos": fifos}, "estimate": estimate}


def estimate_plan(plan: Plan, target: Target) -> PlanEstimate:
    """Estimate every stage and FIFO, and compare the sum with the device.

    Args:
        plan: its FIFO depths are sized (`qmfn.plan.fifos`) or assumed (`qmfn.plan.assumed`).
    """
    stages = tuple(StageEstimate(stage, stage_range(stage)) for stage in plan.stages)
    fifos = tuple(
        FifoEstimate(
            stream.name, plan[stream.producer or ""].layer, depth, stream.width, fifo_range(depth, stream.width)
        )
        for stream in plan.fifos
        for depth in (plan.depths[stream.name],)
    )
    total = sum([*(stage.used for stage in stages), *(fifo.used for fifo in fifos)], start=NOTHING)
    device = target.device
    return PlanEstimate(
        target=target,
        plan=plan,
        stages=stages,
        fifos=fifos,
        total=total,
        utilisation={resource: share(getattr(total.high, resource), resource, device) for resource in RESOURCES},
        latency_lower_bound=latency_lower_bound(plan),
    )


def share(used: int, resource: str, device: Device) -> float:
    """Part of a device's resource; of one that it lacks, the count itself."""
    return used / max(getattr(device, resource), 1)


def stage_range(stage: Stage) -> Range:
    """Resources of one stage with their band, the ends of its streams included."""
    kernel = stage.kernel
    ends = [
        *(unpacking(values, kernel.values_read, kernel.input_types[0].width) for values in stage.input_beats),
        *(packing(values, kernel.values_written, kernel.output_type.width) for values in stage.output_beats),
    ]
    return priced([*kernel.bill(), *(primitive for end in ends for primitive in end)])


def beats_range(values: int, at_a_time: tuple[int, int], bits: int) -> Range:
    """What it costs the two ends of a stream, that gives and that takes `at_a_time`, that its beats have `values`."""
    gives, takes = at_a_time
    return priced(packing(values, gives, bits)) + priced(unpacking(values, takes, bits))


def fifo_range(depth: int, width: int) -> Range:
    """Resources of one FIFO with their band."""
    return priced([Fifo(depth, width)])


def latency_lower_bound(plan: Plan) -> int:
    """Cycles of one frame alone: every stage waits for its first beats, then needs all its iterations."""
    ready: dict[str, int] = {}
    ends = 0
    for stage in plan.stages:
        start = max((ready.get(name, 0) for name in stage.inputs), default=0)
        first = start + int(np.argmax(stage.schedule().writes[0])) + 1
        ready |= dict.fromkeys(stage.outputs, first)
        ends = max(ends, start + stage.iterations)
    return ends


# --- Bands ------------------------------------------------------------------------------------------------------------


@cache
def band_factors() -> dict[str, tuple[float, float]]:
    """(low, high) on counts; why, is explained in this module's docstring."""
    fitted = coefficients()
    formulas, synthesis = fitted.bands["resource"], fitted.post_synthesis
    factors = {resource: _independent(formulas[resource], synthesis[resource]) for resource in ("lut", "ff")}
    lut = synthesis["lut"]
    factors["memory_lut"] = lut.low / lut.median, lut.high / lut.median
    return factors | {
        resource: (synthesis[resource].low, synthesis[resource].high) for resource in ("dsp", "bram_18k")
    }


def _independent(formula: Band, synthesis: Band) -> tuple[float, float]:
    """Two independent factors as one: logarithms in quadrature; synthesis relative to its own median."""
    low, high = (
        hypot(log(own), log(after / synthesis.median))
        for own, after in ((formula.low, synthesis.low), (formula.high, synthesis.high))
    )
    return exp(-low), exp(high)


def priced(primitives: Iterable[Primitive]) -> Range:
    """What primitives cost together, with the band."""
    counts = [price(primitive) for primitive in primitives]
    return _banded(Count(*map(sum, zip(*counts, strict=True))) if counts else Count())


def _banded(counted: Count) -> Range:
    factors = band_factors()

    def end(index: int) -> dict[str, int]:
        lut = counted.lut * factors["lut"][index] + counted.memory_lut * factors["memory_lut"][index]
        low_or_high_bram = (round(counted.bram * factors["bram_18k"][0]), max(counted.bram, counted.bram_high))
        return {
            "lut": round(lut),
            "ff": round(counted.ff * factors["ff"][index]),
            "dsp": round(counted.dsp * factors["dsp"][index]),
            "bram_18k": low_or_high_bram[index],
            "uram": counted.uram,
        }

    expected = Resources(
        round(counted.lut + counted.memory_lut), round(counted.ff), counted.dsp, counted.bram, counted.uram
    )
    return Range(Resources(**end(0)), expected, Resources(**end(1)))
