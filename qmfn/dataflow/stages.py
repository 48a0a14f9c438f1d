"""A folded design: stages, and the streams between them.

A *stage* is one kernel: one flat loop, pipelined at II = 1, so its cycles per frame are its iterations. A *stream*
carries `lanes` values per beat: the least common multiple of what its producer gives and its consumer takes at a time,
so that the one collects and the other takes apart, and no stage has to stand between neighbours that fold differently.
A tensor with two readers leaves its stage in two streams.
What a kernel does in which order stands in its header (`qmfn/hls/folded/kernels`); `qmfn.dataflow.schedule` says the
same in arrays.

| kind | lanes in | lanes out | iterations per frame |
|---|---|---|---|
| window | pe | simd | groups * (positions - outputs) + outputs * k*k*C_in / simd |
| matvec | simd | pe | outputs * (k*k*C_in / simd) * (C_out / pe) |
| depthwise | pe | pe | groups * (positions - outputs + outputs * k*k / simd) |
| global_depthwise | pe | pe | pixels * groups |
| add | pe | pe | pixels * groups |

`groups` = channels / pe; `positions` are the pixels that pass through a sliding window, plus those that it lags behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["window", "matvec", "depthwise", "global_depthwise", "add"]

WEIGHTED = ("matvec", "depthwise", "global_depthwise")
"""Kinds that multiply weights; their sums get bias, slope and offset and are requantised."""

Memory = Literal["auto", "bram", "uram", "lutram"]
"""Where a memory goes; auto: the tool, or the folding search, decides."""

Multiplier = Literal["fabric", "dsp"]


@dataclass(frozen=True)
class Stage:
    """One kernel of the design.

    Sizes are pixels of one frame; `height`, `width`, `channels` of what comes in. `simd` and `pe` fold the work as the
    table of this module says. `inputs` and `outputs` name streams, `read_lanes` and `write_lanes` say how many values
    each of their beats has: multiples of `lanes_in` and `lanes_out`. Bits that a kind does not have are 0.

    Attributes:
        name: the layer's name; stages that the layer's own kernel needs around it carry a suffix.
        layer: the layer of the network (`bottleneck3_expand`) that this stage belongs to.
        stream_bits: per value of the stream that arrives.
        input_bits: per value that is multiplied or buffered: what arrives, requantised.
        weight_bits: per weight in the ROM.
        mid_rise: a weight is 2 * stored + 1.
        accumulator_bits: of the sum of products.
        shift_bits: of the shift that brings a channel's sum to the layer's grid; 0: all channels share one.
        result_bits: of the sum with its bias on that grid; bias_bits, slope_bits (0: linear), offset_bits (0: none).
        output_bits: per value that leaves.
        field_bits: of one product sum in a DSP word that `lanes_per_dsp` of them share.
    """

    name: str
    kind: Kind
    layer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    out_channels: int
    read_lanes: tuple[int, ...] = ()
    write_lanes: tuple[int, ...] = ()
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    simd: int = 1
    pe: int = 1
    stream_bits: int = 0
    input_bits: int = 0
    weight_bits: int = 0
    mid_rise: bool = False
    accumulator_bits: int = 0
    shift_bits: int = 0
    result_bits: int = 0
    bias_bits: int = 0
    slope_bits: int = 0
    offset_bits: int = 0
    output_bits: int = 0
    weights_memory: Memory = "auto"
    line_memory: Memory = "auto"
    multiplier: Multiplier = "fabric"
    lanes_per_dsp: int = 1
    field_bits: int = 0

    @property
    def pixels(self) -> int:
        """Pixels of one frame that come in."""
        return self.height * self.width

    @property
    def out_pixels(self) -> int:
        return self.out_height * self.out_width

    @property
    def groups(self) -> int:
        """Beats of one pixel that comes in, where `pe` channels come in at a time."""
        return self.channels // self.pe

    @property
    def terms(self) -> int:
        """Products per output value."""
        return self.kernel**2 * (1 if self.kind in ("depthwise", "global_depthwise") else self.channels)

    @property
    def positions(self) -> int:
        """Pixels that pass through a sliding window per frame: all of the image, or as far as the last output needs."""
        reach = self.kernel - 1 - self.padding
        last_row, last_column = ((size - 1) * self.stride + reach for size in (self.out_height, self.out_width))
        return max(self.pixels, last_row * self.width + last_column + 1)

    @property
    def steps(self) -> int:
        """Iterations that a sliding window spends on one group of channels where it yields an output."""
        taps = self.kernel**2
        return taps * self.pe // self.simd if self.kind == "window" else taps // self.simd

    @property
    def multipliers(self) -> int:
        """Multipliers at work: SIMD * PE."""
        return {"matvec": self.simd * self.pe, "depthwise": self.simd * self.pe, "global_depthwise": self.pe}.get(
            self.kind, 0
        )

    @property
    def reuse_factor(self) -> int:
        """Multiplications per output pixel / multipliers; for the global depthwise, per pixel that comes in."""
        products = {"matvec": self.terms * self.out_channels, "depthwise": self.terms * self.channels}
        return products.get(self.kind, self.channels) // max(1, self.multipliers)

    @property
    def weight_words(self) -> int:
        """Depth of the weight ROM; a word has one weight per multiplier."""
        weights = {
            "matvec": self.terms * self.out_channels,
            "depthwise": self.terms * self.channels,
            "global_depthwise": self.pixels * self.channels,
        }
        return weights[self.kind] // self.multipliers if self.kind in weights else 0

    @property
    def lanes_in(self) -> int:
        """Values that the kernel takes at a time."""
        return self.simd if self.kind == "matvec" else self.pe

    @property
    def lanes_out(self) -> int:
        """Values that the kernel gives at a time."""
        return self.simd if self.kind == "window" else self.pe

    @property
    def iterations(self) -> int:
        """Iterations of the kernel's loop per frame: at II = 1 its cycles."""
        if self.kind == "matvec":
            return self.out_pixels * (self.terms // self.simd) * (self.out_channels // self.pe)
        if self.kind in ("window", "depthwise"):
            return self.groups * (self.positions - self.out_pixels + self.out_pixels * self.steps)
        return self.pixels * self.groups


@dataclass(frozen=True)
class Stream:
    """What one stage hands to the next: `beats` per frame of `lanes` values of `bits` bits.

    `producer` and `consumer` are stage names; None: the design's own input or output.
    """

    name: str
    lanes: int
    bits: int
    beats: int
    producer: str | None
    consumer: str | None

    @property
    def width(self) -> int:
        """Bits of one beat."""
        return self.lanes * self.bits


@dataclass(frozen=True)
class Pipeline:
    """A folded design; stages in an order in which every producer stands before its consumers."""

    stages: tuple[Stage, ...]
    streams: Mapping[str, Stream]

    @property
    def slowest(self) -> Stage:
        return max(self.stages, key=lambda stage: stage.iterations)

    @property
    def interval(self) -> int:
        """Cycles between two frames, where no FIFO is too small: the iterations of the slowest stage."""
        return self.slowest.iterations

    @property
    def inner_streams(self) -> tuple[Stream, ...]:
        """Streams between two stages: the design's FIFOs."""
        return tuple(stream for stream in self.streams.values() if stream.producer and stream.consumer)

