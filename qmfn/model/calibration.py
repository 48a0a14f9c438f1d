"""Choosing exponents: for every tensor the power-of-two step that loses least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qmfn.network.formats import INPUT_FORMAT, LayerExponents, LayerWidths
from qmfn.network.integers import integer_range, quantise_to_integers
from qmfn.network.mobilefacenet import INPUT, LayerSpec
from qmfn.network.parameters import Parameters

SAMPLED_VALUES = 1_000_000
"""Activation values that the choice of one exponent looks at: rare large ones count, so many are needed."""

ACTIVATION_NORM = 2.5
"""Power of an activation's errors. Large values say most about a face, so to saturate one turns the embedding further
than its squared error tells: over all tensors, 2.5 chose exponents that turn it less than 2, 3 or 4 did."""


def best_exponent(values: np.ndarray, bits: int, norm: float = 2, mid_rise: bool = False) -> int:
    """The exponent of the least significant bit with the smallest mean of |error|**norm over `values`.

    Candidates: the one at which the largest magnitude just fits, the finer ones that saturate a few values to resolve
    the others better, and the next coarser one (the largest positive value is one step short of a power of two).
    """
    largest = float(np.max(np.abs(values)))
    if largest == 0:
        return -(bits - 1)
    covering = int(np.ceil(np.log2(largest / (integer_range(bits, mid_rise)[1] + 1))))
    return min(range(covering - 3, covering + 2), key=lambda exponent: _error(values, bits, exponent, norm, mid_rise))


def best_activation_exponent(values: np.ndarray, bits: int) -> int:
    """The exponent of an activation that loses least, where saturation weighs more than rounding."""
    return best_exponent(values, bits, ACTIVATION_NORM)


def _error(values: np.ndarray, bits: int, exponent: int, norm: float, mid_rise: bool) -> float:
    quantised = quantise_to_integers(values, bits, exponent, mid_rise) * 2.0**exponent
    return float(np.mean(np.abs(quantised - values) ** norm))


def covering_exponent(values: np.ndarray, bits: int) -> int:
    """The finest exponent at which no value saturates."""
    largest = float(np.max(np.abs(values)))
    if largest == 0:
        return -(bits - 1)
    exponent = int(np.ceil(np.log2(largest / 2 ** (bits - 1))))
    while np.rint(np.max(values) / 2.0**exponent) > 2 ** (bits - 1) - 1:
        exponent += 1
    return exponent


def calibrate(
    layers: Sequence[LayerSpec],
    parameters: Parameters,
    widths: Mapping[str, LayerWidths],
    activations: Mapping[str, np.ndarray],
    chosen: Mapping[str, int] | None = None,
) -> dict[str, LayerExponents]:
    """Exponents of every tensor of the network.

    Args:
        layers: the network.
        parameters: its float weights.
        widths: bits per layer.
        activations: tensor -> values on calibration faces (`observe_activations`), any shape.
        chosen: exponents of outputs that are settled already, with their offsets (`with_offsets`).
    """
    outputs = {INPUT: INPUT_FORMAT.exponent}
    exponents = {}
    for layer in layers:
        width, values = widths[layer.name], parameters[layer.name]
        activation = (chosen or {}).get(layer.name)
        if activation is None:
            activation = best_activation_exponent(activations[layer.name], width.activation_bits)
        outputs[layer.name] = activation
        if layer.kind == "add":
            exponents[layer.name] = LayerExponents(activation)
            continue
        multiplied = outputs[layer.source]
        if width.input_bits is not None:
            multiplied = best_activation_exponent(activations[layer.source], width.input_bits)
        weight = weight_exponents(values["kernel"], layer, width)
        weight = tuple(coarse_enough(np.array(weight), values["bias"], width.bias_bits, multiplied).tolist())
        exponents[layer.name] = LayerExponents(
            activation,
            weight,
            bias_exponent(values["bias"], width.bias_bits, weight, multiplied),
            best_exponent(values["slope"], width.slope_bits) if layer.prelu else None,
            multiplied if width.input_bits is not None else None,
        )
    return exponents


def weight_exponents(kernel: np.ndarray, layer: LayerSpec, width: LayerWidths) -> tuple[int, ...]:
    """One exponent per output channel of a kernel of `layer.kernel_shape`."""
    channels = kernel.reshape(-1, layer.out_channels).T
    return tuple(best_exponent(channel, width.weight_bits, mid_rise=width.mid_rise) for channel in channels)


def bias_exponent(bias: np.ndarray, bits: int, weight: Sequence[int], multiplied: int) -> int:
    """The finest exponent at which no bias saturates; finer than the finest product would only widen the accumulator.

    Args:
        bias: (C_out,).
        bits: of a bias.
        weight: weight exponents of all channels.
        multiplied: exponent of the inputs.
    """
    return max(covering_exponent(bias, bits), min(weight) + multiplied)


def coarse_enough(weight: np.ndarray, bias: np.ndarray, bias_bits: int, multiplied: int) -> np.ndarray:
    """Weight exponents, raised where a bias would reach 2**23 of its channel's products.

    Beyond that, float32 can't count the sums in Keras. Only channels with next to no weights are concerned: what they
    lose is far below a step of the bias.
    """
    return np.maximum(weight, covering_exponent(bias, bias_bits) - multiplied - max(0, 23 - bias_bits))


def rounded_kernel(kernel: np.ndarray, layer: LayerSpec, width: LayerWidths) -> np.ndarray:
    """The kernel that calibration makes of a float one, float32 of the same shape."""
    exponents = np.array(weight_exponents(kernel, layer, width))
    by_output = exponents[:, None] if layer.kind == "depthwise" else exponents
    integers = quantise_to_integers(kernel, width.weight_bits, by_output, width.mid_rise)
    return (integers * 2.0**by_output).astype(np.float32)


def observe_activations(model, layers: Sequence[LayerSpec], images: np.ndarray) -> dict[str, np.ndarray]:
    """Values of the input and of every layer's output of a float network on calibration images.

    Args:
        model: from `build_model` without formats, weights set.
        images: float32 (N, size, size, 3) from `normalise`.

    Returns:
        tensor -> (samples, channels): pixels drawn from all images, about `SAMPLED_VALUES` values of each tensor.
    """
    from tensorflow import keras

    names = [f"{layer.name}_prelu" if layer.prelu else layer.name for layer in layers]
    probe = keras.Model(model.input, [model.input, *(model.get_layer(name).output for name in names)])
    rng = np.random.default_rng(0)
    samples: dict[str, list[np.ndarray]] = {name: [] for name in (INPUT, *(layer.name for layer in layers))}
    for image in images:
        for values, output in zip(samples.values(), probe(image[None], training=False), strict=True):
            pixels = output.numpy().reshape(-1, output.shape[-1])
            wanted = max(1, SAMPLED_VALUES // len(images) // pixels.shape[1])
            values.append(pixels if len(pixels) <= wanted else pixels[rng.choice(len(pixels), wanted, replace=False)])
    return {name: np.concatenate(values) for name, values in samples.items()}
