"""Number formats: the width and the power-of-two exponents of every tensor of a quantised network.

A value is `integer * 2**exponent`, the integer signed with `bits` bits. Activations, biases and slopes have one
exponent per tensor, weights one per output channel. A bias is never finer than its channel's products, so every sum
of a channel is a multiple of one power of two.

A PReLU may subtract an offset per channel, counted in steps of its output: what is skewed then fills the range of a
signed integer. The readers' biases make up for it (`qmfn.model.offsets`), so nobody downstream knows of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qmfn.design import QuantisationConfig, Setting, settings_by_layer
from qmfn.design.schema import WeightQuantiser
from qmfn.errors import UserError
from qmfn.network.mobilefacenet import INPUT, LayerSpec


@dataclass(frozen=True)
class Format:
    """One exponent for the whole tensor."""

    bits: int
    exponent: int

    @property
    def fixed(self) -> tuple[int, int]:
        """(W, I) of the `ap_fixed<W,I>` that holds exactly these numbers."""
        return self.bits, self.bits + self.exponent

    @property
    def smallest(self) -> float:
        return -(2.0 ** (self.bits - 1 + self.exponent))

    @property
    def largest(self) -> float:
        return (2.0 ** (self.bits - 1) - 1) * 2.0**self.exponent


INPUT_FORMAT = Format(bits=8, exponent=-7)
"""A pixel p in 0..255 enters as (p - 128) / 128, exact in ap_fixed<8,1>; (p - 127.5) / 128 would need 9 bits."""


@dataclass(frozen=True)
class ChannelFormat:
    """One exponent per output channel; mid-rise: odd integers (`qmfn.network.integers`)."""

    bits: int
    exponents: tuple[int, ...]
    mid_rise: bool = False


@dataclass(frozen=True)
class LayerFormat:
    """Formats of one layer; an add has only source and activation, a linear layer no slope.

    `source` arrives, `input` is multiplied: they differ where the layer requantises what arrives (`input_bits`).
    An `offset` has the exponent of the activation.
    """

    source: Format
    input: Format
    activation: Format
    weight: ChannelFormat | None = None
    bias: ChannelFormat | None = None
    slope: Format | None = None
    offset: Format | None = None

    @property
    def requantises_input(self) -> bool:
        return self.input != self.source

    @property
    def of_convolution(self) -> tuple[ChannelFormat, ChannelFormat]:
        """(weight, bias) of what is no add."""
        assert self.weight is not None and self.bias is not None, "an add has no parameters"
        return self.weight, self.bias


@dataclass(frozen=True)
class LayerWidths:
    """Bits of one layer as the design file asks for them.

    `input_bits` None: what arrives is multiplied as it is; `offset_bits` None: no offset.
    """

    weight_bits: int
    activation_bits: int
    bias_bits: int
    slope_bits: int
    input_bits: int | None = None
    offset_bits: int | None = None
    weight_quantiser: WeightQuantiser = "mid-tread"

    @property
    def mid_rise(self) -> bool:
        return self.weight_quantiser == "mid-rise"


def widths_by_layer(config: QuantisationConfig, layers: Sequence[LayerSpec], key: str) -> dict[str, LayerWidths]:
    """Bits of every layer: the design's defaults with its overrides applied.

    Args:
        config: the `quantisation` group.
        layers: the network.
        key: where that group stands (`configs/w4a4.yml: quantisation`), for error messages.

    Raises:
        UserError: an override matches no layer, asks a layer to requantise its input to more bits than arrive, gives
            an offset to a layer that can't have one, or weights of one bit to a quantiser that has none.
    """
    overrides = settings_by_layer(config.layers, [layer.name for layer in layers], f"{key}.layers")
    names = ("weight_bits", "weight_quantiser", "activation_bits", "bias_bits", "slope_bits")
    defaults = {name: getattr(config, name) for name in names}
    widths = {
        layer: LayerWidths(**(defaults | {name: setting.value for name, setting in settings.items()}))
        for layer, settings in overrides.items()
    }
    for layer in layers:
        _check_one_bit(layer, widths[layer.name], overrides[layer.name].get("weight_bits"), key)
        if (asked := overrides[layer.name].get("input_bits")) is not None:
            bits = _input_bits(layer, asked, widths)
            widths[layer.name] = dataclasses.replace(widths[layer.name], input_bits=bits)
        bits = _offset_bits(layer, layers, overrides[layer.name].get("offset_bits"), config.offset_bits)
        widths[layer.name] = dataclasses.replace(widths[layer.name], offset_bits=bits)
    return widths


def _check_one_bit(layer: LayerSpec, width: LayerWidths, asked: Setting | None, key: str) -> None:
    if layer.kind != "add" and width.weight_bits == 1 and not width.mid_rise:
        raise UserError(
            f"{asked.key if asked else f'{key}.weight_bits'} = 1: one bit has no zero, so {layer.name} needs "
            "weight_quantiser = mid-rise; mid-tread takes 2 to 8 bits."
        )


def _input_bits(layer: LayerSpec, asked: Setting, widths: Mapping[str, LayerWidths]) -> int | None:
    """The bits that a layer requantises its input to; None where as many arrive."""
    if layer.kind == "add":
        raise UserError(f"{asked.key} = {asked.value}: {layer.name} is an add, it multiplies nothing.")
    arrive = INPUT_FORMAT.bits if layer.source == INPUT else widths[layer.source].activation_bits
    if asked.value > arrive:
        raise UserError(
            f"{asked.key} = {asked.value}: {layer.source} gives {layer.name} {arrive} bits; input_bits can't be more."
        )
    return asked.value if asked.value < arrive else None


def _offset_bits(
    layer: LayerSpec, layers: Sequence[LayerSpec], asked: Setting | None, default: int | None
) -> int | None:
    """The bits of a layer's offset; the design's default passes by a layer that can't have one."""
    obstacle = offset_obstacle(layer, layers)
    if asked is None:
        return None if obstacle else default
    if obstacle:
        raise UserError(f"{asked.key} = {asked.value}: {layer.name} can't have an offset, {obstacle}.")
    return asked.value


