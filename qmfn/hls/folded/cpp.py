"""The C++ of a stage: configuration, memories, storage pragmas and the call of its kernel.

The text is in `templates/stage.h.jinja` and `templates/tables.h.jinja`; here is what goes into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from hls4ml.backends.template import FunctionCallTemplate
from hls4ml.model.types import PrecisionType

from qmfn.dataflow.build import product_field
from qmfn.dataflow.stages import Memory, Stage
from qmfn.hls.folded.numbers import LayerNumbers
from qmfn.hls.folded.stage_layer import FoldedStage
from qmfn.hls.types import FixedType

HEADERS = ["folded/folded_matvec.h", "folded/folded_depthwise.h", "folded/folded_add.h", "folded/folded_window.h"]

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
    tables, constants = stage_tables(stage, node.get_attr("numbers")), _constants(node)
    windowed = stage.kind in ("window", "depthwise")
    streams = [f"hls::stream<{variable.type.name}> &{variable.name}" for variable in _stream_variables(node)]
    memories = ["lines", "columns"] if windowed else []
    copy = ["copy"] if len(stage.outputs) == 1 and stage.kind != "window" else []
    return TEMPLATES.get_template("stage.h.jinja").render(
        s=stage,
        summary=summary(stage),
        constants=constants,
        types=_types(stage, node.get_attr("numbers"), constants, tables),
        parameters=streams,
        tables=tables,
        window=windowed,
        copy=copy,
        pragmas=list(_pragmas(stage, tables, node.model.config.backend.tool)),
        arguments=[*_stream_names(node), *copy, *memories, *(table.name for table in tables)],
    )


def summary(stage: Stage) -> str:
    """One line for a reader: sizes, folding, cycles."""
    size = f"{stage.height}x{stage.width}x{stage.channels} -> {stage.out_height}x{stage.out_width}x{stage.out_channels}"
    if stage.kind == "add":
        return f"{stage.name}: add, {stage.pe} values at a time, {stage.iterations} cycles per frame"
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
        _weight_table(stage, numbers.weights),
        *(
            Table(name, bits, values.reshape(groups, stage.pe), signed=name != "shift")
            for name, (values, bits) in per_output.items()
            if values is not None
        ),
    ]


def _weight_table(stage: Stage, weights: np.ndarray) -> Table:
    """The weights as stored; those that share a DSP as what they lie above the most negative one."""
    words = _weight_words(stage, weights)
    if stage.lanes_per_dsp > 1:
        return Table("weights", stage.weight_bits, words + 2 ** (stage.weight_bits - 1), signed=False)
    return Table("weights", stage.weight_bits, words)


def _weight_words(stage: Stage, weights: np.ndarray) -> np.ndarray:
    """Weights (terms, outputs) -> (words, multipliers), in the order of the kernel's loop."""
    if stage.kind == "matvec":  # word: group of outputs, part of the terms; in it output by output
        parts, groups = stage.terms // stage.simd, stage.out_channels // stage.pe
        return weights.reshape(parts, stage.simd, groups, stage.pe).transpose(2, 0, 3, 1).reshape(parts * groups, -1)
    groups = stage.channels // stage.pe
    if stage.kind == "depthwise":  # word: group of channels, part of the taps; in it tap by tap
        steps = stage.steps
        return weights.reshape(steps, stage.simd, groups, stage.pe).transpose(2, 0, 1, 3).reshape(steps * groups, -1)
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
    above = f"{2 ** (node.stage.weight_bits - 1)} is added to every weight." if node.stage.lanes_per_dsp > 1 else ""
    odd = "A weight is 2 * stored + 1." if node.stage.mid_rise else ""
    note = " ".join(part for part in (odd, above) if part)
    rendered = [{"name": t.name, "type": t.type, "rows": t.rows.tolist()} for t in tables]
    return TEMPLATES.get_template("tables.h.jinja").render(name=node.name, tables=rendered, note=note)


def _stream_variables(node: FoldedStage) -> list:
    return [*(node.get_input_variable(name) for name in node.inputs), *node.get_variables()]


def _stream_names(node: FoldedStage) -> list[str]:
    return [variable.name for variable in _stream_variables(node)]


