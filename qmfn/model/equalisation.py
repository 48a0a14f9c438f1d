"""Power-of-two equalisation: channels of an activation are brought to one size, and nothing else changes.

PReLU is positively homogeneous, PReLU(s x) = s PReLU(x), so a channel between two convolutions may be scaled by s > 0
if the next convolution divides by s (Nagel et al. 2019, arXiv 1906.04721, section 4.1). With s a power of two this is
exact in float32. Between a convolution and a depthwise one it costs nothing: both have an exponent per channel. In
front of a dense convolution the weights of one output channel drift apart, so only half the way is gone there.

Where a layer is to have an offset (`qmfn.model.offsets`), the size of a channel is what is left with its best offset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from qmfn.model.calibration import best_activation_exponent
from qmfn.model.offsets import best_offsets
from qmfn.network.formats import LayerWidths
from qmfn.network.mobilefacenet import LayerSpec
from qmfn.network.parameters import Parameters

FURTHEST = 4
"""Largest |log2 s|: channels that are almost always zero would ask for more."""


def equalise(
    layers: Sequence[LayerSpec],
    parameters: Parameters,
    widths: Mapping[str, LayerWidths],
    activations: Mapping[str, np.ndarray],
) -> tuple[Parameters, dict[str, np.ndarray]]:
    """The same network with equalised channels.

    Args:
        parameters: float weights without offsets.
        widths: bits per layer; a channel's size is the exponent that suits it at these bits.
        activations: layer -> (samples, channels) of its output (`observe_activations`).

    Returns:
        Parameters of the same function, and the activations as they are then.
    """
    parameters = {name: dict(values) for name, values in parameters.items()}
    activations = dict(activations)
    for layer, reader in _pairs(layers):
        scale = 2.0 ** _shifts(activations[layer.name], widths[layer.name], reader.kind == "depthwise")
        values, read = parameters[layer.name], parameters[reader.name]
        values["kernel"] = (values["kernel"] * _by_output(layer, scale)).astype(np.float32)
        values["bias"] = (values["bias"] * scale).astype(np.float32)
        read["kernel"] = (read["kernel"] / scale[:, None]).astype(np.float32)
        activations[layer.name] = activations[layer.name] * scale
    return parameters, activations


def _pairs(layers: Sequence[LayerSpec]) -> Iterator[tuple[LayerSpec, LayerSpec]]:
    """(layer, its only reader) where both are convolutions and the reader takes the tensor as it is."""
    readers = Counter(name for layer in layers for name in (layer.source, layer.shortcut))
    by_name = {layer.name: layer for layer in layers}
    for reader in layers:
        layer = by_name.get(reader.source)
        if layer and readers[layer.name] == 1 and "add" not in (layer.kind, reader.kind):
            yield layer, reader


def _shifts(values: np.ndarray, width: LayerWidths, all_the_way: bool) -> np.ndarray:
    """log2 of the scale of every channel, integers."""
    sizes = np.array([_size(channel, width) for channel in values.T])
    distance = np.median(sizes) - sizes
    return np.clip(np.rint(distance if all_the_way else distance / 2), -FURTHEST, FURTHEST)


def _size(channel: np.ndarray, width: LayerWidths) -> int:
    if width.offset_bits is None:
        return best_activation_exponent(channel, width.activation_bits)
    return best_offsets(channel[:, None], width.activation_bits, width.offset_bits)[0]


def _by_output(layer: LayerSpec, scale: np.ndarray) -> np.ndarray:
    """`scale` in a shape that broadcasts against the layer's kernel along its output channels."""
    return scale[:, None] if layer.kind == "depthwise" else scale
