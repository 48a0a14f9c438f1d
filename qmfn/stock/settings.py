"""What a stock design asks hls4ml for: exact types, reuse factors, strategies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qmfn.design import DesignConfig
from qmfn.network.checkpoint import Checkpoint
from qmfn.stock.reuse import LayerHls, hls_by_layer, precisions_by_layer
from qmfn.stock.types import LayerTypes, layer_types


@dataclass(frozen=True)
class StockSettings:
    """Types of every layer, and HLS settings of every convolution."""

    types: Mapping[str, LayerTypes]
    hls: Mapping[str, LayerHls]


def stock_settings(config: DesignConfig, checkpoint: Checkpoint) -> StockSettings:
    """Settle them for a design.

    Raises:
        UserError: a setting can't be honoured.
    """
    layers, file = checkpoint.layers, str(config.file)
    types = layer_types(checkpoint, precisions_by_layer(config.hls, layers, file))
    return StockSettings(types, hls_by_layer(config.hls, layers, file))