def _constants(node: FoldedStage) -> dict[str, int | bool]:
    stage, numbers = node.stage, node.get_attr("numbers")
    if stage.kind == "add":
        return {"pe": stage.pe, "iterations": stage.iterations}
    constants = {"simd": stage.simd, "pe": stage.pe}
    if stage.kind == "matvec":
        groups, parts = stage.out_channels // stage.pe, stage.terms // stage.simd
        constants |= {"pixels": stage.out_pixels, "groups": groups, "parts": parts}
    elif stage.kind == "global_depthwise":
        constants |= {"pixels": stage.pixels, "groups": stage.groups}
    else:
        constants |= {
            "height": stage.height, "width": stage.width, "groups": stage.groups, "out_height": stage.out_height,
            "out_width": stage.out_width,
            "row_beats": stage.width * stage.groups, "kernel": stage.kernel, "stride": stage.stride,
            "padding": stage.padding, "steps": stage.steps, "iterations": stage.iterations,
        }  # fmt: skip
    constants |= _ends(node)
    return constants if numbers is None else constants | {"weight_bits": stage.weight_bits, "mid_rise": stage.mid_rise}


def _ends(node: FoldedStage) -> dict[str, int | bool]:
    """How values are requantised on the way in and out: digits to add (`up`) or to drop."""
    values, numbers = node.get_attr("value_types"), node.get_attr("numbers")
    arrives = node.get_input_variable().type.precision
    up, drop = _digits(_step(arrives), _step(values.arrives))
    kinds = [(precision.width, precision.integer, precision.signed) for precision in (arrives, values.arrives)]
    constants = {
        "requantises": kinds[0] != kinds[1], "input_bits": values.arrives.width, "input_signed": values.arrives.signed,
        "input_up": up, "input_drop": drop,
    }  # fmt: skip
    if numbers is None:
        return constants
    up, drop = _digits(_step(numbers.result) - numbers.slope_digits, _step(values.leaves))
    constants |= {"slope_digits": numbers.slope_digits, "output_bits": values.leaves.width}
    constants["output_signed"] = values.leaves.signed
    return constants | {"output_up": up, "output_drop": drop}


def _step(precision: PrecisionType | FixedType) -> int:
    """Exponent of a type's least significant bit."""
    return precision.integer - precision.width


def _digits(exponent: int, wanted: int) -> tuple[int, int]:
    """Binary digits to add and to drop on the way from steps of 2**exponent to steps of 2**wanted."""
    return max(0, exponent - wanted), max(0, wanted - exponent)


def _types(
    stage: Stage, numbers: LayerNumbers | None, constants: dict[str, int | bool], tables: list[Table]
) -> dict[str, str]:
    """The types that a kernel takes from its configuration."""
    if stage.kind == "add":
        return {}
    widths = {"arrives_t": stage.stream_bits + constants["input_up"] + 2, "input_t": stage.input_bits}
    if numbers is None:
        return _integers(widths)
    dot_bits = stage.field_bits or product_field(stage.weight_bits, stage.input_bits, simd=1)
    slope = max(constants["slope_digits"], stage.slope_bits)
    offset = stage.offset_bits + constants["output_drop"] if numbers.offset is not None else 0
    widths |= {
        "weight_t": stage.weight_bits,
        "dot_t": dot_bits,
        "sum_t": stage.accumulator_bits,
        "result_t": stage.result_bits,
        "wide_t": max(stage.result_bits + slope + constants["output_up"], offset, stage.output_bits) + 2,
    }
    if numbers.slope is not None:
        widths["slope_t"] = stage.slope_bits
    roms = {table.type: f"FOLDED_ROM_{'' if table.signed else 'U'}INT({table.bits})" for table in tables}
    return _integers(widths) | {"multiplier_t": _multiplier(stage)} | roms


def _integers(widths: dict[str, int]) -> dict[str, str]:
    return {name: f"FOLDED_INT({width})" for name, width in widths.items()}


def _multiplier(stage: Stage) -> str:
    if stage.multiplier == "fabric":
        return "folded::in_fabric"
    if stage.lanes_per_dsp == 1:
        return "folded::in_dsp"
    return f"folded::shared_dsp<{stage.lanes_per_dsp}, {stage.field_bits}>"


def _pragmas(stage: Stage, tables: list[Table], tool: str) -> Iterator[str]:
    """Words as wide as a row, in the memory that was asked for."""
    if stage.kind in ("window", "depthwise"):
        yield "ARRAY_RESHAPE variable=lines complete dim=2"
        yield "ARRAY_RESHAPE variable=columns complete dim=2"
        yield from storage("columns", "ram_s2p", "lutram", tool)
        yield from storage("lines", "ram_s2p", stage.line_memory, tool)
    for table in tables:
        yield f"ARRAY_RESHAPE variable={table.name} complete dim=2"
        memory = stage.weights_memory if table.name == "weights" else "lutram"
        yield from storage(table.name, "rom_1p", memory, tool)


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
