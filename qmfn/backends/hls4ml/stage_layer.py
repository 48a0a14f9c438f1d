"""One stage of a plan as an hls4ml layer, and the plan of a graph.

A plan belongs to its graph: every node keeps its own stage, and `plan_of` connects them. So two graphs never share one,
and hls4ml's serialisation saves and loads it with the nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hls4ml.model.layers import Layer, register_layer
from hls4ml.model.types import FixedPrecisionType, RoundingMode, SaturationMode, Serializable

from qmfn.network.constants import Constants
from qmfn.network.fixed import FixedType
from qmfn.network.importing import fixed_type, image_shape
from qmfn.network.network import Tensor
from qmfn.plan.plan import Plan, Stage, connected
from qmfn.plan.store import constants_from, constants_to, stage_from, stage_to

if TYPE_CHECKING:
    from hls4ml.model.graph import ModelGraph


class StageAttribute(Serializable):
    """A stage with its integers, as an attribute of a node; hls4ml saves and loads it."""

    def __init__(self, stage: Stage, constants: Constants | None):
        self.stage, self.constants = stage, constants

    def serialize_state(self) -> dict[str, Any]:
        constants = None if self.constants is None else constants_to(self.constants)
        return {"stage": stage_to(self.stage), "constants": constants}

    @classmethod
    def deserialize(cls, state: dict[str, Any]) -> StageAttribute:
        constants = None if state["constants"] is None else constants_from(state["constants"])
        return cls(stage_from(state["stage"]), constants)


class FoldedStage(Layer):
    """A kernel with its folding. Attributes, given when it is made:

    - `stage`: `StageAttribute`;
    - `network`: digest of the network that was folded;
    - `result_of`: the layer of the user's model whose output it gives, or its layer gives;
    - `depths`: output stream -> FIFO depth in beats, once they are sized; the design's own output has none.
    """

    _expected_attributes: list[Any] = []

    def initialize(self) -> None:
        kernel = self.stage.kernel
        for output in self.outputs:
            name = self.name if len(self.outputs) == 1 else output  # each may have beats of another width
            self.add_output_variable(
                [kernel.result.height, kernel.result.width, kernel.result.channels],
                out_name=output,
                var_name=output,
                type_name=f"{name}_t",
                precision=precision_of(kernel.output_type),
            )

    @property
    def stage(self) -> Stage:
        return self.get_attr("stage").stage

    @property
    def constants(self) -> Constants | None:
        return self.get_attr("stage").constants


register_layer("FoldedStage", FoldedStage)


def precision_of(fixed: FixedType) -> FixedPrecisionType:
    """hls4ml's type for ours."""
    return FixedPrecisionType(
        fixed.width, fixed.integer, fixed.signed, RoundingMode[fixed.rounding], SaturationMode[fixed.overflow]
    )


def plan_of(graph: ModelGraph) -> Plan:
    """The plan of a folded graph."""
    inputs: dict[str, Tensor] = {}
    nodes = []
    for node in graph.get_layers():
        if isinstance(node, FoldedStage):
            nodes.append(node)
        else:
            variable = node.get_output_variable()
            inputs[node.outputs[0]] = Tensor(
                image_shape(node.name, variable.shape), fixed_type(node.name, variable.type.precision)
            )
    constants = {node.name: node.constants for node in nodes if node.constants is not None}
    network = nodes[0].get_attr("network") if nodes else ""
    plan = connected(inputs, [node.stage for node in nodes], network, constants)
    depths = {stream: depth for node in nodes for stream, depth in (node.get_attr("depths") or {}).items()}
    return plan.with_depths(depths)
