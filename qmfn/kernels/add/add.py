"""Residual add: the exact sum of two tensors, rounded by its assignment. PE values from each input per iteration."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from qmfn.devices.family import Family
from qmfn.errors import UserError
from qmfn.kernels.common import COMMON_H
from qmfn.kernels.kernel import Folding, Kernel, register_kernel
from qmfn.kernels.primitives import Adders, Primitive, Registers, Requantisers
from qmfn.network import layers
from qmfn.network.network import Layer, Tensor


@register_kernel
@dataclass(frozen=True, kw_only=True)
class Add(Kernel):
    """Two tensors of one shape."""

    kind: ClassVar[str] = "add"
    header: ClassVar[Path] = Path(__file__).with_name("add.h")
    common_headers: ClassVar[tuple[Path, ...]] = (COMMON_H,)

    @classmethod
    def of_layer(cls, layer: Layer, inputs: Sequence[Tensor]) -> Add | None:
        if not isinstance(layer, layers.Add):
            return None
        if len(inputs) != 2:
            raise UserError(f"{layer.name}: adds {len(inputs)} tensors; the folded backend adds two.")
        return cls(
            source=inputs[0].shape,
            result=inputs[0].shape,
            input_types=tuple(tensor.type for tensor in inputs),
            output_type=layer.output,
        )

    @property
    def is_foldable(self) -> bool:
        return False

    def folded(self, folding: Folding | None, values: int, family: Family) -> tuple[tuple[str, Kernel], ...]:
        return (("", dataclasses.replace(self, pe=values)),)

    @property
    def values_read(self) -> int:
        return self.pe

    @property
    def values_written(self) -> int:
        return self.pe

    @property
    def iterations(self) -> int:
        return self.source.values // self.pe

    def reads_and_writes(self) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(self.iterations, bool), np.ones(self.iterations, bool)

    def bill(self) -> Iterator[Primitive]:
        yield from super().bill()
        bits = self.input_types[0].width + 1
        yield Adders(bits, self.pe)
        yield Requantisers(bits, self.output_type.width, self.pe)
        yield Registers(2 * self.pe * bits)

    @property
    def summary(self) -> str:
        return f"add, {self.pe} values at a time, {self.iterations} cycles per frame"

    def cpp_constants(self) -> dict[str, int | bool]:
        return {"pe": self.pe, "iterations": self.iterations}
