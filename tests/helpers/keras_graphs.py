"""Small QKeras networks of any form, as hls4ml's users write them, and random ones."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from qmfn.backends.hls4ml import project
from qmfn.names import PROJECT_NAME
from qmfn.simulation.compiler import Types

Q6 = "fixed<6,3,RND_CONV,SAT>"
"""The type of `quantised`."""


@dataclass
class Graph:
    """A Keras network and what its `hls_config` says beside what hls4ml writes itself.

    Attributes:
        results: layer -> its result type.
        layers: layer -> more settings of it.
        model: settings of the whole model.
        groups: groups of `hls_config` beside those.
        arguments: of `convert_from_keras_model`.
        seed: of weights and images.
    """

    network: Any
    results: Mapping[str, str] = field(default_factory=dict)
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def with_weights(self) -> Graph:
        """Random weights, most of which don't saturate; of a PReLU one slope per channel, in eighths."""
        random = np.random.default_rng(self.seed)
        for layer in self.network.layers:
            values = [random.normal(0, 0.3, weight.shape) for weight in layer.get_weights()]
            if type(layer).__name__ == "PReLU":
                values = [np.broadcast_to(np.round(8 * slopes[0, 0]) / 8, slopes.shape) for slopes in values]
            layer.set_weights(values)
        return self


def bits(width: int, integer: int = 0, **options: Any) -> Any:
    from qkeras import quantized_bits

    return quantized_bits(width, integer, **{"alpha": 1, **options})


def pixels(height: int = 6, width: int = 6, channels: int = 4, name: str = "pixels") -> Any:
    from tensorflow import keras

    return keras.Input((height, width, channels), name=name)


def conv(x: Any, filters: int, size: int, name: str, weight_bits: int = 4, **options: Any) -> Any:
    from qkeras import QConv2D

    quantisers = {"kernel_quantizer": bits(weight_bits), "bias_quantizer": bits(8)}
    return QConv2D(filters, size, name=name, **{**quantisers, **options})(x)


def depthwise(x: Any, size: int, name: str, **options: Any) -> Any:
    from qkeras import QDepthwiseConv2D

    quantisers = {"depthwise_quantizer": bits(4), "bias_quantizer": bits(8)}
    return QDepthwiseConv2D(size, name=name, **{**quantisers, **options})(x)


def activation(x: Any, name: str, quantiser: Any) -> Any:
    from qkeras import QActivation

    return QActivation(quantiser, name=name)(x)


def relu(x: Any, name: str, width: int = 4, integer: int = 1, **options: Any) -> Any:
    from qkeras import quantized_relu

    return activation(x, name, quantized_relu(width, integer, **options))


def quantised(x: Any, name: str, width: int = 6, integer: int = 2, **options: Any) -> Any:
    return activation(x, name, bits(width, integer, **options))


def add(first: Any, second: Any, name: str) -> Any:
    from tensorflow import keras

    return keras.layers.Add(name=name)([first, second])


def padded(x: Any, name: str, padding: Any = 1, **options: Any) -> Any:
    from tensorflow import keras

    return keras.layers.ZeroPadding2D(padding, name=name, **options)(x)


def model(inputs: Any, outputs: Any) -> Any:
    from tensorflow import keras

    return keras.Model(inputs, outputs)


def qkeras_network() -> Any:
    """The network of the example in docs/dataflow/README.md: ReLU, `same` padding, residual add, global depthwise."""
    i = pixels(16, 16, 3)
    x = relu(conv(i, 8, 3, "c1", strides=2, padding="same"), "r1")
    x = shortcut = quantised(conv(x, 8, 1, "c2"), "q2")
    x = relu(depthwise(x, 3, "d3", padding="same"), "r3")
    x = quantised(conv(x, 8, 1, "c4"), "q4")
    x = quantised(add(x, shortcut, "a"), "qa")
    return Graph(model(i, quantised(depthwise(x, 8, "g"), "qg"))).with_weights().network


