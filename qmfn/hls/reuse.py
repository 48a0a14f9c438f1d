"""Which reuse factors a layer can have, so that what is asked is what hls4ml generates.

hls4ml changes an invalid reuse factor with a printed warning, lists wrong ones for depthwise layers, and lets a C++
assert kill the process on others. The rules below are those of the C++ (`nnet_dense_resource.h`,
`nnet_depthwise_product.h` of hls4ml 1.3.0), so hls4ml never gets an invalid one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qmfn.config import HlsConfig, settings_by_layer
from qmfn.errors import UserError
from qmfn.model.mobilefacenet import LayerSpec


@dataclass(frozen=True)
class LayerHls:
    """HLS settings of one convolution; `prelu_reuse_factor` is that of the PReLU behind it."""

    reuse_factor: int
    strategy: str
    prelu_reuse_factor: int


def valid_reuse_factors(layer: LayerSpec) -> list[int]:
    """Reuse factors that the Resource strategy's C++ computes right, ascending.

    Dense and pointwise: the divisors of n_in = k*k*C_in, and n_in times the divisors of C_out. Depthwise: the divisors
    of its k*k*C multiplications per pixel.
    """
    if layer.kind == "depthwise":
        return _divisors(layer.terms * layer.out_channels)
    beyond = [layer.terms * divisor for divisor in _divisors(layer.out_channels)]
    return sorted({*_divisors(layer.terms), *beyond})


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def prelu_reuse_factor(layer: LayerSpec, reuse_factor: int) -> int:
    """Channels that share a PReLU multiplier: as many as fit into the cycles that the convolution takes per pixel."""
    return max(divisor for divisor in _divisors(layer.out_channels) if divisor <= max(1, reuse_factor))


def hls_by_layer(config: HlsConfig, layers: Sequence[LayerSpec], file: str) -> dict[str, LayerHls]:
    """Reuse factor and strategy of every convolution.

    Raises:
        UserError: an override matches no layer, or a reuse factor does not divide the layer's work.
    """
    overrides = settings_by_layer(config.layers, [layer.name for layer in layers], f"{file}: hls.layers")
    settings = {}
    for layer in layers:
        if layer.kind == "add":
            _reject_add_settings(layer, overrides[layer.name], file)
            continue
        asked = overrides[layer.name]
        reuse_factor = asked.get("reuse_factor", config.reuse_factor)
        strategy = asked.get("strategy", config.strategy)
        valid = valid_reuse_factors(layer)
        if strategy == "Resource" and reuse_factor not in valid:
            where = f"hls.layers.{layer.name}.reuse_factor" if "reuse_factor" in asked else "hls.reuse_factor"
            raise UserError(
                f"{file}: {where} = {reuse_factor}: does not divide the work of {layer.name}; "
                f"valid: {', '.join(map(str, valid))}."
            )
        settings[layer.name] = LayerHls(reuse_factor, strategy, prelu_reuse_factor(layer, reuse_factor))
    return settings


def _reject_add_settings(layer: LayerSpec, asked: Mapping, file: str) -> None:
    for key in asked:
        raise UserError(f"{file}: hls.layers.{layer.name}.{key}: a residual add has no such setting.")


def precisions_by_layer(config: HlsConfig, layers: Sequence[LayerSpec], file: str) -> dict[str, dict[str, str]]:
    """The precisions that the design itself gives, by layer."""
    overrides = settings_by_layer(config.layers, [layer.name for layer in layers], f"{file}: hls.layers")
    return {name: settings["precision"] for name, settings in overrides.items() if settings.get("precision")}
