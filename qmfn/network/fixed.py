"""Fixed-point types: `ap_fixed` as plain data, with its arithmetic on integers.

A value is an integer times 2**exponent. `FixedType.convert` is what an assignment to that type does, in every rounding
and overflow mode (UG1399, "Quantization Modes" and "Overflow Modes"). Knows neither hls4ml nor Keras.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Rounding = Literal["TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV"]
"""To lower values, towards zero; to the nearest, where a half goes up, towards zero, away from zero, down, to even."""

Overflow = Literal["WRAP", "SAT", "SAT_ZERO", "SAT_SYM", "WRAP_SM"]
"""Drop the upper bits; nearest value; zero; nearest value of a range that is symmetric; sign and magnitude."""

ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)
OVERFLOWS: tuple[Overflow, ...] = get_args(Overflow)


@dataclass(frozen=True)
class FixedType:
    """`ap_fixed<width, integer, rounding, overflow>`, or `ap_ufixed`.

    Attributes:
        width: bits, sign included.
        integer: bits in front of the binary point, sign included; may be negative or above `width`.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: Rounding = "TRN"
    overflow: Overflow = "WRAP"

    def __str__(self) -> str:
        modes = "" if (self.rounding, self.overflow) == ("TRN", "WRAP") else f",AP_{self.rounding},AP_{self.overflow}"
        return f"{'' if self.signed else 'u'}fixed<{self.width},{self.integer}{modes}>"

    @classmethod
    def requantising(cls, width: int, integer: int, signed: bool = True) -> FixedType:
        """The type whose assignment rounds half to even and saturates, as the quantisers of the network do."""
        return cls(width, integer, signed, "RND_CONV", "SAT")

    @property
    def exponent(self) -> int:
        """Of the least significant bit."""
        return self.integer - self.width

    @property
    def integers(self) -> tuple[int, int]:
        """Smallest and largest value in steps of the least significant bit."""
        if self.signed:
            return -(1 << self.width - 1), (1 << self.width - 1) - 1
        return 0, (1 << self.width) - 1

    @property
    def signed_bits(self) -> int:
        """Bits of the signed integer that holds every value."""
        return self.width + (not self.signed)

    @property
    def requantises(self) -> bool:
        """Whether an assignment rounds half to even and saturates."""
        return (self.rounding, self.overflow) == ("RND_CONV", "SAT")

    def holds(self, other: FixedType) -> bool:
        """Every value of `other` is a value of this type."""
        if other.signed and not self.signed:
            return False
        if self.overflow == "SAT_SYM" and self.signed and other.signed and other.overflow != "SAT_SYM":
            return self.integer > other.integer and self.exponent <= other.exponent  # no smallest integer
        sign = self.signed and not other.signed  # it takes one of our integer bits
        return self.integer - sign >= other.integer and self.exponent <= other.exponent

    def covers(self, other: FixedType) -> bool:
        """Rounding to this type first changes nothing of rounding to `other`: same steps, and it saturates later."""
        (low, high), (other_low, other_high) = self.integers, other.integers
        return self.requantises and self.exponent == other.exponent and low <= other_low and high >= other_high

    def convert(self, integers: np.ndarray, exponent: int) -> np.ndarray:
        """What an assignment makes of `integers` * 2**exponent: integers in steps of this type.

        Args:
            integers: of any shape; |integer| * 2**max(0, exponent - self.exponent) must be below 2**62.
        """
        numbers = np.asarray(integers).astype(np.int64)
        drop = self.exponent - exponent
        if drop <= 0:
            return self._fit(numbers << -drop, numbers << -drop)
        return self._fit(_rounded(numbers, drop, self.rounding), numbers >> min(drop, 62))

    def _fit(self, numbers: np.ndarray, floor: np.ndarray) -> np.ndarray:
        """Rounded numbers brought into the range; `floor` are those before rounding."""
        low, high = self.integers
        if self.overflow == "SAT_SYM" and self.signed:
            low = -high
        if self.overflow in ("SAT", "SAT_SYM"):
            return np.clip(numbers, low, high)
        inside = (numbers >= low) & (numbers <= high)
        if self.overflow == "SAT_ZERO":
            return np.where(inside, numbers, 0)
        kept = numbers & ((1 << self.width) - 1)
        if not self.signed:
            return kept
        sign = kept >> self.width - 1
        if self.overflow == "WRAP_SM":  # the lowest bit that is dropped becomes the sign; if that turns, all bits turn
            wanted = floor >> self.width & 1
            kept = np.where(inside | (sign == wanted), kept, ~kept & ((1 << self.width) - 1))
            sign = kept >> self.width - 1
        return kept - (sign << self.width)


def _rounded(numbers: np.ndarray, drop: int, rounding: Rounding) -> np.ndarray:
    """`numbers` / 2**drop as integers."""
    if drop > 62:  # all that is left is the sign of a number far below one step
        drop, numbers = 62, numbers >> 1 | (numbers & 1)
    floor = numbers >> drop
    rest = numbers - (floor << drop)
    half = 1 << drop - 1
    if rounding == "TRN":
        up = np.zeros_like(rest, bool)
    elif rounding == "TRN_ZERO":
        up = (rest > 0) & (numbers < 0)
    else:
        ties = {
            "RND": True,
            "RND_ZERO": numbers < 0,
            "RND_INF": numbers >= 0,
            "RND_MIN_INF": False,
            "RND_CONV": floor & 1 == 1,
        }
        up = (rest > half) | (rest == half) & ties[rounding]
    return floor + up


def type_of_values(values: np.ndarray) -> FixedType:
    """The narrowest signed type, 2 bits at least, that holds all values; they are multiples of powers of two."""
    if not np.any(values):
        return FixedType(2, 2)
    lowest = int(common_exponents(np.ravel(values)[:, None])[0])
    return type_of_range(float(values.min()), float(values.max()), lowest)


def type_of_range(smallest: float, largest: float, exponent: int) -> FixedType:
    """The narrowest signed type for multiples of 2**exponent between `smallest` and `largest`."""
    low, high = round(smallest / 2.0**exponent), round(largest / 2.0**exponent)
    width = max(2, bits_of_range(low, high))
    return FixedType(width, width + exponent)


def bits_of_range(low: int, high: int) -> int:
    """Width of a signed integer between `low` and `high`."""
    return max(1, int(high).bit_length() + 1 if high > 0 else 1, (-int(low) - 1).bit_length() + 1 if low < 0 else 1)


ALL_ZERO = 1 << 20
"""Exponent of a column without any value but zero."""


def common_exponents(values: np.ndarray) -> np.ndarray:
    """Per column the exponent of the largest power of two that divides all its values; `ALL_ZERO` where all are zero.

    Args:
        values: (rows, columns), float64 or what converts to it exactly.
    """
    mantissas, exponents = np.frexp(values.astype(np.float64))
    integers = np.abs(np.ldexp(mantissas, 53)).astype(np.int64)  # a mantissa has 53 bits
    lowest_bits = np.log2(np.maximum(integers & -integers, 1).astype(np.float64)).astype(np.int64)
    return np.where(integers > 0, exponents - 53 + lowest_bits, ALL_ZERO).min(axis=0)