def converted(graph: Graph, folder: Path, backend: str = "VitisFolded") -> Any:
    """The hls4ml graph; nothing is written."""
    from hls4ml.converters import convert_from_keras_model
    from hls4ml.utils import config_from_keras_model

    with contextlib.redirect_stdout(io.StringIO()):
        settings = config_from_keras_model(graph.network, granularity="name", backend=backend)
        names = settings["LayerName"]
        for name in graph.network.input_names:
            names[name]["Precision"]["result"] = "fixed<8,1>"
        for name, result in graph.results.items():
            names[name]["Precision"]["result"] = result
        for name, more in graph.layers.items():
            names.setdefault(name, {}).update(more)
        settings["Model"].update(graph.model)
        settings.update(graph.groups)
        arguments = {"io_type": "io_stream", "output_dir": str(folder), "project_name": PROJECT_NAME, **graph.arguments}
        return convert_from_keras_model(graph.network, hls_config=settings, backend=backend, **arguments)


def outputs(graph: Graph, hls_graph: Any, folder: Path, types: Types = "fast") -> tuple[np.ndarray, np.ndarray]:
    """(C-simulation, Keras): every output value of four images, extremes among them."""
    from helpers.designs import simulate

    with contextlib.redirect_stdout(io.StringIO()):
        project.write_project(hls_graph, folder, folder)
    csim = simulate(hls_graph, folder, types)
    random = np.random.default_rng(graph.seed + 1)
    images = random.integers(0, 256, (4, *graph.network.input_shape[1:]))
    images[0, ::2], images[1, :, ::2] = 255, 0
    unsigned = graph.results.get("pixels", "").startswith("u")
    images = (images / 256 if unsigned else (images - 128) / 128).astype(np.float32)
    keras = graph.network.predict(images, verbose=0).reshape(len(images), -1)
    return np.stack([csim.predict(image) for image in images]), keras


# Random networks


