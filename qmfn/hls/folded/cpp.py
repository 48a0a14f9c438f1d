"""The C++ of a stage: configuration, memories, storage pragmas and the call of its kernel.

The text is in `templates/stage.h.jinja` and `templates/tables.h.jinja`; here is what goes into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from hls4ml.backends.fpga.fpga_types import APTypeConverter
from hls4ml.backends.template import FunctionCallTemplate
from hls4ml.model.types import PrecisionType

from qmfn.dataflow.build import product_field
from qmfn.dataflow.stages import Memory, Stage
from qmfn.hls.folded.numbers import LayerNumbers
from qmfn.hls.folded.stage_layer import FoldedStage
from qmfn.hls.types import FixedType

HEADERS = ["folded/folded_matvec.h", "folded/folded_depthwise.h", "folded/folded_streams.h", "folded/folded_window.h"]

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Table:
    """A read-only memory: integers of `bits` bits, one row per word."""

    name: str
    bits: int
    rows: np.ndarray
    signed: bool = True

    @property
    def type(self) -> str:
        """Name of the element's type in the stage's configuration."""
        return "weight_rom_t" if self.name == "weights" else f"{self.name}_rom_t"


class FoldedStageTemplate(FunctionCallTemplate):
    """Gives every stage the code of its function and the line that calls it."""

    def __init__(self) -> None:
        super().__init__(FoldedStage, include_header=HEADERS)

    def format(self, node: FoldedStage) -> str:
        node.set_attr("config_cpp", stage_code(node))
        return f"{node.name}({', '.join(_stream_names(node))});"


def stage_code(node: FoldedStage) -> str:
    """Configuration and function of one stage."""
    stage = node.stage
    tables = stage_tables(stage, node.get_attr("numbers"))
    lines = _line_memory(stage)
    streams = [f"hls::stream<{variable.type.name}> &{variable.name}" for variable in _stream_variables(node)]
    memories = ["lines"] if lines else []
    return TEMPLATES.get_template("stage.h.jinja").render(
        s=stage,
        summary=summary(stage),
        constants=_constants(stage),
        types=_types(node, tables),
        parameters=streams,
        tables=tables,
        lines=lines,
        pragmas=list(_pragmas(stage, tables, lines, node.model.config.backend.tool)),
        arguments=[*_stream_names(node), *memories, *(table.name for table in tables)],
    )


def summary(stage: Stage) -> str:
    """One line for a reader: sizes, folding, cycles."""
    size = f"{stage.height}x{stage.width}x{stage.channels} -> {stage.out_height}x{stage.out_width}x{stage.out_channels}"
    if stage.kind in ("add", "fork", "split", "join"):
        lanes = f"{stage.lanes_in} -> {stage.lanes_out} values per beat"
        return f"{stage.name}: {stage.kind}, {lanes}, {stage.iterations} cycles per frame"
    folding = f"SIMD {stage.simd}, PE {stage.pe}"
    reuse = f", reuse factor {stage.reuse_factor}" if stage.multipliers else ""
    return f"{stage.name}: {stage.kind}, {size}, {folding}{reuse}, {stage.iterations} cycles per frame"


def stage_tables(stage: Stage, numbers: LayerNumbers | None) -> list[Table]:
    """The memories of a stage with weights, as its kernel walks through them."""
    if numbers is None:
        return []
    groups = stage.out_channels // stage.pe
    per_output = {
        "shift": (numbers.shift, max(1, stage.shift_bits)),
        "bias": (numbers.bias, stage.bias_bits),
        "slope": (numbers.slope, stage.slope_bits),
        "offset": (numbers.offset, stage.offset_bits),
    }
    return [
        Table("weights", stage.weight_bits, _weight_words(stage, numbers.weights)),
        *(
            Table(name, bits, values.reshape(groups, stage.pe), signed=name != "shift")
            for name, (values, bits) in per_output.items()
            if values is not None
        ),
    ]


def _weight_words(stage: Stage, weights: np.ndarray) -> np.ndarray:
    """Weights (terms, outputs) -> (words, multipliers), in the order of the kernel's loop."""
    if stage.kind == "matvec":  # word: group of outputs, part of terms; in it output by output
        parts, groups = stage.terms // stage.simd, stage.out_channels // stage.pe
        return weights.reshape(parts, stage.simd, groups, stage.pe).transpose(2, 0, 3, 1).reshape(parts * groups, -1)
    groups = stage.channels // stage.pe
    if stage.kind == "depthwise":  # word: group of channels, part of the taps; in it channel by channel
        steps = stage.steps
        return weights.reshape(steps, stage.simd, groups, stage.pe).transpose(2, 0, 3, 1).reshape(steps * groups, -1)
    return weights.reshape(-1, stage.pe)  # global depthwise, word: pixel, group of channels


