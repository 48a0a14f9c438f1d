"""What primitives cost in AMD's 7-series, UltraScale and UltraScale+ blocks, after synthesis.

Sources:

- UG574 (UltraScale CLB): a LUT has 6 inputs, is a 64 x 1 ROM or RAM, a 32-bit or two 16-bit shift registers, a 4:1
  multiplexer, one bit of an adder; 7 bits of a 64-deep RAM with two ports take 8 LUT; F7 and F8 join 4 LUT. UG474
  (7-series CLB) has the same LUT.
- UG573, UG473: shapes of block RAM and UltraRAM (`qmfn.devices.memory`); UltraRAM has no initial content.
- UG579, UG479: ports of a DSP block. PReLU's products go there by HLS's own rule (`arithmetic`).
- FINN's `lut_estimation` (Blott et al. 2018, arXiv 1809.04570; Xilinx/finn `matrixvectoractivation_hls.py`): per output
  SIMD * (2 * ceil((w + a) / 6) - 1) * (w + a) LUT of multipliers, (w + a) * (2 * SIMD - 1) of adders, all times 1.1,
  plus 300; (weight words / 64) * width of a ROM in LUTs. Ours are the adders that such a unit consists of; FINN's count
  lies above them and inside the band (a test compares).
- FIFOs: the calibrated control of `memory.vitis_fifo`, and the data in shift registers or block RAM (`fifo_memory`).

**None of this was compared with a vendor tool's result for these kernels.** No HLS run of them exists.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any, NamedTuple

from qmfn.devices.memory import (
    LUTRAM_BITS,
    fifo_bram,
    fifo_memory,
    lut_ram,
    lut_rom,
    multiplexer_lut,
    ramb18,
    shift_register_lut,
    uram,
    vitis_fifo,
    weight_rom_bram,
)
from qmfn.kernels.primitives import (
    Adders,
    AdderTrees,
    Comparators,
    Control,
    Counter,
    Fifo,
    Multiplexer,
    Primitive,
    Products,
    Ram,
    Registers,
    Requantisers,
    Rom,
    Shifters,
    WideProducts,
)
from qmfn.resources.arithmetic import dsp_per_multiplication
from qmfn.resources.coefficients import coefficients

CONTROL_LUT = 60
"""States, handshakes and pipeline enables of a loop. With counters about 160 for a matrix-vector unit and 360 for a
window; FINN counts 300 for either.
"""

CONTROL_FF = 60


class Count(NamedTuple):
    """Part of a stage: LUT of logic and of memory, and BRAM_18K at the high end. LUT and FF may be fractions."""

    lut: float = 0
    ff: float = 0
    memory_lut: float = 0
    dsp: int = 0
    bram: int = 0
    bram_high: int = 0
    uram: int = 0


def price(primitive: Primitive) -> Count:
    """What one entry of a bill costs."""
    return PRICES[type(primitive)](primitive)


def counter_lut(bits: int) -> int:
    """LUT of an increment that is cleared where a comparison with a constant, 6 bits per LUT, wraps it around."""
    return bits + ceil(bits / 6) + 2


def multiplier_lut(a_bits: int, b_bits: int) -> int:
    """LUT of a fabric multiplier: rows of adders, one per bit of the narrower factor but one; the first adds two."""
    narrow, wide = sorted((a_bits, b_bits))
    return wide if narrow == 1 else (narrow - 1) * (wide + 2)


def adder_tree_lut(terms: int, bits: int) -> int:
    """LUT of the sum of `terms` values of `bits` bits: one per bit of each adder, which grow by a bit per level."""
    lut = 0
    while terms > 1:
        bits += 1
        lut += terms // 2 * bits
        terms = ceil(terms / 2)
    return lut


def requantise_lut(bits: int, to_bits: int) -> int:
    """LUT of rounding half to even and saturating: increment, choice of the limits, what decides on either."""
    return 0 if bits <= to_bits else 2 * to_bits + ceil(bits / 5) + 1


def _counter(counter: Counter) -> Count:
    bits = max(1, counter.largest.bit_length())
    return Count(counter_lut(bits), bits)


def _adders(adders: Adders) -> Count:
    lut = adders.count * adders.bits
    return Count(lut, lut * adders.registered)


def _adder_trees(trees: AdderTrees) -> Count:
    lut = trees.count * adder_tree_lut(trees.terms, trees.bits)
    return Count(lut, lut * trees.registered)


def _products(products: Products) -> Count:
    ff = products.count * (products.a_bits + products.b_bits) * products.registered
    if products.where == "dsp":
        return Count(ff=ff, dsp=products.count)
    return Count(products.count * multiplier_lut(products.a_bits, products.b_bits), ff)


def _wide_products(products: WideProducts) -> Count:
    each = dsp_per_multiplication(products.a_bits, products.b_bits)
    lut = 0 if each else multiplier_lut(products.a_bits, products.b_bits)
    return Count(products.count * lut, dsp=products.count * each)


def _rom(rom: Rom) -> Count:
    """auto: HLS's rule, LUTs for small ones, else block RAM. One word is a constant."""
    if rom.depth == 1:
        return Count()
    if rom.storage == "lutram" or (rom.storage == "auto" and rom.depth * rom.width <= LUTRAM_BITS):
        return Count(ff=rom.width, memory_lut=lut_rom(rom.depth, rom.width))
    return Count(bram=ramb18(rom.depth, rom.width), bram_high=weight_rom_bram(rom.depth, rom.width, pinned=True))


