"""From the plain description of a design to cycles, resources with error bars, and frames per second."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from qmfn.devices.table import Device, find_device
from qmfn.devices.tools import Tool, tool_for
from qmfn.errors import UserError
from qmfn.resources.coefficients import Band, Coefficients, coefficients
from qmfn.resources.resources import RESOURCES, Resources
from qmfn.stock.cycles import cycles_per_frame, first_output_cycles, hls_latency
from qmfn.stock.design import Design, LayerDesign
from qmfn.stock.resources import fifo_resources, group_of, layer_resources

Ranges = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class PostSynthesis:
    """Expected after Vivado synthesis, by resource kind, and its 10-90 % band."""

    expected: dict[str, int]
    band: Ranges


@dataclass(frozen=True)
class LayerEstimate:
    """One layer, as C-synthesis will report it.

    `cycles` between two frames, `hls_latency_cycles` what HLS states as maximum latency, `first_output_cycles` from
    the design's first input to the layer's first output; `weight_bits` of its whole weight storage, the other bits are
    widths of one value; `band` low and high (10 % and 90 %) by resource kind.
    """

    layer: str
    kind: str
    reuse_factor: int
    multipliers: int
    cycles: int
    hls_latency_cycles: int
    first_output_cycles: int
    lut: int
    ff: int
    dsp: int
    bram_18k: int
    uram: int
    weight_bits: int
    activation_bits: int
    accumulator_bits: int
    band: Ranges
    post_synthesis: PostSynthesis


@dataclass(frozen=True)
class FifoTotals:
    """Streams between the layers: how many, and depth * width of all together in bits."""

    count: int
    bits: int


@dataclass(frozen=True)
class Estimate:
    """Everything that is estimated about a design.

    `total` and `band` are of layers and FIFOs as C-synthesis will report them, `available` of the device, `share` the
    fraction of one in the other, `share_high` that of the band's high end; the design `fits` when no `share_high` is
    above 1. `band` adds the bands of the layers, as if all erred in the same direction: wide, but safe.

    `interval_cycles` between two frames are those of the slowest layer, `bottleneck`, when all layers run at once and
    no FIFO is ever full; `latency_cycles` from the first pixel in to the first value out.
    """

    tool: str
    layers: tuple[LayerEstimate, ...]
    total: dict[str, int]
    band: Ranges
    post_synthesis: PostSynthesis
    available: dict[str, int]
    share: dict[str, float]
    share_high: dict[str, float]
    fits: bool
    interval_cycles: int
    latency_cycles: int
    frames_per_second: float
    bottleneck: str
    clock_mhz: float
    fifo: FifoTotals

    def report_sections(self) -> dict[str, dict]:
        """The sections `estimate` and `fifo` of report.json."""
        values = asdict(self)
        return {"fifo": values.pop("fifo"), "estimate": values}


def estimate(design: Design, tool_version: str | None = None) -> Estimate:
    """Estimate every layer and FIFO of a design and compare the sum with its device.

    Args:
        tool_version: of Vitis or Vivado HLS, 2023.1 say; without one, the newest that the reports cover well.

    Raises:
        UserError: the part is not in the device table, the tool version can't be read or the design has no layers.
    """
    if not design.layers:
        raise UserError(f"design {design.name} has no layers to estimate.")
    device, tool, fitted = find_device(design.part), tool_for(design.backend, tool_version), coefficients()
    clock_ns = design.clock_period_ns
    first = first_output_cycles(design.layers, tool, device, clock_ns, fitted)
    layers = tuple(
        _layer(layer, cycles, tool, device, clock_ns, fitted)
        for layer, cycles in zip(design.layers, first, strict=True)
    )
    fifos = sum((fifo_resources(fifo, tool) for fifo in design.fifos), start=Resources())
    total = {kind: getattr(fifos, kind) + sum(getattr(layer, kind) for layer in layers) for kind in RESOURCES}
    band = _sum_ranges([layer.band for layer in layers], fifos)
    bottleneck = max(layers, key=lambda layer: layer.cycles)
    available = {kind: getattr(device, kind) for kind in RESOURCES}
    # A device may have no URAM: any use of it is then far beyond 100 %.
    share = {kind: total[kind] / max(available[kind], 1) for kind in RESOURCES}
    share_high = {kind: band[kind][1] / max(available[kind], 1) for kind in RESOURCES}
    return Estimate(
        tool=f"{tool.backend} HLS {tool.version}",
        layers=layers,
        total=total,
        band=band,
        post_synthesis=_post_synthesis(total, band, fitted),
        available=available,
        share=share,
        share_high=share_high,
        fits=max(share_high.values()) <= 1,
        interval_cycles=bottleneck.cycles,
        latency_cycles=first[-1],
        frames_per_second=1e9 / clock_ns / bottleneck.cycles,
        bottleneck=bottleneck.layer,
        clock_mhz=1000 / clock_ns,
        fifo=FifoTotals(len(design.fifos), sum(fifo.depth * fifo.bits for fifo in design.fifos)),
    )


def _layer(
    layer: LayerDesign, first: int, tool: Tool, device: Device, clock_ns: float, fitted: Coefficients
) -> LayerEstimate:
    used = asdict(layer_resources(layer, tool, device, clock_ns, fitted))
    bands = fitted.bands[group_of(layer)]
    band = {kind: bounds(used[kind], bands[kind]) if kind in bands else (used[kind],) * 2 for kind in RESOURCES}
    return LayerEstimate(
        layer=layer.name,
        kind=layer.kind,
        reuse_factor=layer.reuse_factor,
        multipliers=layer.multipliers,
        cycles=cycles_per_frame(layer, tool, device, clock_ns, fitted),
        hls_latency_cycles=hls_latency(layer, tool, device, clock_ns, fitted),
        first_output_cycles=first,
        **used,
        weight_bits=layer.weights * layer.weight_bits,
        activation_bits=layer.result_bits,
        accumulator_bits=layer.accumulator_bits,
        band=band,
        post_synthesis=_post_synthesis(used, band, fitted),
    )


def bounds(estimate: float, band: Band) -> tuple[int, int]:
    """Low and high of an estimate, whole numbers."""
    low, high = (max(0, round((estimate + band.offset) * factor - band.offset)) for factor in (band.low, band.high))
    return low, high


def _sum_ranges(ranges: Iterable[Ranges], fifos: Resources) -> Ranges:
    every = list(ranges)
    return {
        kind: tuple(getattr(fifos, kind) + sum(entry[kind][end] for entry in every) for end in (0, 1))
        for kind in RESOURCES
    }


def _post_synthesis(counts: dict[str, int], band: Ranges, fitted: Coefficients) -> PostSynthesis:
    """Vivado's share of C-synthesis applied to the estimate, its low end to the low end and its high end to the high
    end.
    """
    factors = fitted.post_synthesis
    return PostSynthesis(
        expected={kind: round(counts[kind] * factors[kind].median) for kind in RESOURCES},
        band={
            kind: (round(band[kind][0] * factors[kind].low), round(band[kind][1] * factors[kind].high))
            for kind in RESOURCES
        },
    )
