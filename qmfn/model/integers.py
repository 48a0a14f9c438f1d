"""Fixed point as integers, without TensorFlow: the range of a width, and rounding to it."""

from __future__ import annotations

import numpy as np

Exponents = int | list
"""Exponent of the least significant bit: one for the tensor, or a nested list that broadcasts against it."""


def integer_range(bits: int) -> tuple[int, int]:
    """Smallest and largest integer of a signed two's complement number."""
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def quantise_to_integers(values: np.ndarray, bits: int, exponents: Exponents | np.ndarray) -> np.ndarray:
    """Nearest representable integers, ties to even, saturated: `clip(round(values / 2**exponents))`, int64."""
    low, high = integer_range(bits)
    scaled = np.asarray(values, np.float64) * 2.0 ** -np.asarray(exponents, np.float64)
    return np.clip(np.rint(scaled), low, high).astype(np.int64)
