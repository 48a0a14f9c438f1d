"""How each layer is folded, from hls4ml's configuration of a graph.

A layer that has the reuse factor of `Model` has none of its own: `config_from_keras_model` copies that one to every
layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qmfn.kernels import Folding
from qmfn.plan.fold import UnfoldedLayer
from qmfn.plan.foldings import folding

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph

KEYS = {
    "Simd": "simd",
    "Pe": "pe",
    "WeightsMemory": "weights_memory",
    "LineMemory": "line_memory",
    "Multiplier": "multiplier",
}
"""Keys of a layer's hls4ml configuration -> fields of `Folding`."""


def graph_foldings(
    graph: ModelGraph, layers: Sequence[UnfoldedLayer], nodes: Mapping[str, Sequence[Any]]
) -> dict[str, Folding]:
    """Foldings as an hls4ml configuration asks for them.

    Args:
        nodes: layer -> hls4ml's nodes that became it; the first one has the layer's settings.

    Raises:
        UserError: a value that the layer can't have.
    """
    foldings = {}
    for layer in layers:
        if not layer.kernel.is_foldable:
            continue
        node = next(node for node in nodes[layer.name] if node.name == layer.name)
        keys = {**KEYS, "ReuseFactor": "reuse_factor"}
        settings, reuse_factor = _settings(graph, node), graph.config.get_reuse_factor(node)
        given = {field: settings[key] for key, field in keys.items() if settings.get(key) is not None}
        if reuse_factor == graph.config.model_rf:
            given.pop("reuse_factor", None)
        where = {field: f"{layer.name}: {key}" for key, field in keys.items()}
        foldings[layer.name] = folding(layer, reuse_factor, given, where)
    return foldings


def _settings(graph: ModelGraph, node: Any) -> dict[str, Any]:
    """What the configuration says of a layer: by its name, else by its type, else for the whole model."""
    model = graph.config.config["HLSConfig"].get("Model") or {}
    return {**model, **graph.config.get_layer_config(node)}
