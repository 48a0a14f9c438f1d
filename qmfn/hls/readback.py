"""What was asked is what is generated: the written project is read back and checked against the request.

The C++ itself is read - `defines.h` for types, `parameters.h` for reuse factors, strategies and stages - because hls4ml
changes values between its Python objects and the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from qmfn.dataflow.build import Folding, build_pipeline
from qmfn.dataflow.stages import Stage
from qmfn.errors import UserError
from qmfn.hls.convert import ModelGraph
from qmfn.hls.folded.from_checkpoint import design_input, folded_layers
from qmfn.hls.request import Request
from qmfn.hls.types import FixedType
from qmfn.model.checkpoint import Checkpoint
from qmfn.model.mobilefacenet import LayerSpec

TYPEDEF = re.compile(r"typedef (?:nnet::array<)?ap_fixed<(\d+),(-?\d+)(,AP_RND_CONV,AP_SAT,0)?>(?:, [\d*]+>)? (\w+);")
STRUCT = re.compile(r"struct (\w+?) : nnet::\w+ \{(.*?)\n\};", re.DOTALL)
STAGE = re.compile(r"struct (\w+)_config \{(.*?)\n\};\n\nvoid \1\(", re.DOTALL)
CONSTANT = re.compile(r"static const unsigned (reuse_factor|strategy) = (?:nnet::)?(\w+);")


def check_project(graph: ModelGraph, checkpoint: Checkpoint, request: Request, folder: Path) -> None:
    """Compare what was written with what was asked.

    Raises:
        UserError: something differs (hls4ml changed it), naming it, what was asked and what was generated.
    """
    if request.foldings is None:
        _check_layers(graph, checkpoint.layers, request, folder)
    else:
        _check_stages(checkpoint, request, request.foldings, folder)


def _check_stages(
    checkpoint: Checkpoint, request: Request, foldings: Mapping[str, Folding], folder: Path
) -> None:
    """Every stage of the folded design, its work and its widths, as config and checkpoint alone say they must be."""
    pipeline = build_pipeline(design_input(checkpoint), folded_layers(checkpoint, request.types), foldings)
    generated = read_stages((folder / "firmware" / "parameters.h").read_text())
    names = [stage.name for stage in pipeline.stages]
    if names != list(generated):
        raise UserError(f"the stages {', '.join(names)} were asked for, but {', '.join(generated)} were generated.")
    for stage in pipeline.stages:
        for name, asked in _asked_of(stage).items():
            if generated[stage.name].get(name) != asked:
                found = generated[stage.name].get(name)
                raise UserError(f"{stage.name}: {name} {asked} was asked, but {found} was generated.")


def read_stages(parameters: str) -> dict[str, dict[str, str]]:
    """Stage -> constants and types of its configuration."""
    stages = {}
    for name, body in STAGE.findall(parameters):
        stages[name] = dict(re.findall(r"static const \w+ (\w+) = (\w+);", body))
        stages[name] |= {kind: width for width, kind in re.findall(r"typedef FOLDED_\w*INT\((\d+)\) (\w+);", body)}
    return stages


def _asked_of(stage: Stage) -> dict[str, str]:
    """What the C++ of a stage must say."""
    if stage.kind == "add":
        return {"pe": str(stage.pe), "iterations": str(stage.iterations)}
    asked = {"simd": str(stage.simd), "pe": str(stage.pe), "input_t": str(stage.input_bits)}
    if stage.kind in ("window", "depthwise"):
        asked["iterations"] = str(stage.iterations)
    if stage.kind == "window":
        return asked
    return asked | {
        "mid_rise": str(stage.mid_rise).lower(),
        "weight_t": str(stage.weight_bits),
        "sum_t": str(stage.accumulator_bits),
        "result_t": str(stage.result_bits),
        "output_bits": str(stage.output_bits),
    }


def _check_layers(graph: ModelGraph, layers: tuple[LayerSpec, ...], request: Request, folder: Path) -> None:
    """Compare every type, reuse factor and strategy in the C++ with the request.

    Raises:
        UserError: one differs (hls4ml changed it), naming the layer, what was asked and what was generated.
    """
    types = read_types(folder / "firmware" / "defines.h")
    constants = read_constants(folder / "firmware" / "parameters.h")
    nodes = {node.name: node for node in graph.get_layers()}
    for name, setting, asked, generated in _settings(nodes, layers, request, types, constants):
        if asked != generated:
            raise UserError(f"{name}: {setting} {asked} was asked, but hls4ml generated {generated}.")


def read_types(defines: Path) -> dict[str, FixedType]:
    """C++ type name -> fixed-point type (of the elements, for a stream)."""
    return {
        name: FixedType(int(width), int(integer), bool(modes))
        for width, integer, modes, name in TYPEDEF.findall(defines.read_text())
    }


def read_constants(parameters: Path) -> dict[str, dict[str, str]]:
    """Configuration struct -> {"reuse_factor": ..., "strategy": ...} as written in the C++."""
    return {name: dict(CONSTANT.findall(body)) for name, body in STRUCT.findall(parameters.read_text())}


def _settings(
    nodes: dict, layers: tuple[LayerSpec, ...], request: Request, types: dict, constants: dict
) -> Iterator[tuple[str, str, object, object]]:
    """(layer, setting, asked, generated) for everything that was asked."""
    for layer in layers:
        asked, node = request.types[layer.name], nodes[layer.name]
        if layer.kind == "add":
            yield layer.name, "result type", asked.output, types.get(f"layer{node.index}_t")
            continue
        if asked.input is not None:
            yield layer.name, "input type", asked.input, types.get(_result_type(nodes[f"{layer.name}_input"]))
        hls = request.hls[layer.name]
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
