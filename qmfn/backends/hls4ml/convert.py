"""QKeras network -> hls4ml `ModelGraph`, with nothing left for hls4ml to infer.

hls4ml gets the network's structure from Keras, the quantised values from the checkpoint, and an explicit type for every
weight, bias, slope, offset, accumulator and result. The known traps of hls4ml 1.3.0, and where each is dealt with:

- a quantising activation behind an 'auto' result is dropped silently: results are explicit (`_layer_config`);
- QKeras quantisers with scales go wrong: hls4ml sees values, no quantisers (`_structure`, `_QuantisedValues`);
- settings on the model level are ignored with named layers: every layer has its own (`hls_config`);
- invalid reuse factors are changed: they are refused before (`qmfn.stock.reuse`);
- whatever is changed all the same is found by reading the written project back (`qmfn.backends.hls4ml.readback`).
"""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from qmfn.backends.hls4ml.foldings import KEYS
from qmfn.backends.request import Request
from qmfn.design import DesignConfig
from qmfn.names import FOLDED_BACKENDS, PROJECT_NAME
from qmfn.network.checkpoint import Checkpoint
from qmfn.network.from_checkpoint import INPUT_TYPE
from qmfn.network.mobilefacenet import INPUT, LayerSpec
from qmfn.network.parameters import Parameters
from qmfn.stock import qprelu
from qmfn.stock.reuse import dense_reuse_factors
from qmfn.stock.types import LayerTypes

with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
    warnings.simplefilter("ignore")  # hls4ml warns of optional front ends that are not installed
    from hls4ml.backends import get_backend
    from hls4ml.converters.keras_v2_to_hls import KerasReader, parse_keras_model
    from hls4ml.model import ModelGraph
    from hls4ml.utils.config import create_config


def convert(config: DesignConfig, checkpoint: Checkpoint, request: Request, model: Any, folder: Path) -> ModelGraph:
    """Convert and optimise; nothing is written yet.

    Args:
        model: the quantised Keras network of this checkpoint (`build_model`); its structure is converted.
        folder: where the graph's `write` will put the project.
    """
    with _quick_reuse_factors():
        return unhurried(config, checkpoint, request, model, folder, probes=True)


def unhurried(
    config: DesignConfig, checkpoint: Checkpoint, request: Request, model: Any, folder: Path, probes: bool
) -> ModelGraph:
    """The same with hls4ml as it is, for the benchmark; `probes` record every layer's result in C-simulation."""
    qprelu.register()
    settings = create_config(
        output_dir=str(folder),
        project_name=PROJECT_NAME,
        backend=config.hls.backend if request.plan is None else FOLDED_BACKENDS[config.hls.backend],
        part=config.hls.part,
        clock_period=config.hls.clock_period_ns,
        io_type="io_stream",
    )
    settings["HLSConfig"] = hls_config(checkpoint.layers, request)
    settings["TraceOutput"] = probes
    layers, inputs, outputs, _ = parse_keras_model(_structure(model), _QuantisedValues(checkpoint.parameters()))
    return ModelGraph.from_layer_list(settings, layers, inputs, outputs)


@contextlib.contextmanager
def _quick_reuse_factors() -> Iterator[None]:
    """Let hls4ml look up valid reuse factors in a list of divisors while it converts.

    It finds them by trying every number up to n_in * n_out in Python, 43 million for this network: 95 % of the time of
    a conversion. The list is the same (`tests/stock/test_reuse.py`).
    """
    instance = get_backend("Vivado")  # its layer initialisers serve Vitis too
    instance.get_valid_reuse_factors = dense_reuse_factors
    try:
        yield
    finally:
        del instance.get_valid_reuse_factors


def hls_config(layers: tuple[LayerSpec, ...], request: Request) -> dict[str, Any]:
    """hls4ml's `HLSConfig`: one entry per layer, under the layer's own name."""
    names: dict[str, Any] = {INPUT: {"Precision": {"result": str(INPUT_TYPE)}}}
    outputs = {INPUT: str(INPUT_TYPE)}
    for layer in layers:
        types = request.types[layer.name]
        outputs[layer.name] = str(types.output)
        arrives = outputs[layer.source]
        if types.input is not None:
            arrives = str(types.input)
            names[f"{layer.name}_input"] = {"Precision": {"result": arrives}, "Trace": True}
        if layer.padding:
            names[f"{layer.name}_pad"] = {"Precision": {"result": arrives}, "Trace": True}
        names |= _layer_config(layer, types, _work_settings(layer, request), _prelu_reuse_factor(layer, request))
    defaults = {"Precision": {"default": "fixed<16,6>"}, "ReuseFactor": 1}
    if request.plan is None:
        defaults["Strategy"] = "resource"
    return {"Model": defaults, "LayerName": names}


def _work_settings(layer: LayerSpec, request: Request) -> dict[str, Any]:
    """How a convolution's work is spread over time and hardware."""
    if layer.kind == "add":
        return {}
    if request.plan is None:
        hls = request.hls[layer.name]
        return {"ReuseFactor": hls.reuse_factor, "Strategy": hls.strategy.lower()}
    return {key: getattr(request.foldings[layer.name], field) for key, field in KEYS.items()}


def _prelu_reuse_factor(layer: LayerSpec, request: Request) -> int:
    """Of the PReLU as a layer of its own; a folded stage has it inside."""
    return request.hls[layer.name].prelu_reuse_factor if layer.name in request.hls else 1


def _layer_config(layer: LayerSpec, types: LayerTypes, work: dict[str, Any], prelu_reuse_factor: int) -> dict[str, Any]:
    output = {"Precision": {"result": str(types.output)}, "Trace": True}
    if layer.kind == "add":
        return {layer.name: output, f"{layer.name}_quant": output}
    precision = {name: str(getattr(types, name)) for name in ("weight", "bias", "accum", "result")}
    convolution = {"Precision": precision, **work, "Trace": True}
    if not layer.prelu:
        return {layer.name: convolution, f"{layer.name}_quant": output}
    offset = {"offset": str(types.offset)} if types.offset else {}
    prelu = {
        "Precision": {"slope": str(types.slope), **offset, "result": str(types.output)},
        "ReuseFactor": prelu_reuse_factor,
        "Trace": True,
    }
    return {layer.name: convolution, f"{layer.name}_prelu": prelu}


def _structure(model: Any) -> dict[str, Any]:
    """The network's structure without quantisers.

    The requantisation behind a linear layer or an add becomes a linear activation of the producer's own result type,
    which hls4ml then removes.
    """
    structure = json.loads(model.to_json())
    for layer in structure["config"]["layers"]:
        settings = layer["config"]
        if layer["class_name"] == "QActivation":
            layer["class_name"], settings["activation"] = "Activation", "linear"
        elif layer["class_name"] in ("QConv2D", "QDepthwiseConv2D"):
            for key in ("kernel_quantizer", "depthwise_quantizer", "bias_quantizer", "activation"):
                settings.pop(key, None)
    return structure


class _QuantisedValues(KerasReader):
    """Gives hls4ml the quantised values, not the float ones that a Keras network in training keeps."""

    NAMES = {"kernel": "kernel", "depthwise_kernel": "kernel", "bias": "bias", "slope": "slope", "offset": "offset"}

    def __init__(self, parameters: Parameters):
        self.parameters = parameters

    def get_weights_data(self, layer_name: str, var_name: str) -> np.ndarray:
        return self.parameters[layer_name.removesuffix("_prelu")][self.NAMES[var_name]]
