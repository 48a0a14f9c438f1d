"""The files that take a written HLS project onto a board, from the templates beside this module.

    <folder>/firmware/board_top.h, .cpp   top level: 32-bit AXI4-Streams in (uint8 pixels) and out (int32 values)
    <folder>/make_ip_vitis.tcl            the top level as an IP (make_ip_vivado.tcl for Vivado HLS)
    <folder>/block_design_<board>.tcl     processing system, DMA and IP -> bitstream and hardware hand-off
    <folder>/qmfn_board.json              what the driver has to know of the design; goes along with the bitstream
    <folder>/pynq_driver.py               the class for PYNQ; needs nothing of this package

Takes a project whose top function is `void qmfn(hls::stream<input_t> &, hls::stream<result_t> &)`: beats of three
`ap_fixed<8,1>`, a pixel, in and beats of embedding values out. No vendor tool is here, so the scripts are untested.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from qmfn.devices.boards import Board
from qmfn.errors import UserError
from qmfn.files import exchange, folder_aside
from qmfn.names import PROJECT_NAME
from qmfn.network.fixed import FixedType

TOP = f"{PROJECT_NAME}_board"
TEMPLATES = Path(__file__).parent / "templates"
CSIM_HEADERS = Path(__file__).parent / "csim"
"""Vendor headers that the top level needs and hls4ml doesn't bring, for C-simulation."""

WORD_BITS = 32
WORD_BYTES = WORD_BITS // 8


@dataclass(frozen=True)
class BoardDesign:
    """What the files depend on besides the board.

    `output` is the type of an embedding value, `input_type` and `output_type` the names of the beats in the project's
    defines.h. `control` is `none` for a design that runs whenever data comes (ap_ctrl_none) or `axi_lite` for one that
    software starts. `clock_uncertainty` is what HLS leaves unused, as in Tcl (27%); None leaves it to the tool.
    """

    image_size: int
    embedding_size: int
    output: FixedType
    clock_period_ns: float
    tool: Literal["Vitis", "Vivado"]
    control: Literal["none", "axi_lite"] = "none"
    clock_uncertainty: str | None = None
    input_type: str = "input_t"
    output_type: str = "result_t"

    @property
    def exponent(self) -> int:
        """An embedding is its integers times 2 to this power."""
        return self.output.integer - self.output.width


def write_board_files(folder: Path, board: Board, design: BoardDesign) -> list[Path]:
    """Write all files into a project; files of an earlier call are replaced, all or none.

    Returns:
        the paths written, relative to `folder`.

    Raises:
        UserError: the design doesn't fit the streams, or the folder can't be written.
    """
    _check(design)
    texts = _texts(board, design)
    try:
        with folder_aside(folder.parent, f".{folder.name}.board.") as aside:
            (aside / "firmware").mkdir()
            for name, text in texts.items():
                (aside / name).write_text(text)
            exchange(aside, folder, sorted(texts))
    except OSError as error:
        raise UserError(f"{folder}: the files for {board.title} can't be written ({error.strerror}).") from None
    return [Path(name) for name in sorted(texts)]


def _check(design: BoardDesign) -> None:
    """A frame must be whole beats, a value must fit one word."""
    frame_bytes = design.image_size**2 * 3
    if frame_bytes % WORD_BYTES:
        raise UserError(
            f"image size {design.image_size}: a frame of {frame_bytes} bytes is no whole number of {WORD_BITS}-bit "
            "beats; boards need an even image size."
        )
    if design.output.width > WORD_BITS:
        raise UserError(
            f"embedding values of {design.output.width} bits don't fit the {WORD_BITS}-bit words of the board's "
            "stream; give the embedding layer fewer bits."
        )


def _texts(board: Board, design: BoardDesign) -> dict[str, str]:
    """Text of every file by its path."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    values = {
        "project": PROJECT_NAME,
        "top": TOP,
        "board": board,
        "tool": design.tool,
        "control": design.control,
        "image_size": design.image_size,
        "pixels": design.image_size**2,
        "embedding_size": design.embedding_size,
        "exponent": design.exponent,
        "output_width": design.output.width,
        "input_type": design.input_type,
        "output_type": design.output_type,
        "clock_period_ns": design.clock_period_ns,
        "clock_mhz": f"{1000 / design.clock_period_ns:.10g}",
        "clock_uncertainty": design.clock_uncertainty,
    }
    make_ip = f"make_ip_{design.tool.lower()}.tcl"
    templates = {
        "firmware/board_top.h": "firmware/board_top.h",
        "firmware/board_top.cpp": "firmware/board_top.cpp",
        make_ip: make_ip,
        f"block_design_{board.name}.tcl": "block_design.tcl",
    }
    texts = {name: environment.get_template(template).render(values) for name, template in templates.items()}
    texts["pynq_driver.py"] = (TEMPLATES / "pynq_driver.py").read_text()
    texts[f"{TOP}.json"] = _driver_settings(board, design)
    return texts


def _driver_settings(board: Board, design: BoardDesign) -> str:
    settings = {
        "board": board.name,
        "image_size": design.image_size,
        "embedding_size": design.embedding_size,
        "exponent": design.exponent,
        "control": design.control,
        "clock_period_ns": design.clock_period_ns,
    }
    return json.dumps(settings, indent=4) + "\n"
