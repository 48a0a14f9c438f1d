"""Which reuse factors a layer can have, so that what is asked is what hls4ml generates.

hls4ml changes an invalid reuse factor with a printed warning, lists wrong ones for depthwise layers, and lets a C++
assert kill the process on others. The rules below are those of the C++ (`nnet_dense_resource.h`,
`nnet_depthwise_product.h` of hls4ml 1.3.0), so hls4ml never gets an invalid one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qmfn.design import HlsConfig, Setting, matching, settings_by_layer
from qmfn.errors import UserError
from qmfn.kernels.kernel import divisors
from qmfn.network.mobilefacenet import LayerSpec


@dataclass(frozen=True)
class LayerHls:
    """HLS settings of one convolution; `prelu_reuse_factor` is that of the PReLU behind it."""

    reuse_factor: int
    strategy: str
    prelu_reuse_factor: int


def valid_reuse_factors(layer: LayerSpec) -> list[int]:
    """Reuse factors that the Resource strategy's C++ computes right, ascending.

    Depthwise: the divisors of its k*k*C multiplications per pixel.
    """
    if layer.kind == "depthwise":
        return divisors(layer.terms * layer.out_channels)
    return dense_reuse_factors(layer.terms, layer.out_channels)


def dense_reuse_factors(n_in: int, n_out: int) -> list[int]:
    """Valid reuse factors of an n_in x n_out matrix: the divisors of n_in, and n_in times the divisors of n_out."""
    return sorted({*divisors(n_in), *(n_in * divisor for divisor in divisors(n_out))})


def prelu_reuse_factor(layer: LayerSpec, reuse_factor: int) -> int:
    """Channels that share a PReLU multiplier: as many as fit into the cycles that the convolution takes per pixel."""
    return max(divisor for divisor in divisors(layer.out_channels) if divisor <= max(1, reuse_factor))


def hls_by_layer(config: HlsConfig, layers: Sequence[LayerSpec], file: str) -> dict[str, LayerHls]:
    """Reuse factor and strategy of every convolution.

    Raises:
        UserError: an override matches no layer, or a reuse factor does not divide the layer's work.
    """
    overrides = _hls_settings(config, layers, file)
    default_reuse_factor = Setting(config.reuse_factor, f"{file}: hls.reuse_factor")
    default_strategy = Setting(config.strategy, f"{file}: hls.strategy")
    settings = {}
    for layer in layers:
        if layer.kind == "add":
            continue
        _check_stock(overrides[layer.name])
        reuse_factor = overrides[layer.name].get("reuse_factor", default_reuse_factor)
        strategy = overrides[layer.name].get("strategy", default_strategy).value
        valid = valid_reuse_factors(layer)
        if strategy == "Resource" and reuse_factor.value not in valid:
            raise UserError(
                f"{reuse_factor.key} = {reuse_factor.value}: does not divide the work of {layer.name}; "
                f"valid: {', '.join(map(str, valid))}."
            )
        shared = prelu_reuse_factor(layer, reuse_factor.value)
        settings[layer.name] = LayerHls(reuse_factor.value, strategy, shared)
    return settings


FOLDED_ONLY = ("simd", "pe", "multiplier", "weights_memory", "line_memory")


def _check_stock(settings: dict[str, Setting]) -> None:
    for name in FOLDED_ONLY:
        if name in settings:
            raise UserError(
                f"{settings[name].key} = {settings[name].value}: belongs to dataflow = folded; this design is stock."
            )


def _hls_settings(config: HlsConfig, layers: Sequence[LayerSpec], file: str) -> dict[str, dict[str, Setting]]:
    """Overrides by layer; a pattern may match adds among others, but one that matches nothing else is a mistake."""
    names = [layer.name for layer in layers]
    convolutions = [layer.name for layer in layers if layer.kind != "add"]
    for pattern in config.layers:
        if matching(pattern, names) and not matching(pattern, convolutions):
            raise UserError(f"{file}: hls.layers.{pattern}: a residual add has no such settings.")
    return settings_by_layer(config.layers, names, f"{file}: hls.layers")


def precisions_by_layer(config: HlsConfig, layers: Sequence[LayerSpec], file: str) -> dict[str, dict[str, Setting]]:
    """The precisions that the design itself gives: layer -> {"accum": setting}."""
    overrides = _hls_settings(config, layers, file)
    return {
        layer.name: {
            name.removeprefix("precision."): setting
            for name, setting in overrides[layer.name].items()
            if name.startswith("precision.")
        }
        for layer in layers
        if layer.kind != "add"
    }
