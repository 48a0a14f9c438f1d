"""The folded design from config and checkpoint alone: no conversion, no hls4ml, no TensorFlow.

Gives exactly the stages that the backend makes of the converted graph (`tests/hls/folded/test_project.py`
compares the two), in a fraction of a second, so that a search can ask thousands of times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qmfn.config import DesignConfig, HlsConfig, Setting, settings_by_layer
from qmfn.dataflow.build import FoldedLayer, Folding, Input, build_pipeline
from qmfn.dataflow.stages import Kind, Pipeline, Stage
from qmfn.errors import UserError
from qmfn.hls.folded.foldings import folding
from qmfn.hls.folded.numbers import layer_numbers, with_numbers, with_prelu
from qmfn.hls.types import INPUT_TYPE, FixedType, LayerTypes, layer_types
from qmfn.model.checkpoint import Checkpoint
from qmfn.model.mobilefacenet import INPUT, LayerSpec

STOCK_ONLY = (
    "strategy",
    "precision.weight",
    "precision.bias",
    "precision.slope",
    "precision.accum",
    "precision.result",
)
"""Settings of a layer that stock hls4ml has and folded stages have not: their widths follow from the weights."""


def folded_pipeline(config: DesignConfig, checkpoint: Checkpoint) -> Pipeline:
    """The design that converting would give.

    Raises:
        UserError: a setting can't be honoured.
    """
    layers = folded_layers(checkpoint, layer_types(checkpoint, {}))
    foldings = foldings_by_layer(config.hls, layers, str(config.file))
    return build_pipeline(design_input(checkpoint), layers, foldings)


def design_input(checkpoint: Checkpoint) -> Input:
    first = checkpoint.layers[0]
    return Input(INPUT, first.in_size**2, first.in_channels, INPUT_TYPE.width)


def folded_layers(checkpoint: Checkpoint, types: Mapping[str, LayerTypes]) -> list[FoldedLayer]:
    """Every layer of the network, unfolded."""
    parameters = checkpoint.parameters()
    outputs = {INPUT: INPUT_TYPE} | {name: layer.output for name, layer in types.items()}
    return [
        FoldedLayer(
            _stage(layer, types[layer.name], outputs[layer.source], parameters[layer.name]),
            (layer.source, layer.shortcut) if layer.kind == "add" else (layer.source,),
        )
        for layer in checkpoint.layers
    ]


def _stage(layer: LayerSpec, types: LayerTypes, arrives: FixedType, parameters: Mapping[str, np.ndarray]) -> Stage:
    multiplied = types.input or arrives
    stage = Stage(
        name=layer.name, kind=_kind(layer), layer=layer.name, inputs=(), outputs=(), height=layer.in_size,
        width=layer.in_size, channels=layer.in_channels, out_height=layer.out_size, out_width=layer.out_size,
        out_channels=layer.out_channels, kernel=layer.kernel, stride=layer.stride, padding=layer.padding,
        stream_bits=arrives.width, input_bits=multiplied.width, output_bits=types.output.width,
    )  # fmt: skip
    if layer.kind == "add":
        return stage
    kernel = parameters["kernel"].reshape(-1, layer.out_channels)
    numbers = layer_numbers(layer.name, kernel, parameters["bias"], multiplied)
    if layer.prelu:
        numbers = with_prelu(layer.name, numbers, parameters["slope"], parameters.get("offset"), types.output)
    return with_numbers(stage, numbers)


def _kind(layer: LayerSpec) -> Kind:
    if layer.kind == "depthwise":
        return "global_depthwise" if layer.kernel == layer.in_size and layer.out_size == 1 else "depthwise"
    return "matvec" if layer.kind == "conv" else "add"


def foldings_by_layer(config: HlsConfig, layers: Sequence[FoldedLayer], file: str) -> dict[str, Folding]:
    """The folding of every layer but the adds, as the design file asks for it.

    Raises:
        UserError: an override matches no layer, a setting belongs to stock hls4ml, or a layer can't have it.
    """
    key = f"{file}: hls.layers"
    overrides = settings_by_layer(config.layers, [layer.name for layer in layers], key)
    default = Setting(config.reuse_factor, f"{file}: hls.reuse_factor")
    foldings = {}
    for layer in layers:
        settings = dict(overrides[layer.name])
        for name in STOCK_ONLY:
            if name in settings:
                setting = settings[name]
                raise UserError(f"{setting.key} = {setting.value}: belongs to dataflow = stock; this design is folded.")
        if layer.stage.kind == "add":
            continue
        reuse_factor = settings.get("reuse_factor", default)
        where = {name: setting.key for name, setting in settings.items()} | {"reuse_factor": reuse_factor.key}
        given = {name: setting.value for name, setting in settings.items()}
        foldings[layer.name] = folding(layer.stage, reuse_factor.value, given, where)
    return foldings
