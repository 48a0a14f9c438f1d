"""Small pipelines, stage by stage, with the streams that belong between."""

from __future__ import annotations

import dataclasses
from math import lcm

import pytest

from qmfn.dataflow.stages import Pipeline, Stage, Stream


class Builder:
    """Adds stages to the end of a design; `name.out` is what the stage `name` hands on.

    Attributes:
        head: (stream, height, width, channels, lanes) of what the next stage gets; lanes as the last one gives them.
    """

    def __init__(self, height: int, width: int, channels: int, lanes: int):
        self._stages: list[Stage] = []
        self._streams: dict[str, tuple[int, int]] = {"input": (lanes, height * width * channels // lanes)}
        self.head = ("input", height, width, channels, lanes)

    def matvec(self, name: str, out_channels: int, simd: int = 1, pe: int = 1) -> Builder:
        self._taken(simd)
        _, height, width, channels, _ = self.head
        return self._add(name, "matvec", (height, width, out_channels), pe, simd=simd, pe=pe)

    def convolution(self, name: str, out_channels: int, kernel: int, stride: int, simd: int, pe: int) -> Builder:
        """A sliding window and the matrix-vector unit behind it."""
        _, height, width, channels, lanes = self.head
        kernel_size = {"kernel": kernel, "stride": stride, "padding": kernel // 2}
        out = ((height - 1) // stride + 1, (width - 1) // stride + 1)
        beats = out[0] * out[1] * kernel**2 * channels // simd
        self._add(f"{name}_window", "window", (*out, channels), simd, beats, simd=simd, pe=lanes, **kernel_size)
        out_beats = out[0] * out[1] * out_channels // pe
        return self._add(
            name, "matvec", (*out, out_channels), pe, out_beats, simd=simd, pe=pe, kernel=kernel, size=(*out, channels)
        )

    def depthwise(self, name: str, stride: int = 1, simd: int = 1, pe: int = 1) -> Builder:
        self._taken(pe)
        _, height, width, channels, _ = self.head
        out = ((height - 1) // stride + 1, (width - 1) // stride + 1, channels)
        return self._add(name, "depthwise", out, pe, kernel=3, stride=stride, padding=1, simd=simd, pe=pe)

    def global_depthwise(self, name: str, pe: int = 1) -> Builder:
        self._taken(pe)
        _, height, _, channels, _ = self.head
        return self._add(name, "global_depthwise", (1, 1, channels), pe, kernel=height, pe=pe)

    def fork(self) -> tuple:
        """A second reader of the last stage's output. Returns the shortcut's head, for `add`."""
        output, *shape, lanes = self.head
        shortcut = f"{self._stages[-1].name}.shortcut"
        self._streams[shortcut] = self._streams[output]
        self._stages[-1] = dataclasses.replace(self._stages[-1], outputs=(output, shortcut))
        return (shortcut, *shape, lanes)

    def add(self, name: str, shortcut: tuple) -> Builder:
        head = self.head
        assert head[1:4] == shortcut[1:4]
        self._widen(shortcut[0], head[-1])
        self._add(name, "add", head[1:4], head[-1], pe=head[-1])
        self._stages[-1] = Stage(**{**vars(self._stages[-1]), "inputs": (head[0], shortcut[0])})
        return self

    def build(self) -> Pipeline:
        ends = {s: stage.name for stage in self._stages for s in stage.inputs}
        starts = {s: stage.name for stage in self._stages for s in stage.outputs}
        streams = {
            name: Stream(name, lanes, 4, beats, starts.get(name), ends.get(name))
            for name, (lanes, beats) in self._streams.items()
        }
        stages = (
            dataclasses.replace(
                stage,
                read_lanes=tuple(streams[name].lanes for name in stage.inputs),
                write_lanes=tuple(streams[name].lanes for name in stage.outputs),
            )
            for stage in self._stages
        )
        return Pipeline(tuple(stages), streams)

    def _taken(self, lanes: int) -> None:
        self._widen(self.head[0], lanes)

    def _widen(self, stream: str, taken: int) -> None:
        """Beats of which both ends make whole ones."""
        lanes, beats = self._streams[stream]
        self._streams[stream] = lcm(lanes, taken), lanes * beats // lcm(lanes, taken)

    def _add(self, name, kind, out, lanes, beats=None, size=None, **sizes) -> Builder:
        source, *head = self.head
        height, width, channels = size or head[:3]
        out_height, out_width, out_channels = out
        stage = Stage(
            name, kind, name, (source,), (f"{name}.out",), height, width, channels, out_height, out_width,
            out_channels, **sizes,
        )  # fmt: skip
        self._stages.append(stage)
        self._streams[f"{name}.out"] = (lanes, beats or out_height * out_width * out_channels // lanes)
        self.head = (f"{name}.out", out_height, out_width, out_channels, lanes)
        return self


@pytest.fixture(scope="session")
def design() -> type[Builder]:
    return Builder
