"""What a design asks hls4ml for, settled before hls4ml is loaded: exact types, reuse factors or foldings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qmfn.config import DesignConfig
from qmfn.dataflow.build import Folding
from qmfn.hls.folded.from_checkpoint import folded_layers, foldings_by_layer
from qmfn.hls.reuse import LayerHls, hls_by_layer, precisions_by_layer
from qmfn.hls.types import LayerTypes, layer_types
from qmfn.model.checkpoint import Checkpoint


@dataclass(frozen=True)
class Request:
    """What a design asks hls4ml for; the written project is checked against it.

    A stock design has `hls`, a folded one `foldings`.
    """

    types: Mapping[str, LayerTypes]
    hls: Mapping[str, LayerHls]
    foldings: Mapping[str, Folding] | None = None


def plan(config: DesignConfig, checkpoint: Checkpoint) -> Request:
    """Settle types and HLS settings of every layer.

    Raises:
        UserError: a setting can't be honoured.
    """
    layers, file = checkpoint.layers, str(config.file)
    if config.hls.dataflow == "folded":
        types = layer_types(checkpoint, {})
        return Request(types, {}, foldings_by_layer(config.hls, folded_layers(checkpoint, types), file))
    types = layer_types(checkpoint, precisions_by_layer(config.hls, layers, file))
    return Request(types, hls_by_layer(config.hls, layers, file))
