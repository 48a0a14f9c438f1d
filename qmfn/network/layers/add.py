"""The sum of two tensors, value by value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qmfn.errors import UserError
from qmfn.network import arithmetic
from qmfn.network.fixed import FixedType
from qmfn.network.importing import Reader, imports
from qmfn.network.network import Layer, Tensor, register_layer


@register_layer
@dataclass(frozen=True, eq=False)
class Add(Layer):
    """The exact sum, assigned to `output`."""

    output: FixedType

    def result(self, *inputs: Tensor) -> Tensor:
        first, *others = inputs
        for name, other in zip(self.sources[1:], others, strict=True):
            if other.shape != first.shape:
                raise UserError(f"{self.name}: adds {name} of {other.shape} to {self.sources[0]} of {first.shape}.")
        return Tensor(first.shape, self.output)

    def evaluate(self, inputs: Sequence[Tensor], *values: np.ndarray) -> np.ndarray:
        return arithmetic.summed(values, [tensor.type for tensor in inputs], self.output)


@imports("Merge")
def read_merge(node: Any, reader: Reader) -> Add:
    reader.refuse_unless(node, "op", ("add",), "the merge operation")
    return Add(node.name, reader.sources(node), reader.output_type(node))
