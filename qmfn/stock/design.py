"""The plain description of a converted design that every estimate is a function of.

Owns `Design`, `LayerDesign` and `FifoDesign`, and `describe`, which reads them from a converted hls4ml
ModelGraph (after its `ip` flow). It takes nothing but the graph; what the graph says (reuse factor after
hls4ml's own corrections, packed stream depths, proven accumulator types) is what is estimated, not what a
config asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Literal

import numpy as np

from qmfn.errors import UserError

if TYPE_CHECKING:
    from hls4ml.model.graph import ModelGraph
    from hls4ml.model.layers import Layer

Kind = Literal[
    "conv", "pointwise", "depthwise", "dense", "prelu", "activation", "add", "clone", "zero_padding", "other"
]
CONVOLUTIONS = ("conv", "pointwise", "depthwise")
MATRIX_KINDS = (*CONVOLUTIONS, "dense")
"""Kinds with a weight matrix, a strategy and a reuse factor."""

KINDS: dict[str, Kind] = {
    "Conv2D": "conv",
    "PointwiseConv2D": "pointwise",
    "DepthwiseConv2D": "depthwise",
    "Dense": "dense",
    "QPReLU": "prelu",
    "Activation": "activation",
    "Merge": "add",
    "Clone": "clone",
    "ZeroPadding2D": "zero_padding",
    "Repack": "other",
    "Reshape": "other",
}
"""hls4ml class -> kind. A class that is missing here has no formula and is refused."""

BACKENDS = ("Vitis", "Vivado")


@dataclass(frozen=True)
class LayerDesign:
    """One layer as hardware: shapes in pixels and channels, widths in bits, counts of stored values.

    `reuse_factor` is multiplications per output pixel / multipliers. `weights`, `biases` and `zero_weights`
    count values; of a PReLU the slopes are the weights and the offsets the biases. Widths of what a layer lacks
    are 0; only convolutions, dense layers and PReLUs have a reuse factor other than 1. `requantises` says that
    the result type rounds or saturates. The input of a dense layer arrives in `in_height * in_width` beats of
    `in_channels` values. `kernel_rows` is only given where a window is not square (1 of a Conv1D).
    """

    name: str
    kind: Kind
    in_height: int
    in_width: int
    in_channels: int
    out_height: int
    out_width: int
    out_channels: int
    input_bits: int
    result_bits: int
    kernel: int = 1
    stride: int = 1
    reuse_factor: int = 1
    strategy: str = "resource"
    weight_bits: int = 0
    bias_bits: int = 0
    accumulator_bits: int = 0
    weights: int = 0
    biases: int = 0
    zero_weights: int = 0
    requantises: bool = False
    kernel_rows: int | None = None
    io_type: str = "io_stream"

    @property
    def input_pixels(self) -> int:
        return self.in_height * self.in_width

    @property
    def output_pixels(self) -> int:
        return self.out_height * self.out_width

    @property
    def window(self) -> int:
        """Values that one output pixel is computed from: k * k * C_in, or all inputs of a dense layer."""
        if self.kind == "dense":
            return self.input_pixels * self.in_channels
        return self.rows * self.kernel * self.in_channels

    @property
    def rows(self) -> int:
        """Height of the window."""
        return self.kernel if self.kernel_rows is None else self.kernel_rows

    @property
    def multiplications(self) -> int:
        """Multiplications per output pixel; 0 for a layer without weights."""
        if self.kind == "depthwise":
            return self.window
        if self.kind == "prelu":
            return self.out_channels
        return self.window * self.out_channels if self.kind in MATRIX_KINDS else 0

    @property
    def multipliers(self) -> int:
        """M = ceil(multiplications per output pixel / reuse factor): what the Resource strategy builds."""
        return ceil(self.multiplications / self.reuse_factor)

    @property
    def is_unrolled(self) -> bool:
        """Whether the weights are constants in the netlist (Latency strategy or reuse factor 1) instead of a
        ROM.
        """
        return self.strategy == "latency" or self.reuse_factor == 1


@dataclass(frozen=True)
class FifoDesign:
    """One stream between two layers: `depth` beats of `bits` bits, `channels` values in each."""

    name: str
    depth: int
    bits: int
    channels: int


@dataclass(frozen=True)
class Design:
    """A converted design: its layers and streams in dataflow order, and what it was generated for."""

    name: str
    backend: str
    part: str
    clock_period_ns: float
    io_type: str
    layers: tuple[LayerDesign, ...]
    fifos: tuple[FifoDesign, ...]


def describe(graph: ModelGraph) -> Design:
    """Read a converted hls4ml model.

    Input layers are left out (a port, no hardware), and so are the streams of the design's own inputs and
    outputs: HLS makes AXI streams of those, not FIFOs.

    Raises UserError for an io_type, a backend or a layer class that there are no formulas for.
    """
    config = graph.config
    backend, io_type = config.get_config_value("Backend"), config.get_config_value("IOType")
    if io_type != "io_stream":
        raise UserError(f"io_type {io_type!r} can't be estimated; it has to be 'io_stream'")
    if backend not in BACKENDS:
        raise UserError(f"backend {backend!r} can't be estimated; known are {', '.join(BACKENDS)}")
    nodes = [node for node in graph.get_layers() if node.class_name not in ("Input", "InputLayer")]
    return Design(
        name=config.get_config_value("ProjectName"),
        backend=backend,
        part=config.get_config_value("Part"),
        clock_period_ns=float(config.get_config_value("ClockPeriod")),
        io_type=io_type,
        layers=tuple(_layer(node) for node in nodes),
        fifos=tuple(_fifos(nodes, set(graph.outputs))),
    )


def _layer(node: Layer) -> LayerDesign:
    kind = _kind(node)
    source, result = node.get_input_variable(), node.get_output_variable()
    in_height, in_width, in_channels = _image_shape(source.shape)
    out_height, out_width, out_channels = _image_shape(result.shape)
    weight = node.weights.get("slope", node.weights.get("weight"))
    bias = node.weights.get("offset", node.weights.get("bias"))
    accumulator = node.get_attr("accum_t")
    result_type = result.type.precision
    return LayerDesign(
        name=node.name,
        kind=kind,
        in_height=in_height,
        in_width=in_width,
        in_channels=in_channels,
        out_height=out_height,
        out_width=out_width,
        out_channels=out_channels,
        input_bits=source.type.precision.width,
        result_bits=result_type.width,
        kernel=_square(node, "filt"),
        stride=_square(node, "stride"),
        reuse_factor=node.get_attr("reuse_factor", 1) if kind in (*MATRIX_KINDS, "prelu") else 1,
        strategy=str(node.get_attr("strategy", "resource")).lower(),
        weight_bits=weight.type.precision.width if weight is not None else 0,
        bias_bits=bias.type.precision.width if bias is not None else 0,
        accumulator_bits=accumulator.precision.width if accumulator is not None else 0,
        weights=int(np.size(weight.data)) if weight is not None else 0,
        biases=int(np.size(bias.data)) if bias is not None else 0,
        zero_weights=int(np.sum(np.asarray(weight.data) == 0)) if weight is not None else 0,
        requantises=_rounds_or_saturates(result_type),
    )


def _kind(node: Layer) -> Kind:
    if node.class_name not in KINDS or (node.class_name == "Merge" and node.get_attr("op") != "add"):
        known = ", ".join(KINDS)
        raise UserError(
            f"layer {node.name} is a {node.class_name}, which can't be estimated; known are {known}"
        )
    return KINDS[node.class_name]


def _image_shape(shape: list[int]) -> tuple[int, int, int]:
    """(height, width, channels); a vector is one pixel."""
    height, width, channels = [1] * (3 - len(shape)) + [int(size) for size in shape]
    return height, width, channels


def _square(node: Layer, what: str) -> int:
    height, width = node.get_attr(f"{what}_height", 1), node.get_attr(f"{what}_width", 1)
    if height != width:
        raise UserError(
            f"layer {node.name} has a {what} of {height}x{width}; only square ones can be estimated"
        )
    return height


def _rounds_or_saturates(precision) -> bool:
    modes = str(getattr(precision, "rounding_mode", "")), str(getattr(precision, "saturation_mode", ""))
    return "RND" in modes[0] or "SAT" in modes[1]


def _fifos(nodes: list[Layer], outputs: set[str]) -> list[FifoDesign]:
    variables = [
        variable for node in nodes for name, variable in node.variables.items() if name not in outputs
    ]
    return [
        FifoDesign(
            name=variable.name,
            depth=int(variable.pragma[1]),
            bits=int(variable.type.n_elem * variable.type.precision.width),
            channels=int(variable.type.n_elem),
        )
        for variable in variables
    ]
