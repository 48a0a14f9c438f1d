"""One stage of the folded design as an hls4ml layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hls4ml.model.layers import Layer, register_layer

from qmfn.dataflow.stages import Stage


@dataclass(frozen=True)
class ValueTypes:
    """hls4ml types of a value as the kernel uses it (what arrives, perhaps requantised), and as it leaves.

    In a class of their own: hls4ml makes named C++ types of attributes that are types.
    """

    arrives: Any
    leaves: Any


class FoldedStage(Layer):
    """A kernel with its folding. Attributes, all given when it is made:

    - `stage`: the `Stage`;
    - `shape`: shape of the tensor that leaves;
    - `value_types`: `ValueTypes`;
    - `numbers`: `LayerNumbers` of a layer with weights, else None.
    """

    _expected_attributes: list[Any] = []

    def initialize(self) -> None:
        for output in self.outputs:
            name = self.name if len(self.outputs) == 1 else output  # two readers may want beats of different widths
            self.add_output_variable(
                self.get_attr("shape"),
                out_name=output,
                var_name=output,
                type_name=f"{name}_t",
                precision=self.get_attr("value_types").leaves,
            )

    @property
    def stage(self) -> Stage:
        return self.get_attr("stage")


register_layer("FoldedStage", FoldedStage)