def window_order(kernel: int, channels: int, lanes: int) -> np.ndarray:
    """Terms of a dense convolution in the order in which a window hands them on: group of channels, tap, channel."""
    terms = np.arange(kernel**2 * channels).reshape(kernel**2, channels // lanes, lanes)
    return terms.transpose(1, 0, 2).ravel()


def tables_code(node: FoldedStage) -> str | None:
    """The constants of a stage, or None if it has none."""
    tables = stage_tables(node.stage, node.get_attr("numbers"))
    if not tables:
        return None
    note = "A weight is 2 * stored + 1." if node.stage.mid_rise else ""
    rendered = [{"name": t.name, "type": t.type, "rows": t.rows.tolist()} for t in tables]
    return TEMPLATES.get_template("tables.h.jinja").render(name=node.name, tables=rendered, note=note)


def _stream_variables(node: FoldedStage) -> list:
    return [*(node.get_input_variable(name) for name in node.inputs), *node.get_variables()]


def _stream_names(node: FoldedStage) -> list[str]:
    return [variable.name for variable in _stream_variables(node)]


def _line_memory(stage: Stage) -> tuple[int, int] | None:
    """Words and values per word of a sliding window's lines."""
    if stage.kind not in ("window", "depthwise"):
        return None
    return stage.width * stage.groups, (stage.kernel - 1) * stage.pe


def _constants(stage: Stage) -> dict[str, int | bool]:
    if stage.kind in ("add", "fork", "split", "join"):
        return {"iterations": stage.iterations}
    if stage.kind == "matvec":
        return {
            "pixels": stage.out_pixels, "groups": stage.out_channels // stage.pe, "parts": stage.terms // stage.simd,
            "simd": stage.simd, "pe": stage.pe, "mid_rise": stage.mid_rise,
        }  # fmt: skip
    if stage.kind == "global_depthwise":
        return {"pixels": stage.pixels, "groups": stage.groups, "pe": stage.pe, "mid_rise": stage.mid_rise}
    window = {
        "height": stage.height, "width": stage.width, "groups": stage.groups, "out_width": stage.out_width,
        "kernel": stage.kernel, "stride": stage.stride, "padding": stage.padding, "steps": stage.steps,
        "simd": stage.simd, "pe": stage.pe, "iterations": stage.iterations,
    }  # fmt: skip
    return window if stage.kind == "window" else window | {"mid_rise": stage.mid_rise}


def _types(node: FoldedStage, tables: list[Table]) -> dict[str, str]:
    """The types that a kernel takes from its configuration."""
    stage, numbers = node.stage, node.get_attr("numbers")
    if stage.kind in ("add", "fork", "split", "join"):
        return {}
    types = {"arrives_t": _fixed_cpp(node.get_attr("value_types").arrives), "input_t": f"ap_int<{stage.input_bits}>"}
    if numbers is None:
        return types
    simd = stage.simd if stage.kind == "matvec" else 1
    types |= {
        "weight_t": f"ap_int<{stage.weight_bits}>",
        "dot_t": f"ap_int<{product_field(stage.weight_bits, stage.input_bits, simd)}>",
        "sum_t": f"ap_int<{stage.accumulator_bits}>",
        "result_t": _plain_fixed(numbers.result),
        "multiplier_t": _multiplier(stage),
    }
    if numbers.slope is not None:
        types["slope_t"] = _plain_fixed(numbers.slope_type)
    if numbers.offset is not None:
        types["offset_t"] = _plain_fixed(numbers.offset_type)
    return types | {table.type: f"FOLDED_ROM_{'' if table.signed else 'U'}INT({table.bits})" for table in tables}


def _fixed_cpp(precision: PrecisionType) -> str:
    """The `ap_fixed` of an hls4ml type; hls4ml converts a type in place, so a copy."""
    return APTypeConverter().convert(copy(precision)).definition_cpp()


def _plain_fixed(fixed: FixedType) -> str:
    return f"ap_fixed<{fixed.width},{fixed.integer}>"


def _multiplier(stage: Stage) -> str:
    if stage.multiplier == "fabric":
        return "folded::in_fabric"
    if stage.lanes_per_dsp == 1:
        return "folded::in_dsp"
    return f"folded::shared_dsp<{stage.lanes_per_dsp}, {stage.field_bits}>"


def _pragmas(stage: Stage, tables: list[Table], lines: tuple[int, int] | None, tool: str) -> Iterator[str]:
    """Words as wide as a row, in the memory that was asked for."""
    if lines:
        yield "ARRAY_RESHAPE variable=lines complete dim=2"
        yield from storage("lines", "ram_s2p", stage.line_memory, tool)
    for table in tables:
        yield f"ARRAY_RESHAPE variable={table.name} complete dim=2"
        if table.name == "weights":
            yield from storage(table.name, "rom_1p", stage.weights_memory, tool)


def storage(variable: str, kind: str, memory: Memory, tool: str) -> Iterator[str]:
    """The pragma that puts a memory into block RAM, UltraRAM or LUTs; none where the tool decides."""
    if memory == "auto":
        return
    if tool == "Vitis":
        yield f"BIND_STORAGE variable={variable} type={kind} impl={memory}"
    elif memory == "uram":
        yield f"RESOURCE variable={variable} core=XPM_MEMORY uram"
    else:
        yield f"RESOURCE variable={variable} core={kind.upper()}_{memory.upper()}"
