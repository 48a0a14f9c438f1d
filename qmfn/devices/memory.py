"""What memories and FIFOs cost: pure functions of depth and width, usable for any dataflow.

Sources: UG573 and UG473 (shapes of a RAMB18), UG573 (UltraRAM 4,096 x 72), UG574 (a LUT is a 64 x 1 RAM), and the
rules that `synthesis/memories.csv` and `synthesis/fifos.csv` of the shared data follow.
"""

from __future__ import annotations

from math import ceil
from typing import Literal

RAMB18_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""(depth, width) that one BRAM_18K can be."""

LUTRAM_BITS = 1024
"""Bits up to which HLS, left alone, keeps a memory out of block RAM."""

FIFO_LUT = 60
"""LUT of the control of a FIFO, from the FIFO totals of `designs.csv`."""


def ramb18(depth: int, width: int) -> int:
    """BRAM_18K of a `depth` x `width` memory in its best shape: ceil(depth / words) * ceil(width / bits)."""
    return min(ceil(depth / words) * ceil(width / bits) for words, bits in RAMB18_SHAPES)


def uram(depth: int, width: int) -> int:
    """UltraRAM blocks of a `depth` x `width` memory: ceil(width / 72) * ceil(depth / 4096)."""
    return ceil(width / 72) * ceil(depth / 4096)


def lutram_luts(depth: int, width: int) -> int:
    """LUT of a `depth` x `width` memory in distributed RAM, one LUT per 64 x 1; its read multiplexers not counted."""
    return ceil(depth / 64) * width


def weight_rom_bram(depth: int, width: int, pinned: bool) -> int:
    """BRAM_18K of a weight ROM as HLS makes it; `pinned`: the source asks for block RAM, however small.

    Shapes below 4,096 words are those of the reports: HLS never picks 4,096 x 4 for a ROM.
    """
    if not pinned and depth * width <= LUTRAM_BITS:
        return 0
    shapes = RAMB18_SHAPES[:3]
    return min(ceil(depth / words) * ceil(width / bits) for words, bits in shapes)


def index_rom_bram(depth: int, width: int) -> int:
    """BRAM_18K of the ROM of output indices that a reuse factor above the inputs needs: LUT up to 2,048 bits."""
    return 0 if depth * width <= 2 * LUTRAM_BITS else weight_rom_bram(depth, width, pinned=True)


def line_buffer(length: int, width: int, registers: int, family: str) -> tuple[int, int]:
    """(LUT, FF) of `registers` shift registers, `length` words of `width` bits each, as C-synthesis counts them.

    Kintex UltraScale: two bits per LUT up to 16 words, above that one bit per LUT and 32 words; all other families 32
    LUT per started 32 words and 64 FF, whatever the width (`memories.csv`, `ap_shift_reg` of stock convolutions).
    """
    if family == "Kintex UltraScale":
        each = ceil(width / 2) if length <= 16 else width * ceil(length / 32)
        return registers * each, 0
    return registers * 32 * ceil(length / 32), registers * 64


def fifo_bram(depth: int, width: int) -> int:
    """BRAM_18K of a FIFO in the deepest-fitting RAMB18 shape; FIFOs use no 512 x 36 (`fifos.csv`)."""
    for words, bits in RAMB18_SHAPES[1:]:
        if depth <= words:
            return ceil(width / bits)
    return ceil(depth / RAMB18_SHAPES[-1][0]) * width


def vivado_fifo(depth: int, width: int) -> tuple[int, int, int]:
    """(LUT, FF, BRAM_18K) of one FIFO of Vivado HLS: in block RAM iff it holds more than 512 bits.

    FF from `fifos.csv`, LUT from the FIFO totals of `designs.csv`.
    """
    if depth * width <= 512:
        return 15 + width, 6, 0
    return FIFO_LUT + width, 20 + width, fifo_bram(depth, width)


def vitis_fifo(depth: int, width: int) -> tuple[int, int, int]:
    """(LUT, FF, BRAM_18K) of one FIFO of Vitis HLS: in block RAM iff deeper than 2 and above 1,024 bits.

    `fifos.csv` agrees in every row but those on xcvu13p and xcu250, where more stays out of block RAM.
    """
    if depth > 2 and depth * width > LUTRAM_BITS:
        return FIFO_LUT, 160, fifo_bram(depth, width)
    return FIFO_LUT, 99, 0


LUT_PER_BRAM = 128
"""LUTs that a BRAM_18K is worth to a FIFO; the devices have 150 (ZCU102) to 407 (KV260) for each."""


def shift_register_lut(length: int) -> float:
    """LUT per bit; a single word is a plain register, up to 16 words two bits share a LUT."""
    if length == 1:
        return 0
    return 0.5 if length <= 16 else ceil(length / 32)


def lut_rom(depth: int, width: int) -> int:
    """LUT of a ROM, joined by F7 and F8 up to 256 words, by multiplexers above."""
    return lutram_luts(depth, width) + width * multiplexer_lut(ceil(depth / 256))


def lut_ram(depth: int, width: int) -> int:
    """LUT of a RAM with a write and a read port."""
    return ceil(lutram_luts(depth, width) * 8 / 7) + width * multiplexer_lut(ceil(depth / 64))


# --- FIFOs ------------------------------------------------------------------------------------------------------------


def fifo_memory(depth: int, width: int) -> Literal["srl", "bram"]:
    """Where a FIFO's data belongs: shift registers, unless they cost more LUTs than its block RAMs are worth.

    Left alone, HLS takes block RAM for anything deeper than 2 and above 1,024 bits, 5 of them for 14 words of 80 bits
    (40 LUT); so this choice has to be bound (`BIND_STORAGE type=fifo impl=...`).
    """
    return "srl" if ceil(width * shift_register_lut(depth)) <= LUT_PER_BRAM * fifo_bram(depth, width) else "bram"


def multiplexer_lut(inputs: int) -> int:
    """LUT per bit of an n:1 multiplexer, 4 inputs per LUT; F7 and F8 join up to 16."""
    return 0 if inputs == 1 else ceil(inputs / 4)
