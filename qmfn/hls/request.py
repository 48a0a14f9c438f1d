"""What a design asks hls4ml for, settled before hls4ml is loaded: exact types, reuse factors, strategies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qmfn.config import DesignConfig
from qmfn.hls.reuse import LayerHls, hls_by_layer, precisions_by_layer
from qmfn.hls.types import LayerTypes, layer_types
from qmfn.model.checkpoint import Checkpoint


@dataclass(frozen=True)
class Request:
    """What a design asks hls4ml for; the written project is checked against it."""

    types: Mapping[str, LayerTypes]
    hls: Mapping[str, LayerHls]


def plan(config: DesignConfig, checkpoint: Checkpoint) -> Request:
    """Settle types and HLS settings of every layer.

    Raises:
        UserError: a setting can't be honoured.
    """
    layers = checkpoint.layers
    precisions = precisions_by_layer(config.hls, layers, str(config.file))
    types = layer_types(checkpoint, precisions)
    return Request(types, hls_by_layer(config.hls, layers, str(config.file)))
