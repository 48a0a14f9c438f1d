"""The written project of a stock design is read back: its C++ says what was asked.

`defines.h` has the types, `parameters.h` reuse factors and strategies. hls4ml changes values between its Python objects
and the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qmfn.errors import UserError
from qmfn.network.fixed import FixedType
from qmfn.network.mobilefacenet import LayerSpec
from qmfn.stock.settings import StockSettings

if TYPE_CHECKING:
    from hls4ml.model.graph import ModelGraph

TYPEDEF = re.compile(r"typedef (?:nnet::array<)?ap_fixed<(\d+),(-?\d+)(,AP_RND_CONV,AP_SAT,0)?>(?:, [\d*]+>)? (\w+);")
STRUCT = re.compile(r"struct (\w+?) : nnet::\w+ \{(.*?)\n\};", re.DOTALL)
CONSTANT = re.compile(r"static const unsigned (reuse_factor|strategy) = (?:nnet::)?(\w+);")


def check_layers(graph: ModelGraph, layers: tuple[LayerSpec, ...], settings: StockSettings, folder: Path) -> None:
    """Compare every type, reuse factor and strategy in the C++ with the request.

    Raises:
        UserError: one differs (hls4ml changed it), naming the layer, what was asked and what was generated.
    """
    types = read_types(folder / "firmware" / "defines.h")
    constants = read_constants(folder / "firmware" / "parameters.h")
    nodes = {node.name: node for node in graph.get_layers()}
    for name, setting, asked, generated in _asked_and_generated(nodes, layers, settings, types, constants):
        if asked != generated:
            raise UserError(f"{name}: {setting} {asked} was asked, but hls4ml generated {generated}.")


def read_types(defines: Path) -> dict[str, FixedType]:
    """C++ type name -> fixed-point type (of the elements, for a stream)."""
    return {
        name: (FixedType.requantising if modes else FixedType)(int(width), int(integer))
        for width, integer, modes, name in TYPEDEF.findall(defines.read_text())
    }


def read_constants(parameters: Path) -> dict[str, dict[str, str]]:
    """Configuration struct -> {"reuse_factor": ..., "strategy": ...} as written in the C++."""
    return {name: dict(CONSTANT.findall(body)) for name, body in STRUCT.findall(parameters.read_text())}


def _asked_and_generated(
    nodes: dict[str, Any], layers: tuple[LayerSpec, ...], settings: StockSettings, types: dict, constants: dict
) -> Iterator[tuple[str, str, object, object]]:
    """(layer, setting, asked, generated) for everything that was asked."""
    for layer in layers:
        asked, node = settings.types[layer.name], nodes[layer.name]
        if layer.kind == "add":
            yield layer.name, "result type", asked.output, types.get(f"layer{node.index}_t")
            continue
        if asked.input is not None:
            yield layer.name, "input type", asked.input, types.get(_result_type(nodes[f"{layer.name}_input"]))
        hls = settings.hls[layer.name]
        for name in ("weight", "bias", "accum"):
            yield layer.name, f"{name} type", getattr(asked, name), types.get(f"{layer.name}_{name}_t")
        yield layer.name, "result type", asked.result, types.get(_result_type(node))
        for struct in (f"config{node.index}", f"config{node.index}_mult"):
            yield layer.name, "reuse factor", str(hls.reuse_factor), constants[struct]["reuse_factor"]
            yield layer.name, "strategy", hls.strategy.lower(), constants[struct]["strategy"]
        if layer.prelu:
            prelu = nodes[f"{layer.name}_prelu"]
            yield layer.name, "slope type", asked.slope, types.get(f"{layer.name}_prelu_slope_t")
            if asked.offset is not None:
                yield layer.name, "offset type", asked.offset, types.get(f"{layer.name}_prelu_offset_t")
            yield layer.name, "PReLU result type", asked.output, types.get(_result_type(prelu))
            generated = constants[f"qprelu_config{prelu.index}"]["reuse_factor"]
            yield layer.name, "PReLU reuse factor", str(hls.prelu_reuse_factor), generated


def _result_type(node) -> str:
    return node.get_output_variable().type.name
