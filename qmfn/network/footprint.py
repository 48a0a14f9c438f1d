"""How many bits the network's parameters take, against 32-bit float. Nothing is left out, nothing hidden in a sum.

Counted: every weight at its width (first and last layer included), one exponent per output channel, biases, slopes,
offsets, and one exponent for every other tensor. Offsets have the exponent of the activation that they belong to; the
float network has none of them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from qmfn.network.checkpoint import Checkpoint

FLOAT_BITS = 32

TENSOR_EXPONENT_BITS = 8
"""One exponent of a whole tensor (activation, bias, slope, smallest weight exponent), as stored in a checkpoint."""


@dataclass(frozen=True)
class LayerFootprint:
    """Bits of one layer."""

    layer: str
    weights: int
    weight_width: int
    weight_bits: int
    exponent_bits: int
    bias_bits: int
    slope_bits: int
    offset_bits: int
    total_bits: int
    float_bits: int


@dataclass(frozen=True)
class Footprint:
    """Bits of the whole network.

    `weight_share` compares the weights alone with float weights, `share` all parameters, exponents included.
    """

    layers: tuple[LayerFootprint, ...]
    weight_bits: int
    exponent_bits: int
    bias_bits: int
    slope_bits: int
    offset_bits: int
    total_bits: int
    float_bits: int
    weight_share: float
    share: float

    def as_dict(self) -> dict:
        return asdict(self)


def footprint(checkpoint: Checkpoint) -> Footprint:
    """Footprint by layer and in total."""
    layers = tuple(_layer_footprint(layer.name, checkpoint) for layer in checkpoint.layers)
    names = ("weight_bits", "exponent_bits", "bias_bits", "slope_bits", "offset_bits", "total_bits", "float_bits")
    sums = {name: sum(getattr(layer, name) for layer in layers) for name in names}
    float_weight_bits = FLOAT_BITS * sum(layer.weights for layer in layers)
    weight_share = sums["weight_bits"] / float_weight_bits
    return Footprint(layers, **sums, weight_share=weight_share, share=sums["total_bits"] / sums["float_bits"])


def _layer_footprint(name: str, checkpoint: Checkpoint) -> LayerFootprint:
    """An add has no parameters but the exponent of its output."""
    sizes = {parameter: values.size for parameter, values in checkpoint.integers[name].items()}
    offsets = sizes.pop("offset", 0)
    widths, exponents = checkpoint.widths[name], checkpoint.exponents[name]
    weights = sizes.get("kernel", 0)
    tensors = 1 + len(sizes) + (exponents.input is not None)
    bits = {
        "weight_bits": weights * widths.weight_bits,
        "exponent_bits": channel_exponent_bits(exponents.weight or ()) + TENSOR_EXPONENT_BITS * tensors,
        "bias_bits": sizes.get("bias", 0) * widths.bias_bits,
        "slope_bits": sizes.get("slope", 0) * widths.slope_bits,
        "offset_bits": offsets * (widths.offset_bits or 0),
    }
    float_bits = FLOAT_BITS * sum(sizes.values())
    return LayerFootprint(
        layer=name,
        weights=weights,
        weight_width=widths.weight_bits if weights else 0,
        **bits,
        total_bits=sum(bits.values()),
        float_bits=float_bits,
    )


def channel_exponent_bits(exponents: tuple[int, ...]) -> int:
    """Bits of the exponents of all channels, each stored as its distance from the smallest."""
    return len(exponents) * (max(exponents) - min(exponents)).bit_length() if exponents else 0
