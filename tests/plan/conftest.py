"""Small plans, stage by stage, with the streams that belong between."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from qmfn.kernels import Add, Depthwise, GlobalDepthwise, Matvec, Window
from qmfn.network.fixed import FixedType
from qmfn.network.network import Shape, Tensor
from qmfn.plan.plan import Plan, Stage, connected

FOUR_BITS = FixedType(4, 4)
VALUES: dict[str, Any] = {"input_types": (FOUR_BITS,), "output_type": FOUR_BITS}
WEIGHTED: dict[str, Any] = VALUES | {
    "multiplied": FOUR_BITS, "weight_bits": 4, "mid_rise": False, "accumulator_bits": 8, "shift_bits": 0,
    "biased": FixedType(8, 8), "bias_bits": 4,
}  # fmt: skip


class Builder:
    """Adds stages to the end of a design; `name.out` is the output of the stage `name`.

    Attributes:
        head: (stream, shape, values at a time) of what the next stage reads.
    """

    def __init__(self, height: int, width: int, channels: int, values: int):
        self._stages: list[Stage] = []
        self._input = Tensor(Shape(height * width * channels // values, 1, values), FOUR_BITS)
        self.head = ("input", Shape(height, width, channels), values)

    def matvec(self, name: str, out_channels: int, simd: int = 1, pe: int = 1) -> Builder:
        _, source, _ = self.head
        result = Shape(source.height, source.width, out_channels)
        return self._add(name, Matvec(source=source, result=result, simd=simd, pe=pe, **WEIGHTED))

    def convolution(self, name: str, out_channels: int, kernel: int, stride: int, simd: int, pe: int) -> Builder:
        """A sliding window and the matrix-vector unit behind it."""
        _, source, values = self.head
        height, width = ((size - 1) // stride + 1 for size in (source.height, source.width))
        windows = Shape(height, width, kernel**2 * source.channels)
        window = Window(
            source=source, result=windows, simd=simd, pe=values, kernel=kernel, stride=stride, padding=kernel // 2,
            **VALUES,
        )  # fmt: skip
        self._add(f"{name}_window", window)
        return self.matvec(name, out_channels, simd, pe)

    def depthwise(self, name: str, stride: int = 1, simd: int = 1, pe: int = 1) -> Builder:
        _, source, _ = self.head
        result = Shape((source.height - 1) // stride + 1, (source.width - 1) // stride + 1, source.channels)
        kernel = Depthwise(
            source=source, result=result, simd=simd, pe=pe, kernel=3, stride=stride, padding=1, **WEIGHTED
        )
        return self._add(name, kernel)

    def global_depthwise(self, name: str, pe: int = 1) -> Builder:
        _, source, _ = self.head
        return self._add(name, GlobalDepthwise(source=source, result=Shape(1, 1, source.channels), pe=pe, **WEIGHTED))

    def fork(self) -> tuple[str, Shape, int]:
        """A second reader of the last stage's output. Returns the shortcut's head, for `add`."""
        output, shape, values = self.head
        shortcut = f"{self._stages[-1].name}.shortcut"
        self._stages[-1] = dataclasses.replace(self._stages[-1], outputs=(output, shortcut))
        return shortcut, shape, values

    def add(self, name: str, shortcut: tuple[str, Shape, int]) -> Builder:
        stream, shape, values = self.head
        assert shape == shortcut[1]
        kernel = Add(source=shape, result=shape, pe=values, input_types=(FOUR_BITS,) * 2, output_type=FOUR_BITS)
        return self._add(name, kernel, stream, shortcut[0])

    def build(self) -> Plan:
        return connected({"input": self._input}, self._stages)

    def _add(self, name: str, kernel, *inputs: str) -> Builder:
        self._stages.append(Stage(name, name, kernel, inputs or (self.head[0],), (f"{name}.out",)))
        self.head = (f"{name}.out", kernel.result, kernel.values_written)
        return self


@pytest.fixture(scope="session")
def design() -> type[Builder]:
    return Builder
