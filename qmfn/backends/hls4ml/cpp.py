"""The C++ of a stage: configuration, memories, storage pragmas and the call of its kernel.

The text is in `templates/stage.h.jinja` and `templates/tables.h.jinja`; what goes into it, the kernel says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import jinja2
from hls4ml.backends.template import FunctionCallTemplate

from qmfn.backends.hls4ml.stage_layer import FoldedStage
from qmfn.devices.target import Tool
from qmfn.kernels.kernel import Array, Kernel, Table
from qmfn.kernels.primitives import Storage

HEADER_FOLDER = "folded"
"""Where the kernels' headers lie inside a project's firmware/."""

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


class FoldedStageTemplate(FunctionCallTemplate):
    """Gives every stage the code of its function and the line that calls it."""

    def __init__(self) -> None:
        super().__init__(FoldedStage)

    def transform(self, model: object, node: FoldedStage) -> object:
        done = super().transform(model, node)
        node.set_attr("include_header", [f"{HEADER_FOLDER}/{node.stage.kernel.header.name}"])
        return done

    def format(self, node: FoldedStage) -> str:
        node.set_attr("config_cpp", stage_code(node))
        return f"{node.name}({', '.join(_stream_names(node))});"


def stage_code(node: FoldedStage) -> str:
    """Configuration and function of one stage."""
    stage, kernel = node.stage, node.stage.kernel
    tables = kernel.tables(node.constants)
    streams = [f"hls::stream<{variable.type.name}> &{variable.name}" for variable in _stream_variables(node)]
    copy = ["copy"] if len(stage.outputs) == 1 and kernel.has_copy else []
    return TEMPLATES.get_template("stage.h.jinja").render(
        name=stage.name,
        kind=kernel.kind,
        summary=f"{stage.name}: {kernel.summary}",
        constants=kernel.cpp_constants(),
        types=kernel.cpp_types(),
        parameters=streams,
        tables=tables,
        arrays=kernel.arrays,
        copy=copy,
        pragmas=list(_pragmas(kernel, tables, node.model.config.backend.tool)),
        arguments=[
            *_stream_names(node), *copy, *(array.name for array in kernel.arrays), *(table.name for table in tables),
        ],
    )  # fmt: skip


def tables_code(node: FoldedStage) -> str | None:
    """The constants of a stage, or None if it has none."""
    kernel = node.stage.kernel
    tables = kernel.tables(node.constants)
    if not tables:
        return None
    rendered = [{"name": table.name, "type": table.type, "rows": table.rows.tolist()} for table in tables]
    return TEMPLATES.get_template("tables.h.jinja").render(name=node.name, tables=rendered, note=kernel.table_note)


def _stream_variables(node: FoldedStage) -> list:
    return [*(node.get_input_variable(name) for name in node.inputs), *node.get_variables()]


def _stream_names(node: FoldedStage) -> list[str]:
    return [variable.name for variable in _stream_variables(node)]


def _pragmas(kernel: Kernel, tables: Sequence[Table], tool: Tool) -> Iterator[str]:
    """Words as wide as a row, in the memory that was asked for."""
    roms = (Array(table.name, "rom_1p", kernel.table_storage.get(table.name, "lutram")) for table in tables)
    for array in (*kernel.arrays, *roms):
        yield f"ARRAY_RESHAPE variable={array.name} complete dim=2"
        yield from storage(array, tool)


def storage(array: Array, tool: Tool) -> Iterator[str]:
    """The pragma that puts a memory into block RAM, UltraRAM or LUTs; none where the tool decides."""
    memory: Storage = array.storage
    if memory == "auto":
        return
    if tool == "Vitis":
        yield f"BIND_STORAGE variable={array.name} type={array.kind} impl={memory}"
    elif memory == "uram":
        yield f"RESOURCE variable={array.name} core=XPM_MEMORY uram"
    else:
        yield f"RESOURCE variable={array.name} core={array.kind.upper()}_{memory.upper()}"
