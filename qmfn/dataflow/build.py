"""From the layers of a network and their foldings to the pipeline: sliding windows come in between.

A layer is given as a `FoldedLayer`, its stage unfolded (SIMD = PE = 1); `qmfn.hls.folded` makes these from an hls4ml
graph or from a checkpoint.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm

from qmfn.dataflow.stages import Memory, Multiplier, Pipeline, Stage, Stream

DSP_PORTS = (27, 18)
"""Bits of a DSP48E2's multiplier inputs (UG579), signed."""


@dataclass(frozen=True)
class Folding:
    """How one layer is folded, and where its memories and multipliers go. An add has no folding."""

    simd: int = 1
    pe: int = 1
    weights_memory: Memory = "auto"
    line_memory: Memory = "auto"
    multiplier: Multiplier = "fabric"


@dataclass(frozen=True)
class FoldedLayer:
    """One layer of the network before folding: its kernel's stage, and the layers (or the input) that it reads."""

    stage: Stage
    sources: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.stage.name


@dataclass(frozen=True)
class Input:
    """The design's input: `pixels` of `channels` values, one pixel per beat."""

    name: str
    pixels: int
    channels: int
    bits: int


def divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def simd_choices(stage: Stage) -> list[int]:
    """SIMD that a layer's kernel can have, ascending."""
    return [1] if stage.kind == "global_depthwise" else divisors(stage.terms)


def pe_choices(stage: Stage) -> list[int]:
    """PE that a layer's kernel can have, ascending."""
    return divisors(stage.out_channels)


def multiplier_choices(stage: Stage) -> dict[int, tuple[int, int]]:
    """Number of multipliers -> the (SIMD, PE) that is meant where only a reuse factor is given.

    Matrix-vector units: SIMD not below PE, as square as can be, because a beat of the input is shared by all outputs
    and every output has an accumulator. Depthwise: as many taps at a time as can be, because they share a window.
    """
    choices: dict[int, tuple[int, int]] = {}
    for simd in simd_choices(stage):
        for pe in pe_choices(stage):
            best = choices.get(simd * pe)
            if best is None or _rank(stage, simd, pe) < _rank(stage, *best):
                choices[simd * pe] = (simd, pe)
    return dict(sorted(choices.items()))


def _rank(stage: Stage, simd: int, pe: int) -> tuple[bool, float]:
    return (simd < pe, abs(simd - pe)) if stage.kind == "matvec" else (False, -simd)


def product_field(weight_bits: int, input_bits: int, simd: int) -> int:
    """Bits of a signed sum of `simd` products: |sum| <= simd * 2**(weight_bits - 1 + input_bits - 1)."""
    return (simd << (weight_bits + input_bits - 2)).bit_length() + 1


