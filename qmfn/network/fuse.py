"""Fusing: what belongs to one kernel becomes one layer, and nothing is computed differently.

A convolution takes in the requantisation and the zero padding in front of it, the PReLU or ReLU and the requantisation
behind it; an add the requantisation behind it. Each rule states what it needs of the consumers of the tensors that
vanish. What no rule takes stays a layer of its own, and is refused where it has no kernel.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qmfn.network.layers import Add, Prelu, Requantisation, WeightedLayer, ZeroPadding
from qmfn.network.network import Layer, Network


@dataclass(frozen=True)
class Fused:
    """A network after fusing; `absorbed` says in which layer each layer of the network before is now."""

    network: Network
    absorbed: Mapping[str, str]


def fuse(network: Network) -> Fused:
    """Apply every rule until it applies no more."""
    fused = Fused(network, {layer.name: layer.name for layer in network.layers})
    # What changes nothing may stand between a convolution and its activation, but may as well be its rounding.
    for rule in (_fuse_output, _drop_unchanged, _fuse_output, _fuse_padding, _fuse_input):
        before = None
        while before is None or len(fused.network.layers) < len(before.network.layers):
            before, fused = fused, _applied(rule, fused)
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

    A layer that rounds by itself keeps its own tensor in front of a requantisation, even where that changes no value.
    """
    if not isinstance(layer, Prelu | Requantisation):
        return None
    (source,) = layer.sources
    if source not in network or len(network.consumers(source)) > 1 or source in network.outputs:
        return None
    producer = network[source]
    if not isinstance(producer, WeightedLayer | Add):
        return None
    if isinstance(layer, Requantisation):
        if producer.output.requantises or not is_exact(network, producer):
            return None
        return (dataclasses.replace(producer, output=layer.output),), source
    if not isinstance(producer, WeightedLayer) or producer.activation is not None:
        return None
    if not is_exact(network, producer) and not _rounds_alike(producer, layer):
        return None
    return (dataclasses.replace(producer, activation=layer.activation, output=layer.output),), source


def is_exact(network: Network, layer: WeightedLayer | Add) -> bool:
    """Whether the result's type holds everything that the layer computes."""
    exact = layer.exact_type(network.inputs_of(layer))
    return exact is not None and layer.output.holds(exact)


def _rounds_alike(producer: WeightedLayer, layer: Prelu) -> bool:
    """A ReLU makes the same of sums that were rounded to its own steps before."""
    activation = layer.activation
    return not activation.slope.any() and activation.offset is None and producer.output.covers(layer.output)


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
