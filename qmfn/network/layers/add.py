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
        if len({tensor.shape for tensor in inputs}) > 1:
            added = ", and ".join(f"{name} of {t.shape}" for name, t in zip(self.sources, inputs, strict=True))
            raise UserError(f"{self.name}: adds {added}; the folded backend adds tensors of one shape.")
        return Tensor(inputs[0].shape, self.output)

    def exact_type(self, inputs: Sequence[Tensor]) -> FixedType:
        types = [tensor.type for tensor in inputs]
        signed = any(fixed.signed for fixed in types)
        integer = max(fixed.integer + (signed and not fixed.signed) for fixed in types) + (len(types) - 1).bit_length()
        return FixedType(integer - min(fixed.exponent for fixed in types), integer, signed)

    def evaluate(self, inputs: Sequence[Tensor], *values: np.ndarray) -> np.ndarray:
        return arithmetic.summed(values, [tensor.type for tensor in inputs], self.output)


def _other_merge(node: Any) -> str | None:
    return None if node.get_attr("op") == "add" else node.get_attr("op").capitalize()


@imports("Merge", taken="Add", unless=_other_merge)
def read_merge(node: Any, reader: Reader) -> Add:
    return Add(node.name, reader.sources(node), reader.output_type(node))
