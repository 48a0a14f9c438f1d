"""The network of a checkpoint: no conversion, no hls4ml, no TensorFlow.

Equal to what is read from the converted graph (`qmfn.network.from_hls4ml`), layer by layer; `convert` asserts it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qmfn.network.checkpoint import Checkpoint
from qmfn.network.constants import Activation
from qmfn.network.fixed import FixedType
from qmfn.network.formats import INPUT_FORMAT, Format, LayerFormat
from qmfn.network.layers import Add, Convolution, DepthwiseConvolution
from qmfn.network.mobilefacenet import INPUT, LayerSpec
from qmfn.network.network import Layer, Network, Padding, Shape, Tensor

INPUT_TYPE = FixedType(*INPUT_FORMAT.fixed)


def quantised_type(form: Format) -> FixedType:
    """The type whose assignment requantises exactly like the Keras quantiser."""
    return FixedType.requantising(*form.fixed)


def network_of(checkpoint: Checkpoint) -> Network:
    """Every layer of the quantised network."""
    first, parameters, formats = checkpoint.layers[0], checkpoint.parameters(), checkpoint.formats
    source = Tensor(Shape(first.in_size, first.in_size, first.in_channels), INPUT_TYPE)
    layers = tuple(_layer(layer, formats[layer.name], parameters[layer.name]) for layer in checkpoint.layers)
    return Network({INPUT: source}, layers, (layers[-1].name,))


def _layer(layer: LayerSpec, form: LayerFormat, parameters: Mapping[str, np.ndarray]) -> Layer:
    output = quantised_type(form.activation)
    if layer.kind == "add":
        return Add(layer.name, (layer.source, layer.shortcut), output)
    exact = {name: values.astype(np.float64) for name, values in parameters.items()}
    kind = Convolution if layer.kind == "conv" else DepthwiseConvolution
    return kind(
        name=layer.name,
        sources=(layer.source,),
        weights=exact["kernel"],
        bias=exact["bias"],
        output=output,
        stride=(layer.stride, layer.stride),
        padding=Padding(*[layer.padding] * 4),
        input=quantised_type(form.input) if form.requantises_input else None,
        activation=Activation(exact["slope"], exact.get("offset")) if layer.prelu else None,
    )
