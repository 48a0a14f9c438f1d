"""An assignment to another type: what a quantising activation does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qmfn.network import arithmetic
from qmfn.network.fixed import FixedType
from qmfn.network.network import Layer, Tensor, register_layer


@register_layer
@dataclass(frozen=True, eq=False)
class Requantisation(Layer):
    """Every value assigned to `output`."""

    output: FixedType

    def result(self, *inputs: Tensor) -> Tensor:
        return Tensor(inputs[0].shape, self.output)

    def evaluate(self, inputs: Sequence[Tensor], *values: np.ndarray) -> np.ndarray:
        return arithmetic.assigned(values[0], inputs[0].type, self.output)
