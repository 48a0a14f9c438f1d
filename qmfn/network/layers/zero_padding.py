"""Zeros around an image, before they are fused into the convolution that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qmfn.network.importing import Reader, imports
from qmfn.network.network import Layer, Padding, Tensor, register_layer


@register_layer
@dataclass(frozen=True, eq=False)
class ZeroPadding(Layer):
    """The same values in a larger image."""

    padding: Padding

    def result(self, *inputs: Tensor) -> Tensor:
        return Tensor(self.padding.of(inputs[0].shape), inputs[0].type)

    def evaluate(self, inputs: Sequence[Tensor], *values: np.ndarray) -> np.ndarray:
        return self.padding.pad(values[0])


@imports("ZeroPadding2D")
def read_zero_padding(node: Any, reader: Reader) -> ZeroPadding:
    reader.refuse_unless(node, "data_format", ("channels_last",), "the data format")
    return ZeroPadding(node.name, reader.sources(node), reader.padding(node))
