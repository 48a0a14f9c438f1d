"""Rounding weights with the data in view: layer by layer, so that quantised inputs give what float inputs gave.

Plain rounding looks at a weight alone. Here every convolution is fitted to what the float network computes at the same
place, from the inputs that the quantised network really has there:

1. Least squares: float weights that, on quantised inputs, come nearest to the float network's sums. They make up for
   what earlier layers lost as far as that can be seen in their outputs; a layer in front of a residual add makes up for
   the error of the shortcut too.
2. Rounding one input after the other, the rest adjusting to each rounding error (GPTQ: Frantar et al. 2022, arXiv
   2210.17323), with the exponent per output channel that loses least.
3. The bias takes what is left in the mean.

One pass over some hundred faces, minutes; training starts much nearer to its end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from qmfn.model.calibration import bias_exponent, coarse_enough, weight_exponents
from qmfn.network.formats import Format, LayerExponents, LayerFormat, LayerWidths, layer_formats
from qmfn.network.integers import integer_range, quantise_to_integers
from qmfn.network.mobilefacenet import INPUT, LayerSpec
from qmfn.network.parameters import Parameters
from qmfn.training.student import convolve

ROWS = 60_000
"""Output pixels that the weights of a layer are fitted on, at most."""
RIDGE = 0.02
"""Pull of the least squares towards the float weights, in mean squares of an input, for any number of rows."""
BATCH = 64
"""Images that pass through a layer at a time."""
EXPONENTS = (-1, 0, 1)
"""Weight exponents to try, from the one that rounds each weight best."""


def reconstruct(
    layers: Sequence[LayerSpec],
    parameters: Parameters,
    widths: Mapping[str, LayerWidths],
    exponents: Mapping[str, LayerExponents],
    images: np.ndarray,
) -> tuple[Parameters, dict[str, LayerExponents]]:
    """Fit and round every layer in the order of computation.

    Args:
        layers: the network.
        parameters: of the float network, equalised, with offsets where a layer has one.
        widths: bits per layer.
        exponents: calibrated; those of activations and slopes stay, those of weights and biases are found anew.
        images: (N, size, size, 3) from `normalise`.

    Returns:
        Parameters with kernels on the grid of the returned exponents, and those exponents.
    """
    parameters = {name: dict(values) for name, values in parameters.items()}
    exponents = dict(exponents)
    wanted, found = {INPUT: images}, {INPUT: images}
    last_reader = {name: layer.name for layer in layers for name in (layer.source, layer.shortcut) if name}
    add_behind = {layer.source: layer for layer in layers if layer.kind == "add"}
    for layer in tqdm(layers, desc="fitting weights", unit="layer", leave=False, disable=None):
        form = layer_formats(layers, widths, exponents)[layer.name]
        if layer.kind == "add":
            wanted[layer.name] = wanted[layer.source] + wanted[layer.shortcut]
            sums = found[layer.source] + found[layer.shortcut]
        else:
            values, width = parameters[layer.name], widths[layer.name]
            targets = _sums(layer, values, wanted[layer.source])
            wanted[layer.name] = _activated(targets, values)
            if add := add_behind.get(layer.name):
                targets = targets + wanted[add.shortcut] - found[add.shortcut]
            inputs = found[layer.source]
            if form.requantises_input:
                inputs = _requantised(inputs, form.input)
            exponents[layer.name] = _fit(layer, form, width, exponents[layer.name], values, inputs, targets)
            sums = _activated(_sums(layer, values, inputs), values)
        found[layer.name] = _requantised(sums, form.activation)
        for name in [name for name, reader in last_reader.items() if reader == layer.name]:
            del wanted[name], found[name]
    return parameters, exponents


def _sums(layer: LayerSpec, values: Mapping[str, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    """Sums (N, H', W', C_out), bias included, of inputs (N, H, W, C_in)."""
    batches = np.split(inputs, range(BATCH, len(inputs), BATCH))
    return np.concatenate([convolve(tf.constant(x), values["kernel"], layer).numpy() + values["bias"] for x in batches])


def _activated(sums: np.ndarray, values: Mapping[str, np.ndarray]) -> np.ndarray:
    if "slope" in values:
        sums = np.where(sums >= 0, sums, sums * values["slope"])
    return sums - values["offset"] if "offset" in values else sums


def _requantised(values: np.ndarray, form: Format) -> np.ndarray:
    step = np.float32(2.0**form.exponent)
    return np.clip(np.rint(values / step), *integer_range(form.bits)) * step


def _fit(
    layer: LayerSpec,
    form: LayerFormat,
    width: LayerWidths,
    exponents: LayerExponents,
    values: dict[str, np.ndarray],
    inputs: np.ndarray,
    targets: np.ndarray,
) -> LayerExponents:
    """Kernel and bias of one layer fitted and put into `values`; gives the exponents that go with them.

    Args:
        inputs: (N, H, W, C_in) as the quantised network multiplies them.
        targets: (N, H', W', C_out) sums that the layer should give.
    """
    rows, wanted = _sampled(layer, inputs, targets)
    groups, terms, count = rows.shape[0], rows.shape[2], rows.shape[1]
    input_mean, wanted_mean = rows.mean(axis=1), wanted.mean(axis=1)
    centred = rows - input_mean[:, None]
    squares = np.matmul(centred.transpose(0, 2, 1), centred).astype(np.float64) / count
    products = np.matmul(centred.transpose(0, 2, 1), wanted - wanted_mean[:, None]).astype(np.float64) / count
    # The fewer rows, the less the data can be believed.
    ridge = (RIDGE + terms / count) * np.trace(squares, axis1=1, axis2=2) / terms + 1e-12
    squares = squares + ridge[:, None, None] * np.eye(terms)
    start = _as_groups(layer, values["kernel"])
    fitted = np.linalg.solve(squares, products + ridge[:, None, None] * start)

    bias = wanted_mean - np.einsum("gko,gk->go", fitted, input_mean)
    base = np.array(weight_exponents(_as_kernel(layer, fitted), layer, width))
    tried = np.stack([coarse_enough(base + step, bias, width.bias_bits, form.input.exponent) for step in EXPONENTS])
    tried = tried.reshape(len(EXPONENTS), groups, -1)
    rounded = np.stack([round_adjusting(squares, fitted, width, chosen) for chosen in tried])
    difference = rounded - fitted
    errors = np.sum(difference * np.matmul(squares, difference), axis=2)
    best = errors.argmin(axis=0)[None]
    kernel = np.take_along_axis(rounded, best[:, :, None], axis=0)[0]
    weight = np.take_along_axis(tried, best, axis=0)[0].reshape(-1)

    values["kernel"] = _as_kernel(layer, kernel).astype(np.float32)
    values["bias"] = (wanted_mean - np.einsum("gko,gk->go", kernel, input_mean)).reshape(-1).astype(np.float32)
    chosen = tuple(int(exponent) for exponent in weight)
    return dataclasses.replace(
        exponents, weight=chosen, bias=bias_exponent(values["bias"], width.bias_bits, chosen, form.input.exponent)
    )


def _sampled(layer: LayerSpec, inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (G, rows, K) and targets (G, rows, O) of output pixels drawn from all images.

    Groups G: one, or the channels of a depthwise layer; K products make a sum, O sums share the inputs of a group.
    """
    padding = [(0, 0), (layer.padding,) * 2, (layer.padding,) * 2, (0, 0)]
    inputs = np.pad(inputs, padding) if layer.padding else inputs
    count = targets[..., 0].size
    wanted = min(count, ROWS if layer.kind == "conv" else ROWS // 4)
    drawn = np.random.default_rng(0).choice(count, wanted, replace=False) if wanted < count else np.arange(count)
    image, y, x = np.unravel_index(drawn, targets.shape[:3])
    taps = [(dy, dx) for dy in range(layer.kernel) for dx in range(layer.kernel)]
    patches = np.stack([inputs[image, y * layer.stride + dy, x * layer.stride + dx] for dy, dx in taps], axis=1)
    sums = targets[image, y, x]
    if layer.kind == "depthwise":
        return patches.transpose(2, 0, 1), sums.T[:, :, None]
    return patches.reshape(1, len(drawn), -1), sums[None]


def _as_groups(layer: LayerSpec, kernel: np.ndarray) -> np.ndarray:
    """Kernel as (G, K, O)."""
    if layer.kind == "depthwise":
        return kernel.reshape(-1, layer.out_channels).T[:, :, None]
    return kernel.reshape(1, -1, layer.out_channels)


def _as_kernel(layer: LayerSpec, weights: np.ndarray) -> np.ndarray:
    """The inverse of `_as_groups`."""
    if layer.kind == "depthwise":
        return weights[:, :, 0].T.reshape(layer.kernel_shape)
    return weights.reshape(layer.kernel_shape)


def round_adjusting(
    squares: np.ndarray, weights: np.ndarray, width: LayerWidths, exponents: np.ndarray
) -> np.ndarray:
    """Round the weights of one input after the other; those still to come make up for each rounding error.

    Args:
        squares: (G, K, K), positive definite: mean products of the inputs.
        weights: (G, K, O).
        width: bits and quantiser of the weights.
        exponents: (G, O) of the least significant bit.

    Returns:
        Rounded weights (G, K, O). Inputs come in the order of their size, largest first.
    """
    order = np.argsort(-np.diagonal(squares, axis1=1, axis2=2), axis=1)
    groups = np.arange(len(order))[:, None]
    inverse = np.linalg.inv(squares[groups[:, :, None], order[:, :, None], order[:, None, :]])
    upper = np.linalg.cholesky(inverse).transpose(0, 2, 1)
    left = weights[groups, order].astype(np.float64)
    rounded = np.empty_like(left)
    for k in range(left.shape[1]):
        integers = quantise_to_integers(left[:, k], width.weight_bits, exponents, width.mid_rise)
        rounded[:, k] = integers * 2.0**exponents
        error = (left[:, k] - rounded[:, k]) / upper[:, k, k, None]
        left[:, k + 1 :] -= upper[:, k, k + 1 :, None] * error[:, None]
    found = np.empty_like(rounded)
    found[groups, order] = rounded
    return found
