"""A plan: a network folded onto kernels, the one description of a folded design.

A *stage* is one kernel with its streams. A *stream* carries `values` per beat, the least common multiple of the
producer's and the consumer's width: the producer packs, the consumer unpacks, so stages that fold differently need no
width converter between them. A tensor with two consumers leaves its stage in two streams.

Writers, estimates, simulation and board files take a plan and a target, and nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import lcm
from types import MappingProxyType

import numpy as np

from qmfn.kernels.kernel import Kernel
from qmfn.network.constants import Constants
from qmfn.network.network import Tensor


@dataclass(frozen=True)
class Schedule:
    """One frame of a stage, iteration by iteration.

    Attributes:
        reads: per input stream, bool (iterations,): a beat is read in this iteration.
        writes: per output stream, bool (iterations,): a beat is written.
    """

    reads: tuple[np.ndarray, ...]
    writes: tuple[np.ndarray, ...]

    @property
    def iterations(self) -> int:
        return len(self.reads[0])


@dataclass(frozen=True)
class Stage:
    """One kernel of the design.

    Attributes:
        name: the layer's name; stages that the layer's own kernel needs in front of it carry a suffix.
        layer: the layer of the network that it belongs to.
        inputs, outputs: names of streams.
        input_beats, output_beats: values per beat of each of them.
    """

    name: str
    layer: str
    kernel: Kernel
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_beats: tuple[int, ...] = ()
    output_beats: tuple[int, ...] = ()

    @property
    def iterations(self) -> int:
        """Cycles per frame."""
        return self.kernel.iterations

    def schedule(self) -> Schedule:
        """One frame: a wide beat is read with the first values that are taken of it, written with the last given."""
        reads, writes = self.kernel.reads_and_writes()
        return Schedule(
            tuple(_every(values // self.kernel.values_read, 0, reads) for values in self.input_beats),
            tuple(_every(values // self.kernel.values_written, -1, writes) for values in self.output_beats),
        )


def _every(parts: int, which: int, times: np.ndarray) -> np.ndarray:
    """Of `parts` times one after another only the first (0) or the last (-1)."""
    kept = np.zeros_like(times)
    kept[np.flatnonzero(times).reshape(-1, parts)[:, which]] = True
    return kept


@dataclass(frozen=True)
class Stream:
    """`beats` per frame of `values` values of `bits` bits.

    `producer` and `consumer` are stage names; None: the design's own input or output.
    """

    name: str
    values: int
    bits: int
    beats: int
    producer: str | None
    consumer: str | None

    @property
    def width(self) -> int:
        """Bits of one beat."""
        return self.values * self.bits


@dataclass(frozen=True)
class Plan:
    """A folded design; stages in an order in which every producer stands before its consumers.

    Attributes:
        streams: by name.
        network: digest of the network that was folded.
        constants: integers of the stages that have weights, by stage name; the network's digest covers them.
        depths: FIFO depth in beats of each stream between two stages; empty until they are sized.
    """

    stages: tuple[Stage, ...]
    streams: Mapping[str, Stream]
    network: str = ""
    constants: Mapping[str, Constants] = field(default_factory=dict, compare=False, repr=False)
    depths: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Stage:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Stage]:
        return {stage.name: stage for stage in self.stages}

    @property
    def slowest(self) -> Stage:
        return max(self.stages, key=lambda stage: stage.iterations)

    @property
    def interval(self) -> int:
        """Initiation interval in cycles per frame, where no FIFO is too small: iterations of the slowest stage."""
        return self.slowest.iterations

    @property
    def fifos(self) -> tuple[Stream, ...]:
        """Streams between two stages."""
        return tuple(stream for stream in self.streams.values() if stream.producer and stream.consumer)

    @property
    def fifo_bits(self) -> int:
        """Bits of all FIFOs: depth * width, summed."""
        return sum(self.depths[stream.name] * stream.width for stream in self.fifos)

    def with_depths(self, depths: Mapping[str, int]) -> Plan:
        return dataclasses.replace(self, depths=dict(depths))


NO_CONSTANTS: Mapping[str, Constants] = MappingProxyType({})


def connected(
    inputs: Mapping[str, Tensor],
    stages: Sequence[Stage],
    network: str = "",
    constants: Mapping[str, Constants] = NO_CONSTANTS,
) -> Plan:
    """The plan of stages that name their streams: every stream gets beats that both of its ends make whole.

    Args:
        inputs: stream that comes from outside -> its tensor, one pixel per beat.
        network, constants: of the plan.
    """
    streams = {
        name: Stream(name, tensor.shape.channels, tensor.type.width, tensor.shape.pixels, None, None)
        for name, tensor in inputs.items()
    }
    for stage in stages:
        kernel = stage.kernel
        for name in stage.inputs:
            streams[name] = _consumed(streams[name], stage)
        beats = kernel.result.values // kernel.values_written
        for name in stage.outputs:
            streams[name] = Stream(name, kernel.values_written, kernel.output_type.width, beats, stage.name, None)
    return Plan(tuple(_with_beats(stage, streams) for stage in stages), streams, network, constants)


def _consumed(stream: Stream, consumer: Stage) -> Stream:
    values = lcm(stream.values, consumer.kernel.values_read)
    beats = stream.beats * stream.values // values
    return dataclasses.replace(stream, values=values, beats=beats, consumer=consumer.name)


def _with_beats(stage: Stage, streams: Mapping[str, Stream]) -> Stage:
    inputs, outputs = (tuple(streams[name].values for name in names) for names in (stage.inputs, stage.outputs))
    return dataclasses.replace(stage, input_beats=inputs, output_beats=outputs)
