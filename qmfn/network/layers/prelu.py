"""PReLU and ReLU as layers of their own, before they are fused into the convolution in front of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qmfn.errors import UserError
from qmfn.network import arithmetic
from qmfn.network.constants import Activation, Constants, constants_of
from qmfn.network.fixed import FixedType
from qmfn.network.importing import Reader, imports
from qmfn.network.layers.requantisation import Requantisation
from qmfn.network.network import Layer, Tensor, register_layer


@register_layer
@dataclass(frozen=True, eq=False)
class Prelu(Layer):
    """x where x is not negative, slope * x where it is, minus the offset; assigned to `output`."""

    activation: Activation
    output: FixedType

    def result(self, *inputs: Tensor) -> Tensor:
        return Tensor(inputs[0].shape, self.output)

    def exact_type(self, inputs: Sequence[Tensor]) -> FixedType | None:
        return None if self.activation.offset is not None else self._constants(inputs[0]).exact_result

    def evaluate(self, inputs: Sequence[Tensor], *values: np.ndarray) -> np.ndarray:
        return arithmetic.finished(values[0], self._constants(inputs[0]), self.output)

    def _constants(self, source: Tensor) -> Constants:
        """Those of a convolution that changes nothing, with this activation."""
        channels = source.shape.channels
        return constants_of(
            self.name, np.ones((1, channels)), np.zeros(channels), source.type, self.activation, self.output
        )


@imports("QPReLU")
def read_qprelu(node: Any, reader: Reader) -> Prelu:
    offset = reader.values(node, "offset") if "offset" in node.weights else None
    activation = Activation(reader.values(node, "slope"), offset)
    return Prelu(node.name, reader.sources(node), activation, reader.output_type(node))


@imports("PReLU")
def read_prelu(node: Any, reader: Reader) -> Prelu:
    channels = reader.output_shape(node).channels
    slopes = reader.values(node, "param").reshape(-1, channels)
    if np.any(slopes != slopes[0]):
        raise UserError(f"{reader.name(node)}: a PReLU must have one slope per channel.")
    return Prelu(node.name, reader.sources(node), Activation(slopes[0]), reader.output_type(node))


def _other_activation(node: Any) -> str | None:
    activation = node.get_attr("activation")
    if activation in ("relu", "linear"):
        return None
    if activation == "ReLU":
        return "the layer ReLU, whose maximum, slope and threshold hls4ml leaves out"
    return f"the activation {activation}"


@imports("Activation", taken="ReLU (an Activation or quantized_relu), quantized_bits", unless=_other_activation)
def read_activation(node: Any, reader: Reader) -> Prelu | Requantisation:
    """ReLU; or "linear", which hls4ml makes of QKeras' `quantized_bits`."""
    if node.get_attr("activation") == "linear":
        return Requantisation(node.name, reader.sources(node), reader.output_type(node))
    slope = np.zeros(reader.output_shape(node).channels)
    return Prelu(node.name, reader.sources(node), Activation(slope), reader.output_type(node))
