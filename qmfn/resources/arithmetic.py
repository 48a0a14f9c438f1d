"""What a multiplication costs: the DSP rule and the LUT of fabric multipliers, pure functions of operand widths.

Source: `synthesis/multipliers.csv` of the shared data (79 k operators), UG579 for the 27 x 18 bits of a DSP48E2.
"""

from __future__ import annotations

from math import ceil, log2


def takes_dsp(a_bits: int, b_bits: int) -> bool:
    """Whether HLS puts an a x b bit multiplication into a DSP: iff max(a, b) >= 11 and min(a, b) >= 5.

    No counter-example in Vivado HLS 2019-2020 and Vitis HLS 2022-2023 (`multipliers.csv`).
    """
    return max(a_bits, b_bits) >= 11 and min(a_bits, b_bits) >= 5


def dsp_per_multiplication(a_bits: int, b_bits: int) -> int:
    """DSP slices of one multiplication: tiles of 27 x 18 bits, or 0 for fabric."""
    if not takes_dsp(a_bits, b_bits):
        return 0
    return ceil(max(a_bits, b_bits) / 27) * ceil(min(a_bits, b_bits) / 18)


def lut_per_multiplication(a_bits: int, b_bits: int) -> float:
    """LUT of one a x b bit multiplication in fabric, or 0 for one in a DSP.

    0.62 * max(a, b)^2 for operands of similar width (`multipliers.csv`, up to 10 bits), but no more than a * b, one
    adder per bit of the narrower operand, which matters when a wide value meets a sub-byte weight.
    """
    return 0.0 if takes_dsp(a_bits, b_bits) else min(0.62 * max(a_bits, b_bits) ** 2, a_bits * b_bits)


def fused_products_dsp(multipliers: int, chains: int) -> int:
    """DSPs of narrow products in Vitis HLS 2024.2: per accumulator chain every second product is a multiply-add."""
    per_chain, longer = divmod(multipliers, chains)
    return (chains - longer) * ceil(per_chain / 2) + longer * ceil((per_chain + 1) / 2)


def sum_bits(a_bits: int, b_bits: int, terms: int, limit: int) -> int:
    """Bits that a sum of `terms` products really has; HLS trims an accumulator type of `limit` bits to that."""
    return min(limit, a_bits + b_bits + ceil(log2(max(terms, 1)))) if limit else a_bits + b_bits
