"""Sliding window in front of a matrix-vector unit: from pixels to windows.

Loop order: position, channel fold (group of PE channels), and where an output is due tap folds of SIMD values. Reads PE
values with the first tap fold while there are pixels; writes SIMD values in every tap fold of an output. Belongs to no
layer of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from qmfn.devices.family import Family
from qmfn.kernels.common import COMMON_H, SLIDING_WINDOW_H
from qmfn.kernels.common.ports import input_constants, input_primitives, input_types
from qmfn.kernels.common.sliding import SlidingKernel
from qmfn.kernels.kernel import Folding, Kernel, divisors, register_kernel
from qmfn.kernels.primitives import Primitive
from qmfn.network.network import Layer, Tensor


@register_kernel
@dataclass(frozen=True, kw_only=True)
class Window(SlidingKernel):
    """The windows of all outputs; its output type is that of the values it works on."""

    kind: ClassVar[str] = "window"
    header: ClassVar[Path] = Path(__file__).with_name("window.h")
    common_headers: ClassVar[tuple[Path, ...]] = (COMMON_H, SLIDING_WINDOW_H)
    has_copy: ClassVar[bool] = False

    @classmethod
    def of_layer(cls, layer: Layer, inputs: Sequence[Tensor]) -> None:
        return None

    def folded(self, folding: Folding | None, values: int, family: Family) -> tuple[tuple[str, Kernel], ...]:
        raise AssertionError("a window belongs to the kernel behind it")

    def in_front(self, folding: Folding) -> Window:
        """The window in front of a matrix-vector unit: as many channels at a time as fill its output beats."""
        taps = self.kernel**2
        fitting = [d for d in divisors(self.source.channels) if taps * d % folding.simd == 0 and d <= folding.simd]
        return dataclasses.replace(
            self,
            simd=folding.simd,
            pe=max(fitting, default=self.source.channels),
            line_memory=folding.line_memory,
        )

    @property
    def tap_folds(self) -> int:
        return self.kernel**2 * self.pe // self.simd

    @property
    def values_written(self) -> int:
        return self.simd

    def reads_and_writes(self) -> tuple[np.ndarray, np.ndarray]:
        reads, fires, _ = self.passes()
        return reads, fires

    @property
    def input_bits(self) -> int:
        return self.output_type.signed_bits

    def bill(self) -> Iterator[Primitive]:
        yield from super().bill()
        yield from input_primitives(self.input_types[0], self.output_type, self.pe)
        yield from self.window_primitives(self.simd)

    def cpp_constants(self) -> dict[str, int | bool]:
        return {
            "simd": self.simd, "pe": self.pe, **self.window_constants(),
            **input_constants(self.input_types[0], self.output_type),
        }  # fmt: skip

    def cpp_types(self) -> dict[str, str]:
        return input_types(self.input_types[0], self.output_type)