def offset_obstacle(layer: LayerSpec, layers: Sequence[LayerSpec]) -> str | None:
    """Why a layer can't have an offset; None: it can.

    A reader's bias makes up for a constant in all that the reader sums up: not in an add, not where zeros are padded.
    """
    if not layer.prelu:
        return "it has no PReLU"
    for reader in layers:
        if layer.name in (reader.source, reader.shortcut):
            if reader.kind == "add":
                return f"{reader.name} adds its output, and an add has no bias"
            if reader.padding:
                return f"{reader.name} pads its output with zeros"
    return None


def bias_exponents(layer_exponent: int, weight_exponents: Sequence[int], input_exponent: int) -> tuple[int, ...]:
    """Exponent of a bias per channel: the layer's own, but never finer than the channel's products."""
    return tuple(int(max(layer_exponent, weight + input_exponent)) for weight in weight_exponents)


@dataclass(frozen=True)
class LayerExponents:
    """The power-of-two exponents that calibration or training chose for one layer (least significant bit)."""

    activation: int
    weight: tuple[int, ...] | None = None
    bias: int | None = None
    slope: int | None = None
    input: int | None = None

    @property
    def of_convolution(self) -> tuple[tuple[int, ...], int]:
        """(weight, bias) of what is no add."""
        assert self.weight is not None and self.bias is not None, "an add has no parameters"
        return self.weight, self.bias


def layer_formats(
    layers: Sequence[LayerSpec], widths: Mapping[str, LayerWidths], exponents: Mapping[str, LayerExponents]
) -> dict[str, LayerFormat]:
    """The formats of every layer: widths and exponents put together along the network."""
    outputs = {INPUT: INPUT_FORMAT}
    formats = {}
    for layer in layers:
        width, exponent = widths[layer.name], exponents[layer.name]
        outputs[layer.name] = Format(width.activation_bits, exponent.activation)
        source = outputs[layer.source]
        if layer.kind == "add":
            formats[layer.name] = LayerFormat(source, source, outputs[layer.name])
            continue
        weight, bias = exponent.of_convolution
        multiplied = source
        if width.input_bits is not None:
            assert exponent.input is not None, "what is requantised has an exponent"
            multiplied = Format(width.input_bits, exponent.input)
        formats[layer.name] = LayerFormat(
            source=source,
            input=multiplied,
            activation=outputs[layer.name],
            weight=ChannelFormat(width.weight_bits, weight, width.mid_rise),
            bias=ChannelFormat(width.bias_bits, bias_exponents(bias, weight, multiplied.exponent)),
            slope=None if exponent.slope is None else Format(width.slope_bits, exponent.slope),
            offset=None if width.offset_bits is None else Format(width.offset_bits, exponent.activation),
        )
    return formats
