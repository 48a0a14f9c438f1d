"""Estimates before synthesis: from a converted design to cycles, resources and frames per second.

Takes a `Design` (`describe` reads one from a converted hls4ml ModelGraph), gives an `Estimate`. Every number
in it is *estimated* from C-synthesis reports of other designs, never C-synthesis or post-synthesis of this
one. The formulas are in `cycles` and `resources`, the devices in `devices`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from qmfn.estimate.cycles import cycles_per_frame
from qmfn.estimate.design import Design, FifoDesign, LayerDesign, describe
from qmfn.estimate.devices import Device, find_device
from qmfn.estimate.resources import RESOURCE_KINDS, Resources, fifo_resources, layer_resources, multipliers

__all__ = [
    "Design",
    "Device",
    "Estimate",
    "FifoDesign",
    "FifoTotals",
    "LayerDesign",
    "LayerEstimate",
    "describe",
    "estimate",
    "find_device",
]


@dataclass(frozen=True)
class LayerEstimate:
    """One layer. `cycles` per frame; `weight_bits` of its whole weight storage; the other bits are widths of
    one value.
    """

    layer: str
    kind: str
    reuse_factor: int
    multipliers: int
    cycles: int
    lut: int
    ff: int
    dsp: int
    bram_18k: int
    uram: int
    weight_bits: int
    activation_bits: int
    accumulator_bits: int


@dataclass(frozen=True)
class FifoTotals:
    """Streams between the layers: how many, and depth * width of all together in bits."""

    count: int
    bits: int


@dataclass(frozen=True)
class Estimate:
    """Everything that is estimated about a design.

    `total` is of layers and FIFOs, `available` of the device, `share` the fraction of one in the other (above
    1: does not fit), each by resource kind. `frames_per_second` is what the slowest layer, `bottleneck`,
    allows at `clock_mhz` when all layers run at once and no FIFO is ever full.
    """

    layers: tuple[LayerEstimate, ...]
    total: dict[str, int]
    available: dict[str, int]
    share: dict[str, float]
    frames_per_second: float
    bottleneck: str
    clock_mhz: float
    fifo: FifoTotals

    def report_sections(self) -> dict[str, dict]:
        """The sections `estimate` and `fifo` of report.json."""
        values = asdict(self)
        return {"fifo": values.pop("fifo"), "estimate": values}


def estimate(design: Design) -> Estimate:
    """Estimate every layer and FIFO of a design and compare the sum with its device.

    Raises UserError when the part is not in the device table or the design has no layers.
    """
    device = find_device(design.part)
    layers = tuple(_estimate_layer(layer, design.backend, device.family) for layer in design.layers)
    bottleneck = max(layers, key=lambda layer: layer.cycles)
    clock_mhz = 1000 / design.clock_period_ns
    used = sum(
        [layer_resources(layer, design.backend) for layer in design.layers]
        + [fifo_resources(fifo, design.backend) for fifo in design.fifos],
        start=Resources(),
    )
    total = asdict(used)
    available = {kind: getattr(device, kind) for kind in RESOURCE_KINDS}
    return Estimate(
        layers=layers,
        total=total,
        available=available,
        # A device may have no URAM: any use of it is then far beyond 100 %.
        share={kind: total[kind] / max(available[kind], 1) for kind in RESOURCE_KINDS},
        frames_per_second=clock_mhz * 1e6 / bottleneck.cycles,
        bottleneck=bottleneck.layer,
        clock_mhz=clock_mhz,
        fifo=FifoTotals(len(design.fifos), sum(fifo.depth * fifo.bits for fifo in design.fifos)),
    )


def _estimate_layer(layer: LayerDesign, backend: str, family: str) -> LayerEstimate:
    return LayerEstimate(
        layer=layer.name,
        kind=layer.kind,
        reuse_factor=layer.reuse_factor,
        multipliers=multipliers(layer),
        cycles=cycles_per_frame(layer, backend, family),
        **asdict(layer_resources(layer, backend)),
        weight_bits=layer.weights * layer.weight_bits,
        activation_bits=layer.result_bits,
        accumulator_bits=layer.accumulator_bits,
    )
