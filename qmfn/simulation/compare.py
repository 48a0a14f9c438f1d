"""C-simulation against Python: every value of every layer, with `==`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qmfn.network.checkpoint import Checkpoint
from qmfn.simulation.csim import Csim


@dataclass
class TensorComparison:
    """One tensor over all images."""

    layer: str
    values: int = 0
    mismatches: int = 0
    max_abs_difference: float = 0.0


@dataclass(frozen=True)
class Difference:
    """The first value that differs, in the order of computation."""

    layer: str
    image: int
    index: tuple[int, ...]
    csim: float
    keras: float

    def __str__(self) -> str:
        return f"{self.layer}{list(self.index)} of image {self.image}: csim {self.csim!r}, Keras {self.keras!r}"


@dataclass
class Comparison:
    """Result over all images; `embeddings` are Keras' outputs (N, embedding_size)."""

    images: int = 0
    tensors: list[TensorComparison] = field(default_factory=list)
    first_difference: Difference | None = None
    embeddings: list[np.ndarray] = field(default_factory=list)

    @property
    def mismatches(self) -> int:
        return sum(tensor.mismatches for tensor in self.tensors)


def keras_names(checkpoint: Checkpoint, folded: bool) -> dict[str, str]:
    """Probed hls4ml layer -> the Keras layer whose output must equal it.

    They have the same names, but hls4ml folds the requantisation behind a linear layer or an add into that layer, and a
    folded stage has padding and PReLU inside.
    """
    names = {}
    formats = checkpoint.formats
    for layer in checkpoint.layers:
        if folded:
            names[layer.name] = f"{layer.name}_prelu" if layer.prelu else f"{layer.name}_quant"
            continue
        if formats[layer.name].requantises_input:
            names[f"{layer.name}_input"] = f"{layer.name}_input"
        if layer.padding:
            names[f"{layer.name}_pad"] = f"{layer.name}_pad"
        names[layer.name] = layer.name if layer.prelu else f"{layer.name}_quant"
        if layer.prelu:
            names[f"{layer.name}_prelu"] = f"{layer.name}_prelu"
    return names


def compare(
    csim: Csim,
    model: Any,
    checkpoint: Checkpoint,
    images: np.ndarray,
    folded: bool = False,
    progress: Callable[[np.ndarray], Iterable[np.ndarray]] = iter,
) -> Comparison:
    """Run every image through both and compare all tensors.

    Args:
        csim: the compiled project.
        model: the quantised Keras network of the checkpoint.
        images: (N, size, size, 3), from `normalise`.
        folded: the project's layers are stages of the folded dataflow.
        progress: wraps the images, to show how far it is.

    Raises:
        AssertionError: the two do not have the same layers.
    """
    from tensorflow import keras

    names = keras_names(checkpoint, folded)
    probed = [name for name, _ in csim.tensors.layers]
    if list(names) != probed:
        raise AssertionError(f"csim has the layers {probed}, Keras {list(names)}")
    probe = keras.Model(model.input, [model.get_layer(name).output for name in names.values()])
    result = Comparison(tensors=[TensorComparison(name) for name in names])
    for number, image in enumerate(progress(images)):
        wanted = [output.numpy()[0] for output in probe(image[None], training=False)]
        for tensor, found, expected in zip(result.tensors, csim.trace(image).values(), wanted, strict=True):
            _compare_tensor(result, tensor, number, found, expected.reshape(found.shape))
        result.embeddings.append(wanted[-1].ravel())
        result.images += 1
    return result


def _compare_tensor(
    result: Comparison, tensor: TensorComparison, image: int, found: np.ndarray, expected: np.ndarray
) -> None:
    differs = ~(found == expected)  # a NaN differs too
    tensor.values += found.size
    if not differs.any():
        return
    tensor.mismatches += int(differs.sum())
    tensor.max_abs_difference = max(tensor.max_abs_difference, float(np.abs(found - expected).max()))
    if result.first_difference is None:
        index = tuple(int(i) for i in np.argwhere(differs)[0])
        result.first_difference = Difference(tensor.layer, image, index, float(found[index]), float(expected[index]))
