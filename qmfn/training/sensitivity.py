"""How much a single tensor in few bits turns the embeddings: the measure that bits are assigned by.

Everything else stays float. A tensor's sensitivity is the mean of 1 - cosine between the embeddings with and without
its quantisation, over faces of the training set. Weights are rounded with an exponent per channel, activations with one
per tensor, both of the equalised network: as calibration would.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from qmfn.model.calibration import best_activation_exponent, rounded_kernel
from qmfn.network.formats import LayerWidths
from qmfn.network.integers import integer_range
from qmfn.network.mobilefacenet import LayerSpec
from qmfn.network.parameters import Parameters
from qmfn.training.student import Student

Kind = Literal["weight", "activation"]

KINDS: tuple[Kind, ...] = ("weight", "activation")


@dataclass(frozen=True)
class Sensitivity:
    """Mean 1 - cosine to the float embedding with one tensor of a layer in so many bits."""

    layer: str
    kind: Kind
    bits: int
    distance: float


def measure(
    layers: Sequence[LayerSpec],
    parameters: Parameters,
    activations: Mapping[str, np.ndarray],
    images: np.ndarray,
    bits: Sequence[int],
    widths: Mapping[str, LayerWidths],
) -> list[Sensitivity]:
    """Sensitivity of the weights of every convolution and of the output of every layer.

    Args:
        parameters: float weights, equalised.
        activations: layer -> values of its output (`observe_activations`), for the exponents.
        images: (N, size, size, 3) from `normalise`.
        bits: widths to try; one bit only where a layer's weights are mid-rise.
        widths: the design's, for the quantiser of each layer's weights.
    """
    network = _Probe(layers, parameters)
    wanted = network.embed(images)
    found = []
    trials = [(layer, kind, width) for layer in layers for kind in KINDS for width in bits]
    for layer, kind, width in tqdm(trials, desc="sensitivity", unit="trial", leave=False, disable=None):
        if kind == "weight" and layer.kind != "add" and (width > 1 or widths[layer.name].mid_rise):
            trial = dataclasses.replace(widths[layer.name], weight_bits=width)
            kernel = rounded_kernel(parameters[layer.name]["kernel"], layer, trial)
            embeddings = network.with_kernel(layer.name, kernel, lambda: network.embed(images))
        elif kind == "activation" and width > 1:
            exponent = best_activation_exponent(activations[layer.name], width)
            embeddings = network.with_activation(layer.name, width, exponent, lambda: network.embed(images))
        else:
            continue
        found.append(Sensitivity(layer.name, kind, width, float(np.mean(1 - np.sum(embeddings * wanted, axis=1)))))
    return found


class _Probe(Student):
    """The float network with one tensor at a time in few bits; compiled once for all trials."""

    def __init__(self, layers: Sequence[LayerSpec], parameters: Parameters):
        super().__init__(layers, parameters)
        self.rounding = {layer.name: tf.Variable([0.0, 0.0, 0.0]) for layer in layers}  # step (0: none), low, high

    def _layer(self, tensors: Mapping[str, tf.Tensor], layer: LayerSpec) -> tf.Tensor:
        x = super()._layer(tensors, layer)
        step, low, high = tf.unstack(self.rounding[layer.name])
        return tf.cond(step > 0, lambda: tf.clip_by_value(tf.round(x / step), low, high) * step, lambda: x)

    def embed(self, images: np.ndarray) -> np.ndarray:
        embeddings = self.compiled_embeddings(images).numpy()
        return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)

    def with_kernel(self, layer: str, kernel: np.ndarray, run: Callable[[], np.ndarray]) -> np.ndarray:
        return _while_assigned(self.trained[layer]["kernel"], kernel, run)

    def with_activation(self, layer: str, bits: int, exponent: int, run: Callable[[], np.ndarray]) -> np.ndarray:
        return _while_assigned(self.rounding[layer], np.array([2.0**exponent, *integer_range(bits)], np.float32), run)


def _while_assigned(variable: tf.Variable, value: np.ndarray, run: Callable[[], np.ndarray]) -> np.ndarray:
    before = variable.numpy()
    variable.assign(value)
    try:
        return run()
    finally:
        variable.assign(before)
