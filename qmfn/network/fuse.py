"""Fusing: what belongs to one kernel becomes one layer, and nothing is computed differently.

A convolution takes in the requantisation and the zero padding in front of it, the PReLU or ReLU and the requantisation
behind it; an add the requantisation behind it. Each rule states what it needs of the consumers of the tensors that
vanish. What no rule takes stays a layer of its own, and is refused where it has no kernel.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qmfn.network.fixed import FixedType
from qmfn.network.layers import Add, Prelu, Requantisation, WeightedLayer, ZeroPadding
from qmfn.network.network import Layer, Network


@dataclass(frozen=True)
class Fused:
    """A network after fusing; `absorbed` says in which layer each layer of the network before is now."""

    network: Network
    absorbed: Mapping[str, str]


def fuse(network: Network) -> Fused:
    """Apply all rules until none applies."""
    fused = Fused(network, {layer.name: layer.name for layer in network.layers})
    for rule in (_drop_unchanged, _fuse_output, _fuse_padding, _fuse_input):
        fused = _applied(rule, fused)
    return fused


Rule = Callable[[Network, Layer], "tuple[tuple[Layer, ...], str] | None"]
"""(network, layer) -> the layers that change, and the tensor that takes the place of that layer's; None: not here."""


def _applied(rule: Rule, fused: Fused) -> Fused:
    network, absorbed = fused.network, dict(fused.absorbed)
    for name in [layer.name for layer in network.layers]:
        found = rule(network, network[name])
        if found is None:
            continue
        changed, instead = found
        for before, after in absorbed.items():
            if after == name:
                absorbed[before] = changed[0].name if changed else instead
        network = _without(network, name, changed, instead)
    return Fused(network, absorbed)


def _without(network: Network, name: str, changed: tuple[Layer, ...], instead: str) -> Network:
    """The network without a layer; whoever read its tensor reads another one."""
    new = {layer.name: layer for layer in changed}
    layers = tuple(
        dataclasses.replace(layer, sources=tuple(instead if source == name else source for source in layer.sources))
        for layer in (new.get(layer.name, layer) for layer in network.layers if layer.name != name)
    )
    return Network(network.inputs, layers, tuple(instead if output == name else output for output in network.outputs))


def _drop_unchanged(network: Network, layer: Layer) -> tuple[tuple[Layer, ...], str] | None:
    """A requantisation to a type that holds every value of its input changes nothing, whoever reads it."""
    if not isinstance(layer, Requantisation):
        return None
    (source,) = layer.sources
    return ((), source) if layer.output.holds(network.tensors[source].type) else None


def _fuse_output(network: Network, layer: Layer) -> tuple[tuple[Layer, ...], str] | None:
    """An activation or a requantisation behind a layer whose result is exact, and that nobody else reads.

    A layer that rounds by itself keeps its own tensor, even where that changes no value.
    """
    if not isinstance(layer, Prelu | Requantisation):
        return None
    (source,) = layer.sources
    if source not in network or len(network.consumers(source)) > 1 or source in network.outputs:
        return None
    producer = network[source]
    if not isinstance(producer, WeightedLayer | Add) or not _is_exact(network, producer):
        return None
    if isinstance(layer, Requantisation):
        return (dataclasses.replace(producer, output=layer.output),), source
    if not isinstance(producer, WeightedLayer) or producer.activation is not None:
        return None
    return (dataclasses.replace(producer, activation=layer.activation, output=layer.output),), source


def _is_exact(network: Network, layer: WeightedLayer | Add) -> bool:
    """Whether the result's type holds everything that the layer computes, and asks for no rounding."""
    if layer.output.requantises:
        return False
    if isinstance(layer, WeightedLayer):
        return layer.holds_sums(network.tensors[layer.sources[0]])
    return layer.output.holds(_sum_type([tensor.type for tensor in network.inputs_of(layer)]))


def _sum_type(types: list[FixedType]) -> FixedType:
    """The type of an exact sum."""
    signed = any(fixed.signed for fixed in types)
    integer = max(fixed.integer + (signed and not fixed.signed) for fixed in types) + (len(types) - 1).bit_length()
    return FixedType(integer - min(fixed.exponent for fixed in types), integer, signed)


def _fuse_padding(network: Network, layer: Layer) -> tuple[tuple[Layer, ...], str] | None:
    """Zero padding that only convolutions read: each pads by itself."""
    if not isinstance(layer, ZeroPadding) or layer.name in network.outputs:
        return None
    readers = network.consumers(layer.name)
    if not all(isinstance(reader, WeightedLayer) for reader in readers):
        return None
    padded = tuple(
        dataclasses.replace(reader, padding=layer.padding + reader.padding)
        for reader in readers
        if isinstance(reader, WeightedLayer)
    )
    return padded, layer.sources[0]


def _fuse_input(network: Network, layer: Layer) -> tuple[tuple[Layer, ...], str] | None:
    """A requantisation that only convolutions read: each requantises by itself. Zeros of a padding stay zeros."""
    if not isinstance(layer, Requantisation) or layer.name in network.outputs:
        return None
    readers = network.consumers(layer.name)
    if not all(isinstance(reader, WeightedLayer) and reader.input is None for reader in readers):
        return None
    requantising = tuple(
        dataclasses.replace(reader, input=layer.output) for reader in readers if isinstance(reader, WeightedLayer)
    )
    return requantising, layer.sources[0]
