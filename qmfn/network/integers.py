"""Fixed point as integers, without TensorFlow: the range of a width, and rounding to it.

Two quantisers (Lloyd's terms): *mid-tread* has the integers of two's complement, zero among them. *Mid-rise* has as
many levels, symmetric about zero and without it: the odd integers. Where there are few levels, that fits weights
better: 2 bits give -3, -1, 1, 3 instead of -2, -1, 0, 1, and one bit gives -1, 1. The last binary digit is always one
and needs no memory.
"""

from __future__ import annotations

import numpy as np

Exponents = int | list
"""Exponent of the least significant bit: one for the tensor, or a nested list that broadcasts against it."""


def integer_range(bits: int, mid_rise: bool = False) -> tuple[int, int]:
    """Smallest and largest integer of a signed two's complement number, or of `bits` bits of mid-rise."""
    if mid_rise:
        return -(2**bits - 1), 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def quantise_to_integers(
    values: np.ndarray, bits: int, exponents: Exponents | np.ndarray, mid_rise: bool = False
) -> np.ndarray:
    """Nearest representable integers, saturated, int64.

    Mid-tread: `clip(round(values / 2**exponents))`, ties to even. Mid-rise: the odd integer around it, ties upwards.
    """
    low, high = integer_range(bits, mid_rise)
    scaled = np.asarray(values, np.float64) * 2.0 ** -np.asarray(exponents, np.float64)
    nearest = 2 * np.floor(scaled / 2) + 1 if mid_rise else np.rint(scaled)
    return np.clip(nearest, low, high).astype(np.int64)