@dataclass(frozen=True)
class _Tensor:
    """A tensor of a network that is being drawn.

    Attributes:
        layer: that made it.
        typed: that layer may be given a result type.
    """

    x: Any
    layer: str
    typed: bool = False


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Networks of a few layers in any order: forks, paddings, quantisers, outputs wherever they may be.

    Weights have few bits, so that Keras' float32 sums are exact. Result types are those of a quantiser behind, or
    others, or left to hls4ml.
    """
    return _Drawing(draw).graph()


class _Drawing:
    def __init__(self, draw: st.DrawFn):
        self.draw = draw
        self.inputs = pixels(draw(st.integers(3, 7)), draw(st.integers(3, 7)), draw(st.integers(1, 4)))
        self.tensors = [_Tensor(self.inputs, "pixels")]
        self.results: dict[str, tuple[str, str]] = {}  # layer -> (result type, quantiser behind it)
        self.count = 0

    def graph(self) -> Graph:
        for _ in range(self.draw(st.integers(1, 5))):
            kinds = ["conv_relu", "conv_quantised", "depthwise_relu", "depthwise_quantised", "add_quantised"] * 4
            kinds += ["conv", "depthwise", "relu", "quantised", "padded", "padded", "add", "keras_relu"]
            getattr(self, f"_{self.draw(st.sampled_from(kinds))}")()
        last = self.tensors[-1].x
        also = self.draw(st.sampled_from([None] * 24 + [self.tensors[len(self.tensors) // 2].x]))
        used = _layers_behind(last) | (set() if also is None else _layers_behind(also))
        return Graph(
            model(self.inputs, last if also is None else [last, also]),
            {layer: result for layer, (result, quantiser) in self.results.items() if {layer, quantiser} <= used}
            | {"pixels": self.draw(st.sampled_from(["fixed<8,1>", "fixed<8,1>", "ufixed<8,0>"]))},
            layers=self._foldings(used),
            seed=self.draw(st.integers(0, 2**16)),
        ).with_weights()

    def _name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def _source(self) -> _Tensor:
        """Mostly the newest tensor: a chain with some forks; seldom the input again."""
        newest = [self.tensors[-1]] * (2 + len(self.tensors))
        return self.draw(st.sampled_from([*newest, *self.tensors[1:] * 2, self.tensors[0]]))

    def _put(self, x: Any, layer: str, typed: bool = False) -> None:
        self.tensors.append(_Tensor(x, layer, typed))

    def _window(self) -> dict[str, Any]:
        stride = self.draw(st.sampled_from([1, 1, 1, 2]))
        return {"padding": self.draw(st.sampled_from(["same", "valid"])), "strides": stride}

    def _size(self, source: _Tensor) -> int:
        return self.draw(st.integers(1, min(3, *source.x.shape[1:3])))

    def _conv(self) -> None:
        source, name = self._source(), self._name("c")
        options = self._window() | {"use_bias": self.draw(st.booleans())}
        size, filters = self._size(source), self.draw(st.integers(1, 4))
        self._put(conv(source.x, filters, size, name, self.draw(st.integers(2, 4)), **options), name, True)

    def _depthwise(self) -> None:
        source, name = self._source(), self._name("d")
        self._put(depthwise(source.x, self._size(source), name, **self._window()), name, True)

    def _add(self) -> None:
        first = self._source()
        alike = [tensor for tensor in self.tensors if tensor.x.shape == first.x.shape]
        name = self._name("a")
        self._put(add(first.x, self.draw(st.sampled_from(alike)).x, name), name, True)

    def _padded(self) -> None:
        source, name = self._source(), self._name("z")
        amount = st.integers(0, 2)
        top, bottom, left, right = (self.draw(amount) for _ in range(4))
        left = self.draw(st.sampled_from([top, top, top, left]))
        self._put(padded(source.x, name, ((top, bottom), (left, right))), name)

    def _relu(self) -> None:
        self._behind("r", relu, (1, 6), (0, 3))

    def _quantised(self) -> None:
        self._behind("q", quantised, (2, 7), (0, 3))

    def _behind(self, prefix: str, layer: Any, widths: tuple[int, int], integers: tuple[int, int]) -> None:
        source, name = self._source(), self._name(prefix)
        width = self.draw(st.integers(*widths))
        integer = self.draw(st.integers(integers[0], min(integers[1], max(0, width - 2))))
        self._put(layer(source.x, name, width, integer), name)
        if source.typed and prefix == "q" and source.layer not in self.results:
            same = f"fixed<{width},{integer + 1},RND_CONV,SAT>"
            result = self.draw(st.sampled_from([*[same] * 9, "auto", Q6, "fixed<24,12,RND_CONV,SAT>"]))
            self.results[source.layer] = (result, name)

    def _keras_relu(self) -> None:
        from tensorflow import keras

        source, name = self._source(), self._name("k")
        self._put(keras.layers.Activation("relu", name=name)(source.x), name)

    def _conv_relu(self) -> None:
        self._conv()
        self._on_newest(self._relu)

    def _conv_quantised(self) -> None:
        self._conv()
        self._on_newest(self._quantised)

    def _depthwise_relu(self) -> None:
        self._depthwise()
        self._on_newest(self._relu)

    def _depthwise_quantised(self) -> None:
        self._depthwise()
        self._on_newest(self._quantised)

    def _add_quantised(self) -> None:
        self._add()
        self._on_newest(self._quantised)

    def _on_newest(self, layer: Any) -> None:
        before, self.tensors = self.tensors, self.tensors[-1:]
        layer()
        self.tensors = [*before, *self.tensors[1:]]

    def _foldings(self, used: set[str]) -> dict[str, dict[str, Any]]:
        """Some layers folded, the others as parallel as they can be."""
        return {
            name: {"Simd": 1, "Pe": 1, "Multiplier": self.draw(st.sampled_from(["fabric", "dsp"]))}
            for name in sorted(used)
            if name[0] in "cd" and self.draw(st.booleans())
        }


def _layers_behind(x: Any) -> set[str]:
    """Names of the layers that a tensor comes from."""
    from tensorflow import keras

    return {layer.name for layer in keras.Model(keras.utils.get_source_inputs(x), x).layers}
