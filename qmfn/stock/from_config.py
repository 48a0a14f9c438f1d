"""The plain description of a design from its config and checkpoint alone: no conversion, no hls4ml, no TensorFlow.

Gives exactly what `describe` reads from the converted graph (`tests/stock/test_from_config.py` compares the two), in a
fraction of a second, so that a search can ask thousands of times. It follows what hls4ml builds of
`qmfn.backends.hls4ml.convert`: one hls4ml layer per row of `_nodes`, plus the clones that hls4ml puts behind a tensor
with two readers. A layer that conversion adds goes into `_numbered_names`, in Keras' order, and into `_nodes`, if
hls4ml keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from qmfn.design import DesignConfig
from qmfn.names import PROJECT_NAME
from qmfn.network.checkpoint import Checkpoint
from qmfn.network.fixed import FixedType
from qmfn.network.from_checkpoint import INPUT_TYPE
from qmfn.network.mobilefacenet import INPUT, LayerSpec
from qmfn.stock.design import Design, FifoDesign, Kind, LayerDesign
from qmfn.stock.reuse import LayerHls
from qmfn.stock.settings import StockSettings, stock_settings
from qmfn.stock.types import LayerTypes


@dataclass(frozen=True)
class _Node:
    """A layer as hls4ml numbers it. `tensor` is the network layer whose output this is, None inside of one."""

    index: int
    layer: LayerDesign
    tensor: str | None


def describe_design(config: DesignConfig, checkpoint: Checkpoint) -> Design:
    """The design that converting would give.

    Args:
        config: the design file.
        checkpoint: its quantised network; only shapes, exponents and integers count.

    Raises:
        UserError: a setting can't be honoured.
    """
    numbered = list(_nodes(checkpoint, stock_settings(config, checkpoint)))
    readers = [name for layer in checkpoint.layers for name in (layer.source, layer.shortcut) if name]
    next_index = max(index for index, _ in _numbered_names(checkpoint)) + 1
    layers, fifos = [], []
    for node in numbered:
        layers.append(node.layer)
        if node is not numbered[-1]:  # HLS makes an AXI stream of the design's own output
            fifos.append(_fifo(f"layer{node.index}_out", node.layer))
        if node.tensor and readers.count(node.tensor) > 1:
            clone = _clone(node.layer)
            layers.append(clone)
            fifos += [_fifo(f"layer{next_index}_cpy{copy}", clone) for copy in (1, 2)]
            next_index += 1
    return Design(
        name=PROJECT_NAME,
        backend=config.hls.backend,
        part=config.hls.part,
        clock_period_ns=config.hls.clock_period_ns,
        io_type="io_stream",
        layers=tuple(layers),
        fifos=tuple(fifos),
    )


def _numbered_names(checkpoint: Checkpoint) -> Iterator[tuple[int, str]]:
    """(index, name) of every Keras layer: hls4ml counts from the input, requantisers that it then removes included."""
    names, formats = [INPUT], checkpoint.formats
    for layer in checkpoint.layers:
        if formats[layer.name].requantises_input:
            names.append(f"{layer.name}_input")
        if layer.padding:
            names.append(f"{layer.name}_pad")
        names += [layer.name, f"{layer.name}_prelu" if layer.prelu else f"{layer.name}_quant"]
    return enumerate(names, start=1)


def _nodes(checkpoint: Checkpoint, settings: StockSettings) -> Iterator[_Node]:
    """Every hls4ml layer in dataflow order, clones left out."""
    indices = {name: index for index, name in _numbered_names(checkpoint)}
    outputs = {INPUT: INPUT_TYPE}
    for layer in checkpoint.layers:
        types, source = settings.types[layer.name], outputs[layer.source]
        outputs[layer.name] = types.output
        if layer.kind == "add":
            yield _Node(indices[layer.name], _add(layer, source, types.output), layer.name)
            continue
        if types.input is not None:
            requantised = _pixelwise(
                f"{layer.name}_input", "activation", layer.in_size, layer.in_channels, source, types.input
            )
            yield _Node(indices[requantised.name], requantised, None)
            source = types.input
        if layer.padding:
            yield _Node(indices[f"{layer.name}_pad"], _padding(layer, source), None)
        hls, integers = settings.hls[layer.name], checkpoint.integers[layer.name]
        convolution = _convolution(layer, source, types, hls, integers["kernel"])
        yield _Node(indices[layer.name], convolution, None if layer.prelu else layer.name)
        if layer.prelu:
            prelu = _prelu(layer, types, hls, integers["slope"])
            yield _Node(indices[prelu.name], prelu, layer.name)


def _pixelwise(name: str, kind: Kind, size: int, channels: int, source: FixedType, result: FixedType) -> LayerDesign:
    """A layer whose output has the shape of its input."""
    return LayerDesign(
        name=name,
        kind=kind,
        in_height=size,
        in_width=size,
        in_channels=channels,
        out_height=size,
        out_width=size,
        out_channels=channels,
        input_bits=source.width,
        result_bits=result.width,
        requantises=result.requantises,
    )


def _add(layer: LayerSpec, source: FixedType, output: FixedType) -> LayerDesign:
    return _pixelwise(layer.name, "add", layer.out_size, layer.out_channels, source, output)


def _padding(layer: LayerSpec, source: FixedType) -> LayerDesign:
    size = layer.in_size + 2 * layer.padding
    inside = _pixelwise(f"{layer.name}_pad", "zero_padding", layer.in_size, layer.in_channels, source, source)
    return replace(inside, out_height=size, out_width=size)


def _convolution(
    layer: LayerSpec, source: FixedType, types: LayerTypes, hls: LayerHls, kernel: np.ndarray
) -> LayerDesign:
    weight, bias, accumulator, result = types.of_convolution
    in_size = layer.in_size + 2 * layer.padding
    pointwise = layer.kind == "conv" and layer.kernel == 1
    return LayerDesign(
        name=layer.name,
        kind="pointwise" if pointwise else layer.kind,
        in_height=in_size,
        in_width=in_size,
        in_channels=layer.in_channels,
        out_height=layer.out_size,
        out_width=layer.out_size,
        out_channels=layer.out_channels,
        input_bits=source.width,
        result_bits=result.width,
        kernel=layer.kernel,
        stride=layer.stride,
        reuse_factor=hls.reuse_factor,
        strategy=hls.strategy.lower(),
        weight_bits=weight.width,
        bias_bits=bias.width,
        accumulator_bits=accumulator.width,
        weights=kernel.size,
        biases=layer.out_channels,
        zero_weights=int(np.sum(kernel == 0)),
        requantises=result.requantises,
    )


def _prelu(layer: LayerSpec, types: LayerTypes, hls: LayerHls, slope: np.ndarray) -> LayerDesign:
    *_, result = types.of_convolution
    assert types.slope is not None, "a PReLU has slopes"
    inside = _pixelwise(f"{layer.name}_prelu", "prelu", layer.out_size, layer.out_channels, result, types.output)
    return replace(
        inside,
        reuse_factor=hls.prelu_reuse_factor,
        weight_bits=types.slope.width,
        bias_bits=types.offset.width if types.offset else 0,
        weights=slope.size,
        biases=slope.size if types.offset else 0,
        zero_weights=int(np.sum(slope == 0)),
    )


def _clone(producer: LayerDesign) -> LayerDesign:
    result = (FixedType.requantising if producer.requantises else FixedType)(producer.result_bits, 0)
    return _pixelwise(
        f"clone_{producer.name}", "clone", producer.out_height, producer.out_channels, result, result
    )


def _fifo(name: str, layer: LayerDesign) -> FifoDesign:
    """hls4ml gives a stream the depth of a whole feature map."""
    return FifoDesign(name, layer.output_pixels, layer.out_channels * layer.result_bits, layer.out_channels)
