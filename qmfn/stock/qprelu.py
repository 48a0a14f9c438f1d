"""PReLU per channel as an hls4ml layer of our own, through hls4ml's extension API.

hls4ml's own PReLU takes no shared axes (one slope per value, not per channel). `register()` makes `QPReLU` known to
the Keras parser and to the Vivado backend, whose templates Vitis inherits; the HLS code is
`templates/nnet_qprelu_stream.h`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hls4ml
from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
from hls4ml.model.attributes import Attribute, TypeAttribute, WeightAttribute
from hls4ml.model.layers import Layer, register_layer

HEADER = "nnet_utils/nnet_qprelu_stream.h"
TEMPLATES = Path(__file__).parent / "templates"


class QPReLU(Layer):
    """One slope and, where the parser found offsets, one offset per channel; the result type requantises."""

    _expected_attributes = [
        Attribute("n_in"),
        Attribute("n_chan"),
        WeightAttribute("slope"),
        TypeAttribute("slope"),
    ]

    def initialize(self) -> None:
        self.add_output_variable(self.get_input_variable().shape)
        self.add_weights_variable(name="slope", var_name="s{index}")
        if self.get_attr("offset_data") is not None:
            self.add_weights_variable(name="offset", var_name="o{index}")


def parse_qprelu(keras_layer: dict, input_names: list, input_shapes: list, data_reader: Any) -> tuple[dict, list]:
    """Keras handler: the layer's description for hls4ml, and its output shape."""
    from hls4ml.converters.keras_v2_to_hls import get_weights_data

    shape, name = input_shapes[0], keras_layer["config"]["name"]
    layer = {
        "name": name,
        "class_name": "QPReLU",
        "inputs": input_names,
        "n_in": shape[1] * shape[2] * shape[3],
        "n_chan": shape[3],
        "slope_data": get_weights_data(data_reader, name, "slope"),
    }
    if keras_layer["config"]["offset_quantizer"]:
        layer["offset_data"] = get_weights_data(data_reader, name, "offset")
    return layer, list(shape)


class QPReLUConfigTemplate(LayerConfigTemplate):
    def __init__(self) -> None:
        super().__init__(QPReLU)
        self.template = """struct qprelu_config{index} : nnet::qprelu_config {{
    static const unsigned n_in = {n_in};
    static const unsigned n_chan = {n_chan};
    static const unsigned reuse_factor = {reuse};
    typedef {slope_t.name} slope_t;
{offset_typedef}}};\n"""

    def format(self, node: QPReLU) -> str:
        params = self._default_config_params(node)
        offset = node.weights.get("offset")
        params["offset_typedef"] = f"    typedef {offset.type.name} offset_t;\n" if offset else ""
        return self.template.format(**params)


class QPReLUFunctionTemplate(FunctionCallTemplate):
    def __init__(self) -> None:
        super().__init__(QPReLU, include_header=[HEADER])
        self.template = "nnet::qprelu<{input_t}, {output_t}, qprelu_config{index}>({input}, {output}, {weights});"

    def format(self, node: QPReLU) -> str:
        params = self._default_function_params(node)
        params["weights"] = ", ".join(node.weights[name].name for name in ("slope", "offset") if name in node.weights)
        params["index"] = node.index
        return self.template.format(**params)


def register() -> None:
    """Make the layer known to hls4ml; calling it again changes nothing."""
    # Not imported above: hls4ml loads the folded backend, and with it this module, before its converters.
    from hls4ml.converters.keras_v2_to_hls import get_supported_keras_layers

    if "QPReLU" in get_supported_keras_layers():
        return
    register_layer("QPReLU", QPReLU)
    hls4ml.converters.register_keras_v2_layer_handler("QPReLU", parse_qprelu)
    vivado = hls4ml.backends.get_backend("Vivado")
    vivado.register_template(QPReLUConfigTemplate)
    vivado.register_template(QPReLUFunctionTemplate)
    for name in ("Vivado", "Vitis"):
        hls4ml.backends.get_backend(name).register_source(TEMPLATES / Path(HEADER).name, destination_dir="nnet_utils")
