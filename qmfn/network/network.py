"""A network as exact integer arithmetic: layers, the tensors between them, and what they compute.

A tensor holds integers in steps of its type (`FixedType`). A layer names the tensors that it reads, gives shape and
type of its result, and computes it with NumPy (`evaluate`): the reference that generated hardware must equal.
Layer types are registered (`register_layer`), also from outside this package. No hls4ml, no TensorFlow.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from qmfn.network.constants import Constants
from qmfn.network.fixed import FixedType


@dataclass(frozen=True)
class Shape:
    """Pixels and channels of one frame; a vector is one pixel."""

    height: int
    width: int
    channels: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}x{self.channels}"

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def values(self) -> int:
        return self.pixels * self.channels


@dataclass(frozen=True)
class Tensor:
    """What a layer gives, or the network takes: a shape, and the type of every value."""

    shape: Shape
    type: FixedType


@dataclass(frozen=True)
class Padding:
    """Zeros around an image, in pixels."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __bool__(self) -> bool:
        return bool(self.top or self.bottom or self.left or self.right)

    def __add__(self, other: Padding) -> Padding:
        return Padding(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))

    def of(self, shape: Shape) -> Shape:
        """The shape with its padding."""
        return Shape(self.top + shape.height + self.bottom, self.left + shape.width + self.right, shape.channels)

    def pad(self, images: np.ndarray) -> np.ndarray:
        """(N, height, width, channels) with zeros around."""
        return np.pad(images, ((0, 0), (self.top, self.bottom), (self.left, self.right), (0, 0))) if self else images


@dataclass(frozen=True, eq=False)
class Layer(ABC):
    """One operation.

    Attributes:
        name: as in the user's model; also the name of the tensor that it gives.
        sources: tensors that it reads.
    """

    name: str
    sources: tuple[str, ...]

    @abstractmethod
    def result(self, *inputs: Tensor) -> Tensor:
        """Shape and type of what it gives.

        Raises:
            UserError: it can't read such tensors.
        """

    @abstractmethod
    def evaluate(self, inputs: Sequence[Tensor], *values: np.ndarray) -> np.ndarray:
        """Integers (N, height, width, channels) in steps of `result`, from those of `inputs`.

        Any dtype that holds the integers exactly is taken, and may be given.
        """

    def exact_type(self, inputs: Sequence[Tensor]) -> FixedType | None:
        """A type that holds what it computes before that is assigned to `output`; None: no such type is known."""
        return None

    def integers(self, inputs: Sequence[Tensor]) -> Constants | None:
        """The constants that hardware keeps for it, or None if it has none.

        Raises:
            UserError: the values span more than a kernel can hold.
        """
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layer) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that the layer is."""
        return _digest(self)


LAYERS: dict[str, type[Layer]] = {}
"""Registered layer types by their class names."""

LayerClass = TypeVar("LayerClass", bound=type[Layer])


def register_layer(layer: LayerClass) -> LayerClass:
    """Class decorator: the type may stand in a network."""
    LAYERS[layer.__name__] = layer
    return layer


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in an order in which every tensor is computed before it is read.

    Attributes:
        inputs: name -> tensor that comes from outside.
        outputs: names of the tensors that go outside.
    """

    inputs: Mapping[str, Tensor]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by its name.

        Raises:
            UserError: a layer can't read what it is given.
        """
        tensors = dict(self.inputs)
        for layer in self.layers:
            tensors[layer.name] = layer.result(*(tensors[name] for name in layer.sources))
        return tensors

    def inputs_of(self, layer: Layer) -> tuple[Tensor, ...]:
        """The tensors that a layer reads."""
        return tuple(self.tensors[name] for name in layer.sources)

    def __getitem__(self, name: str) -> Layer:
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    def consumers(self, tensor: str) -> list[Layer]:
        """Layers that read a tensor, one entry per reading."""
        return [layer for layer in self.layers for name in layer.sources if name == tensor]

    def evaluate(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every layer's integers, in the order of computation.

        Args:
            values: input -> integers (N, height, width, channels) in steps of its type.
        """
        return dict(self.steps(values, keep=True))

    def steps(self, values: Mapping[str, np.ndarray], keep: bool = False) -> Iterator[tuple[str, np.ndarray]]:
        """The same, layer by layer; unless `keep`, what no later layer reads is forgotten."""
        known = dict(values)
        for number, layer in enumerate(self.layers):
            found = layer.evaluate(self.inputs_of(layer), *(known[name] for name in layer.sources))
            yield layer.name, found
            known[layer.name] = found
            if not keep:
                for name in layer.sources:
                    if self._last_reader[name] == number:
                        known.pop(name, None)

    @cached_property
    def _last_reader(self) -> dict[str, int]:
        """Tensor -> number of the last layer that reads it."""
        return {name: number for number, layer in enumerate(self.layers) for name in layer.sources}

    def outputs_of(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Integers of the outputs alone."""
        return {name: found for name, found in self.steps(values) if name in self.outputs}

    @property
    def digest(self) -> str:
        """SHA-256 of the network; equal networks compute the same from the same inputs, layer by layer."""
        text = json.dumps([_plain(dict(self.inputs)), [layer.digest for layer in self.layers], self.outputs])
        return hashlib.sha256(text.encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.digest == other.digest


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(_plain(value)).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """For JSON: dataclasses by class name and fields, arrays by the hash of their values."""
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value, np.float64) + 0.0  # no negative zeros
        return [list(value.shape), hashlib.sha256(content.tobytes()).hexdigest()]
    if dataclasses.is_dataclass(value):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return [type(value).__name__, fields]
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value
