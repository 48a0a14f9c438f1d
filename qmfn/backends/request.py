"""What a design asks hls4ml for, settled before hls4ml is loaded: exact types, and reuse factors or a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qmfn.design import DesignConfig
from qmfn.kernels import Folding
from qmfn.network.checkpoint import Checkpoint
from qmfn.network.from_checkpoint import network_of
from qmfn.plan.fold import fold_layers, unfolded
from qmfn.plan.foldings import foldings_by_layer
from qmfn.plan.plan import Plan
from qmfn.stock.reuse import LayerHls
from qmfn.stock.settings import stock_settings
from qmfn.stock.types import LayerTypes, layer_types


@dataclass(frozen=True)
class Request:
    """What a design asks hls4ml for; the written project is checked against it.

    A stock design has `hls`; a folded one `foldings`, and the `plan` that they make, its FIFOs not sized yet.
    """

    types: Mapping[str, LayerTypes]
    hls: Mapping[str, LayerHls] = field(default_factory=dict)
    foldings: Mapping[str, Folding] = field(default_factory=dict)
    plan: Plan | None = None


def request_of(config: DesignConfig, checkpoint: Checkpoint) -> Request:
    """Settle types and HLS settings of every layer.

    Raises:
        UserError: a setting can't be honoured.
    """
    if config.hls.dataflow == "folded":
        return _folded(config, checkpoint)
    settings = stock_settings(config, checkpoint)
    return Request(settings.types, settings.hls)


def _folded(config: DesignConfig, checkpoint: Checkpoint) -> Request:
    network = network_of(checkpoint)
    layers = unfolded(network)
    foldings = foldings_by_layer(config.hls, layers, str(config.file))
    plan = fold_layers(network, layers, foldings, config.hls.target.family)
    return Request(layer_types(checkpoint, {}), foldings=foldings, plan=plan)
