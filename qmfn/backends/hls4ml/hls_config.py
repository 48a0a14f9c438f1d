"""hls4ml's `hls_config` as this backend takes it: every key has an effect, or is an error.

hls4ml ignores keys that it doesn't know. What `config_from_keras_model` writes of itself for stock layers
(`TableSize`, `ParallelizationFactor`, ...) may stay as it is; another value would have no effect here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hls4ml.model.attributes import TypeAttribute
from hls4ml.model.layers import Conv2D, Layer

from qmfn.backends.hls4ml.foldings import KEYS
from qmfn.errors import UserError

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph

GROUPS = ("Model", "LayerType", "LayerName", "Flows")

MODEL_DEFAULTS = {
    "Strategy": ("Latency",),
    "BramFactor": (1_000_000_000,),
    "TraceOutput": (False,),
    "BitExact": (None, False),
}
"""Keys of `Model` that hls4ml writes itself, and the values that they have then."""


def check_hls_config(graph: ModelGraph) -> None:
    """Check every key, before the first pass.

    Raises:
        UserError: a layer or key that doesn't exist, or a setting of stock hls4ml.
    """
    config = graph.config.config["HLSConfig"]
    nodes = list(graph.get_layers())
    names, kinds = {node.name: node for node in nodes}, {node.class_name: node for node in nodes}
    for group in config:
        if group not in GROUPS:
            raise UserError(f"hls_config: {group}: has no effect on folded designs; it may have {', '.join(GROUPS)}.")
    _check_model(config.get("Model") or {})
    for kind, settings in (config.get("LayerType") or {}).items():
        if kind not in kinds:
            raise UserError(
                f"hls_config: LayerType {kind}: is the type of no layer to hls4ml; its types are {', '.join(kinds)}."
            )
        _check_layer(f"LayerType {kind}", kinds[kind], settings, graph)
    for name, settings in (config.get("LayerName") or {}).items():
        if name not in names:
            closest = difflib.get_close_matches(name, names, n=8, cutoff=0)
            raise UserError(
                f"hls_config: LayerName {name}: is no layer of the network; the closest are {', '.join(closest)}."
            )
        _check_layer(name, names[name], settings, graph)


def _check_model(settings: Mapping[str, Any]) -> None:
    allowed = ["Precision", "ReuseFactor", *MODEL_DEFAULTS, *KEYS]
    for key, value in settings.items():
        if key not in allowed:
            raise UserError(f"hls_config: Model: {_unknown(key, value, allowed)}")
        if key in MODEL_DEFAULTS and value not in MODEL_DEFAULTS[key]:
            raise UserError(
                f"hls_config: Model: {key} = {value}: has no effect on folded designs, so it must be left out or "
                f"{MODEL_DEFAULTS[key][0]}."
            )


def _check_layer(where: str, node: Layer, settings: Mapping[str, Any], graph: ModelGraph) -> None:
    convolution = isinstance(node, Conv2D)
    attributes = [attribute for attribute in node.expected_attributes if attribute.configurable]
    defaults = {a.config_name: a.default for a in attributes if not isinstance(a, TypeAttribute)}
    defaults["ReuseFactor"] = graph.config.model_rf
    effective = ("Precision", "Trace", *(("ReuseFactor", *KEYS) if convolution else ()))
    allowed = list(dict.fromkeys([*effective, *defaults]))
    for key, value in settings.items():
        if key not in allowed:
            raise UserError(f"{where}: {_unknown(key, value, allowed)}")
        if key not in effective and value != defaults[key]:
            raise UserError(
                f"{where}: {key} = {value}: has no effect on this layer in a folded design, so it must be left out or "
                f"{defaults[key]}."
            )
    _check_precision(where, node, settings.get("Precision"), attributes, graph)


def _check_precision(where: str, node: Layer, precision: Any, attributes: Iterable[Any], graph: ModelGraph) -> None:
    """The keys of `Precision`; what the types are is checked where they are used."""
    if not isinstance(precision, Mapping):
        return
    types = {a.name.removesuffix("_t"): a.default for a in attributes if isinstance(a, TypeAttribute)}
    quantisers = [key.removesuffix("_quantizer") for key in node.attributes if key.endswith("_quantizer")]
    allowed = ["default", *dict.fromkeys([*types, *node.weights, *quantisers])]
    for key, value in precision.items():
        if key not in allowed:
            raise UserError(f"{where}: Precision: {_unknown(key, value, allowed)}")
        default = types.get(key)
        if default is not None and graph.config.backend.convert_precision_string(value) != default:
            raise UserError(
                f"{where}: Precision: {key} = {value}: has no effect on folded designs, so it must be left out or "
                f"{default}."
            )


def _unknown(key: str, value: Any, allowed: Iterable[str]) -> str:
    meant = {name.lower(): name for name in allowed}.get(key.lower())
    hint = f"write {meant}" if meant else f"the keys are {', '.join(allowed)}"
    return f"{key} = {value}: is no setting of a folded design; {hint}."