def _ram(ram: Ram) -> Count:
    """auto: HLS's rule, LUTs for small ones, else block RAM. One word is a register, with the output register two."""
    if ram.storage == "uram":
        return Count(uram=uram(ram.depth, ram.width))
    if ram.storage == "lutram" or (ram.storage == "auto" and ram.depth * ram.width <= LUTRAM_BITS):
        if ram.depth == 1:
            return Count(ff=2 * ram.width)
        return Count(ff=ram.width, memory_lut=lut_ram(ram.depth, ram.width))
    return Count(bram=ramb18(ram.depth, ram.width), bram_high=ramb18(ram.depth, ram.width))


def _fifo(fifo: Fifo) -> Count:
    """Control, and shift registers or block RAM for the data.

    `vitis_fifo` counts control as C-synthesis reports it; synthesis leaves its median share of that.
    """
    in_bram = fifo_memory(fifo.depth, fifo.width) == "bram"
    lut, ff, _ = vitis_fifo(512 if in_bram else 2, fifo.width)
    left = coefficients().post_synthesis
    stored = 0 if in_bram else ceil(fifo.width * shift_register_lut(fifo.depth))
    bram = fifo_bram(fifo.depth, fifo.width) if in_bram else 0
    control_lut, control_ff = round(lut * left["lut"].median), round(ff * left["ff"].median)
    return Count(control_lut, control_ff + fifo.width, stored, bram=bram)


PRICES: dict[type, Callable[[Any], Count]] = {
    Control: lambda _: Count(CONTROL_LUT, CONTROL_FF),
    Counter: _counter,
    Registers: lambda registers: Count(ff=registers.bits),
    Comparators: lambda comparators: Count(comparators.bits / 2),
    Multiplexer: lambda choice: Count(choice.bits * multiplexer_lut(choice.inputs)),
    Adders: _adders,
    AdderTrees: _adder_trees,
    Products: _products,
    WideProducts: _wide_products,
    Shifters: lambda shifters: Count(shifters.count * shifters.bits * ceil(shifters.amount_bits / 2)),
    Requantisers: lambda rounding: Count(rounding.count * requantise_lut(rounding.bits, rounding.to_bits)),
    Rom: _rom,
    Ram: _ram,
    Fifo: _fifo,
}
