"""How each layer is folded: from what hls4ml's configuration, or a design file, says.

hls4ml's `ReuseFactor` alone is enough: multiplications per output pixel / multipliers. `Simd` and `Pe` say how the
multipliers are laid out, `WeightsMemory`, `LineMemory` and `Multiplier` where memories and multipliers go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qmfn.dataflow.build import FoldedLayer, Folding, multiplier_choices, pe_choices, simd_choices
from qmfn.dataflow.stages import Stage
from qmfn.errors import UserError

if TYPE_CHECKING:  # hls4ml is still importing its graph when it loads this backend
    from hls4ml.model.graph import ModelGraph

KEYS = {
    "Simd": "simd",
    "Pe": "pe",
    "WeightsMemory": "weights_memory",
    "LineMemory": "line_memory",
    "Multiplier": "multiplier",
}
"""Keys of a layer's hls4ml configuration -> fields of `Folding`."""

CHOICES = {
    "weights_memory": ("auto", "bram", "lutram"),
    "line_memory": ("auto", "bram", "uram", "lutram"),
    "multiplier": ("fabric", "dsp"),
}
"""UltraRAM has no initial content on UltraScale+ (UG573), so weights can't be there."""


def graph_foldings(graph: ModelGraph, layers: Sequence[FoldedLayer]) -> dict[str, Folding]:
    """Foldings as an hls4ml configuration asks for them.

    Raises:
        UserError: a value that the layer can't have.
    """
    foldings = {}
    for layer in layers:
        if layer.stage.kind == "add":
            continue
        node = graph.graph[layer.name]
        asked = {field: graph.config.get_layer_config_value(node, key) for key, field in KEYS.items()}
        asked["reuse_factor"] = graph.config.get_layer_config_value(node, "ReuseFactor")
        given = {field: value for field, value in asked.items() if value is not None}
        where = {field: f"{layer.name}: {key}" for key, field in KEYS.items()} | {
            "reuse_factor": f"{layer.name}: ReuseFactor"
        }
        foldings[layer.name] = folding(layer.stage, graph.config.get_reuse_factor(node), given, where)
    return foldings


def folding(stage: Stage, reuse_factor: int | None, given: Mapping[str, Any], where: Mapping[str, str]) -> Folding:
    """One layer's folding.

    Args:
        stage: the layer, unfolded.
        reuse_factor: counts where neither `simd` nor `pe` is given.
        given: fields of `Folding`, and `reuse_factor` where the layer itself says one.
        where: field -> where it was given, for error messages.

    Raises:
        UserError: a value that the layer can't have.
    """
    for field, allowed in CHOICES.items():
        if given.get(field, allowed[0]) not in allowed:
            raise UserError(f"{where[field]} = {given[field]}: must be one of {', '.join(allowed)}.")
    for field, divisors in (("simd", simd_choices(stage)), ("pe", pe_choices(stage))):
        if given.get(field, 1) not in divisors:
            raise UserError(
                f"{where[field]} = {given[field]}: does not divide the work of {stage.name}; "
                f"valid: {', '.join(map(str, divisors))}."
            )
    rest = {field: given[field] for field in CHOICES if field in given}
    if "simd" in given or "pe" in given:
        folded = Folding(given.get("simd", 1), given.get("pe", 1), **rest)
        _check_agreement(stage, folded, given, where)
        return folded
    valid = {stage.reuse_factor // number: pair for number, pair in multiplier_choices(stage).items()}
    if reuse_factor not in valid:
        raise UserError(
            f"{where['reuse_factor']} = {reuse_factor}: does not divide the work of {stage.name}; "
            f"valid: {', '.join(map(str, sorted(valid)))}."
        )
    return Folding(*valid[reuse_factor], **rest)


def _check_agreement(stage: Stage, folded: Folding, given: Mapping[str, Any], where: Mapping[str, str]) -> None:
    """A reuse factor beside SIMD and PE says the same thing twice; it must be the same thing."""
    meant = stage.reuse_factor // (folded.simd * folded.pe)  # the stage is unfolded: one multiplier
    if given.get("reuse_factor", meant) != meant:
        raise UserError(
            f"{where['reuse_factor']} = {given['reuse_factor']}: simd {folded.simd} and pe {folded.pe} give "
            f"{stage.name} a reuse factor of {meant}; change these, or leave them out."
        )