def lanes_per_dsp(weight_bits: int, input_bits: int, field_bits: int) -> int:
    """Outputs whose weights fit side by side into a DSP's wide port, `field_bits` apart, their input in the other one.

    The packed word is positive: its sign bit is none of its fields'.
    """
    wide, narrow = DSP_PORTS
    if input_bits > narrow:
        return 1
    return max(1, 1 + (wide - 1 - weight_bits) // field_bits)


def build_pipeline(source: Input, layers: Sequence[FoldedLayer], foldings: Mapping[str, Folding]) -> Pipeline:
    """The design.

    Args:
        layers: in the order of computation; the last one's output is the design's.
        foldings: by layer name; adds have none. SIMD and PE must divide the layer's work (`simd_choices`).
    """
    builder = _Builder(source, [name for layer in layers for name in layer.sources])
    for layer in layers:
        if layer.stage.kind == "add":
            builder.add(layer)
        else:
            builder.convolution(layer, foldings[layer.name])
    return builder.finished(layers[-1].name)


class _Builder:
    """Stages so far, and for every tensor the streams that its readers have not taken yet."""

    def __init__(self, source: Input, readers: Sequence[str]):
        self.readers = readers
        self.stages: list[Stage] = []
        self.streams = {source.name: Stream(source.name, source.channels, source.bits, source.pixels, None, None)}
        self.free = {source.name: [source.name]}

    def convolution(self, layer: FoldedLayer, folding: Folding) -> None:
        stage = dataclasses.replace(layer.stage, **dataclasses.asdict(folding))
        if stage.kind == "matvec":
            shared = stage.multiplier == "dsp"  # there a weight counts from the most negative one, without a sign
            field = product_field(stage.weight_bits + shared, stage.input_bits, stage.simd)
            lanes = lanes_per_dsp(stage.weight_bits, stage.input_bits, field) if stage.multiplier == "dsp" else 1
            stage = dataclasses.replace(stage, field_bits=field, lanes_per_dsp=min(lanes, stage.pe))
        arrives = self.free[layer.sources[0]].pop(0)
        if stage.kind == "matvec" and stage.kernel > 1:
            arrives, stage = self._window(stage, arrives)
        self._emit(stage, (arrives,))

    def add(self, layer: FoldedLayer) -> None:
        first, second = (self.free[name].pop(0) for name in layer.sources)
        self._emit(dataclasses.replace(layer.stage, pe=self.streams[first].lanes), (first, second))

    def _window(self, stage: Stage, arrives: str) -> tuple[str, Stage]:
        """A sliding window in front of a dense convolution; what follows sees windows as pixels.

        It takes as many channels at a time as fill its output beats.
        """
        taps = stage.kernel**2
        fitting = [d for d in divisors(stage.channels) if taps * d % stage.simd == 0 and d <= max(stage.simd, 1)]
        lanes = max(fitting, default=stage.channels)
        name = f"{stage.name}_window"
        window = dataclasses.replace(
            stage, name=name, kind="window", pe=lanes, out_channels=stage.terms, weight_bits=0, mid_rise=False,
            accumulator_bits=0, shift_bits=0, result_bits=0, bias_bits=0, slope_bits=0, offset_bits=0,
            output_bits=stage.input_bits, multiplier="fabric", lanes_per_dsp=1, field_bits=0, weights_memory="auto",
        )  # fmt: skip
        self._emit(window, (arrives,))
        matvec = dataclasses.replace(
            stage, height=stage.out_height, width=stage.out_width, channels=stage.terms, kernel=1, stride=1, padding=0,
            stream_bits=stage.input_bits, line_memory="auto",
        )  # fmt: skip
        return self.free[name].pop(0), matvec

    def _emit(self, stage: Stage, inputs: tuple[str, ...]) -> None:
        """Put a stage behind its inputs; its output is as many streams as it has readers."""
        for name in inputs:
            self.streams[name] = _consumed(self.streams[name], stage)
        beats = stage.out_pixels * stage.out_channels // stage.lanes_out
        readers = self.readers.count(stage.name)
        outputs = tuple(f"{stage.name}_out{number}" for number in range(1, readers + 1))
        if readers <= 1:
            outputs = (f"{stage.name}_out",)
        for name in outputs:
            self.streams[name] = Stream(name, stage.lanes_out, stage.output_bits, beats, stage.name, None)
        self.free[stage.name] = list(outputs)
        self.stages.append(dataclasses.replace(stage, inputs=inputs, outputs=outputs))

    def finished(self, output: str) -> Pipeline:
        assert self.free[output] == [f"{output}_out"], "the last layer's output is the design's"
        return Pipeline(tuple(self._with_lanes(stage) for stage in self.stages), self.streams)

    def _with_lanes(self, stage: Stage) -> Stage:
        read, write = (tuple(self.streams[name].lanes for name in names) for names in (stage.inputs, stage.outputs))
        return dataclasses.replace(stage, read_lanes=read, write_lanes=write)


def _consumed(stream: Stream, consumer: Stage) -> Stream:
    """The stream with its consumer: its beats are such that producer and consumer both make whole ones."""
    lanes = lcm(stream.lanes, consumer.lanes_in)
    return dataclasses.replace(stream, lanes=lanes, beats=stream.beats * stream.lanes // lanes, consumer=consumer.name)

