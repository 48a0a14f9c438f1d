"""Offsets behind PReLUs: chosen per channel, and made up for in the biases of the layers that read them.

What comes out of a PReLU lies mostly on one side of zero, where a signed integer has only half of its levels. With an
offset z of its channel, a small integer counted in steps of the output, the layer gives

    clip(round(PReLU(x) / 2**exponent - z)) * 2**exponent

and uses them all. A convolution that reads it lacks the sum over its inputs of weight * z * 2**exponent. That is a
constant per output channel as long as no zeros are padded in between (`offset_obstacle`), and the bias takes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qmfn.model.calibration import rounded_kernel
from qmfn.network.formats import LayerWidths
from qmfn.network.integers import integer_range
from qmfn.network.mobilefacenet import LayerSpec
from qmfn.network.parameters import Parameters

FINER = 3
"""Exponents to try beyond the finest that reaches the largest magnitude: a few values saturate, the others gain."""


def with_offsets(
    layers: Sequence[LayerSpec],
    parameters: Parameters,
    widths: Mapping[str, LayerWidths],
    activations: Mapping[str, np.ndarray],
) -> tuple[Parameters, dict[str, np.ndarray], dict[str, int]]:
    """The same float network with offsets in all layers that are to have them.

    Args:
        parameters: float weights without offsets.
        widths: bits per layer; `offset_bits` says which layers.
        activations: layer -> (samples, channels) of its output (`observe_activations`).

    Returns:
        Parameters of the same function, the activations as they are then, and the activation exponents of the layers
        with offsets: an offset is a whole number of steps only at the exponent that was chosen with it.
    """
    parameters = {name: dict(values) for name, values in parameters.items()}
    activations = dict(activations)
    exponents = {}
    for layer in layers:
        width = widths[layer.name]
        if width.offset_bits is None:
            continue
        exponent, integers = best_offsets(activations[layer.name], width.activation_bits, width.offset_bits)
        offset = (integers * 2.0**exponent).astype(np.float32)
        parameters[layer.name]["offset"] = offset
        activations[layer.name] = activations[layer.name] - offset
        exponents[layer.name] = exponent
        for reader in layers:
            if reader.source == layer.name:
                _add_to_bias(parameters[reader.name], _response(reader, parameters[reader.name]["kernel"], offset))
    return parameters, activations, exponents


def for_rounded_weights(
    layers: Sequence[LayerSpec], parameters: Parameters, widths: Mapping[str, LayerWidths]
) -> Parameters:
    """Where a quantised network starts: biases that make up for the offsets with the weights that it multiplies.

    Those of `with_offsets` do so with float weights, as the float network needs it. Rounded weights lack another sum;
    an offset is far from the mean of a channel, so the difference does not average out. Weights that are rounded
    already change nothing.

    Args:
        parameters: of the float network, from `with_offsets`.
        widths: bits per layer.
    """
    parameters = {name: dict(values) for name, values in parameters.items()}
    for layer in layers:
        offset = parameters.get(layer.source, {}).get("offset")
        if offset is not None:
            kernel = parameters[layer.name]["kernel"]
            rounding = rounded_kernel(kernel, layer, widths[layer.name]) - kernel
            _add_to_bias(parameters[layer.name], _response(layer, rounding, offset))
    return parameters


def _add_to_bias(values: dict[str, np.ndarray], constants: np.ndarray) -> None:
    values["bias"] = (values["bias"] + constants).astype(np.float32)


def _response(layer: LayerSpec, kernel: np.ndarray, constants: np.ndarray) -> np.ndarray:
    """Sums (C_out,) of a convolution without padding whose input channels are constants (C_in,)."""
    weights = kernel.astype(np.float64).sum(axis=(0, 1))
    return weights[:, 0] * constants if layer.kind == "depthwise" else constants @ weights


def best_offsets(values: np.ndarray, bits: int, offset_bits: int) -> tuple[int, np.ndarray]:
    """The exponent and the offset of every channel that together have the smallest squared error.

    Args:
        values: (samples, channels).
        bits: width of the output.
        offset_bits: width of an offset.

    Returns:
        Exponent of the least significant bit, and integers (channels,); of equally good offsets the smallest.
    """
    largest = float(np.max(np.abs(values)))
    if largest == 0:
        return -(bits - 1), np.zeros(values.shape[1], np.int64)
    offsets = np.array(sorted(range(*_span(offset_bits)), key=abs))
    channels = [_Channel(channel) for channel in values.T]
    found = {
        exponent: np.array([channel.errors(bits, exponent, offsets) for channel in channels])
        for exponent in _exponents_to_try(largest, bits, offset_bits)
    }
    exponent = min(found, key=lambda exponent: found[exponent].min(axis=1).sum())
    return exponent, offsets[found[exponent].argmin(axis=1)]


def _span(bits: int) -> tuple[int, int]:
    low, high = integer_range(bits)
    return low, high + 1


def _exponents_to_try(largest: float, bits: int, offset_bits: int) -> range:
    """From the coarsest, at which no offset is needed, to a few finer than those at which offset and output reach."""
    coarsest = int(np.ceil(np.log2(largest / 2 ** (bits - 1)))) + 1
    finest = int(np.ceil(np.log2(largest / (2 ** (bits - 1) + 2 ** (offset_bits - 1))))) - FINER
    return range(finest, coarsest + 1)


class _Channel:
    """Values of a channel in ascending order: those that saturate are the first and the last ones."""

    def __init__(self, values: np.ndarray):
        self.values = np.sort(values.astype(np.float64))
        self.sums, self.squares = _sums_up_to(self.values), _sums_up_to(self.values**2)

    def errors(self, bits: int, exponent: int, offsets: np.ndarray) -> np.ndarray:
        """Sum of squared errors for every offset; integers (n,) -> (n,)."""
        step, (low, high) = 2.0**exponent, integer_range(bits)
        bottom, top = (offsets + low) * step, (offsets + high) * step
        first, last = np.searchsorted(self.values, bottom), np.searchsorted(self.values, top)
        steps = self.values / step
        rounding = _sums_up_to((np.rint(steps) - steps) ** 2) * step**2
        end = len(self.values)
        return self._distance(0, first, bottom) + rounding[last] - rounding[first] + self._distance(last, end, top)

    def _distance(self, first: np.ndarray | int, last: np.ndarray | int, point: np.ndarray) -> np.ndarray:
        """Sum of squared distances of the values first..last-1 to a point."""
        sums, squares = self.sums[last] - self.sums[first], self.squares[last] - self.squares[first]
        return squares - 2 * point * sums + (last - first) * point**2


def _sums_up_to(values: np.ndarray) -> np.ndarray:
    """Sums of the first 0, 1, 2 ... values."""
    return np.concatenate([[0.0], np.cumsum(values)])
