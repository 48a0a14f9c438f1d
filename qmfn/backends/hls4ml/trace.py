"""What hls4ml's `graph.trace` can record of a folded design."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qmfn.errors import UserError

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph


def check_trace(graph: ModelGraph) -> None:
    """hls4ml records a stage's output stream under the stage's name; it must be that of the layer of this name.

    Raises:
        UserError: a traced layer has no output stream of its own, or two.
    """
    source = next(iter(graph.get_layers()))
    for name in source.get_attr("traced", ()):
        stage = graph.graph.get(name)
        if stage is None:
            why = "it is part of another layer's kernel, or of none"
        elif stage.get_attr("result_of") != name:
            why = f"its kernel gives the output of {stage.get_attr('result_of')}"
        elif len(stage.outputs) > 1:
            why = f"{len(stage.outputs)} layers read it, each from its own stream"
        else:
            continue
        raise UserError(f"{name}: can't be traced: {why}; set its Trace to False.")
